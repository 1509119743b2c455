//! `control`: sends a command to a run that another process is training, and waits for the acknowledgement.

use super::args::{ControlAction, ControlArgs, GlobalArgs};
use super::output;
use crate::error::Result;
use crate::event::{Command, Event};
use crate::run::{self, CommandAck, PendingCommand, message};
use serde::Serialize;
use serde_json::json;

pub(super) fn control(global: &GlobalArgs, args: &ControlArgs) -> Result<()> {
    let command = command(&args.action)?;
    let pending = PendingCommand::send(&run::find(&global.runs_dir, &args.run)?, command)?;
    if args.no_wait {
        let sent = json!({ "command": command, "obeyed": false });
        return if global.json { output::json_line(&sent) } else { Ok(()) };
    }
    // A seed may end before it has executed the command; the others are waited for.
    let mut result = Ok(());
    for pending in pending {
        let seed = pending.seed();
        match pending.wait() {
            Ok(ack) if global.json => output::json_line(&Acknowledged { seed, ack })?,
            Ok(CommandAck { step, command, settings }) => {
                let event = Event::Command { step, command, settings, replayed: false, error: None };
                let seed = seed.map_or(String::new(), |seed| format!("[seed {seed}] "));
                output::stdout_line(format!("{seed}{}", message::line(&event).unwrap_or_default()))?;
            }
            Err(error) => result = result.and(Err(error)),
        }
    }
    result
}

/// An acknowledgement, with the seed where a process trains each seed of the run.
#[derive(Serialize)]
struct Acknowledged {
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(flatten)]
    ack: CommandAck,
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
