//! Export of the best weights of a run to a folder in the Hugging Face layout with a model card.

use super::folder::new_folder;
use super::model_card::ModelCard;
use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::files::{DIGESTS, ModelFolder, check_digests, copy_file, write_dir_atomic};
use crate::run::RunDir;
use std::path::Path;

/// Writes the best weights of the run directory `run` to the folder `to`, which Hugging Face libraries can load.
/// Returns its size in bytes.
///
/// # Errors
/// [`Error::Model`] if the run has no weights yet, [`Error::Usage`] if `to` exists and is not empty.
pub fn hf(run: &Path, to: &Path) -> Result<u64> {
    let dir = RunDir::at(run);
    let best = dir.best();
    if !best.is_dir() {
        return Err(Error::model(
            dir.name(),
            "has no weights to export yet; continue the training with --resume",
        ));
    }
    new_folder(to)?;
    check_digests(&best)?;
    let spec = dir.spec()?;
    let card = ModelCard::of(&dir)?;
    write_dir_atomic(to, |folder| {
        for entry in std::fs::read_dir(&best).map_err(Error::reading(&best))? {
            let path = entry.map_err(Error::reading(&best))?.path();
            if let Some(name) = path.file_name().filter(|name| *name != DIGESTS) {
                copy_file(&path, &folder.join(name))?;
            }
        }
        // best/ of a run of an older version has the maximum length of the original model.
        let model = ModelFolder { name: dir.name(), ..ModelFolder::on_disk(&best) };
        Tokenizer::load(&model, spec.max_seq_length)?.save(folder)?;
        let readme = ("README.md".to_string(), card.readme.clone());
        for (name, text) in std::iter::once(&readme).chain(&card.charts) {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(Error::writing(&path))?;
        }
        Ok(())
    })
}
