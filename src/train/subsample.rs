//! The rows that a specification selects from each split.

use crate::data::{Dataset, subsample_split};
use crate::spec::RunSpec;

/// Applies `max_train_samples` and `max_eval_samples`: random rows in their order, a function of the seed.
pub fn subsample(spec: &RunSpec, dataset: Dataset) -> Dataset {
    let splits = dataset.splits.into_iter();
    let splits = splits.map(|(name, rows)| (name, subsample_split(spec, name, rows))).collect();
    Dataset { splits, ..dataset }
}
