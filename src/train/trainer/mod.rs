//! The training loop: evaluate and save when due, execute commands, take one step, log it.

mod averaging;
mod commands;
mod evaluation;
mod job;
mod resume;
mod saving;
mod scheduling;
mod state;
mod step;

pub use job::Job;

use super::attempt::Attempt;
use super::control::Control;
use super::resources::Resources;
use super::setup::prepare;
use super::summary::Summary;
use crate::error::Result;
use crate::event::{Event, Status};
use crate::nn::{StepInput, coverage};
use state::Trainer;
use std::time::Instant;

/// Trains until all steps are done or [`Command::Stop`](crate::event::Command::Stop), and emits what happens. The
/// interface, the command line and the tests all call this function.
///
/// # Errors
/// Any error that prevents the training from continuing; checkpoints stay valid.
/// [`Error::Interrupted`](crate::error::Error::Interrupted) if it is stopped before the first step.
pub fn train(
    job: Job<'_>,
    resources: Resources,
    control: &Control,
    emit: &mut dyn FnMut(Event),
) -> Result<Summary> {
    let (start, resolve_seconds) = (Instant::now(), resources.seconds);
    let setup = prepare(job.spec, resources, control, emit)?;
    let spec = setup.spec.clone();
    let mut trainer = Trainer::new(Job { spec: &spec, ..job }, setup, control, emit)?;
    trainer.check_best()?;
    trainer.check_gradients()?;
    let setup_seconds = resolve_seconds + start.elapsed().as_secs_f64();
    let status = trainer.run()?;
    trainer.flush_usage();
    let Trainer { setup, plan, state, pause_reason, .. } = trainer;
    Ok(Summary { setup_seconds, pause_reason, ..Summary::of(status, &spec, setup, &plan, state) })
}

impl Trainer<'_> {
    fn run(&mut self) -> Result<Status> {
        let mut saved_at = Some(self.state.step);
        loop {
            self.attempt.map_or(Ok(()), Attempt::check_soon)?;
            let step = self.state.step;
            if self.plan.is_eval_due(step)
                && self.state.scored_at != Some(step)
                && self.evaluate_scheduled()?.is_break()
            {
                return self.stop();
            }
            if self.plan.is_save_due(step) && saved_at != Some(step) {
                self.save_checkpoint()?;
                saved_at = Some(step);
            }
            let is_over = step >= self.plan.total_steps || self.is_patience_exhausted();
            if is_over {
                self.log_steps()?;
                if self.evaluate_checkpoint_average()?.is_break() {
                    return self.stop();
                }
            }
            let pause_reason = self.report_result(is_over);
            if is_over {
                return Ok(Status::Finished);
            }
            if let Some(reason) = pause_reason {
                return self.pause(reason, saved_at);
            }
            if self.execute_commands()?.is_break() {
                return self.stop();
            }
            // A command may have made this the last step, which is then evaluated and saved like any other.
            if step < self.plan.total_steps {
                self.step()?;
            }
        }
    }

    /// Checks before the first step that every parameter receives a gradient: an operation without a backward
    /// pass would leave the weights behind it unchanged without any other sign.
    fn check_gradients(&mut self) -> Result<()> {
        if self.state.step >= self.plan.total_steps {
            return Ok(());
        }
        let batch = self.next_batch();
        let input = StepInput { batch: &batch, step: self.state.step, learning_rate: 0.0 };
        let coverage = coverage::check(self.setup.built.engine.as_mut(), input)?;
        coverage::require_all(&coverage)?;
        (self.emit)(Event::note(coverage.summary()));
        Ok(())
    }
}
