//! An experiment of an experiments file.

use crate::spec::{Experiments, KeyValue, RunSpec};
use std::path::PathBuf;

/// An experiment of an experiments file.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentRow {
    /// Its name.
    pub name: String,
    /// The comment above it in the file.
    pub description: Option<String>,
    /// The file that it is in; `None` for the built-in copy.
    pub file: Option<PathBuf>,
    /// A remark about an experiment of the same name in another file.
    pub note: Option<String>,
    /// The value of every key and where it comes from.
    pub values: Vec<KeyValue>,
    /// The resolved specification, or the error.
    pub spec: Result<RunSpec, String>,
}

impl ExperimentRow {
    /// All experiments.
    pub fn all(experiments: &Experiments) -> Vec<ExperimentRow> {
        let row = |name: &str| ExperimentRow {
            name: name.to_string(),
            description: experiments.description(name),
            file: experiments.path_of(name).map(PathBuf::from),
            note: experiments.note(name),
            values: experiments.values(name),
            spec: experiments.resolve(name, &[]).map_err(|e| e.to_string()),
        };
        experiments.names().into_iter().map(row).collect()
    }
}
