//! The status of a task.

use serde::Serialize;

/// The status of a task: of a run, or of one of its seeds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TaskStatus {
    /// What it trains: the name of a run, followed by the folder of the seed if the run has several.
    pub task: String,
    /// What Slurm's commands call it, once Slurm has accepted it.
    pub job: Option<String>,
    /// Its state in Slurm's words, such as `PENDING`.
    pub state: String,
    /// Slurm's reason for the state, if it has one.
    pub reason: Option<String>,
}

/// The states of Slurm in groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskPhase {
    /// It waits.
    Pending,
    /// It is being executed.
    Running,
    /// It has ended with exit code 0.
    Completed,
    /// A person has cancelled it.
    Cancelled,
    /// It has ended in any other way.
    Failed,
}

/// A task that is about to be submitted. Slurm does not know it yet.
pub(super) const SUBMITTING: &str = "SUBMITTING";
pub(super) const PENDING: &str = "PENDING";
pub(super) const CANCELLED: &str = "CANCELLED";

impl TaskPhase {
    /// The group of a state. Unknown states are those of a task that has ended.
    pub fn of(state: &str) -> TaskPhase {
        // `sacct` writes `CANCELLED by 1000`, and `COMPLETED+` where the column is too narrow.
        match state.split([' ', '+']).next().unwrap_or_default() {
            SUBMITTING | PENDING | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "RESV_DEL_HOLD"
            | "SPECIAL_EXIT" => TaskPhase::Pending,
            "RUNNING" | "CONFIGURING" | "COMPLETING" | "SUSPENDED" | "STOPPED" | "SIGNALING"
            | "STAGE_OUT" | "RESIZING" => TaskPhase::Running,
            "COMPLETED" => TaskPhase::Completed,
            CANCELLED | "REVOKED" => TaskPhase::Cancelled,
            _ => TaskPhase::Failed,
        }
    }

    /// Whether the task waits or is executed.
    pub fn is_active(self) -> bool {
        matches!(self, TaskPhase::Pending | TaskPhase::Running)
    }
}

impl TaskStatus {
    /// The group of its state.
    pub fn phase(&self) -> TaskPhase {
        TaskPhase::of(&self.state)
    }
}
