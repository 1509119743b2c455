//! Estimated times of runs and of the queue.

use super::app::App;
use super::queue::belongs_to;
use super::run::RunState;
use crate::format;
use crate::run::MeasuredSpeed;
use crate::run::queue::QueueEntry;
use crate::spec::RunSpec;
use crate::tui::theme::{Symbol, Theme};

/// An estimated time, which may be a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TimeEstimate {
    /// Seconds.
    pub seconds: f64,
    /// Whether the estimate is complete; else it is a lower bound.
    pub is_known: bool,
}

impl TimeEstimate {
    fn of(seconds: Option<f64>) -> TimeEstimate {
        TimeEstimate { seconds: seconds.unwrap_or(0.0), is_known: seconds.is_some() }
    }

    /// `12:40`; `at least 12:40` for a lower bound; a dash if nothing is known.
    pub fn text(self, theme: Theme) -> String {
        match self {
            TimeEstimate { is_known: true, seconds } => format::duration(seconds),
            TimeEstimate { seconds, .. } if seconds > 0.0 => {
                format!("at least {}", format::duration(seconds))
            }
            _ => theme.symbol(Symbol::Dash).into(),
        }
    }
}

/// The remaining time of the queue, including a run that is being trained before it.
pub fn estimate_queue(app: &App) -> TimeEstimate {
    let training = app.training.as_ref().filter(|run| run.is_live());
    let unqueued = training.filter(|run| app.runs.queue.entry_of(run).is_none());
    let first = unqueued.map(|run| TimeEstimate::of(seconds_left(app, run)));
    let entries = app.runs.queue.list.entries.iter().map(|entry| estimate_entry(app, entry));
    first.into_iter().chain(entries).fold(TimeEstimate { seconds: 0.0, is_known: true }, |sum, left| {
        TimeEstimate { seconds: sum.seconds + left.seconds, is_known: sum.is_known && left.is_known }
    })
}

/// The remaining time of a queue entry. How long a scheduler trains the trials of a sweep is not known: that of a sweep is
/// at least the time of one.
pub fn estimate_entry(app: &App, entry: &QueueEntry) -> TimeEstimate {
    if let Some(run) = app.training.as_ref().filter(|run| run.is_live() && belongs_to(run, entry)) {
        return TimeEstimate::of(seconds_left(app, run).or_else(|| measured_seconds(app, &entry.spec)));
    }
    if let Some(sweep) = &entry.sweep {
        let seconds = measured_seconds(app, &entry.spec).filter(|_| app.runs.trials_left(sweep) > 0);
        return TimeEstimate { seconds: seconds.unwrap_or(0.0), is_known: false };
    }
    let row = entry.run.as_ref().and_then(|dir| app.runs.runs.iter().find(|row| row.dir == *dir));
    let done = row.filter(|row| row.total_steps > 0 && entry.spec.seed_count() <= 1);
    let left = done.map_or(1.0, |row| 1.0 - row.steps as f64 / row.total_steps as f64);
    TimeEstimate::of(measured_seconds(app, &entry.spec).map(|seconds| seconds * left.clamp(0.0, 1.0)))
}

/// Seconds that all seeds of `spec` take, from the newest run with steps of the same cost.
pub fn measured_seconds(app: &App, spec: &RunSpec) -> Option<f64> {
    let training = app.training.as_ref().and_then(|run| MeasuredSpeed::of_history(run.history()));
    let speeds = training.iter().chain(app.runs.runs.iter().filter_map(|row| row.measured_speed.as_ref()));
    let seconds = speeds.into_iter().find_map(|speed| speed.seconds(spec))?;
    Some(seconds * spec.seed_count() as f64)
}

/// Seconds until all seeds of a run of this process are done, whichever seed is shown.
pub fn seconds_left(app: &App, run: &RunState) -> Option<f64> {
    let history = run.newest();
    let left = history.seconds_left()?;
    let started_at = history.started.as_ref().map_or(run.started_at, |started| started.time);
    let started_at = if run.seeds.len() == 1 { run.started_at } else { started_at };
    let seeds = run.spec.seed_count().saturating_sub(run.seeds.len() as u64);
    Some(left + (app.now - started_at + left) * seeds as f64)
}
