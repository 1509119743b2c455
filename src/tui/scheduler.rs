//! Slurm, for the interface: a thread asks it about all tasks, and others submit and cancel. Its commands may take seconds.

use super::msg::Msg;
use super::options::Options;
use super::state::train_request::TrainRequest;
use super::train_subject::subject_of;
use super::worker::{Watch, progress_events, spawn};
use crate::error::{Error, Result};
use crate::run::executor::slurm::{SlurmExecutor, poll};
use crate::run::executor::{Submission, Submitted, SubmittedTask};
use crate::run::sweep::TaskData;
use crate::spec::Experiments;
use crate::text::plural;
use crossbeam_channel::{Sender, bounded};
use std::path::Path;
use std::time::Duration;

/// Time between two looks at whether Slurm is to be asked. Most of them read one file.
const INTERVAL: Duration = Duration::from_secs(2);

/// Asks Slurm on a thread of its own. The answer is in a file that the list of runs is read from.
pub(super) struct SchedulerPoll {
    requests: Sender<()>,
}

impl SchedulerPoll {
    /// Starts the thread, for the tasks of `runs_dir`.
    ///
    /// # Errors
    /// [`Error::Device`] when it cannot be started.
    pub(super) fn start(runs_dir: &Path) -> Result<SchedulerPoll> {
        let (requests, receiver) = bounded(1);
        let runs_dir = runs_dir.to_path_buf();
        let work = move || {
            while receiver.recv().is_ok() {
                // A state that cannot be read is reported by the command that changes it.
                poll(&runs_dir).ok();
                std::thread::sleep(INTERVAL);
            }
        };
        spawn("scheduler", work)?;
        Ok(SchedulerPoll { requests })
    }

    /// Requests a question, unless one waits already.
    pub(super) fn request(&self) {
        self.requests.try_send(()).ok();
    }
}

/// Submits a run or a sweep to Slurm.
pub(super) fn submit(
    options: &Options,
    request: TrainRequest,
    (on_progress, cancelled): Watch<'_>,
) -> Result<Msg> {
    let experiments = Experiments::open(options.experiments.as_deref())?;
    let mut emit = progress_events(on_progress);
    let subject = subject_of(options, request, &mut TaskData { cancelled, emit: &mut emit })?;
    let executor = SlurmExecutor::new(&options.runs_dir, experiments.slurm()?);
    let runs_dir = options.runs_dir.as_path();
    let submitted = Submission { runs_dir, cancelled, emit: &mut emit }.submit(&[subject], &executor)?;
    Ok(Msg::SchedulerDone(sentence(&submitted)))
}

fn sentence(submitted: &[SubmittedTask]) -> String {
    let tasks = plural(submitted.len(), "task");
    let job = submitted.first().and_then(|task| task.job.as_ref()?.split('_').next().map(str::to_owned));
    match job {
        Some(job) => format!("submitted {tasks} as job {job}"),
        None => format!("submitted {tasks}"),
    }
}

/// Takes the run or the sweep `name` back from Slurm.
pub(super) fn cancel(options: &Options, name: &str) -> Result<Msg> {
    if Submitted::find(&options.runs_dir, name)?.cancel(&options.runs_dir)?.is_empty() {
        return Err(Error::Usage(format!("{name} has no job any more")));
    }
    Ok(Msg::SchedulerDone(format!("the jobs of {name} are cancelled")))
}
