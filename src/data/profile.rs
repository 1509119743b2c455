//! What a split is made of, before anything learns from it: how long its inputs are, how often each class occurs,
//! and which of its rows are empty, repeated, or trained on.

use super::Example;
use crate::catalog::Labels;
use std::collections::HashSet;

/// What the rows of a split are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// How many there are.
    pub rows: usize,
    /// Rows of each class, or of each part of a scale, in their order.
    pub classes: Vec<usize>,
    /// Rows without a class.
    pub unlabelled: usize,
    /// Rows of which a text has nothing but space.
    pub empty: usize,
    /// Rows whose texts are those of an earlier row of the split.
    pub repeated: usize,
    /// Rows whose texts are also trained on; of the training split none are counted.
    pub in_train: usize,
    /// Tokens of each row, where a tokenizer is there.
    pub lengths: Option<Lengths>,
}

/// The texts of a row, without space around them: what tells it from other rows.
type Texts<'a> = (&'a str, Option<&'a str>);

fn texts(row: &Example) -> Texts<'_> {
    (row.text.trim(), row.text_pair.as_deref().map(str::trim))
}

/// The texts of rows, to look others up in.
pub fn texts_of(rows: &[Example]) -> HashSet<Texts<'_>> {
    rows.iter().map(texts).collect()
}

impl Profile {
    /// Of the rows of a split of a task with such labels. `train` has the texts that are trained on, unless these rows
    /// are the ones.
    pub fn of(
        rows: &[Example],
        labels: &Labels,
        lengths: Option<Lengths>,
        train: Option<&HashSet<Texts<'_>>>,
    ) -> Self {
        let mut profile = Profile {
            rows: rows.len(),
            classes: vec![0; labels.bin_names().len()],
            lengths,
            ..Profile::default()
        };
        let mut seen = HashSet::with_capacity(rows.len());
        for row in rows {
            let count = row.label.and_then(|label| profile.classes.get_mut(labels.bin(label)));
            *count.unwrap_or(&mut profile.unlabelled) += 1;
            let texts = texts(row);
            profile.empty += usize::from(texts.0.is_empty() || texts.1.is_some_and(str::is_empty));
            profile.in_train += usize::from(train.is_some_and(|train| train.contains(&texts)));
            profile.repeated += usize::from(!seen.insert(texts));
        }
        profile
    }
}

/// How many rows have how many tokens, special ones included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lengths {
    /// `counts[n]`: rows of n tokens.
    counts: Vec<usize>,
}

impl Lengths {
    /// Of rows of these lengths.
    pub fn of(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut counts = Vec::new();
        for length in lengths {
            if counts.len() <= length {
                counts.resize(length + 1, 0);
            }
            counts[length] += 1;
        }
        Lengths { counts }
    }

    /// Tokens of the longest row; 0 without rows.
    pub fn longest(&self) -> usize {
        self.counts.len().saturating_sub(1)
    }

    /// Rows of more than `limit` tokens.
    pub fn longer_than(&self, limit: usize) -> usize {
        self.counts.iter().skip(limit + 1).sum()
    }

    /// Rows of `from` to `to` tokens, both counted.
    pub fn between(&self, from: usize, to: usize) -> usize {
        self.counts.iter().take(to + 1).skip(from).sum()
    }

    /// The fewest tokens that at least that share of the rows does not exceed; 0 without rows.
    pub fn quantile(&self, share: f64) -> usize {
        let rows: usize = self.counts.iter().sum();
        let wanted = share * rows as f64;
        let mut sum = 0;
        let reaches = |count: &usize| {
            sum += count;
            sum > 0 && sum as f64 >= wanted
        };
        self.counts.iter().position(reaches).unwrap_or(0)
    }

    /// Mean tokens of a row; 0 without rows.
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
    fn rows_are_counted_by_what_they_are() {
        let (two, three) = (labels(&["a", "b"]), labels(&["a", "b", "c"]));
        let train = [row("good", None, Some(1)), row(" good ", None, Some(0)), row("\t", None, Some(1))];
        let profile = Profile::of(&train, &three, None, None);
        assert_eq!((profile.rows, profile.classes.as_slice(), profile.unlabelled), (3, &[1, 2, 0][..], 0));
        assert_eq!((profile.empty, profile.repeated, profile.in_train), (1, 1, 0));
        let validation =
            [row("good", None, None), row("bad", None, Some(0)), row("good", Some("x"), Some(0))];
        let profile = Profile::of(&validation, &three, None, Some(&texts_of(&train)));
        assert_eq!((profile.classes.as_slice(), profile.unlabelled), (&[2, 0, 0][..], 1));
        assert_eq!((profile.empty, profile.repeated, profile.in_train), (0, 0, 1));
        let pairs = [row("a", Some("b"), None), row("a", Some(" "), None), row("a", Some("b"), None)];
        let profile = Profile::of(&pairs, &two, None, Some(&texts_of(&pairs[1..2])));
        assert_eq!((profile.empty, profile.repeated, profile.in_train), (1, 1, 1));
    }

    #[test]
    fn lengths_are_told_by_their_order() {
        let lengths = Lengths::of([3, 3, 4, 7, 12]);
        assert_eq!((lengths.longest(), lengths.quantile(0.5), lengths.quantile(0.95)), (12, 4, 12));
        assert_eq!((lengths.longer_than(4), lengths.longer_than(12), lengths.longer_than(0)), (2, 0, 5));
        assert_eq!((lengths.between(1, 3), lengths.between(4, 7), lengths.between(8, 99)), (2, 2, 1));
        assert!((lengths.mean() - 5.8).abs() < 1e-12);
        let none = Lengths::of([]);
        assert_eq!((none.longest(), none.quantile(0.5), none.longer_than(3)), (0, 0, 0));
        assert!(none.mean() == 0.0);
    }
}
