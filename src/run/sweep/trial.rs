//! `trial.toml` of a run directory: the sweep that the run is a trial of.

use crate::error::{Error, Result};
use crate::files::{read_regular_to_string, write_atomic};
use crate::run::dir::RunDir;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

const FILE: &str = "trial.toml";

/// The sweep that a run is a trial of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The name of the sweep directory.
    pub sweep: String,
    /// The number of the trial, from 0.
    pub trial: u64,
}

impl Trial {
    /// Reads `trial.toml`; `None` for a run that is no trial.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Data`] when the file cannot be read.
    pub fn read(dir: &RunDir) -> Result<Option<Trial>> {
        let path = dir.path().join(FILE);
        let text = match read_regular_to_string(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            text => text.map_err(Error::reading(&path))?,
        };
        let trial: Trial = toml::from_str(&text).map_err(|e| Error::data(&path, None, e.message()))?;
        // The name becomes a part of a path.
        if trial.sweep.is_empty() || trial.sweep.starts_with('.') || trial.sweep.contains(['/', '\\', '\0']) {
            return Err(Error::data(&path, None, format!("`{}` is not the name of a sweep", trial.sweep)));
        }
        Ok(Some(trial))
    }

    /// Writes `trial.toml`.
    ///
    /// # Errors
    /// [`Error::Write`] when it cannot be written.
    pub(super) fn write(&self, dir: &RunDir) -> Result<()> {
        let path = dir.path().join(FILE);
        let text = toml::to_string(self).map_err(|e| Error::writing(&path)(std::io::Error::other(e)))?;
        write_atomic(&path, text.as_bytes())
    }
}
