//! The data of an experiment before anything is trained on it.

use crate::data::{
    self, Dataset, DatasetSource, Example, LengthHistogram, LoadContext, SplitStatistics, Tokenizer, text_set,
};
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::hub::Hub;
use crate::spec::RunSpec;
use crate::train::subsample;
use std::sync::atomic::AtomicBool;

/// What the rows of each split are that an experiment would train on or be scored by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataProfile {
    /// Names of the classes, or of the parts of a scale.
    pub labels: Vec<String>,
    /// The splits that are there, training first. A test split without labels is not scored, and not there.
    pub splits: Vec<(SplitName, SplitStatistics)>,
    /// What is to be told of the files.
    pub notes: Vec<String>,
    /// Why there are no lengths, where the model's tokenizer is not there.
    pub no_lengths: Option<String>,
}

impl DataProfile {
    /// Reads and counts the rows of `spec`, as a training would draw them. Nothing is fetched.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Hub`] for rows that are not there or not understood, [`Error::Interrupted`]
    /// soon after `cancelled` is set.
    pub fn read(spec: &RunSpec, cancelled: &AtomicBool) -> Result<Self> {
        let hub = Hub::cache_only();
        let mut watch = |_: Progress| {};
        let mut context = LoadContext { hub: &hub, on_progress: &mut watch, cancelled };
        let dataset = data::load(DatasetSource::from_spec(spec), &mut context)?;
        let tokenizer = hub
            .model(&spec.model, &spec.revision, &mut watch, cancelled)
            .and_then(|folder| Tokenizer::load(&folder, usize::MAX));
        let Dataset { labels, splits: rows, notes, .. } = subsample(spec, dataset);
        let lengths = |rows: &[Example]| {
            let tokenizer = tokenizer.as_ref().ok();
            tokenizer
                .map(|tokenizer| Ok(LengthHistogram::of(tokenizer.lengths(rows, cancelled)?)))
                .transpose()
        };
        let trained = text_set(rows.get(&SplitName::Train).map_or(&[], Vec::as_slice));
        let mut splits = Vec::new();
        for (&split, rows) in &rows {
            let trained = (split != SplitName::Train).then_some(&trained);
            splits.push((split, SplitStatistics::of(rows, &labels, lengths(rows)?, trained)));
        }
        let no_lengths = tokenizer.err().map(|error: Error| error.to_string());
        Ok(DataProfile { labels: labels.bin_names(), splits, notes, no_lengths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn the_demo_is_counted_as_it_is_trained_on() {
        let mut spec = built_in("demo");
        let go_on = AtomicBool::new(false);
        let all = DataProfile::read(&spec, &go_on).unwrap();
        let rows =
            |profile: &DataProfile| profile.splits.iter().map(|(_, split)| split.rows).collect::<Vec<_>>();
        assert_eq!(all.splits.len(), 3);
        for (split, profile) in &all.splits {
            assert_eq!(profile.classes.iter().sum::<usize>(), profile.rows, "{split:?}");
            let lengths = profile.lengths.as_ref().unwrap();
            assert_eq!(lengths.between(0, lengths.longest()), profile.rows);
            assert!(lengths.quantile(0.0) >= 3 && lengths.longer_than(spec.max_seq_length) < profile.rows);
        }
        assert_eq!(all.no_lengths, None);
        spec.max_train_samples = Some(50);
        spec.max_eval_samples = Some(20);
        assert_eq!(rows(&DataProfile::read(&spec, &go_on).unwrap()), [50, 20, 20]);
        spec.model = "/no/such/folder".into();
        let without = DataProfile::read(&spec, &go_on).unwrap();
        assert!(
            without.no_lengths.is_some() && without.splits.iter().all(|(_, split)| split.lengths.is_none())
        );
    }
}
