//! Data that changed since a run was trained on it.

use crate::catalog::SplitName;
use crate::error::{Error, Result};
use crate::event::{Event, SplitDigest};
use crate::spec::RunSpec;
use crate::text::plural;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The digests of the splits of a dataset.
pub(super) type Digests = BTreeMap<SplitName, SplitDigest>;

/// What a resumed run does if its data changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangedData {
    /// It ends with an error.
    Refuse,
    /// It resumes on the new data.
    Accept,
}

/// What the log of a run has about its data.
#[derive(Debug)]
pub(super) struct RecordedData {
    /// Whether the run was started before.
    pub(super) is_started: bool,
    /// The newest digests; `None` in logs of version 0.1.
    pub(super) digests: Option<Digests>,
}

impl RecordedData {
    /// Compares the data of a run with what its log has. Returns a note if changed data is accepted, or if
    /// the log has nothing to compare with.
    ///
    /// # Errors
    /// [`Error::Data`] if the data changed and is refused.
    pub(super) fn check(
        &self,
        spec: &RunSpec,
        found: &Digests,
        policy: ChangedData,
    ) -> Result<Option<Event>> {
        let Some(recorded) = &self.digests else {
            let note =
                "the log of this run has no digest of its data, so a change of the data cannot be detected";
            return Ok(self.is_started.then(|| Event::note(note)));
        };
        let changed = SplitName::ALL.into_iter().find(|split| recorded.get(split) != found.get(split));
        match (changed.map(|split| changed_error(spec, split, recorded, found)), policy) {
            (Some(error), ChangedData::Refuse) => Err(error),
            (Some(error), ChangedData::Accept) => {
                Ok(Some(Event::warning(format!("resumes on changed data: {error}"))))
            }
            (None, _) => Ok(None),
        }
    }
}

/// The error for a split that changed.
fn changed_error(spec: &RunSpec, split: SplitName, recorded: &Digests, found: &Digests) -> Error {
    let file = source(spec, split);
    // Without a validation file, the rows of two splits are in the training file.
    let splits = SplitName::ALL;
    let is_same_file =
        |other: &SplitName| source(spec, *other) == file && (spec.task().is_custom() || *other == split);
    let rows = |digests: &Digests| -> u64 {
        let of_file = splits.iter().filter(|other| is_same_file(other));
        of_file.filter_map(|other| digests.get(other)).map(|digest| digest.total_rows).sum()
    };
    let (before, now) = (rows(recorded), rows(found));
    let what = if before == now {
        format!("its {} differ from those that the run was trained on", plural(now, "row"))
    } else {
        format!("it has {}, and the run was trained on {before}", plural(now, "row"))
    };
    let advice = "restore the data, start a new run, or resume with --accept-changed-data";
    let subject =
        if spec.task().is_custom() { "the data".into() } else { format!("the {} split", split.name()) };
    Error::data(file, None, format!("{subject} changed: {what}; {advice}"))
}

/// The file or the task that has the rows of a split.
fn source(spec: &RunSpec, split: SplitName) -> PathBuf {
    if !spec.task().is_custom() {
        return spec.data_dir.clone().unwrap_or_else(|| PathBuf::from(format!("task {}", spec.task)));
    }
    let file = match split {
        SplitName::Test => spec.test_file.clone(),
        SplitName::Validation => spec.validation_file.clone(),
        SplitName::Train | SplitName::ValidationMismatched | SplitName::TestMismatched => None,
    };
    file.or_else(|| spec.train_file.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    fn digests(rows: [u64; 2], sha256: &str) -> Digests {
        let digest = |rows| SplitDigest { rows, total_rows: rows, sha256: sha256.into() };
        BTreeMap::from([(SplitName::Train, digest(rows[0])), (SplitName::Validation, digest(rows[1]))])
    }

    #[test]
    fn error_names_the_file_and_the_numbers_of_rows() {
        let custom =
            RunSpec { task: "custom".parse().unwrap(), train_file: Some("a.csv".into()), ..built_in("x") };
        let before = digests([90, 10], "ab");
        let recorded = RecordedData { is_started: true, digests: Some(before.clone()) };
        assert!(recorded.check(&custom, &before, ChangedData::Refuse).unwrap().is_none());
        let accepted = recorded.check(&custom, &digests([1, 2], "ab"), ChangedData::Accept).unwrap();
        assert!(matches!(accepted, Some(Event::Note { warning: true, .. })));
        let old = RecordedData { is_started: true, digests: None };
        assert!(matches!(
            old.check(&custom, &before, ChangedData::Refuse).unwrap(),
            Some(Event::Note { .. })
        ));
        assert!(
            RecordedData { is_started: false, digests: None }
                .check(&custom, &before, ChangedData::Refuse)
                .unwrap()
                .is_none()
        );
        let error =
            |spec: &RunSpec, found: &Digests| recorded.check(spec, found, ChangedData::Refuse).unwrap_err();
        let more = error(&custom, &digests([108, 12], "cd"));
        assert_eq!(more.exit_code(), 3);
        assert_eq!(
            more.to_string(),
            "a.csv: the data changed: it has 120 rows, and the run was trained on 100; restore the data, start a new run, \
             or resume with --accept-changed-data"
        );
        let other = error(&custom, &digests([90, 10], "cd")).to_string();
        assert!(other.contains("its 100 rows differ from those"), "{other}");
        let task =
            error(&RunSpec { task: "sst2".parse().unwrap(), ..built_in("x") }, &digests([90, 11], "ab"));
        assert!(
            task.to_string().starts_with("task sst2: the validation split changed: it has 11 rows"),
            "{task}"
        );
    }
}
