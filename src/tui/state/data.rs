//! The state of the Data screen: the dataset of an experiment before it is trained.

use crate::run::profile::{DataProfile, SampleRow};
use crate::spec::RunSpec;

/// Number of cached profiles.
const CAPACITY: usize = 8;

/// The state of the screen.
#[derive(Debug, Default)]
pub struct DataState {
    /// The resolved specification of the experiment.
    pub spec: Option<RunSpec>,
    /// Cached profiles, or their errors; the newest at the end.
    pub(in crate::tui) profiles: Vec<(RunSpec, Result<DataProfile, String>)>,
    /// Index of the split whose lengths and rows are drawn.
    pub(in crate::tui) split: usize,
    /// Whether rows are drawn in place of the lengths, where there is no space for both.
    pub(in crate::tui) shows_rows: bool,
    /// The first row that is drawn.
    pub(in crate::tui) first_row: usize,
}

/// The cache key of a profile: the specification without the experiment's name and `max_seq_length`. Lengths are
/// measured before truncation, so a profile does not depend on the limit.
pub(in crate::tui) fn profile_key(spec: &RunSpec) -> RunSpec {
    RunSpec { experiment: String::new(), max_seq_length: 0, ..spec.clone() }
}

impl DataState {
    /// The profile of the experiment that is shown, if it is known.
    pub(in crate::tui) fn profile(&self) -> Option<&Result<DataProfile, String>> {
        let key = profile_key(self.spec.as_ref()?);
        self.profiles.iter().find(|(of, _)| *of == key).map(|(_, result)| result)
    }

    /// The rows of the split that is shown.
    pub(in crate::tui) fn rows(&self) -> &[SampleRow] {
        let profile = self.profile().and_then(|profile| profile.as_ref().ok());
        let rows = profile.and_then(|profile| profile.samples.get(self.split));
        rows.map_or(&[], |(_, rows)| rows)
    }

    /// Adds a profile to the cache.
    pub fn insert(&mut self, of: RunSpec, result: Result<DataProfile, String>) {
        self.profiles.retain(|(other, _)| *other != of);
        self.profiles.push((of, result));
        self.profiles.drain(..self.profiles.len().saturating_sub(CAPACITY));
    }
}
