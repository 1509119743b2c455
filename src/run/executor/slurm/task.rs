//! The end of a task, in the process that trains it: after a warning before the time limit and after a preemption it is
//! requeued, after `scancel` it is not.

use super::command;
use super::state::{SlurmState, task_of};
use crate::error::{Error, Result};
use crate::machine::BatchTask;
use crate::text::plural;
use crate::train::record_time_out;
use std::path::Path;

/// How often a run is requeued after a time-out. Preemptions are not limited.
pub const MAX_TIME_OUTS: usize = 3;

/// The variable with the name of the array that a task belongs to.
pub(super) const ARRAY_NAME: &str = "GLUE_TUI_ARRAY";

/// The task that this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlurmTask {
    task: BatchTask,
}

/// The signal that has stopped the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSignal {
    /// SIGUSR2: the warning before the time limit or a preemption.
    Warning,
    /// SIGTERM: a preemption, or `scancel`.
    Terminate,
}

/// What `scontrol show job` says about a job.
#[derive(Debug, Default, PartialEq, Eq)]
struct JobInfo {
    /// Whether it is still executed; a job that was cancelled or requeued is not.
    is_running: bool,
    /// Whether another job takes its place.
    is_preempted: bool,
}

impl SlurmTask {
    /// The task that this process is; `None` outside of Slurm.
    pub fn from_env() -> Option<SlurmTask> {
        BatchTask::from_env().map(|task| SlurmTask { task })
    }

    /// What Slurm's commands call it.
    pub fn id(&self) -> &str {
        &self.task.id
    }

    /// Whether the run in `dir` was submitted again since, as part of another array: the submitter of this one was killed, and
    /// Slurm has accepted it nevertheless.
    pub fn is_replaced(&self, dir: &Path) -> bool {
        let Ok(array) = std::env::var(ARRAY_NAME) else { return false };
        let (runs_dir, task) = task_of(dir);
        let Ok(state) = SlurmState::read(&runs_dir) else { return false };
        let record = state.tasks.get(&task);
        record.is_some_and(|record| record.phase().is_active() && record.array_name != array)
    }

    /// Called when the work of the run in `dir` is saved after `signal`. Requeues the task if it is to go on, and returns a
    /// sentence about it.
    ///
    /// # Errors
    /// [`Error::Training`] when the run has had too many time-outs or cannot be requeued, with what to do.
    pub fn end(&self, dir: &Path, signal: TaskSignal) -> Result<Option<String>> {
        let id = self.id();
        let info = command::run("scontrol", &["-o", "show", "job", id]).map(|text| JobInfo::parse(&text));
        if signal == TaskSignal::Terminate
            && !info.as_ref().is_ok_and(|info| info.is_running && info.is_preempted)
        {
            return Ok(None);
        }
        let is_preempted = info.is_ok_and(|info| info.is_preempted);
        let time_outs = if is_preempted { 0 } else { record_time_out(dir)? };
        if time_outs > MAX_TIME_OUTS {
            return Err(Error::Training(format!(
                "the time limit has ended the job {}, more than the {MAX_TIME_OUTS} times after which it is requeued; set a \
                 longer time in [slurm], then continue with: glue-tui submit {}",
                plural(time_outs as u64, "time"),
                dir.display()
            )));
        }
        command::run("scontrol", &["requeue", id]).map_err(|error| {
            Error::Training(format!(
                "the work is saved, but job {id} cannot be requeued: {error}; continue with: glue-tui submit {}",
                dir.display()
            ))
        })?;
        Ok(Some(if is_preempted {
            format!("job {id} was preempted, and is requeued")
        } else {
            format!(
                "job {id} has reached its time limit ({time_outs} of {MAX_TIME_OUTS} times), and is requeued"
            )
        }))
    }
}

impl JobInfo {
    fn parse(text: &str) -> JobInfo {
        let value = |key: &str| {
            let field = text.split_whitespace().find_map(|field| field.strip_prefix(key));
            field.filter(|value| !matches!(*value, "None" | "N/A" | "Unknown"))
        };
        JobInfo {
            is_running: value("JobState=") == Some("RUNNING"),
            is_preempted: value("PreemptTime=").is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preemption_differs_from_a_time_limit_and_a_cancellation() {
        let info = |text: &str| {
            let JobInfo { is_running, is_preempted } = JobInfo::parse(text);
            (is_running, is_preempted)
        };
        let start = "JobId=5 ArrayJobId=5 ArrayTaskId=0 JobName=x Reason=None";
        assert_eq!(info(&format!("{start} JobState=RUNNING EndTime=2026-11-30T15:47:24")), (true, false));
        let preempted =
            "JobState=RUNNING PreemptEligibleTime=2026-11-30T15:46:22 PreemptTime=2026-11-30T15:46:24";
        assert_eq!(info(&format!("{start} {preempted}")), (true, true));
        assert_eq!(
            info(&format!("{start} JobState=RUNNING PreemptEligibleTime=N PreemptTime=None")),
            (true, false)
        );
        assert_eq!(info(&format!("{start} JobState=COMPLETING Restarts=1")), (false, false));
        assert_eq!(info(""), (false, false));
    }
}
