//! A trial in the report of its sweep.

use crate::catalog::Metric;
use crate::run::row::{RunRow, RunStatus};
use serde::Serialize;
use std::path::PathBuf;

/// A trial in the report of its sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialRow {
    /// Its number, from 0.
    pub number: u64,
    /// Its values, one for each axis, as a user would type them.
    pub values: Vec<String>,
    /// Its run directory, once it exists.
    pub dir: Option<PathBuf>,
    /// Its status: that of its run, `paused` if the scheduler has paused it, `waiting` before it is started,
    /// `skipped` if its data are missing.
    pub status: &'static str,
    /// The metric of its score, once it has one.
    pub metric: Option<Metric>,
    /// Its best score, with repeats the mean over the seeds.
    pub score: Option<f64>,
    /// Optimizer steps done.
    pub steps: u64,
    /// Seconds of its steps.
    pub seconds: f64,
    /// When it ended, in seconds since 1970.
    pub ended: Option<f64>,
    /// Why it failed, was paused or is skipped.
    pub reason: Option<String>,
}

impl TrialRow {
    /// The status of a trial that has no run directory.
    pub const WAITING: &str = "waiting";
    /// The status of a trial that the scheduler has paused.
    pub const PAUSED: &str = "paused";
    /// The status of a trial whose data are missing.
    pub const SKIPPED: &str = "skipped";

    /// The trial with the run `row`.
    pub(super) fn of(number: u64, values: Vec<String>, row: &RunRow, is_paused: bool) -> TrialRow {
        let score = row.score();
        TrialRow {
            number,
            values,
            dir: Some(row.dir.clone()),
            status: trial_status(row, is_paused),
            metric: score.map(|(metric, _)| metric),
            score: score.map(|(_, score)| score),
            steps: row.steps,
            seconds: row.train_seconds,
            ended: row.ended,
            reason: row
                .problem
                .clone()
                .or_else(|| row.error.clone())
                .or_else(|| row.pause_reason.clone())
                .or_else(|| row.reason.clone()),
        }
    }

    /// A trial that has no run directory, and why it is skipped if it is.
    pub(super) fn without_run(number: u64, values: Vec<String>, skipped: Option<&String>) -> TrialRow {
        TrialRow {
            number,
            values,
            dir: None,
            status: if skipped.is_some() { TrialRow::SKIPPED } else { TrialRow::WAITING },
            metric: None,
            score: None,
            steps: 0,
            seconds: 0.0,
            ended: None,
            reason: skipped.cloned(),
        }
    }
}

/// The status of the trial with the run `row`.
pub(super) fn trial_status(row: &RunRow, is_paused: bool) -> &'static str {
    match row.status {
        RunStatus::Stopped if is_paused => TrialRow::PAUSED,
        // Its directory was created before it is trained.
        RunStatus::NotStarted => TrialRow::WAITING,
        status => status.name(),
    }
}
