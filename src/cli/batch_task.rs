//! `train` as a task of a batch system: it waits for the files of the run, goes on with the sweep of a trial, and is requeued.

use super::args::GlobalArgs;
use super::output;
use super::run_follower::Follower;
use super::signals::Interruption;
use crate::error::{Error, Result};
use crate::event::Status;
use crate::run::executor::slurm::{SlurmTask, TaskSignal};
use crate::run::sweep::{SweepDir, Trial, claim_promotion};
use crate::run::{self, RunDir, TrainOutput};
use crate::train::control;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a file that another host has created may stay invisible.
const DELAY: Duration = Duration::from_mins(1);
/// Time between two looks.
const DELAY_RETRY: Duration = Duration::from_secs(1);

/// After the trial in `dir`, trains those that the scheduler of its sweep promotes and that no job of their own trains: a
/// paused trial has none any more. Returns the result of the last one, or the error
/// of the first that has failed.
pub(super) fn train_promoted(
    follower: &Follower<'_>,
    dir: &Path,
    mut result: Result<TrainOutput>,
) -> Result<TrainOutput> {
    let run = RunDir::at(dir);
    let Some(trial) = Trial::read(&run)? else { return result };
    let sweep = SweepDir::of_trial(&run, &trial);
    while !follower.stopper.is_stopped() {
        let (control, handle) = control();
        follower.stopper.set(handle.clone());
        let promoted = claim_promotion(&sweep, follower.stopper.flag(), |start| {
            run::start_controlled(start, follower.runs_dir, (control, handle))
        });
        let Some((number, run)) = promoted? else { break };
        output::stderr_line(format!("trial {number} of {} is promoted", sweep.name()));
        let of_promoted = follower.follow(run);
        // The failure of the own trial is that of the job.
        result = result.and(of_promoted);
    }
    result
}

/// Waits for the directory of a run, which may appear on a compute node with a delay.
pub(super) fn wait_for_run(global: &GlobalArgs, run: &str) -> Result<PathBuf> {
    let start = Instant::now();
    loop {
        match run::find(&global.runs_dir, run) {
            Err(Error::Usage(_)) if start.elapsed() < DELAY => std::thread::sleep(DELAY_RETRY),
            found => return found,
        }
    }
}

/// Whether the run in `dir` is finished.
pub(super) fn is_finished(dir: &Path) -> bool {
    RunDir::at(dir).summary().is_some_and(|summary| summary.status == Status::Finished)
}

/// Requeues the task if its training was stopped by a warning or a preemption.
pub(super) fn end_task(
    task: &SlurmTask,
    dir: &Path,
    interruption: &Interruption,
    result: Result<TrainOutput>,
) -> Result<TrainOutput> {
    let is_stopped = match &result {
        Ok(output) => output.status == Status::Stopped,
        Err(error) => matches!(error, Error::Interrupted(_)),
    };
    let signal = match (interruption.is_warning(), interruption.is_termination()) {
        (true, _) => TaskSignal::Warning,
        (_, true) => TaskSignal::Terminate,
        (false, false) => return result,
    };
    if is_stopped && let Some(sentence) = task.end(dir, signal)? {
        output::stderr_line(sentence);
    }
    result
}
