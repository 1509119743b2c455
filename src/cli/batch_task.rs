//! `train` as a task of a batch system: it waits for the files of the run, goes on with the sweep of a trial, and is requeued.

use super::args::GlobalArgs;
use super::output;
use super::output_thread::OutputThread;
use super::run_printer::print_events;
use super::signals::Interruption;
use super::stopper::Stopper;
use crate::error::{Error, Result};
use crate::event::Status;
use crate::run::executor::slurm::{SlurmTask, TaskSignal};
use crate::run::sweep::{SweepDir, Trial, claim_promotion};
use crate::run::{self, RunDir, RunHandle, TrainOutput};
use crate::train::control;
use crossbeam_channel::Receiver;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a file that another host has created may stay invisible.
const DELAY: Duration = Duration::from_mins(1);
/// Time between two looks.
const DELAY_RETRY: Duration = Duration::from_secs(1);

/// Follows the runs that one process trains, one after the other.
pub(super) struct Follower<'a> {
    pub(super) runs_dir: &'a Path,
    /// The lines of the signal handler.
    pub(super) lines: &'a Receiver<String>,
    pub(super) is_plain: bool,
    pub(super) stopper: &'a Stopper,
    pub(super) interruption: &'a Interruption,
}

impl Follower<'_> {
    /// Prints the events of a run until it is over.
    pub(super) fn follow(&self, run: RunHandle) -> Result<TrainOutput> {
        let (events, lines, is_plain) = (run.events.clone(), self.lines.clone(), self.is_plain);
        let printer = OutputThread::start(move || print_events(&events, &lines, is_plain))?;
        let result = run.join();
        printer.wait(&self.interruption.is_set);
        result
    }

    /// After the trial in `dir`, trains those that the scheduler of its sweep promotes and that no job of their own trains: a
    /// paused trial has none any more. Returns the result of the last one.
    pub(super) fn train_promoted(&self, dir: &Path, mut result: Result<TrainOutput>) -> Result<TrainOutput> {
        let run = RunDir::at(dir);
        let Some(trial) = Trial::read(&run)? else { return result };
        let sweep = SweepDir::of_trial(&run, &trial);
        while !self.stopper.is_stopped() {
            let (control, handle) = control();
            self.stopper.set(handle.clone());
            let promoted = claim_promotion(&sweep, self.stopper.flag(), |start| {
                run::start_controlled(start, self.runs_dir, (control, handle))
            });
            let Some((number, run)) = promoted? else { break };
            output::stderr_line(format!("trial {number} of {} is promoted", sweep.name()));
            result = self.follow(run);
        }
        result
    }
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
