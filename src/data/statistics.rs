//! Statistics of a split: lengths of the inputs, frequencies of the classes, and counts of empty, duplicate and leaked
//! rows.

use super::dataset::Example;
use crate::catalog::Labels;
use std::collections::HashSet;

/// Statistics of the rows of a split.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SplitStatistics {
    /// Number of rows.
    pub rows: usize,
    /// Number of rows of each class or label, or of each interval of a regression scale.
    pub classes: Vec<usize>,
    /// Rows without a label.
    pub unlabeled: usize,
    /// Rows with a text that is empty or only whitespace.
    pub empty: usize,
    /// Rows with the same texts as an earlier row of the split.
    pub duplicates: usize,
    /// Rows whose texts are also in the training split; 0 for the training split itself.
    pub in_train: usize,
    /// Lengths of the rows in tokens, if a tokenizer was given.
    pub lengths: Option<LengthHistogram>,
}

/// The trimmed texts of a row, which identify it.
type Texts<'a> = (&'a str, Option<&'a str>);

fn texts(row: &Example) -> Texts<'_> {
    (row.text.trim(), row.text_pair.as_deref().map(str::trim))
}

/// The set of texts of `rows`, for [`SplitStatistics::of`].
pub fn text_set(rows: &[Example]) -> HashSet<Texts<'_>> {
    rows.iter().map(texts).collect()
}

impl SplitStatistics {
    /// Statistics of `rows`, which have labels of the kind `labels`. `train` is the [`text_set`] of the training split,
    /// or `None` if `rows` are the training split.
    pub fn of(
        rows: &[Example],
        labels: &Labels,
        lengths: Option<LengthHistogram>,
        train: Option<&HashSet<Texts<'_>>>,
    ) -> Self {
        let mut statistics = SplitStatistics {
            rows: rows.len(),
            classes: vec![0; labels.bin_names().len()],
            lengths,
            ..SplitStatistics::default()
        };
        let mut seen = HashSet::with_capacity(rows.len());
        for row in rows {
            match &row.label {
                Some(label) => {
                    for bin in labels.bins(label) {
                        if let Some(count) = statistics.classes.get_mut(bin) {
                            *count += 1;
                        }
                    }
                }
                None => statistics.unlabeled += 1,
            }
            let texts = texts(row);
            statistics.empty += usize::from(texts.0.is_empty() || texts.1.is_some_and(str::is_empty));
            statistics.in_train += usize::from(train.is_some_and(|train| train.contains(&texts)));
            statistics.duplicates += usize::from(!seen.insert(texts));
        }
        statistics
    }
}

/// A histogram of row lengths in tokens, special tokens included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LengthHistogram {
    /// `counts[n]` is the number of rows of n tokens.
    counts: Vec<usize>,
}

impl LengthHistogram {
    /// The histogram of `lengths`.
    pub fn of(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut counts = Vec::new();
        for length in lengths {
            if counts.len() <= length {
                counts.resize(length + 1, 0);
            }
            counts[length] += 1;
        }
        LengthHistogram { counts }
    }

    /// Length of the longest row; 0 without rows.
    pub fn longest(&self) -> usize {
        self.counts.len().saturating_sub(1)
    }

    /// Number of rows of more than `limit` tokens.
    pub fn longer_than(&self, limit: usize) -> usize {
        self.counts.iter().skip(limit.saturating_add(1)).sum()
    }

    /// Number of rows of `from..=to` tokens.
    pub fn between(&self, from: usize, to: usize) -> usize {
        self.counts.iter().take(to.saturating_add(1)).skip(from).sum()
    }

    /// The smallest length that at least the fraction `q` of the rows does not exceed; 0 without rows.
    pub fn quantile(&self, q: f64) -> usize {
        let rows: usize = self.counts.iter().sum();
        let rank = q * rows as f64;
        let mut sum = 0;
        let reaches = |count: &usize| {
            sum += count;
            sum > 0 && sum as f64 >= rank
        };
        self.counts.iter().position(reaches).unwrap_or(0)
    }

    /// Mean length of a row; 0 without rows.
    pub fn mean(&self) -> f64 {
        let rows: usize = self.counts.iter().sum();
        let tokens: usize = self.counts.iter().enumerate().map(|(length, count)| length * count).sum();
        if rows == 0 { 0.0 } else { tokens as f64 / rows as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;

    fn labels(names: &[&str]) -> Labels {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().into()
    }

    fn row(text: &str, pair: Option<&str>, label: Option<u32>) -> Example {
        let label = label.map(Label::Class);
        Example { text: text.into(), text_pair: pair.map(str::to_string), label }
    }

    #[test]
    fn statistics_count_classes_empty_duplicate_and_leaked_rows() {
        let (two, three) = (labels(&["a", "b"]), labels(&["a", "b", "c"]));
        let train = [row("good", None, Some(1)), row(" good ", None, Some(0)), row("\t", None, Some(1))];
        let statistics = SplitStatistics::of(&train, &three, None, None);
        assert_eq!(
            (statistics.rows, statistics.classes.as_slice(), statistics.unlabeled),
            (3, &[1, 2, 0][..], 0)
        );
        assert_eq!((statistics.empty, statistics.duplicates, statistics.in_train), (1, 1, 0));
        let validation =
            [row("good", None, None), row("bad", None, Some(0)), row("good", Some("x"), Some(0))];
        let statistics = SplitStatistics::of(&validation, &three, None, Some(&text_set(&train)));
        assert_eq!((statistics.classes.as_slice(), statistics.unlabeled), (&[2, 0, 0][..], 1));
        assert_eq!((statistics.empty, statistics.duplicates, statistics.in_train), (0, 0, 1));
        let pairs = [row("a", Some("b"), None), row("a", Some(" "), None), row("a", Some("b"), None)];
        let statistics = SplitStatistics::of(&pairs, &two, None, Some(&text_set(&pairs[1..2])));
        assert_eq!((statistics.empty, statistics.duplicates, statistics.in_train), (1, 1, 1));
    }

    #[test]
    fn length_histogram_has_quantiles_and_ranges() {
        let lengths = LengthHistogram::of([3, 3, 4, 7, 12]);
        assert_eq!((lengths.longest(), lengths.quantile(0.5), lengths.quantile(0.95)), (12, 4, 12));
        assert_eq!((lengths.longer_than(4), lengths.longer_than(12), lengths.longer_than(0)), (2, 0, 5));
        assert_eq!((lengths.between(1, 3), lengths.between(4, 7), lengths.between(8, 99)), (2, 2, 1));
        assert!((lengths.mean() - 5.8).abs() < 1e-12);
        let none = LengthHistogram::of([]);
        assert_eq!((none.longest(), none.quantile(0.5), none.longer_than(3)), (0, 0, 0));
        assert!(none.mean() == 0.0);
    }
}
