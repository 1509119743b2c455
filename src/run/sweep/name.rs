//! The sweep that a name on a command line means.

use super::dir::{SweepDir, find_sweep};
use crate::error::Result;
use crate::run::dir::RunDir;
use crate::run::index::list;
use std::path::Path;

/// The sweep of that name, or that of the newest run of the experiment `name` if it is a trial; `None` if the name is that of a
/// run.
///
/// # Errors
/// Those of [`find_sweep`], and when the runs cannot be listed.
pub fn sweep_of_name(runs_dir: &Path, name: &str) -> Result<Option<SweepDir>> {
    if RunDir::at(runs_dir.join(name)).spec_file().is_file() || RunDir::at(name).spec_file().is_file() {
        return Ok(None);
    }
    let Some(dir) = find_sweep(runs_dir, name)? else { return Ok(None) };
    let newest = list(runs_dir)?.into_iter().find(|row| row.experiment == name);
    // The newest run of an experiment may be one that is no trial.
    Ok(Some(dir).filter(|_| newest.is_none_or(|row| row.trial.is_some())))
}
