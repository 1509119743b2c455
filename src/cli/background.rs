//! `background`: the process that takes over the runs of an interface; see [`crate::run::background`].

use super::args::{BackgroundArgs, GlobalArgs};
use super::output;
use super::signals::stop_on_signals;
use crate::error::{Error, Result};
use crate::run::background::{BackgroundOptions, BackgroundTrainer, READY, UnexecutedCommand};
use crossbeam_channel::{Receiver, bounded, select};
use std::io::BufRead;

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
    let commands = select! {
        recv(read_commands()?) -> commands => commands.unwrap_or_default(),
        recv(stop) -> _ => return Err(stopped()),
    };
    let report = trainer.resume(&args.runs, &commands);
    output::json_line(&report).ok();
    let log = |text| output::stderr_line(format!("glue-tui: {text}"));
    if trainer.train(&stop, &log) { Err(stopped()) } else { Ok(()) }
}

/// Reads stdin to its end on a thread of its own, and then sends the commands in it.
fn read_commands() -> Result<Receiver<Vec<UnexecutedCommand>>> {
    let (sender, commands) = bounded(1);
    let read = move || {
        let lines = std::io::stdin().lock().lines().map_while(std::io::Result::ok);
        let commands = lines.flat_map(|line| serde_json::from_str(&line)).collect();
        sender.send(commands).ok();
    };
    let thread = std::thread::Builder::new().name("stdin".into()).spawn(read);
    thread.map_err(|e| Error::Device(format!("cannot start the thread that reads stdin: {e}")))?;
    Ok(commands)
}
