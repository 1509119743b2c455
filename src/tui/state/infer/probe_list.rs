//! Probes: texts that every evaluation of every run classifies.

use crate::probes::Probe;
use crate::run::history::History;
use std::path::PathBuf;

/// What is pinned, and what the run of the weights said of it.
#[derive(Debug, Default)]
pub struct ProbeList {
    /// The sentences, those of other tasks too.
    pub pins: Vec<Probe>,
    /// The error when they cannot be read.
    pub error: Option<String>,
    /// A run that this process does not train, with the histories of its seeds.
    pub(in crate::tui) past: Option<(PathBuf, Vec<History>)>,
}
