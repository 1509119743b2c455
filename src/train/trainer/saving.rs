//! Checkpoints and the best weights.

use super::state::Trainer;
use crate::error::{Error, Result};
use crate::event::{Event, Saved, SplitName, Stage};
use crate::files::{FolderLocation, retry_while_full, write_digests, write_dir_atomic};
use crate::nn::{self, ParamState, TensorSource};
use crate::train::attempt::Attempt;
use crate::train::best::Best;
use crate::train::checkpoint::{self, LoopState};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The folder of the best weights.
pub(super) const BEST: &str = "best";

impl Trainer<'_> {
    /// Writes a checkpoint.
    pub(super) fn save_checkpoint(&mut self) -> Result<()> {
        self.synchronize()?;
        self.flush_usage();
        let start = Instant::now();
        let engine = self.setup.built.engine.as_ref();
        let total_steps = Some(self.plan.total_steps);
        let state = LoopState { updates: engine.updates(), total_steps, ..self.state.clone() };
        let bytes =
            checkpoint::save(&self.dir()?, &state, &checkpoint::tensors(engine), self.intact_checkpoint)?;
        self.intact_checkpoint = Some(self.state.step);
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
        self.write_best(start)
    }

    /// Writes the current weights to `best/`.
    pub(super) fn write_best(&mut self, start: Instant) -> Result<()> {
        let (setup, path) = (&self.setup, self.dir()?.join(BEST));
        let write = |folder: &Path| {
            let weights = TensorSource::from_engine(setup.built.engine.as_ref(), ParamState::Weight, "");
            nn::save_model(folder, &setup.built.config, &setup.labels, &weights)?;
            setup.tokenizer.save(folder)?;
            write_digests(folder)
        };
        let bytes = retry_while_full(|| write_dir_atomic(&path, write))?;
        self.emit_saved(BEST.into(), bytes, start);
        Ok(())
    }

    /// The run directory to write to, which may have been moved since the start.
    ///
    /// # Errors
    /// [`Error::Training`] if it was removed, or if a later attempt trains the run.
    pub(super) fn dir(&self) -> Result<PathBuf> {
        self.attempt.map_or(Ok(()), Attempt::check)?;
        match self.folder.location() {
            FolderLocation::Unchanged => Ok(self.folder.path().to_path_buf()),
            FolderLocation::Moved(path) => Ok(path),
            FolderLocation::Removed => Err(Error::Training(format!(
                "the run directory {} was removed during the training",
                self.folder.path().display()
            ))),
        }
    }

    fn emit_saved(&mut self, path: PathBuf, bytes: u64, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        self.state.usage.spend(Stage::Saving, seconds);
        (self.emit)(Event::Saved(Saved { step: self.state.step, path, bytes, seconds }));
    }
}
