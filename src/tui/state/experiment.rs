//! An experiment of the experiments file.

use crate::spec::{KeyValue, RunSpec};

/// An experiment of the experiments file.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentRow {
    /// Its name.
    pub name: String,
    /// The comment above it in the file.
    pub description: Option<String>,
    /// The value of every key and where it comes from.
    pub values: Vec<KeyValue>,
    /// The resolved specification, or the error.
    pub spec: Result<RunSpec, String>,
}
