//! `train --resume` as a task of a batch system: it waits for the files of the run, continues the sweep of a trial, and is
//! requeued.

use super::args::GlobalArgs;
use super::foreground_trainer::{ForegroundTrainer, was_stopped};
use super::output;
use crate::error::{Error, Result};
use crate::event::Status;
use crate::run::executor::slurm::{SlurmTask, TaskSignal};
use crate::run::sweep::{SweepScheduler, claim_promotion, is_trial_open};
use crate::run::{self, RunDir, Start, TrainOutput};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a file that another host has created may stay invisible.
const DELAY: Duration = Duration::from_mins(1);
/// Time between two looks.
const DELAY_RETRY: Duration = Duration::from_secs(1);

/// Waits for the directory of a run, which may appear on a compute node with a delay.
pub(super) fn wait_for_run(global: &GlobalArgs, run: &str) -> Result<()> {
    let start = Instant::now();
    loop {
        match run::find(&global.runs_dir, run) {
            Err(Error::Usage(_)) if start.elapsed() < DELAY => std::thread::sleep(DELAY_RETRY),
            found => return found.map(drop),
        }
    }
}

/// Trains the run in `dir` as `task`, which is requeued after a warning or a preemption. `None` if there is nothing to train.
pub(super) fn train_task(
    trainer: &ForegroundTrainer,
    task: &SlurmTask,
    dir: &Path,
    start: Start,
) -> Result<Option<TrainOutput>> {
    let run = RunDir::at(dir);
    if task.is_replaced(dir) {
        output::stderr_line("the run was submitted again, as another job");
        return Ok(None);
    }
    // A trial whose sweep cannot be read is trained without its scheduler.
    if let Ok(Some(scheduler)) = SweepScheduler::of(&run) {
        return train_trials(trainer, task, &scheduler, start);
    }
    if has_ended(&run, Status::Finished) {
        output::stderr_line("the run is finished already");
        return Ok(None);
    }
    let result = trainer.start(start).and_then(|run| trainer.follow(run));
    let is_stopped = match &result {
        Ok(output) => output.status == Status::Stopped,
        Err(error) => matches!(error, Error::Interrupted(_)),
    };
    if is_stopped {
        requeue(trainer, task, dir)?;
    }
    result.map(Some)
}

/// Trains the trial of a task, and then those that the scheduler of its sweep promotes: a trial that was paused has no job of its
/// own any more. The error is that of the own trial; the others record theirs.
fn train_trials(
    trainer: &ForegroundTrainer,
    task: &SlurmTask,
    scheduler: &SweepScheduler,
    start: Start,
) -> Result<Option<TrainOutput>> {
    let (sweep, own) = (scheduler.sweep(), scheduler.trial());
    let mut next =
        if is_trial_open(sweep, own, task.id())? { Some((own, trainer.start(start)?)) } else { None };
    let mut last = sweep.trial_dir(own);
    let mut result = Ok(None);
    loop {
        if next.is_none() {
            next = claim_promotion(sweep, trainer.stop_flag(), |start| trainer.start(start))?;
            if let Some((number, _)) = &next {
                output::stderr_line(format!("trial {number} of {} is promoted", sweep.name()));
            }
        }
        let Some((number, run)) = next.take() else {
            if matches!(result, Ok(None)) {
                output::stderr_line(format!("this job has no trial of the sweep {} to train", sweep.name()));
            }
            break;
        };
        last = RunDir::at(&run.dir);
        match trainer.follow(run) {
            Ok(output) => {
                let was_stopped = was_stopped(&output);
                result = result.map(|_| Some(output));
                // Otherwise the same trial would be the next one.
                if was_stopped {
                    break;
                }
            }
            Err(error) if has_ended(&last, Status::Failed) => {
                output::stderr_line(format!("trial {number} failed: {error}"));
                if number == own {
                    result = Err(error);
                }
            }
            Err(error) => {
                result = result.and(Err(error));
                break;
            }
        }
    }
    requeue(trainer, task, last.path())?;
    result
}

/// Whether the run has ended with that status.
fn has_ended(run: &RunDir, status: Status) -> bool {
    run.summary().is_some_and(|summary| summary.status == status)
}

/// Requeues the task after a warning or a preemption, which has stopped the run in `dir`.
fn requeue(trainer: &ForegroundTrainer, task: &SlurmTask, dir: &Path) -> Result<()> {
    let interruption = trainer.interruption();
    let signal = match (interruption.is_warning(), interruption.is_termination()) {
        (true, _) => TaskSignal::Warning,
        (_, true) => TaskSignal::Terminate,
        (false, false) => return Ok(()),
    };
    if let Some(sentence) = task.end(dir, signal)? {
        output::stderr_line(sentence);
    }
    Ok(())
}
