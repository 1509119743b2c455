//! `control`: tells something to a run that another process trains, and says when it was obeyed.

use super::args::{Action, Control, Global};
use super::output;
use crate::error::Result;
use crate::event::{Command, Event};
use crate::run::{self, CommandAck, PendingCommand, message};
use serde_json::json;

pub(super) fn control(global: &Global, args: &Control) -> Result<()> {
    let command = command(&args.action)?;
    let asked = PendingCommand::send(&run::find(&global.runs_dir, &args.run)?, command)?;
    if args.no_wait {
        let said = json!({ "command": command, "obeyed": false });
        return if global.json { output::json_line(&said) } else { Ok(()) };
    }
    let obeyed = asked.wait()?;
    if global.json {
        return output::json_line(&obeyed);
    }
    let CommandAck { step, command, settings } = obeyed;
    let told = message::line(&Event::Command { step, command, settings, replayed: false });
    output::line(told.unwrap_or_default())
}

fn command(action: &Action) -> Result<Command> {
    Ok(match action {
        Action::Pause => Command::Pause,
        Action::Resume => Command::Resume,
        Action::Eval => Command::Eval,
        Action::Save => Command::Save,
        Action::Stop => Command::Stop,
        Action::Halve => Command::Halve,
        Action::Set { set: (key, text) } => return Command::set(key, text),
    })
}
