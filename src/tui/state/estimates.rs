//! How long runs and the queue will take.

use super::app::App;
use super::queue::belongs_to;
use super::run::RunState;
use crate::format;
use crate::run::MeasuredSpeed;
use crate::run::queue::QueueEntry;
use crate::spec::RunSpec;
use crate::tui::theme::{Symbol, Theme};

/// How long something takes: what is known of it, and whether that is all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TimeEstimate {
    /// Seconds.
    pub seconds: f64,
    /// Whether nothing is missing in them.
    pub is_known: bool,
}

impl TimeEstimate {
    fn of(seconds: Option<f64>) -> TimeEstimate {
        TimeEstimate { seconds: seconds.unwrap_or(0.0), is_known: seconds.is_some() }
    }

    /// `12:40`, `over 12:40` where something was never measured, or a dash.
    pub fn text(self, theme: Theme) -> String {
        match self {
            TimeEstimate { is_known: true, seconds } => format::duration(seconds),
            TimeEstimate { seconds, .. } if seconds > 0.0 => format!("over {}", format::duration(seconds)),
            _ => theme.glyph(Symbol::Dash).into(),
        }
    }
}

/// How long the queue will take from now on, with what is being trained before it.
pub fn estimate_queue(app: &App) -> TimeEstimate {
    let training = app.training.as_ref().filter(|run| run.is_live());
    let others = training.filter(|run| app.runs.queue.entry_of(run).is_none());
    let first = others.map(|run| TimeEstimate::of(seconds_left(app, run)));
    let entries = app.runs.queue.list.entries.iter().map(|entry| estimate_entry(app, entry));
    first.into_iter().chain(entries).fold(TimeEstimate { seconds: 0.0, is_known: true }, |sum, left| {
        TimeEstimate { seconds: sum.seconds + left.seconds, is_known: sum.is_known && left.is_known }
    })
}

/// How long an entry will take from now on.
pub fn estimate_entry(app: &App, entry: &QueueEntry) -> TimeEstimate {
    if let Some(run) = app.training.as_ref().filter(|run| run.is_live() && belongs_to(run, entry)) {
        return TimeEstimate::of(seconds_left(app, run).or_else(|| measured_seconds(app, &entry.spec)));
    }
    let row = entry.run.as_ref().and_then(|dir| app.runs.runs.iter().find(|row| row.dir == *dir));
    let done = row.filter(|row| row.total_steps > 0 && entry.spec.repeats <= 1);
    let left = done.map_or(1.0, |row| 1.0 - row.steps as f64 / row.total_steps as f64);
    TimeEstimate::of(measured_seconds(app, &entry.spec).map(|seconds| seconds * left.clamp(0.0, 1.0)))
}

/// Seconds that all seeds of `spec` take, from the newest run whose steps cost the same.
pub fn measured_seconds(app: &App, spec: &RunSpec) -> Option<f64> {
    let training = app.training.as_ref().and_then(|run| MeasuredSpeed::of_history(run.history()));
    let paces = training.iter().chain(app.runs.runs.iter().filter_map(|row| row.measured_speed.as_ref()));
    let one = paces.into_iter().find_map(|pace| pace.seconds(spec))?;
    Some(one * spec.repeats.max(1) as f64)
}

/// Seconds until all seeds of a run that this process trains are done, whichever is looked at.
pub fn seconds_left(app: &App, run: &RunState) -> Option<f64> {
    let history = run.newest();
    let left = history.seconds_left()?;
    let begun = history.started.as_ref().map_or(run.started_at, |started| started.time);
    let begun = if run.seeds.len() == 1 { run.started_at } else { begun };
    let seeds = run.spec.repeats.saturating_sub(run.seeds.len() as u64);
    Some(left + (app.now - begun + left) * seeds as f64)
}
