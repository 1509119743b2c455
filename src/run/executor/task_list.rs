//! The tasks of a runs directory, and what they say about the status of a run.

use super::slurm::SlurmState;
use super::task_status::{TaskPhase, TaskStatus};
use crate::run::row::{RunRow, RunStatus};
use std::path::Path;
use std::time::SystemTime;

/// Slurm's reason for a task whose program has ended with an exit code other than 0.
const NON_ZERO_EXIT: &str = "NonZeroExitCode";

/// The tasks of a runs directory, as they were known when they were read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskList {
    state: SlurmState,
    /// When the file was written, and its length.
    stamp: Option<(SystemTime, u64)>,
}

impl TaskList {
    /// Reads the tasks of `runs_dir`: one file, however many tasks there are. Tasks that cannot be read are none: the files
    /// of the runs say what has become of them.
    pub fn read(runs_dir: &Path) -> TaskList {
        let stamp = SlurmState::stamp(runs_dir);
        TaskList { state: SlurmState::read(runs_dir).unwrap_or_default(), stamp }
    }

    /// Whether the tasks of `runs_dir` were written since they were read.
    pub fn has_changed(&self, runs_dir: &Path) -> bool {
        SlurmState::stamp(runs_dir) != self.stamp
    }

    /// Why Slurm could not be asked last time, if it could not.
    pub fn problem(&self) -> Option<&str> {
        self.state.problem.as_deref()
    }

    /// The tasks of the run with that name.
    pub fn of_run(&self, name: &str) -> Vec<TaskStatus> {
        self.state.tasks_of(name).map(|(task, record)| record.status(task)).collect()
    }

    /// Whether there are tasks of the run with that name.
    pub fn has_tasks_of(&self, name: &str) -> bool {
        self.state.tasks_of(name).next().is_some()
    }

    /// Adds the tasks of a run to its row, and changes its status to what they say. What the files of the run say is newer if
    /// a process holds its lock, if it is finished, or if its log ends after Slurm was asked.
    pub fn apply(&self, row: &mut RunRow) {
        row.tasks = self.of_run(&row.name);
        // The job of a paused trial trains other trials of its sweep.
        if row.tasks.is_empty()
            || row.pause_reason.is_some()
            || matches!(row.status, RunStatus::Running | RunStatus::Unreadable | RunStatus::Finished)
        {
            return;
        }
        let has_ended_since = row.ended.is_some_and(|ended| ended >= self.state.polled);
        let first = |phase: TaskPhase| row.tasks.iter().find(|task| task.phase() == phase).cloned();
        if let Some(task) = first(TaskPhase::Running) {
            if !has_ended_since {
                row.status = RunStatus::Running;
                row.reason = self.state.problem.clone().or(task.reason);
            }
        } else if let Some(task) = first(TaskPhase::Pending) {
            row.status = match row.status {
                RunStatus::NotStarted => RunStatus::Pending,
                _ => RunStatus::Requeued,
            };
            // What Slurm has said before may not apply any more.
            row.reason = self.state.problem.clone().or(task.reason);
        } else if let Some(task) = first(TaskPhase::Failed) {
            // That the program has ended with an error is known from the run, if the run has recorded its end.
            let is_known = row.ended.is_some() && task.reason.as_deref() == Some(NON_ZERO_EXIT);
            let reason = || task.reason.clone().unwrap_or_else(|| task.state.clone());
            row.reason = (!is_known).then(reason);
            // A run that has recorded its own end knows better why.
            if matches!(row.status, RunStatus::NotStarted | RunStatus::Interrupted | RunStatus::Failed) {
                row.status = RunStatus::Failed;
                row.error.get_or_insert_with(|| ended(&task));
            }
        } else if let Some(task) = first(TaskPhase::Cancelled) {
            row.reason = Some(task.reason.unwrap_or(task.state));
            if matches!(row.status, RunStatus::NotStarted | RunStatus::Interrupted) {
                row.status = RunStatus::Stopped;
            }
        }
    }
}

