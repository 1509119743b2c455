//! Folds the events of a run into what a reader shows: curves, best scores, speed, remaining time.
//!
//! Nothing here is stored: it can be computed again from the event log.

use super::axis::StepAxis;
use super::change::{RunChange, changed};
use super::gauges::GaugeHistory;
use super::message::{LogKind, describe};
use super::probes::ProbeHistory;
use super::series::Series;
use super::speed::Speed;
use crate::catalog::Metric;
use crate::event::{
    AverageEval, Averaging, Command, Diagnosis, Eval, Event, Progress, Scores, SplitName, Stage, Started,
    Status, Step, TrainingSettings, Usage,
};
use crate::format;
use crate::spec::IntervalStrategy;
use std::collections::{BTreeMap, VecDeque};

/// Newest lines of the log that are kept.
const LOG_LINES: usize = 1000;

/// State of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Phase {
    /// Before the first step: downloading, reading, tokenizing.
    #[default]
    Preparing,
    /// Training.
    Training,
    /// Waiting for [`Command::Resume`].
    Paused,
    /// Ended, with the error of a failed run.
    Ended(Status, Option<String>),
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Seconds since 1970: measured, or estimated from the durations of the events before.
    pub time: f64,
    /// How it is highlighted.
    pub kind: LogKind,
    /// One sentence.
    pub text: String,
}

/// The best validation score so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: f64,
    /// The metric.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
    /// How the weights were averaged, if it is a score of averaged weights.
    pub averaging: Option<Averaging>,
}

/// The history of one run, in bounded memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The start of the run, once known.
    pub started: Option<Started>,
    /// Its state.
    pub phase: Phase,
    /// Progress of the current work other than steps.
    pub progress: Option<Progress>,
    /// Training loss.
    pub loss: Series,
    /// Learning rate.
    pub learning_rate: Series,
    /// Gradient norm before clipping.
    pub grad_norm: Series,
    /// Tokens per second, as computed from the time of the steps.
    pub token_rate: Series,
    /// Each metric of each split, including the loss.
    pub scores: BTreeMap<(SplitName, Metric), Series>,
    /// Steps in epochs, seconds and examples.
    pub step_axis: StepAxis,
    /// The newest evaluation of each split.
    pub latest: BTreeMap<SplitName, Eval>,
    /// The scores before training.
    pub before: BTreeMap<SplitName, Scores>,
    /// The best validation score so far.
    pub best: Option<Best>,
    /// The evaluation with the best score.
    pub best_eval: Option<Eval>,
    /// The newest evaluation of the validation split with averaged weights.
    pub average: Option<AverageEval>,
    /// The newest step event.
    pub step: Option<Step>,
    /// The newest lines, oldest first.
    pub log: VecDeque<LogLine>,
    /// Seconds of steps and evaluations.
    pub work_seconds: f64,
    /// Total usage. Empty in logs of versions that did not record it.
    pub usage: Usage,
    /// Usage of the newest interval.
    pub last_usage: Usage,
    /// Predictions for the probes.
    pub probes: ProbeHistory,
    /// Gauges of the machine.
    pub gauges: GaugeHistory,
    /// The problems that were diagnosed and still apply, oldest first.
    pub diagnoses: Vec<Diagnosis>,
    /// New learning rates, new lengths and pauses, oldest first.
    pub changes: Vec<RunChange>,
    /// The changed settings with the step of each change, oldest first.
    settings: Vec<(u64, TrainingSettings)>,
    speed: Speed,
    step_seconds: f64,
    evaluation: (u64, f64),
    clock: f64,
}

