//! Checkpoints and the best weights.

use super::state::Trainer;
use crate::error::Result;
use crate::event::{Event, Saved, SplitName, Stage};
use crate::files::write_dir_atomic;
use crate::nn::{self, ParamState, TensorSource};
use crate::train::best::Best;
use crate::train::checkpoint::{self, LoopState};
use std::path::PathBuf;
use std::time::Instant;

impl Trainer<'_> {
    /// Writes a checkpoint.
    pub(super) fn save_checkpoint(&mut self) -> Result<()> {
        self.synchronize()?;
        self.flush_usage();
        let start = Instant::now();
        let engine = self.setup.built.engine.as_ref();
        let total_steps = Some(self.plan.total_steps);
        let state = LoopState { updates: engine.updates(), total_steps, ..self.state.clone() };
        let bytes = checkpoint::save(self.dir, &state, &checkpoint::tensors(engine))?;
        self.emit_saved(checkpoint::relative_path(self.state.step), bytes, start);
        Ok(())
    }

    /// Writes the weights to `best/` in the Hugging Face layout; `value` is that of the metric for the best model.
    pub(super) fn save_best(&mut self, value: f64) -> Result<()> {
        let start = Instant::now();
        let metric = self.spec.best_metric();
        let test = self.state.latest.get(&SplitName::Test).and_then(|scores| scores.get(metric));
        self.state.best = Some(Best { step: self.state.step, metric, value, test });
        self.state.evals_without_improvement = 0;
        let setup = &self.setup;
        let bytes = write_dir_atomic(&self.dir.join("best"), |folder| {
            let weights = TensorSource::from_engine(setup.built.engine.as_ref(), ParamState::Weight, "");
            nn::save_model(folder, &setup.built.config, &setup.labels, &weights)?;
            setup.tokenizer.save(folder)
        })?;
        self.emit_saved("best".into(), bytes, start);
        Ok(())
    }

    fn emit_saved(&mut self, path: PathBuf, bytes: u64, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        self.state.usage.spend(Stage::Saving, seconds);
        (self.emit)(Event::Saved(Saved { step: self.state.step, path, bytes, seconds }));
    }
}
