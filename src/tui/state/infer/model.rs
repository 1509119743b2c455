//! Which model is open.

use std::path::PathBuf;

/// Which weights judge.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ModelSource {
    /// None yet.
    #[default]
    Nothing,
    /// Those being trained now.
    Live,
    /// The best ones of a run.
    Run {
        /// Its name.
        name: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// A folder or a hub id.
    Named(String),
}

/// What the inference pane says of its model.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedModel {
    /// Its name.
    pub name: String,
    /// Whether it judges two texts together; `None` when nothing tells.
    pub pair: Option<bool>,
    /// Optimizer steps its weights have seen, when it is being trained.
    pub step: Option<u64>,
}
