//! Follows the runs that one process trains, one after the other.

use super::output_thread::OutputThread;
use super::run_printer::print_events;
use super::signals::Interruption;
use super::stopper::Stopper;
use crate::error::Result;
use crate::run::{RunHandle, TrainOutput};
use crossbeam_channel::Receiver;
use std::path::Path;

/// Follows the runs that one process trains, one after the other.
pub(super) struct Follower<'a> {
    /// The runs directory.
    pub(super) runs_dir: &'a Path,
    /// The lines of the signal handler.
    pub(super) lines: &'a Receiver<String>,
    /// Whether to print plain lines in a terminal too.
    pub(super) is_plain: bool,
    /// Stops the current run when a signal arrives.
    pub(super) stopper: &'a Stopper,
    /// The signal that has arrived, if any.
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
}
