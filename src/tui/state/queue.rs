//! The queue of runs on the Runs screen.

use super::run::RunState;
use crate::run::queue::{Queue, QueueEntry};

/// The state of the queue.
#[derive(Debug, Default)]
pub struct QueueState {
    /// The queue as it was last read.
    pub list: Queue,
    /// The error when it cannot be read or changed.
    pub error: Option<String>,
    /// Number of queued runs that ended since the interface was opened or the queue was last empty; and how many of
    /// them failed.
    pub(in crate::tui) ended: usize,
    pub(in crate::tui) failed: usize,
}

impl QueueState {
    /// Number of entries, without the one that is being trained.
    pub fn waiting(&self, training: Option<&RunState>) -> usize {
        let is_trained =
            |entry: &&QueueEntry| training.is_some_and(|run| run.is_live() && belongs_to(run, entry));
        self.list.entries.len() - self.list.entries.iter().filter(is_trained).count()
    }

    /// The entry of a run.
    pub fn entry_of(&self, run: &RunState) -> Option<&QueueEntry> {
        self.list.entries.iter().find(|entry| belongs_to(run, entry))
    }
}

/// Whether `run` is the run of the queue entry.
pub fn belongs_to(run: &RunState, entry: &QueueEntry) -> bool {
    entry.is_started && entry.run.as_ref().is_some_and(|dir| dir.file_name() == run.dir.file_name())
}
