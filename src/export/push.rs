//! Upload of a run to the hub.

use super::model::hf;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::hub::{Hub, PushOptions, Pushed};
use crate::run::RunDir;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How the name of a folder for an upload starts.
const PREFIX: &str = ".push-";
/// An upload takes less time than this.
const LONGEST: Duration = Duration::from_hours(24);

/// Uploads a run as a Hugging Face folder to the model repository `id`, or a folder that was exported before, as it is. The
/// same call continues an upload that failed.
///
/// # Errors
/// Those of [`hf`] and of [`Hub::push`].
pub fn push(
    hub: &Hub,
    run: &Path,
    (id, options): (&str, &PushOptions),
    on_progress: &mut dyn FnMut(Progress),
    cancelled: &AtomicBool,
) -> Result<Pushed> {
    hub.check_push(id, options)?;
    if !RunDir::at(run).spec_file().is_file() {
        return hub.push(run, id, options, on_progress, cancelled);
    }
    remove_old(run);
    // On the disk of the weights.
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(".new");
    let folder = builder.tempdir_in(run).or_else(|_| builder.tempdir()).map_err(Error::writing(run))?;
    let model = folder.path().join("model");
    hf(run, &model)?;
    hub.push(&model, id, options, on_progress, cancelled)
}

/// Removes what killed uploads have left in the run directory. A training of the run removes them too.
fn remove_old(run: &Path) {
    for entry in std::fs::read_dir(run).into_iter().flatten().flatten() {
        let is_old = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|age| age > LONGEST);
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_old() == Some(true) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}
