//! `control`: sends a command to a run that another process is training, and waits for the acknowledgement.

use super::args::{ControlAction, ControlArgs, GlobalArgs};
use super::output;
use super::run_printer::seed_prefix;
use crate::error::Result;
use crate::event::{Command, Event};
use crate::run::{self, CommandAck, PendingCommand, message};
use serde_json::json;

pub(super) fn control(global: &GlobalArgs, args: &ControlArgs) -> Result<()> {
    let command = command(&args.action)?;
    let pending = PendingCommand::send(&run::find(&global.runs_dir, &args.run)?, command)?;
    if args.no_wait {
        let sent = json!({ "command": command, "obeyed": false });
        return if global.json { output::json_line(&sent) } else { Ok(()) };
    }
    // A process trains each seed.
    let has_several = pending.len() > 1;
    for pending in pending {
        let seed = if has_several { seed_prefix(pending.dir()) } else { String::new() };
        let ack = pending.wait()?;
        if global.json {
            output::json_line(&ack)?;
            continue;
        }
        let CommandAck { step, command, settings } = ack;
        let text = message::line(&Event::Command { step, command, settings, replayed: false, error: None });
        output::stdout_line(format!("{seed}{}", text.unwrap_or_default()))?;
    }
    Ok(())
}

fn command(action: &ControlAction) -> Result<Command> {
    Ok(match action {
        ControlAction::Pause => Command::Pause,
        ControlAction::Resume => Command::Resume,
        ControlAction::Eval => Command::Eval,
        ControlAction::Save => Command::Save,
        ControlAction::Stop => Command::Stop,
        ControlAction::Halve => Command::Halve,
        ControlAction::Set { set: (key, text) } => return Command::set(key, text),
    })
}
