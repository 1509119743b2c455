//! Signals during `train`: the first one stops the run after saving, a second one exits immediately.

use crate::error::{Error, Result};
use crate::event::Command;
use crate::terminal_reset::exit_now;
use crate::train::Handle;
use crossbeam_channel::Sender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A single Ctrl-C can arrive twice, from the terminal and from a wrapper such as `cargo run`.
const REPEAT_WINDOW: Duration = Duration::from_millis(300);
/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// Stops the run at the first of these signals: SIGINT, SIGTERM, SIGQUIT, SIGHUP unless it is ignored, as after
/// `nohup`, and SIGUSR1, the warning of a batch system before its time limit. The returned flag is set then, and a line
/// is sent to `lines`: writing it here would wait for a terminal that nobody reads.
///
/// A later SIGINT, SIGTERM or SIGQUIT exits immediately. The warning and a terminal that is closed do not count as the
/// first, because another signal follows them without a user's request.
pub(super) fn stop_on_signals(handle: Handle, lines: Sender<String>) -> Result<Arc<AtomicBool>> {
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
                handle.send(Command::Stop);
                let text = "stopping after saving a checkpoint; press Ctrl-C again to exit immediately";
                lines.send(text.into()).ok();
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(handle_signals);
    thread.map_err(|e| Error::Device(format!("cannot start the signal thread: {e}")))?;
    Ok(is_interrupted)
}

/// Whether the process was started with this signal ignored.
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    #[expect(unsafe_code, reason = "system call")]
    // SAFETY: the action is read only after the call has filled it.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
