//! Takes back runs and sweeps, whichever executor has them.

use super::local::LocalExecutor;
use super::slurm::SlurmExecutor;
use super::traits::Executor;
use crate::error::Result;
use crate::run::dir::RunDir;
use crate::run::index::find;
use crate::run::sweep::{SweepDir, sweep_of_name};
use crate::spec::SlurmSettings;
use std::path::{Path, PathBuf};

/// What was submitted, and can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// A run.
    Run(PathBuf),
    /// All trials of a sweep.
    Sweep(SweepDir),
}

impl Submitted {
    /// The run or the sweep that `name` refers to.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::error::Error::Usage) when there is none.
    pub fn find(runs_dir: &Path, name: &str) -> Result<Submitted> {
        match sweep_of_name(runs_dir, name)? {
            Some(sweep) => Ok(Submitted::Sweep(sweep)),
            None => find(runs_dir, name).map(Submitted::Run),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Submitted::Run(dir) => RunDir::at(dir).name(),
            Submitted::Sweep(sweep) => sweep.name().to_owned(),
        }
    }

    /// Takes it back if it was submitted to Slurm or waits in the queue, and stops what is being trained. Returns the directories
    /// of the runs, and that of the sweep if it was in the queue, for which there was something to do.
    ///
    /// # Errors
    /// When an executor that has one of the runs cannot be reached.
    pub fn cancel(&self, runs_dir: &Path) -> Result<Vec<PathBuf>> {
        let local = LocalExecutor { runs_dir: runs_dir.into() };
        let (mut cancelled, runs) = match self {
            Submitted::Run(dir) => (Vec::new(), vec![dir.clone()]),
            Submitted::Sweep(sweep) => {
                // Otherwise the queue starts the next trial when one is stopped.
                let queued = local.cancel_sweep(sweep)?.then(|| sweep.path());
                let trials = (0..sweep.sweep()?.len()).map(|number| sweep.trial_dir(number));
                let trials = trials.filter(|trial| trial.spec_file().is_file());
                (queued.into_iter().collect(), trials.map(|trial| trial.path().to_path_buf()).collect())
            }
        };
        let of_slurm = SlurmExecutor::new(runs_dir, SlurmSettings::default()).cancel(&runs)?;
        // Slurm ends its jobs itself.
        let others: Vec<PathBuf> = runs.into_iter().filter(|run| !of_slurm.contains(run)).collect();
        cancelled.extend(of_slurm);
        cancelled.extend(local.cancel(&others)?);
        Ok(cancelled)
    }
}
