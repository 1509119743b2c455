//! The queue of this machine as an executor: an interface or a process in the background trains it.

use super::task_status::{PENDING, TaskStatus};
use super::traits::{Executor, SubmittedTask};
use crate::error::{Error, Result};
use crate::event::Command;
use crate::run::control_file::PendingCommand;
use crate::run::dir::RunDir;
use crate::run::lock::is_training;
use crate::run::queue::{Queue, QueueEdit, QueuedSweep};
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
        for dir in runs {
            let queue = Queue::read(&self.runs_dir)?;
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

    fn tasks(&self) -> Result<Vec<TaskStatus>> {
        let queue = Queue::read(&self.runs_dir)?;
        let waiting = queue.entries.iter().filter_map(|entry| {
            let dir = RunDir::at(entry.run.as_ref()?);
            let state = if is_training(&dir) { "RUNNING" } else { PENDING };
            Some(TaskStatus { task: dir.name(), state: state.into(), ..TaskStatus::default() })
        });
        Ok(waiting.collect())
    }
}

/// Stops the process that trains a run, or those that train its seeds. Returns whether there was one.
fn stop(dir: &Path) -> Result<bool> {
    let run = RunDir::at(dir);
    let mut is_trained = false;
    for dir in std::iter::once(run.clone()).chain(run.existing_seeds()?).filter(is_training) {
        is_trained = true;
        match PendingCommand::send(dir.path(), Command::Stop) {
            // It has ended meanwhile.
            Err(Error::Usage(_)) | Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(is_trained)
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
        assert_eq!(local.tasks().unwrap()[0].state, "PENDING");
        assert_eq!(local.cancel(&runs).unwrap(), runs);
        assert!(Queue::read(home.path()).unwrap().entries.is_empty());
    }
}