/// How Slurm has ended a task, as a sentence.
fn ended(task: &TaskStatus) -> String {
    let job = task.job.as_ref().map_or(String::new(), |job| format!(" {job}"));
    let reason = task.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
    format!("job{job} has ended in Slurm with {}{reason}", task.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(tasks: &[(&str, Option<&str>)], row: RunRow) -> RunRow {
        let mut list = TaskList::default();
        list.state.polled = 100.0;
        for (index, (state, reason)) in tasks.iter().enumerate() {
            let name = if tasks.len() == 1 { "a".into() } else { format!("a/seed-{index}") };
            list.state.insert_for_tests(&name, state, *reason);
        }
        list.state.insert_for_tests("ab", "RUNNING", None);
        let mut row = RunRow { name: "a".into(), ..row };
        list.apply(&mut row);
        row
    }

    fn row(status: RunStatus) -> RunRow {
        RunRow { status, ..RunRow::default() }
    }

    #[test]
    fn status_of_a_run_follows_from_its_files_and_its_tasks() {
        use RunStatus::{Failed, Finished, Interrupted, NotStarted, Pending, Requeued, Running, Stopped};
        for (state, before, after) in [
            ("SUBMITTING", NotStarted, Pending),
            ("PENDING", NotStarted, Pending),
            ("PENDING", Stopped, Requeued),
            ("REQUEUED", Interrupted, Requeued),
            ("PENDING", Running, Running),
            ("RUNNING", NotStarted, Running),
            ("RUNNING", Interrupted, Running),
            ("RUNNING", Finished, Finished),
            ("NODE_FAIL", Interrupted, Failed),
            ("OUT_OF_MEMORY", NotStarted, Failed),
            ("FAILED", Stopped, Stopped),
            ("TIMEOUT", Finished, Finished),
            ("CANCELLED by 1000", NotStarted, Stopped),
            ("COMPLETED", Interrupted, Interrupted),
        ] {
            assert_eq!(status(&[(state, None)], row(before)).status, after, "{state} {before:?}");
        }
        let paused = || RunRow { pause_reason: Some("paused by asha".into()), ..row(Stopped) };
        for state in ["RUNNING", "PENDING", "FAILED"] {
            assert_eq!(status(&[(state, None)], paused()).status, Stopped, "its job trains another trial");
        }
        let ended = RunRow { ended: Some(150.0), ..row(Failed) };
        assert_eq!(
            status(&[("RUNNING", None)], ended).status,
            Failed,
            "the log is newer than Slurm's answer"
        );
    }

    #[test]
    fn reason_of_slurm_is_shown() {
        assert_eq!(
            status(&[("PENDING", Some("Resources"))], row(RunStatus::NotStarted)).reason.unwrap(),
            "Resources"
        );
        let failed = status(&[("OUT_OF_MEMORY", None)], row(RunStatus::Interrupted));
        assert_eq!(failed.reason.as_deref(), Some("OUT_OF_MEMORY"));
        assert_eq!(failed.error.unwrap(), "job 7_0 has ended in Slurm with OUT_OF_MEMORY");
        let exit = [("FAILED", Some("NonZeroExitCode"))];
        let failed = status(&exit, row(RunStatus::Interrupted));
        assert_eq!(failed.reason.as_deref(), Some("NonZeroExitCode"));
        let stopped = RunRow { ended: Some(50.0), ..row(RunStatus::Stopped) };
        assert_eq!(status(&exit, stopped).reason, None, "somebody stopped the run");
    }

    #[test]
    fn run_with_seeds_is_running_while_one_of_them_is() {
        let row = || row(RunStatus::Interrupted);
        assert_eq!(status(&[("PENDING", None), ("RUNNING", None)], row()).status, RunStatus::Running);
        assert_eq!(status(&[("COMPLETED", None), ("PENDING", None)], row()).status, RunStatus::Requeued);
        assert_eq!(status(&[("COMPLETED", None), ("PENDING", None)], row()).tasks.len(), 2);
    }
}
