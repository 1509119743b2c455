//! Probes: texts that every evaluation of every run classifies.

use crate::predict::ModelOutput;
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
    /// Predictions of the open model for probes that no evaluation of its run classified.
    pub(in crate::tui) classified: Vec<(Probe, ModelOutput)>,
    /// A run that this process does not train, with the histories of its seeds.
    pub(in crate::tui) past: Option<(PathBuf, Vec<History>)>,
}
