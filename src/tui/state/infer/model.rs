//! Which model is open.

use std::path::PathBuf;

/// The source of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ModelSource {
    /// None.
    #[default]
    Nothing,
    /// The weights being trained.
    Live,
    /// The best weights of a run.
    Run {
        /// Its name.
        name: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// A folder or a hub id.
    Named(String),
}

/// A model that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedModel {
    /// Its name.
    pub name: String,
    /// Whether it takes a pair of texts; `None` when unknown.
    pub pair: Option<bool>,
    /// Number of optimizer steps of its weights, if it is being trained.
    pub step: Option<u64>,
}
