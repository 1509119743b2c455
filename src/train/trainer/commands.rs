//! What the loop is told while it runs, by people and by the log of a run that is done once more.

use super::{Next, Trainer};
use crate::error::Result;
use crate::event::{Change, Command, Event, SplitName, Status};
use crate::train::Snapshot;
use crate::train::control::Request;
use crate::train::setup::Setup;

impl Trainer<'_> {
    /// Saves the work and ends.
    pub(super) fn stop(&mut self) -> Result<Status> {
        self.say_obeyed(Command::Stop, false);
        self.say_step()?;
        if self.state.step > 0 {
            self.save()?;
        }
        Ok(Status::Stopped)
    }

    /// Obeys all that waits, and what the log has for this step. While paused it waits for more.
    pub(super) fn obey(&mut self) -> Result<Next> {
        while let Some((change, rest)) = self.trail.split_first()
            && change.step <= self.state.step
        {
            self.trail = rest;
            self.change(change.command, true);
        }
        let mut paused = false;
        loop {
            let request = if paused { Some(self.control.wait()) } else { self.control.poll() };
            let command = match request {
                None => return Ok(Next::Go),
                Some(Request::Weights(question)) => {
                    let Setup { built, folder, labels, .. } = &mut self.setup;
                    let (engine, step) = (built.engine.as_mut(), self.state.step);
                    let answer = Snapshot::of(engine, step, self.spec, folder, labels)?;
                    question.send(answer).ok();
                    continue;
                }
                Some(Request::Command(command)) => command,
            };
            if command == Command::Stop {
                return Ok(Next::Stop);
            }
            if command.changes_settings() {
                self.change(command, false);
                continue;
            }
            self.say_obeyed(command, false);
            match command {
                Command::Pause => paused = true,
                Command::Resume => paused = false,
                Command::Save => self.save()?,
                Command::Eval => self.score_now()?,
                _ => {}
            }
        }
    }

    /// Changes the settings, and keeps in mind that it did.
    fn change(&mut self, command: Command, again: bool) {
        if let Err(why) = command.check() {
            (self.say)(Event::warning(format!("not obeyed: {why}")));
            return;
        }
        let step = self.state.step;
        self.rates.change(step, command, &self.plan);
        self.plan.total_steps = self.rates.settings().total_steps;
        self.state.changes.push(Change { step, command });
        if self.plan.total_steps == step {
            // The end of a training is scored on all splits, whatever was scored here before.
            self.state.scored_at = None;
        }
        self.say_obeyed(command, again);
    }

    fn say_obeyed(&mut self, command: Command, again: bool) {
        let settings = command.changes_settings().then(|| self.rates.settings());
        (self.say)(Event::Command { step: self.state.step, command, settings, again });
    }

    /// Scores the validation split because somebody asked. It is looked at, and chooses nothing: so
    /// asking does not change which weights are best.
    fn score_now(&mut self) -> Result<()> {
        if let Some(eval) = self.score_split(SplitName::Validation)? {
            (self.say)(Event::Eval(eval));
            self.score_probes();
        }
        Ok(())
    }
}
