//! An experiment of an experiments file.

use super::train_request::TrainRequest;
use crate::spec::{Experiments, KeyValue, RunSpec, Sweep};
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
    /// The resolved specification, of a sweep with the first value of each swept key; or the error.
    pub spec: Result<RunSpec, String>,
    /// The sweep, if it is one.
    pub sweep: Option<Box<Sweep>>,
}

impl ExperimentRow {
    /// The request to train it, or the error.
    ///
    /// # Errors
    /// The errors in the file.
    pub fn request(&self) -> Result<TrainRequest, String> {
        match (&self.sweep, &self.spec) {
            (Some(sweep), _) => Ok(TrainRequest::Sweep(sweep.clone())),
            (None, Ok(spec)) => Ok(TrainRequest::Spec(Box::new(spec.clone()))),
            (None, Err(error)) => Err(error.clone()),
        }
    }

    /// All experiments.
    pub fn all(experiments: &Experiments) -> Vec<ExperimentRow> {
        let row = |name: &str| {
            let resolved = experiments.resolve_any(name, &[]);
            let sweep = resolved.as_ref().ok().and_then(|resolved| resolved.sweep().cloned().map(Box::new));
            let spec = resolved.map(|resolved| resolved.spec().clone()).map_err(|e| e.to_string());
            ExperimentRow {
                name: name.to_string(),
                description: experiments.description(name),
                file: experiments.path_of(name).map(PathBuf::from),
                note: experiments.note(name),
                values: experiments.values(name),
                spec,
                sweep,
            }
        };
        experiments.names().into_iter().map(row).collect()
    }
}
