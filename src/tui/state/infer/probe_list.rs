//! Probes: texts that every evaluation of every run classifies.

use crate::probes::Probe;
use crate::run::history::History;
use std::path::PathBuf;

/// The probes, and their predictions by the run of the model.
#[derive(Debug, Default)]
pub struct ProbeList {
    /// The probes, including those of other tasks.
    pub probes: Vec<Probe>,
    /// The error when they cannot be read.
    pub error: Option<String>,
    /// A run that this process does not train, with the histories of its seeds.
    pub(in crate::tui) past: Option<(PathBuf, Vec<History>)>,
}
