//! Takes back runs, whichever executor has them.

use super::local::LocalExecutor;
use super::slurm::SlurmExecutor;
use super::traits::Executor;
use crate::error::Result;
use crate::spec::SlurmSettings;
use std::path::{Path, PathBuf};

/// Takes back those of `runs` that were submitted to Slurm or wait in the queue, and stops those that are being trained.
/// Returns the runs for which there was something to do.
///
/// # Errors
/// When an executor that has one of the runs cannot be reached.
pub fn cancel_runs(runs_dir: &Path, runs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut cancelled = SlurmExecutor::new(runs_dir, SlurmSettings::default()).cancel(runs)?;
    // Slurm ends its jobs itself.
    let others: Vec<PathBuf> = runs.iter().filter(|run| !cancelled.contains(run)).cloned().collect();
    cancelled.extend(LocalExecutor { runs_dir: runs_dir.into() }.cancel(&others)?);
    Ok(cancelled)
}
