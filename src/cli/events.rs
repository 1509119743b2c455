//! `events`: prints the events of a run, as lines for people or as the lines of its log.

use super::args::{EventsArgs, GlobalArgs};
use super::follow::{FollowedRun, LogLine};
use super::output;
use super::run_printer::{learning_rate, seed_prefix};
use crate::error::Result;
use crate::event::{Event, Step};
use crate::format;
use crate::run::{RunEvent, message};
use serde::de::IgnoredAny;

pub(super) fn events(global: &GlobalArgs, args: &EventsArgs) -> Result<()> {
    let mut run = FollowedRun::open(&global.runs_dir, &args.run)?;
    let print = if global.json { print_json } else { print_text };
    if args.follow {
        run.follow(&mut |line| print(&line)).map(drop)
    } else {
        run.read(&mut |line| print(&line))
    }
}

/// Prints a line as it is, with events and fields that this version does not know.
fn print_json(line: &LogLine<'_>) -> Result<()> {
    match std::str::from_utf8(line.bytes) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => output::json_text_line(text),
        // A damaged line is skipped, as by every reader of a log.
        _ => Ok(()),
    }
}

fn print_text(line: &LogLine<'_>) -> Result<()> {
    let Some(RunEvent { dir, event, .. }) = line.event() else { return Ok(()) };
    let text = match &event {
        Event::Step(step) => Some(step_text(step)),
        event => message::line(event),
    };
    text.map_or(Ok(()), |text| output::stdout_line(format!("{}{text}", seed_prefix(&dir))))
}

/// `step 187: epoch 0.60, loss 0.4322, learning rate 2.00e-5, gradient norm 1.25`.
fn step_text(step: &Step) -> String {
    format!(
        "step {}: epoch {:.2}, loss {:.4}, learning rate {}, gradient norm {:.2}",
        format::count(step.step),
        step.epoch,
        step.loss,
        learning_rate(step.learning_rate),
        step.grad_norm
    )
}
