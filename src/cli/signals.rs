//! Signals during `train`: the first one stops the run after saving, a second one exits immediately.

use crate::error::{Error, Result};
use crate::machine::is_ignored;
use crate::terminal_reset::exit_now;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A single Ctrl-C can arrive twice, from the terminal and from a wrapper such as `cargo run`.
const REPEAT_WINDOW: Duration = Duration::from_millis(300);
/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// Calls `stop` at the first of these signals: SIGINT, SIGTERM, SIGQUIT, SIGHUP unless it is ignored, as after `nohup`,
/// and SIGUSR1, the warning of a batch system before its time limit. The returned flag is set before. `stop` does not
/// write to the terminal, which nobody may read.
///
/// A later SIGINT, SIGTERM or SIGQUIT exits immediately. The warning and a terminal that is closed do not count as the
/// first, because another signal follows them without a user's request.
pub(super) fn stop_on_signals(stop: impl Fn() + Send + 'static) -> Result<Arc<AtomicBool>> {
    let mut watched = vec![SIGINT, SIGTERM, SIGQUIT, SIGUSR1];
    if !is_ignored(SIGHUP) {
        watched.push(SIGHUP);
    }
    let mut signals =
        Signals::new(watched).map_err(|e| Error::Training(format!("cannot handle signals: {e}")))?;
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let interrupted = is_interrupted.clone();
    let handle_signals = move || {
        let mut requested: Option<Instant> = None;
        for signal in signals.forever() {
            let is_request = !matches!(signal, SIGHUP | SIGUSR1);
            if is_request && requested.is_some_and(|at| at.elapsed() > REPEAT_WINDOW) {
                exit_now(INTERRUPTED);
            }
            if is_request && requested.is_none() {
                requested = Some(Instant::now());
            }
            if !interrupted.swap(true, Ordering::SeqCst) {
                stop();
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(handle_signals);
    thread.map_err(|e| Error::Device(format!("cannot start the signal thread: {e}")))?;
    Ok(is_interrupted)
}
