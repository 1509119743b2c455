//! Signals that end the interface. The run is stopped and saved first, even if the interface thread hangs on a terminal
//! that nobody reads; then the terminal is restored and the program ends.

use crate::error::{Error, Result};
use crate::run::RunStopper;
use crate::terminal_reset::{exit_now, restore_and_report};
use crossbeam_channel::{Receiver, bounded};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the interface thread may take to act on a signal before the program ends without it.
const GRACE: Duration = Duration::from_secs(3);
/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// What the thread of the signals shares with the interface.
#[derive(Debug, Clone, Default)]
pub(super) struct SignalState {
    phase: Arc<Mutex<Phase>>,
}

#[derive(Debug, Default)]
struct Phase {
    /// Stops the run that this process trains.
    run: Option<RunStopper>,
    /// Whether the interface thread is stopping the run itself.
    is_stopping: bool,
}

impl SignalState {
    /// Sets the run that a signal stops.
    pub(super) fn set_run(&self, run: Option<RunStopper>) {
        self.lock().run = run;
    }

    /// Sets whether the interface thread waits for the end of the run, so that it does not hang.
    pub(super) fn set_stopping(&self, is_stopping: bool) {
        self.lock().is_stopping = is_stopping;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the work of the run is saved.
    fn save(&self) {
        let run = self.lock().run.clone();
        if let Some(run) = run {
            run.stop();
        }
        // A run that was just being started is known to the interface thread only.
        while self.lock().is_stopping {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Watches SIGHUP, SIGINT, SIGTERM and SIGQUIT: the first is received by the interface, which has [`GRACE`] to end the
/// program once the run of `state` is saved. A second one, except for a terminal that is closed, ends it at once.
///
/// # Errors
/// [`Error::Device`] when signals cannot be handled or the system has no thread left.
#[cfg(unix)]
pub(super) fn watch_signals(state: SignalState) -> Result<Receiver<i32>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    /// A single Ctrl-C can arrive twice.
    const REPEAT_WINDOW: Duration = Duration::from_millis(300);
    let error = |e: std::io::Error| Error::Device(format!("cannot watch for signals: {e}"));
    let mut signals =
        signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM, SIGQUIT]).map_err(error)?;
    let (sender, receiver) = bounded(1);
    let watch = move || {
        let mut first: Option<std::time::Instant> = None;
        for signal in signals.forever() {
            match first {
                None => {
                    first = Some(std::time::Instant::now());
                    sender.try_send(signal).ok();
                    let state = state.clone();
                    let end = move || {
                        state.save();
                        std::thread::sleep(GRACE);
                        state.save();
                        end_now(b"glue-tui: terminated by a signal; the work is saved\n");
                    };
                    std::thread::Builder::new().name("end".into()).spawn(end).ok();
                }
                Some(at) if signal != SIGHUP && at.elapsed() > REPEAT_WINDOW => {
                    end_now(b"glue-tui: terminated by a second signal\n");
                }
                Some(_) => {}
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch).map_err(error)?;
    Ok(receiver)
}

/// Without signals, nothing is ever received.
#[cfg(not(unix))]
pub(super) fn watch_signals(_state: SignalState) -> Result<Receiver<i32>> {
    Ok(crossbeam_channel::never())
}

/// Ends the program without the interface thread.
fn end_now(message: &[u8]) -> ! {
    restore_and_report(message);
    exit_now(INTERRUPTED)
}
