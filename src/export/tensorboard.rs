//! The metrics of a run as event files of TensorBoard.

use super::folder::new_folder;
use crate::error::{Error, Result};
use crate::files::write_dir_atomic;
use crate::run::tensorboard::write_event_file;
use crate::run::{RunDir, final_events, replay, seed_dirs};
use std::path::Path;

/// Writes the event file of the run in `dir` to the folder `to`, or one in a folder for each seed (`seed-42/`, …) of a run with
/// repeats. Returns its size in bytes.
///
/// # Errors
/// [`Error::Usage`] if `to` exists and is not empty, [`Error::Read`] for a log that cannot be read, [`Error::Write`].
pub fn tensorboard(dir: &Path, to: &Path) -> Result<u64> {
    let spec = RunDir::at(dir).spec()?;
    let mut seeds = Vec::new();
    for seed in seed_dirs(dir, &spec) {
        let name = (spec.seed_count() > 1).then(|| RunDir::at(&seed).name());
        seeds.push((name, final_events(replay(&seed)?)));
    }
    new_folder(to)?;
    write_dir_atomic(to, |folder| {
        for (name, events) in &seeds {
            let folder = name.as_ref().map_or_else(|| folder.to_path_buf(), |name| folder.join(name));
            std::fs::create_dir_all(&folder).map_err(Error::writing(&folder))?;
            write_event_file(events, &folder)?;
        }
        Ok(())
    })
}
