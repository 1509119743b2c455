//! What every executor does.

use crate::error::Result;
use serde::Serialize;
use std::path::PathBuf;

/// Trains runs somewhere: in a queue of this machine, or on a cluster.
pub trait Executor {
    /// Finds out what has become of the runs whose submitter was killed. Called before [`Executor::submit`], while no other
    /// program submits.
    ///
    /// # Errors
    /// When the executor cannot be reached.
    fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Submits runs whose directories exist. Either all of them are submitted, or the error says which are.
    ///
    /// # Errors
    /// When a run is submitted already, or the executor does not accept the runs. The directories stay.
    fn submit(&self, runs: &[PathBuf]) -> Result<Vec<SubmittedTask>>;

    /// Takes back those of `runs` that this executor has; a run in training saves its work first. Returns them.
    ///
    /// # Errors
    /// When the executor cannot be reached.
    fn cancel(&self, runs: &[PathBuf]) -> Result<Vec<PathBuf>>;
}

/// A task that was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubmittedTask {
    /// The directory of the run.
    pub run: PathBuf,
    /// What is trained: the name of the run, followed by the seed if the run has several.
    pub task: String,
    /// What Slurm's commands call the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}
