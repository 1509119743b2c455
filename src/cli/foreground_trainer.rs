//! Trains runs in this process, one after the other, and prints their events. A signal stops the current run, whose work is
//! then saved.

use super::args::GlobalArgs;
use super::output::exit_code;
use super::output_thread::OutputThread;
use super::run_printer::print_events;
use super::signals::{Interruption, stop_on_signals};
use super::stopper::Stopper;
use crate::error::Result;
use crate::event::Status;
use crate::run::{self, RunHandle, Start, TrainOutput};
use crate::terminal_reset::exit_now;
use crate::train::control;
use crossbeam_channel::{Receiver, unbounded};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Trains runs in this process, one after the other.
pub(super) struct ForegroundTrainer {
    /// The runs directory.
    runs_dir: PathBuf,
    /// Whether to print plain lines in a terminal too.
    is_plain: bool,
    stopper: Arc<Stopper>,
    /// The signal that has arrived, if any.
    interruption: Interruption,
    /// The lines of the signal handler.
    lines: Receiver<String>,
}

impl ForegroundTrainer {
    /// A trainer without runs, which a signal stops from now on.
    ///
    /// # Errors
    /// When signals cannot be handled.
    pub(super) fn new(global: &GlobalArgs, is_plain: bool) -> Result<ForegroundTrainer> {
        let (sender, lines) = unbounded::<String>();
        let stopper = Arc::new(Stopper::default());
        let stopped = stopper.clone();
        let interruption = stop_on_signals(move || {
            stopped.stop();
            let line = "stopping after saving a checkpoint; press Ctrl-C again to exit immediately";
            sender.send(line.into()).ok();
        })?;
        Ok(ForegroundTrainer { runs_dir: global.runs_dir.clone(), is_plain, stopper, interruption, lines })
    }

    /// Starts a run. After a signal it is stopped before its first step.
    pub(super) fn start(&self, start: Start) -> Result<RunHandle> {
        let (control, handle) = control();
        self.stopper.set(handle.clone());
        run::start_controlled(start, &self.runs_dir, (control, handle))
    }

    /// Prints the events of a run until it is over.
    pub(super) fn follow(&self, run: RunHandle) -> Result<TrainOutput> {
        let (events, lines, is_plain) = (run.events.clone(), self.lines.clone(), self.is_plain);
        let printer = OutputThread::start(move || print_events(&events, &lines, is_plain))?;
        let result = run.join();
        printer.wait(&self.interruption.is_set);
        result
    }

    /// Starts no more runs, and stops the current one.
    pub(super) fn stop(&self) {
        self.stopper.stop();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopper.is_stopped()
    }

    /// The flag that is set by a signal and by [`ForegroundTrainer::stop`].
    pub(super) fn stop_flag(&self) -> &AtomicBool {
        self.stopper.flag()
    }

    /// The signal that has arrived, if any.
    pub(super) fn interruption(&self) -> &Interruption {
        &self.interruption
    }

    /// Ends with the result of `report`, which prints. After a signal the process exits with `code`, even if nobody reads its
    /// output, as after a hang-up.
    pub(super) fn end(self, code: u8, report: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let is_interrupted = &self.interruption.is_set;
        let reported = OutputThread::start(report)?.wait(is_interrupted);
        if !is_interrupted.load(Ordering::SeqCst) {
            return reported.unwrap_or(Ok(()));
        }
        if let Some(Err(error)) = reported {
            OutputThread::start(move || exit_code(Err(error)))?.wait(is_interrupted);
        }
        exit_now(code.into())
    }
}

/// Whether somebody has stopped the run, rather than the scheduler of its sweep.
pub(super) fn was_stopped(output: &TrainOutput) -> bool {
    output.status == Status::Stopped && pause_reason(output).is_none()
}

/// Why the scheduler of its sweep has paused the run.
pub(super) fn pause_reason(output: &TrainOutput) -> Option<&str> {
    output.summaries.last()?.pause_reason.as_deref()
}
