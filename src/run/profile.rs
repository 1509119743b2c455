//! Statistics of the data of an experiment.

use crate::catalog::{Labels, ProblemType};
use crate::data::{
    self, Dataset, DatasetSource, Example, LengthHistogram, LoadContext, SplitStatistics, Tokenizer, text_set,
};
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::hub::Hub;
use crate::spec::RunSpec;
use crate::text::clipped;
use std::sync::atomic::AtomicBool;

/// Number of rows of a split that are shown.
const SAMPLES: usize = 100;
/// Maximum number of characters of a text that is shown.
const MAX_TEXT: usize = 1000;

/// A row of a split as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRow {
    /// The text.
    pub text: String,
    /// The second text of a pair.
    pub text_pair: Option<String>,
    /// The label.
    pub label: String,
}

/// Rows of a split, evenly spread over it: files are often sorted by label.
fn sample(rows: &[Example], labels: &Labels) -> Vec<SampleRow> {
    let count = rows.len().min(SAMPLES);
    let chosen = (0..count).filter_map(|number| rows.get(number * rows.len() / count));
    let clip = |text: &str| clipped(text, MAX_TEXT).into_owned();
    let row = |row: &Example| SampleRow {
        text: clip(&row.text),
        text_pair: row.text_pair.as_deref().map(clip),
        label: row.label.as_ref().map_or(String::new(), |label| labels.text(label)),
    };
    chosen.map(row).collect()
}

/// Statistics of the rows that an experiment trains on and is evaluated on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataProfile {
    /// What is predicted.
    pub problem_type: ProblemType,
    /// Names of the classes or labels, or of the intervals of a scale.
    pub labels: Vec<String>,
    /// The labeled splits, training first.
    pub splits: Vec<(SplitName, SplitStatistics)>,
    /// Some rows of each split, evenly spread over it.
    pub samples: Vec<(SplitName, Vec<SampleRow>)>,
    /// Notes about the files.
    pub notes: Vec<String>,
    /// The error when the model's tokenizer cannot be loaded; then there are no lengths.
    pub no_lengths: Option<String>,
}

impl DataProfile {
    /// Reads the rows of `spec`, subsampled as for training. Nothing is downloaded.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Hub`] for missing or invalid data, [`Error::Interrupted`] soon after `cancelled`
    /// is set.
    pub fn read(spec: &RunSpec, cancelled: &AtomicBool) -> Result<Self> {
        let hub = Hub::cache_only();
        let mut watch = |_: Progress| {};
        let mut context = LoadContext { hub: &hub, on_progress: &mut watch, cancelled };
        let dataset = data::load(DatasetSource::from_spec(spec).subsampled(), &mut context)?;
        let tokenizer = hub
            .model(&spec.model, &spec.revision, &mut watch, cancelled)
            .and_then(|folder| Tokenizer::load(&folder, usize::MAX));
        let Dataset { labels, splits: rows, notes, .. } = data::select(spec, dataset);
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
        let samples = rows.iter().map(|(split, rows)| (*split, sample(rows, &labels))).collect();
        let no_lengths = tokenizer.err().map(|error: Error| error.to_string());
        let problem_type = labels.problem_type();
        Ok(DataProfile { problem_type, labels: labels.bin_names(), splits, samples, notes, no_lengths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn demo_is_profiled_as_it_is_trained_on() {
        let mut spec = built_in("demo");
        let cancelled = AtomicBool::new(false);
        let all = DataProfile::read(&spec, &cancelled).unwrap();
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
        let (split, samples) = &all.samples[0];
        assert_eq!((*split, samples.len()), (SplitName::Train, 100));
        let labels: std::collections::BTreeSet<&str> = samples.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["negative", "positive"]);
        spec.max_train_samples = Some(50);
        spec.max_eval_samples = Some(20);
        assert_eq!(rows(&DataProfile::read(&spec, &cancelled).unwrap()), [50, 20, 20]);
        spec.model = "/no/such/folder".into();
        let without = DataProfile::read(&spec, &cancelled).unwrap();
        assert!(
            without.no_lengths.is_some() && without.splits.iter().all(|(_, split)| split.lengths.is_none())
        );
    }
}
