//! Execution of commands, from users and from the log of a replayed run.

use super::state::Trainer;
use crate::error::{Error, Result};
use crate::event::{Change, Command, Event, Status};
use crate::nn::ParamState;
use crate::train::control::Request;
use crate::train::setup::Setup;
use crate::train::snapshot::Snapshot;
use std::ops::ControlFlow;

impl Trainer<'_> {
    /// Saves the work and ends the training. Settings that were changed just before are saved too; other commands have no
    /// effect any more.
    pub(super) fn stop(&mut self) -> Result<Status> {
        for command in self.control.take_commands().into_iter().filter(|command| command.changes_settings()) {
            self.change_settings(command, false);
        }
        self.emit_command(Command::Stop, false, None);
        self.log_steps()?;
        if self.state.step > 0 {
            self.save_checkpoint()?;
        }
        Ok(Status::Stopped)
    }

    /// Executes the changes that the log has for this step and all pending commands; while paused, waits for
    /// more. Breaks on [`Command::Stop`], before commands that were sent earlier: the work is saved first.
    pub(super) fn execute_commands(&mut self) -> Result<ControlFlow<()>> {
        while let Some((change, rest)) = self.replayed_changes.split_first()
            && change.step <= self.state.step
        {
            self.replayed_changes = rest;
            self.change_settings(change.command, true);
        }
        if self.control.is_cancelled() {
            return Ok(ControlFlow::Break(()));
        }
        let mut is_paused = false;
        loop {
            let request = if is_paused { Some(self.control.wait()) } else { self.control.poll() };
            let command = match request {
                None => return Ok(ControlFlow::Continue(())),
                Some(Request::Snapshot(request)) => {
                    let Setup { built, folder, labels, .. } = &self.setup;
                    let (weights, step) = ((built.engine.as_ref(), ParamState::Weight), self.state.step);
                    request.send(Snapshot::of(weights, step, self.spec, folder, labels)?).ok();
                    continue;
                }
                Some(Request::Command(command)) => command,
            };
            // A change that was received before the stop is part of the work that is saved.
            if command.changes_settings() {
                self.change_settings(command, false);
                continue;
            }
            if command == Command::Stop || self.control.is_cancelled() {
                return Ok(ControlFlow::Break(()));
            }
            if command == Command::Save {
                self.save_on_command()?;
                continue;
            }
            self.emit_command(command, false, None);
            match command {
                Command::Pause => is_paused = true,
                Command::Resume => is_paused = false,
                Command::Eval => self.evaluate_on_command()?,
                _ => {}
            }
        }
    }

    /// Writes a checkpoint on a user's command. If it cannot be written, the training continues without it.
    fn save_on_command(&mut self) -> Result<()> {
        match self.save_checkpoint() {
            Err(error @ Error::Write { .. }) => {
                self.emit_command(Command::Save, false, Some(error.to_string()));
                Ok(())
            }
            saved => {
                self.emit_command(Command::Save, false, saved.as_ref().err().map(ToString::to_string));
                saved
            }
        }
    }

    /// Changes the settings and records the change for checkpoints and the summary.
    fn change_settings(&mut self, command: Command, replayed: bool) {
        if let Err(error) = command.check() {
            (self.emit)(Event::warning(format!("command ignored: {error}")));
            return;
        }
        let step = self.state.step;
        self.schedule.apply(step, command, &self.plan);
        self.plan.total_steps = self.schedule.settings().total_steps;
        self.state.changes.push(Change { step, command });
        if self.plan.total_steps == step {
            // The end of a training is evaluated on all splits even if some were evaluated at this step before.
            self.state.scored_at = None;
        }
        self.emit_command(command, replayed, None);
    }

    fn emit_command(&mut self, command: Command, replayed: bool, error: Option<String>) {
        let settings = command.changes_settings().then(|| self.schedule.settings());
        (self.emit)(Event::Command { step: self.state.step, command, settings, replayed, error });
    }
}
