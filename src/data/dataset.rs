//! Examples and datasets.

use crate::batch::Label;
use crate::catalog::{Labels, SplitName};
use crate::spec::RunSpec;
use crate::text::plural;
use kernels::rng::{Rng, Stream};
use std::collections::BTreeMap;

/// One row of a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Example {
    /// The text, or the first text of a pair.
    pub text: String,
    /// The second text of a pair.
    pub text_pair: Option<String>,
    /// The label, if known.
    pub label: Option<Label>,
}

impl Example {
    /// The memory that the row takes in a list of rows, in bytes.
    pub(super) fn memory(&self) -> u64 {
        // An allocation takes at least 32 bytes with the bookkeeping of the allocator.
        let text = |text: &String| if text.is_empty() { 0 } else { (text.len() as u64 + 16).max(32) };
        size_of::<Example>() as u64 + text(&self.text) + self.text_pair.as_ref().map_or(0, text)
    }
}

/// The splits of a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// The labels of the task.
    pub labels: Labels,
    /// The rows of each split, all labeled. A split with unlabeled rows is left out.
    pub splits: BTreeMap<SplitName, Vec<Example>>,
    /// Notes for the log of a run on this dataset, such as the number of skipped rows.
    pub notes: Vec<String>,
    /// Number of rows of each split before rows are chosen by `max_train_samples` and `max_eval_samples`, where reading
    /// has left out the others.
    pub total_rows: BTreeMap<SplitName, usize>,
    /// The commit of the dataset on the hub, if it was read from there.
    pub commit: Option<String>,
}

impl Dataset {
    /// The rows of a split; empty if the dataset does not have it.
    pub fn split(&self, name: SplitName) -> &[Example] {
        self.splits.get(&name).map_or(&[], Vec::as_slice)
    }

    /// The rows to train on.
    pub fn train(&self) -> &[Example] {
        self.split(SplitName::Train)
    }

    /// The rows that select the best checkpoint.
    pub fn validation(&self) -> &[Example] {
        self.split(SplitName::Validation)
    }

    /// The rows of the final scores; empty if the dataset has none with labels.
    pub fn test(&self) -> &[Example] {
        self.split(SplitName::Test)
    }

    /// Adds the rows of a split. A split with unlabeled rows, which cannot be scored, adds a note instead.
    pub(super) fn insert(&mut self, name: SplitName, rows: Vec<Example>) {
        let unlabeled = rows.iter().filter(|row| row.label.is_none()).count();
        if unlabeled > 0 {
            let (name, rows) = (name.name(), plural(rows.len(), "row"));
            self.notes.push(format!("the {name} split is not scored: {unlabeled} of {rows} without a label"));
        } else if !rows.is_empty() {
            self.splits.insert(name, rows);
        }
    }
}

/// The rows of one split, with notes for the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct SplitRows {
    pub(super) rows: Vec<Example>,
    pub(super) notes: Vec<String>,
}

/// A random choice of `count` rows in their original order, drawn with `rng` at the coordinate `major`. All rows if
/// there are no more than `count`, or without a count.
pub fn subsample(rows: Vec<Example>, count: Option<usize>, rng: &Rng, major: u32) -> Vec<Example> {
    let Some(chosen) = chosen_rows(rows.len(), count, rng, major) else { return rows };
    let mut chosen = chosen.into_iter().peekable();
    let is_chosen = |(index, row)| chosen.next_if_eq(&index).map(|_| row);
    rows.into_iter().enumerate().filter_map(is_chosen).collect()
}

/// The indices of the rows that [`subsample`] chooses of `len`; `None` for all.
fn chosen_rows(len: usize, count: Option<usize>, rng: &Rng, major: u32) -> Option<Vec<usize>> {
    let count = count.filter(|count| *count < len)?;
    let order = random_order(len, rng, major);
    let mut chosen: Vec<usize> = order.into_iter().take(count).map(|row| row as usize).collect();
    chosen.sort_unstable();
    Some(chosen)
}

/// The indices of `len` rows in the order of [`Rng::permutation`], in half of its memory. Of more than 2^32 rows, the
/// later ones are left out.
pub(super) fn random_order(len: usize, rng: &Rng, major: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(len).unwrap_or(u32::MAX)).collect();
    rng.shuffle(major, 0, &mut order);
    order
}

/// The indices of the rows that `spec` chooses of the `len` rows of a split with its seed; `None` for all.
pub(super) fn subsample_indices(spec: &RunSpec, name: SplitName, len: usize) -> Option<Vec<usize>> {
    let split = spec.task().split(name)?;
    chosen_rows(len, spec.max_samples(name), &Rng::new(spec.sample_seed(), Stream::Sample), split.sample_key)
}

/// The rows that `spec` chooses of a split with its seed.
pub fn subsample_split(spec: &RunSpec, name: SplitName, rows: Vec<Example>) -> Vec<Example> {
    let Some(split) = spec.task().split(name) else { return rows };
    subsample(rows, spec.max_samples(name), &Rng::new(spec.sample_seed(), Stream::Sample), split.sample_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize) -> Vec<Example> {
        (0..n).map(|i| Example { text: i.to_string(), ..Example::default() }).collect()
    }

    #[test]
    fn subsample_keeps_order_and_depends_on_seed_and_coordinate() {
        let rng = Rng::new(42, Stream::Sample);
        let numbers = |rows: &[Example]| rows.iter().map(|r| r.text.parse().unwrap()).collect::<Vec<u32>>();
        let drawn = subsample(rows(1000), Some(100), &rng, 0);
        assert_eq!(drawn.len(), 100);
        assert!(numbers(&drawn).is_sorted());
        assert!(numbers(&drawn).iter().any(|n| *n > 500), "a random choice is not the first rows");
        assert_eq!(drawn, subsample(rows(1000), Some(100), &rng, 0));
        assert_ne!(drawn, subsample(rows(1000), Some(100), &rng, 1));
        assert_ne!(drawn, subsample(rows(1000), Some(100), &Rng::new(43, Stream::Sample), 0));
        let mut expected = rng.permutation(0, 0, 1000)[..100].to_vec();
        expected.sort_unstable();
        assert_eq!(numbers(&drawn), expected.into_iter().map(|n| n as u32).collect::<Vec<_>>());
    }

    #[test]
    fn subsample_takes_all_rows_without_a_smaller_count() {
        let rng = Rng::new(1, Stream::Sample);
        assert_eq!(subsample(rows(5), Some(9), &rng, 0).len(), 5);
        assert_eq!(subsample(rows(5), None, &rng, 0).len(), 5);
        assert_eq!(subsample(rows(5), Some(0), &rng, 0).len(), 0);
    }

    #[test]
    fn split_with_unlabeled_rows_is_a_note() {
        let mut dataset = Dataset::default();
        dataset.insert(SplitName::Test, rows(1));
        assert!(dataset.splits.is_empty() && dataset.test().is_empty());
        assert_eq!(dataset.notes, ["the test split is not scored: 1 of 1 row without a label"]);
    }
}
