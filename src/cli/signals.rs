//! Signals during `train`: the first one stops the run after saving, a second Ctrl-C exits immediately.

use super::output;
use crate::error::{Error, Result};
use crate::event::Command;
use crate::train::Handle;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::time::{Duration, Instant};

/// A single Ctrl-C can arrive twice, from the terminal and from a wrapper such as `cargo run`.
const REPEAT_WINDOW: Duration = Duration::from_millis(300);

/// Stops the run at the first SIGINT, SIGTERM or SIGUSR1 (the warning of a batch system before its time limit).
pub(super) fn stop_on_signals(handle: Handle) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])
        .map_err(|e| Error::Training(format!("cannot handle signals: {e}")))?;
    let handle_signals = move || {
        let mut first: Option<Instant> = None;
        for signal in signals.forever() {
            match first {
                None => {
                    first = Some(Instant::now());
                    handle.send(Command::Stop);
                    output::stderr_line(
                        "stopping after saving a checkpoint; press Ctrl-C again to exit immediately",
                    );
                }
                // A batch system sends SIGTERM after its warning, so only Ctrl-C exits immediately.
                Some(at) if signal == SIGINT && at.elapsed() > REPEAT_WINDOW => std::process::exit(130),
                Some(_) => {}
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(handle_signals);
    thread.map(drop).map_err(|e| Error::Training(format!("cannot start the signal thread: {e}")))
}