impl History {
    /// The history of these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut history = History::default();
        for event in events {
            history.fold(event);
        }
        history
    }

    /// Adds an event in constant time.
    pub fn fold(&mut self, event: &Event) {
        self.take(event);
        // The screen shows everything about a start except that the run was resumed.
        if let Event::Started(started) = event {
            if started.first_step > 0 {
                self.push_log(
                    LogKind::Note,
                    format!("resumed after step {}", format::count(started.first_step)),
                );
            }
        } else if let Some((kind, text)) = describe(event) {
            self.push_log(kind, text);
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Started(started) => self.start(started),
            Event::Progress(progress) => self.progress = Some(progress.clone()),
            Event::Step(step) => self.step(step),
            Event::Eval(eval) => self.eval(eval),
            Event::AverageEval(average) => self.average_eval(average),
            Event::Probe(probe) => self.probes.fold(probe),
            Event::Saved(saved) => {
                self.progress = None;
                self.clock += saved.seconds;
                self.usage.spend(Stage::Saving, saved.seconds);
            }
            Event::Machine(gauges) => {
                self.clock = self.clock.max(gauges.time);
                self.gauges.fold(gauges);
            }
            Event::Command { error: Some(_), .. } => {}
            Event::Command { step, command, settings, .. } => self.command(*step, *command, *settings),
            Event::Note { time, warning, text, problem, settings } => {
                self.clock = self.clock.max(*time);
                if let Some(problem) = *problem {
                    self.diagnoses.retain(|diagnosis| diagnosis.problem != problem);
                    if *warning {
                        let (text, settings) = (text.clone(), settings.clone());
                        self.diagnoses.push(Diagnosis { problem, text, settings });
                    }
                }
            }
            Event::Ended { time, status, error } => {
                self.clock = self.clock.max(*time);
                self.progress = None;
                self.phase = Phase::Ended(*status, error.clone());
            }
        }
    }

    fn start(&mut self, started: &Started) {
        self.clock = self.clock.max(started.time);
        self.progress = None;
        self.phase = Phase::Training;
        self.speed = Speed::default();
        self.step_axis.steps_per_epoch = started.steps_per_epoch;
        if started.first_step > 0 {
            self.rewind(started.first_step);
        }
        self.started = Some(started.clone());
    }

    /// Discards everything after step `done`, from which the run resumes.
    fn rewind(&mut self, done: u64) {
        let scores = self.scores.values_mut();
        let steps = [&mut self.loss, &mut self.learning_rate, &mut self.grad_norm, &mut self.token_rate];
        for series in scores.chain(steps) {
            series.rewind(done.saturating_add(1));
        }
        self.step_axis.rewind(done.saturating_add(1));
        self.probes.rewind(done);
        if self.step.as_ref().is_some_and(|step| step.step > done) {
            self.step = None;
        }
        self.settings.retain(|(step, _)| *step <= done);
        self.changes.retain(|change| change.step <= done);
    }

    fn step(&mut self, step: &Step) {
        self.progress = None;
        if self.phase == Phase::Preparing {
            self.phase = Phase::Training;
        }
        let before = self.step.as_ref().map_or(0, |step| step.step);
        let steps = step.step.saturating_sub(before).max(1);
        self.loss.push(step.step, step.loss);
        self.learning_rate.push(step.step, step.learning_rate);
        self.grad_norm.push(step.step, step.grad_norm);
        if step.seconds > 0.0 {
            self.token_rate.push(step.step, step.tokens as f64 / step.seconds);
        }
        self.speed.add(step, steps);
        self.step_axis.step(step);
        self.work_seconds += step.seconds;
        self.step_seconds += step.seconds;
        self.clock += step.seconds;
        if let Some(usage) = step.usage.as_deref() {
            self.usage.add(usage);
            self.last_usage = usage.clone();
        }
        self.step = Some(step.clone());
    }

    fn eval(&mut self, eval: &Eval) {
        self.spend_on_eval(eval);
        for metric in Metric::ALL.iter().copied() {
            if let Some(value) = eval.scores.get(metric) {
                self.scores.entry((eval.split, metric)).or_default().push(eval.step, value);
            }
        }
        if eval.step == 0 {
            self.before.insert(eval.split, eval.scores.clone());
        }
        self.see_best(eval, None);
        self.latest.insert(eval.split, eval.clone());
    }

    fn average_eval(&mut self, average: &AverageEval) {
        self.spend_on_eval(&average.eval);
        self.see_best(&average.eval, Some(average.averaging));
        if average.eval.split == SplitName::Validation {
            self.average = Some(average.clone());
        }
    }

    /// Takes the score of an evaluation that is the best one.
    fn see_best(&mut self, eval: &Eval, averaging: Option<Averaging>) {
        let metric = self.metric();
        if let (true, Some(value)) = (eval.best, eval.scores.get(metric)) {
            self.best = Some(Best { step: eval.step, epoch: eval.epoch, metric, value, averaging });
            self.best_eval = Some(eval.clone());
        }
    }

    /// Adds the time of an evaluation.
    fn spend_on_eval(&mut self, eval: &Eval) {
        self.progress = None;
        self.work_seconds += eval.seconds;
        self.step_axis.add_seconds(eval.seconds);
        self.usage.spend(Stage::Evaluation, eval.seconds);
        self.clock += eval.seconds;
        if self.evaluation.0 == eval.step {
            self.evaluation.1 += eval.seconds;
        } else {
            self.evaluation = (eval.step, eval.seconds);
        }
    }

    fn command(&mut self, step: u64, command: Command, settings: Option<TrainingSettings>) {
        let before =
            TrainingSettings { learning_rate: self.peak_learning_rate(), total_steps: self.total_steps() };
        let kinds = changed(command, before, settings);
        self.changes.extend(kinds.into_iter().map(|kind| RunChange { step, kind }));
        if let Some(settings) = settings {
            self.settings.push((step, settings));
            if let Some(started) = &mut self.started {
                started.total_steps = settings.total_steps;
            }
        }
        match command {
            Command::Pause => self.phase = Phase::Paused,
            Command::Resume => self.phase = Phase::Training,
            _ => {}
        }
    }

    fn push_log(&mut self, kind: LogKind, text: String) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { time: self.clock, kind, text });
    }

    /// The metric that selects the best weights.
    pub fn metric(&self) -> Metric {
        self.started.as_ref().map_or(Metric::Accuracy, Started::best_metric)
    }

    /// The curve of a metric on a split.
    pub fn score(&self, split: SplitName, metric: Metric) -> Option<&Series> {
        self.scores.get(&(split, metric)).filter(|series| !series.is_empty())
    }

    /// Whether the latest scores of the training rows are the running mean over the steps of an epoch.
    pub fn has_running_scores(&self) -> bool {
        self.latest.get(&SplitName::Train).is_some_and(|eval| eval.scores.running_mean)
    }

    /// Seconds of the optimizer steps.
    pub fn train_seconds(&self) -> f64 {
        self.step_seconds
    }

    /// Optimizer steps done.
    pub fn steps_done(&self) -> u64 {
        let resumed = self.started.as_ref().map_or(0, |started| started.first_step);
        self.step.as_ref().map_or(0, |step| step.step).max(resumed)
    }

    /// Optimizer steps of the whole run; 0 while unknown.
    pub fn total_steps(&self) -> u64 {
        self.started.as_ref().map_or(0, |started| started.total_steps)
    }

    /// The current value of `learning_rate`, which the schedule scales; 0 while unknown.
    pub fn peak_learning_rate(&self) -> f64 {
        let specified = self.started.as_ref().map_or(0.0, |started| started.spec.learning_rate);
        self.settings.last().map_or(specified, |(_, settings)| settings.learning_rate)
    }

    /// Fraction of the steps done, 0..=1.
    pub fn fraction(&self) -> f64 {
        match self.total_steps() {
            0 => 0.0,
            total => (self.steps_done() as f64 / total as f64).min(1.0),
        }
    }

    /// Epochs done and epochs of the whole run; 0 while unknown.
    pub fn epochs(&self) -> (f64, f64) {
        let steps = self.started.as_ref().map_or(0, |started| started.steps_per_epoch);
        if steps == 0 {
            return (0.0, 0.0);
        }
        (self.steps_done() as f64 / steps as f64, self.total_steps() as f64 / steps as f64)
    }

    /// Examples per second of the last seconds of training.
    pub fn examples_per_second(&self) -> Option<f64> {
        self.speed.rates().map(|[_, examples, _]| examples)
    }

    /// Tokens per second of the last seconds of training.
    pub fn tokens_per_second(&self) -> Option<f64> {
        self.speed.rates().map(|[.., tokens]| tokens)
    }

    /// The fraction of the time that each stage took. Empty in logs without usage.
    pub fn stages(&self) -> BTreeMap<Stage, f64> {
        if self.last_usage.is_empty() { BTreeMap::new() } else { self.usage.shares() }
    }

    /// The fraction of the computed tokens that is padding, if known.
    pub fn padding(&self) -> Option<f64> {
        self.usage.padding()
    }

    /// Floating-point operations per second in the newest interval, and their fraction of the machine's matrix
    /// product throughput, if that was measured.
    pub fn arithmetic(&self) -> Option<(f64, Option<f64>)> {
        let rate = self.last_usage.operations_per_second()?;
        let peak = self.started.as_ref().and_then(|started| started.product_rate);
        Some((rate, peak.map(|peak| rate / peak)))
    }

    /// Seconds until the last step and its evaluation are done, at the current speed; `None` before the first step.
    pub fn seconds_left(&self) -> Option<f64> {
        let started = self.started.as_ref()?;
        let left = self.total_steps().saturating_sub(self.steps_done());
        let [steps, ..] = self.speed.rates()?;
        let training = left as f64 / steps;
        let interval = match started.spec.eval_steps {
            IntervalStrategy::Epoch => started.steps_per_epoch,
            IntervalStrategy::Steps(steps) => steps,
        };
        let interval = interval.max(1);
        let done = self.steps_done() / interval;
        // The last step is always evaluated.
        let evaluations = self.total_steps().div_ceil(interval).saturating_sub(done);
        Some(training + evaluations as f64 * self.evaluation.1)
    }

    /// Marks the run as about to be resumed, unless it is finished.
    pub fn reopen(&mut self) {
        if self.phase != Phase::Ended(Status::Finished, None) {
            self.phase = Phase::Preparing;
        }
    }

    /// Whether the run has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(..))
    }

    /// Time of the newest event, in seconds since 1970.
    pub fn last_seen(&self) -> f64 {
        self.clock
    }
}
