//! A run in a list, and its status.

use super::disk::DiskUse;
use super::executor::TaskStatus;
use super::measured_speed::MeasuredSpeed;
use super::notes::RunNotes;
use super::repeats::Repeats;
use super::setting_change::SettingChange;
use super::sweep::Trial;
use crate::catalog::Metric;
use crate::spec::{RunSpec, settings_json};
use crate::stats::ConfidenceInterval;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A run in a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunRow {
    /// Its directory.
    pub dir: PathBuf,
    /// Its name: that of the directory.
    pub name: String,
    /// What a person wrote about it.
    #[serde(flatten)]
    pub notes: RunNotes,
    /// The experiment.
    pub experiment: String,
    /// Name of the task.
    pub task: String,
    /// Hub id, folder, or `demo`.
    pub model: String,
    /// The (first) seed.
    pub seed: u64,
    /// Its status.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// The reason that Slurm gives: why the run waits, or why its job has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its tasks in Slurm, one for each seed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskStatus>,
    /// Why the scheduler of its sweep has paused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<String>,
    /// The sweep that it is a trial of, with the number of the trial.
    #[serde(flatten)]
    pub trial: Option<Trial>,
    /// The best validation score.
    pub best: Option<(Metric, f64)>,
    /// The 95 % interval of the best score for the rows as a sample, or of the mean over the seeds, where it follows from
    /// the log.
    pub confidence_interval: Option<ConfidenceInterval>,
    /// All scores of the evaluation with the best score, where the log has it; those of the last seed, with repeats.
    pub scores: BTreeMap<Metric, f64>,
    /// Optimizer steps done (of the last seed, with repeats).
    pub steps: u64,
    /// Optimizer steps of the whole run (of one seed, with repeats); 0 while unknown.
    pub total_steps: u64,
    /// Fraction of the steps of all seeds that are done, 0..=1.
    pub progress: f64,
    /// Seconds of the optimizer steps of all seeds.
    pub train_seconds: f64,
    /// Seconds until all seeds are done at the current speed, for a run in training.
    pub seconds_left: Option<f64>,
    /// When it was first started, in seconds since 1970; 0 while unknown.
    pub started: f64,
    /// When it ended, in seconds since 1970.
    pub ended: Option<f64>,
    /// Mean and standard deviation over the seeds, with repeats.
    pub repeats: Option<Repeats>,
    /// The settings that were changed during the run, oldest first.
    pub changes: Vec<SettingChange>,
    /// The specification; in JSON, the settings that differ from the defaults.
    #[serde(rename = "settings", serialize_with = "settings")]
    pub spec: Option<Arc<RunSpec>>,
    /// Its disk space, once it is measured.
    #[serde(flatten)]
    pub disk: Option<DiskUse>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Why the notes cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes_problem: Option<String>,
    /// Whether each seed with checkpoints also has best weights.
    #[serde(skip)]
    pub has_best_weights: bool,
    /// Its speed, once it has ended.
    #[serde(skip)]
    pub measured_speed: Option<MeasuredSpeed>,
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn settings<S: Serializer>(spec: &Option<Arc<RunSpec>>, serializer: S) -> Result<S::Ok, S::Error> {
    spec.as_deref().map(settings_json).serialize(serializer)
}

impl RunRow {
    /// The name that a person gave it, or else that of the directory.
    pub fn display_name(&self) -> &str {
        self.notes.display_name.as_deref().unwrap_or(&self.name)
    }

    /// The mean over the seeds, or the best score.
    pub fn score(&self) -> Option<(Metric, f64)> {
        let (metric, best) = self.best?;
        Some((metric, self.repeats.map_or(best, |repeats| repeats.mean)))
    }
}

/// The status of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It was created, and no process has trained it.
    NotStarted,
    /// It waits in the queue of a scheduler.
    Pending,
    /// It was trained, and waits in the queue of a scheduler to be resumed.
    Requeued,
    /// A process trains it.
    Running,
    /// All steps are done.
    Finished,
    /// It was stopped and can be resumed.
    Stopped,
    /// It ended with an error.
    Failed,
    /// Its process ended without recording why, as in a power failure. It can be resumed from its newest checkpoint.
    Interrupted,
    /// Its directory or its specification cannot be read.
    #[default]
    Unreadable,
}

impl RunStatus {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::NotStarted => "not started",
            RunStatus::Pending => "pending",
            RunStatus::Requeued => "requeued",
            RunStatus::Running => "running",
            RunStatus::Finished => "finished",
            RunStatus::Stopped => "stopped",
            RunStatus::Failed => "failed",
            RunStatus::Interrupted => "interrupted",
            RunStatus::Unreadable => "unreadable",
        }
    }
}
