//! The state of the training of one seed, from its log and its summary.

use super::dir::RunDir;
use super::history::History;
use super::reader::ends;
use crate::catalog::Metric;
use crate::event::{AverageEval, Change, Event, Scores, Status};
use crate::spec::RunSpec;
use crate::train::{CheckpointProgress, Summary, checkpoint_progress};

/// Bytes that are read at each end of a log. Logs of up to twice as many are read completely.
pub(super) const END_BYTES: u64 = 64 * 1024;

/// State of the training of one seed. For a long log of a run without a summary, `seconds` misses the steps between the
/// newest checkpoint and the end of the log that is read.
#[derive(Debug, Default)]
pub(super) struct LogState {
    /// When it was first started, in seconds since 1970; 0 while unknown.
    pub started: f64,
    /// When it ended.
    pub ended: Option<f64>,
    /// How it ended.
    pub status: Option<Status>,
    /// The error of a failed training.
    pub error: Option<String>,
    pub steps: u64,
    pub total_steps: u64,
    pub seconds: f64,
    pub best: Option<(Metric, f64)>,
    /// The scores of the best evaluation.
    pub best_scores: Option<Scores>,
    /// The changes of the settings, oldest first.
    pub changes: Vec<Change>,
    /// Seconds until the training is done, if it is not over.
    pub seconds_left: Option<f64>,
    /// Seconds of a whole training at the current speed, if it is not over.
    pub whole_seconds: Option<f64>,
    /// The step up to which `seconds` is counted.
    timed: u64,
}

impl LogState {
    /// The state of the training of `spec` in `dir`. `summary` is that of a training that has ended.
    pub(super) fn of(dir: &RunDir, spec: &RunSpec, summary: Option<&Summary>) -> Self {
        let mut log = LogState::read(dir, spec);
        if let Some(summary) = summary {
            log.status = Some(summary.status);
            log.error.clone_from(&summary.error);
            log.steps = summary.steps;
            log.seconds = summary.train_seconds;
            log.changes.clone_from(&summary.changes);
            log.best = summary.best.map(|best| (best.metric, best.value)).or(log.best);
        }
        log
    }

    fn read(dir: &RunDir, spec: &RunSpec) -> Self {
        let mut log = LogState::default();
        let (first, last) = ends(dir.path(), END_BYTES).unwrap_or_default();
        // The problem type of task `custom` is known when the run starts.
        let started = first.iter().find_map(|event| match event {
            Event::Started(started) => Some(started.best_metric()),
            _ => None,
        });
        let metric = started.unwrap_or_else(|| spec.best_metric());
        for event in &first {
            log.take(event, metric);
        }
        // The part of a long log between its ends is summed up in the newest checkpoint.
        if !last.is_empty()
            && let Some(CheckpointProgress { steps, seconds, best, total_steps, changes }) =
                checkpoint_progress(dir.path())
            && steps > log.steps
        {
            let total_steps = total_steps.unwrap_or(log.total_steps);
            let best_scores = log.best_scores.filter(|_| best == log.best);
            let best = best.or(log.best);
            log = LogState { steps, total_steps, timed: steps, seconds, best, best_scores, changes, ..log };
        }
        for event in &last {
            log.take(event, metric);
        }
        if log.status.is_none() {
            let history = History::of(first.iter().chain(&last));
            log.seconds_left = history.seconds_left();
            let fraction = history.fraction();
            log.whole_seconds = (fraction > 0.0 && last.is_empty()).then(|| history.work_seconds / fraction);
        }
        log
    }

    /// Fraction of the steps that are done.
    pub(super) fn fraction(&self) -> f64 {
        match (self.status, self.total_steps) {
            (Some(Status::Finished), _) => 1.0,
            (_, 0) => 0.0,
            (_, total) => (self.steps as f64 / total as f64).min(1.0),
        }
    }

    fn take(&mut self, event: &Event, metric: Metric) {
        match event {
            Event::Started(started) => {
                self.see(started.time);
                self.total_steps = started.total_steps;
                self.steps = started.first_step;
                self.timed = started.first_step;
                self.changes.retain(|change| change.step <= started.first_step);
                self.status = None;
                self.error = None;
                self.ended = None;
            }
            // The log of a replayed run starts with the commands that it will execute, without settings.
            Event::Command { step, command, settings: Some(settings), .. } => {
                self.total_steps = settings.total_steps;
                let change = Change { step: *step, command: *command };
                if command.changes_settings() && !self.changes.contains(&change) {
                    self.changes.push(change);
                }
            }
            Event::Step(step) => {
                if step.step > self.timed {
                    self.seconds += step.seconds;
                    self.timed = step.step;
                }
                self.steps = step.step;
            }
            Event::Eval(eval) | Event::AverageEval(AverageEval { eval, .. }) if eval.best => {
                self.best = eval.scores.get(metric).map(|value| (metric, value));
                self.best_scores = Some(eval.scores.clone());
            }
            Event::Note { time, .. } => self.see(*time),
            Event::Ended { time, status, error } => {
                self.see(*time);
                self.ended = Some(*time);
                self.status = Some(*status);
                self.error.clone_from(error);
            }
            _ => {}
        }
    }

    /// Takes the time of an event. The first one is the start: a run that fails early has no start event.
    fn see(&mut self, time: f64) {
        if self.started == 0.0 {
            self.started = time;
        }
    }
}
