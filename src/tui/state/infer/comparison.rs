//! A second model that classifies every text too, to compare with the first.

use crate::predict::ModelOutput;

/// Weights beside those that judge.
#[derive(Debug)]
pub struct Comparison {
    /// What they are called.
    pub(in crate::tui) name: String,
    /// The request that they are the answer to.
    pub(in crate::tui) open_request_id: u64,
    pub(in crate::tui) is_open: bool,
    /// The error when they cannot classify.
    pub(in crate::tui) error: Option<String>,
    /// The newest answer, with its question's number.
    pub(in crate::tui) answer: Option<(u64, ModelOutput)>,
}

impl Comparison {
    /// What they say.
    pub(in crate::tui) fn shown(&self) -> Option<&ModelOutput> {
        self.answer.as_ref().map(|(_, answer)| answer)
    }

    /// Why they have no prediction.
    pub(in crate::tui) fn silence(&self) -> Option<String> {
        match &self.error {
            // What is at fault with a model begins with its name.
            Some(why) if why.starts_with(&self.name) => Some(why.clone()),
            Some(why) => Some(format!("{}: {why}", self.name)),
            None if !self.is_open => Some(format!("{}: loading the weights", self.name)),
            None => None,
        }
    }

    /// Forgets what was said of a sentence that is no longer there.
    pub(in crate::tui) fn forget(&mut self) {
        self.answer = None;
    }
}
