//! `background`: the process that takes over the runs of an interface; see [`crate::run::background`].

use super::args::{BackgroundArgs, GlobalArgs};
use super::output;
use super::signals::stop_on_signals;
use crate::error::{Error, Result};
use crate::run::background::{BackgroundOptions, BackgroundTrainer, READY};
use crossbeam_channel::{Receiver, bounded, select};
use std::io::Read;

pub(super) fn background(global: &GlobalArgs, args: &BackgroundArgs) -> Result<()> {
    let (sender, stop) = bounded(1);
    stop_on_signals(move || {
        sender.try_send(()).ok();
    })?;
    let options = BackgroundOptions { runs_dir: global.runs_dir.clone(), device: global.device };
    let mut trainer = BackgroundTrainer::new(options);
    // The other process may end at any time; its runs are trained all the same.
    output::stdout_line(READY).ok();
    let stopped = || Error::Interrupted("terminated by a signal; the work is saved".into());
    select! {
        recv(end_of_stdin()?) -> _ => {}
        recv(stop) -> _ => return Err(stopped()),
    }
    let report = trainer.resume(&args.runs);
    output::json_line(&report).ok();
    let log = |text| output::stderr_line(format!("glue-tui: {text}"));
    if trainer.train(&stop, &log) { Err(stopped()) } else { Ok(()) }
}

/// A channel that is disconnected at the end of stdin.
fn end_of_stdin() -> Result<Receiver<()>> {
    let (sender, end) = bounded(0);
    let read = move || {
        let _sender = sender;
        let mut buffer = [0; 64];
        while matches!(std::io::stdin().lock().read(&mut buffer), Ok(1..)) {}
    };
    let thread = std::thread::Builder::new().name("stdin".into()).spawn(read);
    thread.map_err(|e| Error::Device(format!("cannot start the thread that reads stdin: {e}")))?;
    Ok(end)
}
