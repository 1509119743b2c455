//! A request to train.

use crate::spec::{RunSpec, Sweep};
use std::path::PathBuf;

/// What to train.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainRequest {
    /// A specification.
    Spec(Box<RunSpec>),
    /// An experiment with changes that are not in the file.
    Changed {
        /// The experiment.
        name: String,
        /// Keys and values as typed.
        changes: Vec<(&'static str, String)>,
    },
    /// A new sweep.
    Sweep(Box<Sweep>),
    /// The sweep with that name, with its trials that are not finished.
    ResumeSweep(String),
    /// The run in that directory, from its latest checkpoint.
    Resume(PathBuf),
    /// All tasks of GLUE, or those that are left of the GLUE run with the same settings.
    Glue {
        /// The model.
        model: String,
        /// The folder with the folders of the tasks; `None` for the hub, or that of `[defaults]`.
        data_dir: Option<PathBuf>,
    },
}
