//! How far the end of the program is.

use std::path::PathBuf;

/// How far the end of the program is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Quitting {
    /// The user has not quit.
    #[default]
    No,
    /// It ends as soon as the run has ended.
    AfterRun,
    /// It ends as soon as a process in the background has taken over the run.
    AfterHandOver,
    /// A process in the background has taken over the run: a sentence about it.
    HandedOver(String),
    /// The run could not be handed over: the one in this directory is resumed as soon as it has ended.
    Resume(PathBuf),
}

impl Quitting {
    /// What to print at the end.
    pub fn text(&self) -> Option<String> {
        match self {
            Quitting::HandedOver(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}
