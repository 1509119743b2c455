//! A second model that classifies every text too, to compare with the first.

use crate::predict::ModelOutput;

/// A second model to compare with.
#[derive(Debug)]
pub struct Comparison {
    /// Its name.
    pub(in crate::tui) name: String,
    /// Number of the request that opened it.
    pub(in crate::tui) open_request_id: u64,
    /// Whether it is loaded.
    pub(in crate::tui) is_open: bool,
    /// The error when it cannot be opened or cannot classify.
    pub(in crate::tui) error: Option<String>,
    /// The newest prediction, with the number of its request.
    pub(in crate::tui) output: Option<(u64, ModelOutput)>,
}

impl Comparison {
    /// The newest prediction.
    pub(in crate::tui) fn prediction(&self) -> Option<&ModelOutput> {
        self.output.as_ref().map(|(_, output)| output)
    }

    /// The reason why there is no prediction.
    pub(in crate::tui) fn status(&self) -> Option<String> {
        match &self.error {
            // Errors about a model start with its name.
            Some(error) if error.starts_with(&self.name) => Some(error.clone()),
            Some(error) => Some(format!("{}: {error}", self.name)),
            None if !self.is_open => Some(format!("{}: loading the weights", self.name)),
            None => None,
        }
    }

    /// Clears the prediction of a text that was removed.
    pub(in crate::tui) fn clear_prediction(&mut self) {
        self.output = None;
    }
}
