//! Signals of a training without the interface: the first asks it to save and end, Ctrl-C once more
//! ends it at once.

use super::output;
use crate::error::{Error, Result};
use crate::event::Command;
use crate::train::Handle;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::time::{Duration, Instant};

/// One Ctrl-C may arrive twice, from the terminal and from a wrapper such as `cargo run`.
const SAME_PRESS: Duration = Duration::from_millis(300);

/// Tells the run to stop at the first SIGINT, SIGTERM or SIGUSR1 (a batch system's warning).
pub(super) fn stop_on_signals(handle: Handle) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])
        .map_err(|e| Error::Training(format!("cannot listen to signals: {e}")))?;
    let listen = move || {
        let mut first: Option<Instant> = None;
        for signal in signals.forever() {
            match first {
                None => {
                    first = Some(Instant::now());
                    handle.send(Command::Stop);
                    output::aside("stopping: the work is being saved; Ctrl-C once more ends at once");
                }
                // A batch system follows its warning with SIGTERM; only a person insists with Ctrl-C.
                Some(at) if signal == SIGINT && at.elapsed() > SAME_PRESS => std::process::exit(130),
                Some(_) => {}
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(listen);
    thread.map(drop).map_err(|e| Error::Training(format!("no thread for signals: {e}")))
}
