//! The queue of this machine as an executor: an interface or a process in the background trains it.

use super::traits::{Executor, SubmittedTask};
use crate::error::{Error, Result};
use crate::event::Command;
use crate::run::control_file::PendingCommand;
use crate::run::dir::RunDir;
use crate::run::lock::is_training;
use crate::run::queue::{Queue, QueueEdit, QueueEntry, QueuedSweep};
use crate::run::runner::Start;
use crate::run::sweep::{SweepDir, Trial};
use std::path::{Path, PathBuf};

/// The queue in a runs directory.
#[derive(Debug)]
pub struct LocalExecutor {
    /// The runs directory.
    pub runs_dir: PathBuf,
}

impl Executor for LocalExecutor {
    fn submit(&self, runs: &[PathBuf]) -> Result<Vec<SubmittedTask>> {
        let add = |dir: &PathBuf| {
            let run = RunDir::at(dir);
            // The queue has one entry for a sweep, and also trains what the scheduler promotes.
            let edit = match Trial::read(&run)? {
                Some(trial) => {
                    let sweep = SweepDir::of_trial(&run, &trial).sweep()?;
                    QueueEdit::AddSweep(
                        QueuedSweep { name: trial.sweep, trials: sweep.len() },
                        Box::new(sweep.base),
                    )
                }
                None => QueueEdit::Add(Box::new(Start::Resume(dir.clone()))),
            };
            Queue::edit(&self.runs_dir, edit)?;
            Ok(SubmittedTask { run: dir.clone(), task: run.name(), job: None })
        };
        runs.iter().map(add).collect()
    }

    fn cancel(&self, runs: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut cancelled = Vec::new();
        let queue = Queue::read(&self.runs_dir)?;
        for dir in runs {
            let is_of_run = |run: &PathBuf| run.file_name() == dir.file_name();
            let entry = queue.entries.iter().find(|entry| entry.run.as_ref().is_some_and(is_of_run));
            if let Some(entry) = entry {
                Queue::edit(&self.runs_dir, QueueEdit::Remove(entry.id))?;
            }
            let is_trained = stop(dir)?;
            if entry.is_some() || is_trained {
                cancelled.push(dir.clone());
            }
        }
        Ok(cancelled)
    }
}

impl LocalExecutor {
    /// Takes a sweep out of the queue, so that none of its trials is started. Returns whether it was in it.
    ///
    /// # Errors
    /// When the queue cannot be read or written.
    pub fn cancel_sweep(&self, sweep: &SweepDir) -> Result<bool> {
        let is_of_sweep =
            |entry: &&QueueEntry| entry.sweep.as_ref().is_some_and(|queued| queued.name == sweep.name());
        let Some(id) = Queue::read(&self.runs_dir)?.entries.iter().find(is_of_sweep).map(|entry| entry.id)
        else {
            return Ok(false);
        };
        Queue::edit(&self.runs_dir, QueueEdit::Remove(id))?;
        Ok(true)
    }
}

/// Stops the process that trains a run, or those that train its seeds. Returns whether there was one.
fn stop(dir: &Path) -> Result<bool> {
    let run = RunDir::at(dir);
    if !std::iter::once(run.clone()).chain(run.existing_seeds()?).any(|dir| is_training(&dir)) {
        return Ok(false);
    }
    match PendingCommand::send(dir, Command::Stop) {
        // It has ended meanwhile.
        Err(Error::Usage(_)) | Ok(_) => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn run_waits_in_the_queue_until_it_is_cancelled() {
        let home = tempfile::tempdir().unwrap();
        let local = LocalExecutor { runs_dir: home.path().into() };
        let dir = RunDir::create(home.path(), &built_in("demo")).unwrap();
        let runs = [dir.path().to_path_buf()];
        assert_eq!(local.cancel(&runs).unwrap(), [] as [PathBuf; 0]);
        assert_eq!(local.submit(&runs).unwrap()[0].task, dir.name());
        assert_eq!(Queue::read(home.path()).unwrap().entries.len(), 1);
        assert_eq!(local.cancel(&runs).unwrap(), runs);
        assert!(Queue::read(home.path()).unwrap().entries.is_empty());
    }
}
