//! The row of a run that is being trained, from its newest events: the list of runs is older.

use super::app::App;
use super::run::{RunState, status_of};
use crate::run::RunRow;
use crate::run::history::History;
use std::borrow::Cow;

/// The row with what this process knows about the run that it trains.
pub fn current_row<'a>(app: &App, row: &'a RunRow) -> Cow<'a, RunRow> {
    match app.training.as_ref().filter(|run| run.is_live() && run.dir == row.dir) {
        Some(run) => Cow::Owned(updated(row, run, &run.seeds)),
        None => Cow::Borrowed(row),
    }
}

/// The row of a run that another process trains, with what its log has.
pub fn followed_row(row: &RunRow, seeds: &[History]) -> RunRow {
    match (seeds.last(), row.spec.as_deref()) {
        (Some(_), Some(spec)) => {
            let run = RunState::past(spec.clone(), row.dir.clone(), Vec::new());
            updated(row, &run, seeds)
        }
        _ => row.clone(),
    }
}

fn updated(row: &RunRow, run: &RunState, seeds: &[History]) -> RunRow {
    let Some(last) = seeds.last() else { return row.clone() };
    let status = status_of(seeds, run.spec.seed_count());
    let done: f64 = seeds.iter().map(History::fraction).sum();
    RunRow {
        status,
        steps: last.steps_done(),
        total_steps: last.total_steps(),
        progress: done / run.spec.seed_count() as f64,
        train_seconds: seeds.iter().map(History::train_seconds).sum(),
        best: last.best.map(|best| (best.metric, best.value)).or(row.best),
        ..row.clone()
    }
}
