//! Signals during long commands: the first one stops the work after saving, a second one exits immediately.

use crate::error::{Error, Result};
use crate::machine::is_ignored;
use crate::terminal_reset::exit_now;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// A single Ctrl-C can arrive twice, from the terminal and from a wrapper such as `cargo run`.
const REPEAT_WINDOW: Duration = Duration::from_millis(300);
/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// The signal that has interrupted the program.
#[derive(Debug, Clone)]
pub(super) struct Interruption {
    /// Whether there was one.
    pub(super) is_set: Arc<AtomicBool>,
    /// The number of the first one; 0 without any.
    first: Arc<AtomicI32>,
}

impl Interruption {
    /// Whether the first signal was the warning of a batch system before its time limit, or before a preemption.
    pub(super) fn is_warning(&self) -> bool {
        matches!(self.first.load(Ordering::SeqCst), SIGUSR1 | SIGUSR2)
    }

    /// Whether the first signal was SIGTERM.
    pub(super) fn is_termination(&self) -> bool {
        self.first.load(Ordering::SeqCst) == SIGTERM
    }
}

/// Calls `stop` at the first of these signals: SIGINT, SIGTERM, SIGQUIT, SIGHUP unless it is ignored, as after `nohup`,
/// and SIGUSR1 or SIGUSR2, the warning of a batch system before its time limit. The returned flag is set before. `stop`
/// does not write to the terminal, which nobody may read.
///
/// A later SIGINT, SIGTERM or SIGQUIT exits immediately. The warning and a terminal that is closed do not count as the
/// first, because another signal follows them without a user's request.
pub(super) fn stop_on_signals(stop: impl Fn() + Send + 'static) -> Result<Interruption> {
    let mut watched = vec![SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2];
    if !is_ignored(SIGHUP) {
        watched.push(SIGHUP);
    }
    let mut signals =
        Signals::new(watched).map_err(|e| Error::Training(format!("cannot handle signals: {e}")))?;
    let interruption = Interruption { is_set: Arc::default(), first: Arc::default() };
    let Interruption { is_set, first } = interruption.clone();
    let handle_signals = move || {
        let mut requested: Option<Instant> = None;
        for signal in signals.forever() {
            first.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).ok();
            let is_request = !matches!(signal, SIGHUP | SIGUSR1 | SIGUSR2);
            if is_request && requested.is_some_and(|at| at.elapsed() > REPEAT_WINDOW) {
                exit_now(INTERRUPTED);
            }
            if is_request && requested.is_none() {
                requested = Some(Instant::now());
            }
            if !is_set.swap(true, Ordering::SeqCst) {
                stop();
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(handle_signals);
    thread.map_err(|e| Error::Device(format!("cannot start the signal thread: {e}")))?;
    Ok(interruption)
}

/// A flag that the signals of [`stop_on_signals`] set, for a command that ends soon after it is set.
///
/// # Errors
/// When signals cannot be handled.
pub(super) fn cancelled_by_signals() -> Result<Arc<AtomicBool>> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let stop = cancelled.clone();
    stop_on_signals(move || stop.store(true, Ordering::Relaxed))?;
    Ok(cancelled)
}
