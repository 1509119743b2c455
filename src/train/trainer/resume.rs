//! Checks of a run directory that a training resumes in.

use super::saving::BEST;
use super::state::Trainer;
use crate::error::Result;
use crate::event::Event;
use crate::files::check_model_folder;
use std::time::Instant;

impl Trainer<'_> {
    /// Checks that the best weights so far are still in `best/`. If not, they are written again when the checkpoint
    /// has them; otherwise the best of the remaining evaluations are kept, starting with one of the checkpoint.
    pub(super) fn check_best(&mut self) -> Result<()> {
        let Some(best) = self.state.best else { return Ok(()) };
        let Err(error) = check_model_folder(&self.dir()?.join(BEST)) else { return Ok(()) };
        if best.step == self.state.step {
            (self.emit)(Event::warning(format!(
                "{error}; the best weights are written again from the checkpoint"
            )));
            return self.write_best(best.averaging, Instant::now());
        }
        (self.emit)(Event::warning(format!(
            "{error}; the best weights of step {} are lost, and the best from step {} on are kept",
            best.step, self.state.step
        )));
        self.state.best = None;
        self.state.evals_without_improvement = 0;
        // The weights of the checkpoint are evaluated again, so that a run that has no more steps ends with weights.
        self.state.scored_at = None;
        Ok(())
    }
}
