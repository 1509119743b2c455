//! The state of the Data screen: the dataset of an experiment before it is trained.

use crate::run::profile::DataProfile;
use crate::spec::RunSpec;

/// Counts that are kept, so that one goes back to them at once.
const CAPACITY: usize = 8;

/// The state of the screen.
#[derive(Debug, Default)]
pub struct DataState {
    /// The experiment that is looked at, filled.
    pub spec: Option<RunSpec>,
    /// What was profiles, or why it could not be; the newest at the end.
    pub(in crate::tui) profiles: Vec<(RunSpec, Result<DataProfile, String>)>,
    /// The place of the split whose lengths are drawn.
    pub(in crate::tui) split: usize,
}

/// What counts depend on: all but what an experiment is called and how long its inputs may be. Lengths are profiles
/// whole, so another limit needs no other count.
pub(in crate::tui) fn rows_of(spec: &RunSpec) -> RunSpec {
    RunSpec { experiment: String::new(), max_seq_length: 0, ..spec.clone() }
}

impl DataState {
    /// What is known of the rows of the experiment that is looked at.
    pub(in crate::tui) fn profile(&self) -> Option<&Result<DataProfile, String>> {
        let rows = rows_of(self.spec.as_ref()?);
        self.profiles.iter().find(|(of, _)| *of == rows).map(|(_, result)| result)
    }

    /// Takes over what was profiles.
    pub fn insert(&mut self, of: RunSpec, result: Result<DataProfile, String>) {
        self.profiles.retain(|(other, _)| *other != of);
        self.profiles.push((of, result));
        self.profiles.drain(..self.profiles.len().saturating_sub(CAPACITY));
    }
}
