//! Digests of the rows of a dataset, by which a run notices on resume that its data changed.

use super::dataset::{Dataset, Example};
use crate::batch::Label;
use crate::catalog::SplitName;
use crate::event::SplitDigest;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

impl Dataset {
    /// The digest of each split. `total_rows` has the number of rows of splits of which only some are left.
    pub fn digests(&self, total_rows: &BTreeMap<SplitName, usize>) -> BTreeMap<SplitName, SplitDigest> {
        let digest = |(name, rows): (&SplitName, &Vec<Example>)| {
            let total = total_rows.get(name).copied().unwrap_or(rows.len());
            let digest =
                SplitDigest { rows: rows.len() as u64, total_rows: total as u64, sha256: rows_digest(rows) };
            (*name, digest)
        };
        self.splits.iter().map(digest).collect()
    }
}

/// SHA-256 of texts and labels, in hexadecimal. Every text has its length before it, so that no two lists of rows are
/// the same bytes.
pub fn rows_digest(rows: &[Example]) -> String {
    let mut hasher = Sha256::new();
    for row in rows {
        let text = |hasher: &mut Sha256, text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        text(&mut hasher, &row.text);
        hasher.update([u8::from(row.text_pair.is_some())]);
        if let Some(pair) = &row.text_pair {
            text(&mut hasher, pair);
        }
        match &row.label {
            None => hasher.update([0]),
            Some(Label::Class(class)) => {
                hasher.update([1]);
                hasher.update(class.to_le_bytes());
            }
            Some(Label::Set(indices)) => {
                hasher.update([3]);
                hasher.update((indices.len() as u64).to_le_bytes());
                indices.iter().for_each(|index| hasher.update(index.to_le_bytes()));
            }
            Some(Label::Value(value)) => {
                hasher.update([2]);
                hasher.update(value.to_le_bytes());
            }
        }
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, pair: Option<&str>, class: u32) -> Example {
        Example { text: text.into(), text_pair: pair.map(str::to_string), label: Some(Label::Class(class)) }
    }

    #[test]
    fn digest_depends_on_texts_labels_and_their_order() {
        let rows = [row("ab", Some("c"), 0), row("d", None, 1)];
        let first = rows_digest(&rows);
        assert_eq!(first, rows_digest(&rows.clone()));
        for other in [
            vec![row("a", Some("bc"), 0), row("d", None, 1)],
            vec![row("ab", Some("c"), 1), row("d", None, 1)],
            vec![row("d", None, 1), row("ab", Some("c"), 0)],
            vec![row("ab", None, 0), row("d", None, 1)],
            vec![row("ab", Some("c"), 0)],
        ] {
            assert_ne!(first, rows_digest(&other));
        }
    }

    #[test]
    fn digest_counts_the_rows_that_are_left_out() {
        let mut dataset = Dataset::default();
        dataset.splits.insert(SplitName::Train, vec![row("a", None, 0)]);
        let digests = dataset.digests(&BTreeMap::from([(SplitName::Train, 9)]));
        assert_eq!((digests[&SplitName::Train].rows, digests[&SplitName::Train].total_rows), (1, 9));
    }
}
