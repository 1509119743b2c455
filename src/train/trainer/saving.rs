//! Checkpoints and the best weights.

use super::state::Trainer;
use crate::error::{Error, Result};
use crate::event::{Averaging, Event, Saved, Stage};
use crate::files::{FolderLocation, retry_while_full, write_digests, write_dir_atomic};
use crate::nn::{self, ParamState, TensorSource};
use crate::train::attempt::Attempt;
use crate::train::best::Best;
use crate::train::checkpoint::{self, LoopState, Retention};
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
        let retention = Retention::of(self.spec, self.plan);
        let tensors = checkpoint::tensors(engine);
        let bytes = checkpoint::save(&self.dir()?, &state, &tensors, self.intact_checkpoint, retention)?;
        drop(tensors);
        self.intact_checkpoint = Some(self.state.step);
        self.emit_saved(checkpoint::relative_path(self.state.step), bytes, start);
        Ok(())
    }

    /// Records the best evaluation, and writes its weights to `best/` in the Hugging Face layout.
    pub(super) fn save_best(&mut self, best: Best) -> Result<()> {
        let start = Instant::now();
        self.state.best = Some(best);
        self.state.evals_without_improvement = 0;
        self.write_best(best.averaging, start)
    }

    /// Writes the current weights or their average to `best/`. The mean of checkpoints is in place of the weights.
    pub(super) fn write_best(&mut self, averaging: Option<Averaging>, start: Instant) -> Result<()> {
        let (setup, path) = (&self.setup, self.dir()?.join(BEST));
        let state = if averaging == Some(Averaging::Ema) { ParamState::Average } else { ParamState::Weight };
        let write = |folder: &Path| {
            let weights = TensorSource::from_engine(setup.built.engine.as_ref(), state, "");
            nn::save_model(folder, &setup.built.config, &setup.labels, &weights)?;
            nn::save_adapters(folder, setup.built.engine.as_ref())?;
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
