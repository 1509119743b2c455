//! Signals that end the interface. Its runs are saved first, and handed over to a process in the background if the terminal
//! was closed, even if the interface thread hangs on a terminal that nobody reads; then the terminal is restored and the
//! program ends.

use super::active_runs::{ActiveRuns, Ending};
use crate::error::{Error, Result};
use crate::terminal_reset::{exit_now, restore_and_report};
use crossbeam_channel::{Receiver, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the interface thread may take to act on a signal before the program ends without it.
const GRACE: Duration = Duration::from_secs(3);
/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// What the thread of the signals shares with the interface.
#[derive(Debug, Clone)]
pub(super) struct SignalState {
    /// The runs that this process trains.
    pub(super) active_runs: ActiveRuns,
    /// Whether the interface thread is ending them itself.
    is_ending: Arc<AtomicBool>,
}

impl SignalState {
    /// The state of an interface that trains `active_runs`.
    pub(super) fn new(active_runs: ActiveRuns) -> Self {
        SignalState { active_runs, is_ending: Arc::default() }
    }

    /// Sets whether the interface thread waits for the end of its runs, so that it does not hang.
    pub(super) fn set_ending(&self, is_ending: bool) {
        self.is_ending.store(is_ending, Ordering::SeqCst);
    }

    /// Ends the runs, and waits until their work is saved.
    fn end_runs(&self, ending: Ending) {
        if ending == Ending::HandOver {
            self.active_runs.wait_for_starts();
        }
        if self.active_runs.end(ending).is_err() {
            self.active_runs.end(Ending::Stop).ok();
        }
        // A run that was just being started is known to the interface thread only.
        while self.is_ending.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Watches SIGINT, SIGTERM, SIGQUIT and, unless it is ignored, SIGHUP: what the first one means for the runs is received by
/// the interface, which has [`GRACE`] to end the program once the runs of `state` are saved. A second one, except for a
/// terminal that is closed, ends it at once.
///
/// # Errors
/// [`Error::Device`] when signals cannot be handled or the system has no thread left.
#[cfg(unix)]
pub(super) fn watch_signals(state: SignalState) -> Result<Receiver<Ending>> {
    use crate::machine::is_ignored;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    /// A single Ctrl-C can arrive twice.
    const REPEAT_WINDOW: Duration = Duration::from_millis(300);
    let error = |e: std::io::Error| Error::Device(format!("cannot watch for signals: {e}"));
    let mut watched = vec![SIGINT, SIGTERM, SIGQUIT];
    if !is_ignored(SIGHUP) {
        watched.push(SIGHUP);
    }
    let mut signals = signal_hook::iterator::Signals::new(watched).map_err(error)?;
    let (sender, receiver) = bounded(1);
    let watch = move || {
        let mut first: Option<std::time::Instant> = None;
        for signal in signals.forever() {
            match first {
                None => {
                    first = Some(std::time::Instant::now());
                    let ending = if signal == SIGHUP { Ending::HandOver } else { Ending::Stop };
                    sender.try_send(ending).ok();
                    let state = state.clone();
                    let end = move || {
                        state.end_runs(ending);
                        std::thread::sleep(GRACE);
                        state.end_runs(ending);
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
pub(super) fn watch_signals(_state: SignalState) -> Result<Receiver<Ending>> {
    Ok(crossbeam_channel::never())
}

/// Ends the program without the interface thread.
fn end_now(message: &[u8]) -> ! {
    restore_and_report(message);
    exit_now(INTERRUPTED)
}
