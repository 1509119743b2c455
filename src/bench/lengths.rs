//! Distributions of input lengths, in tokens.

use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use std::fmt;
use std::path::Path;

/// Quantiles (0 %, 5 %, …, 100 %) of the number of tokens of the training sentences of two tasks, with [CLS] and
/// [SEP], in the vocabulary of `bert-base-uncased`.
const SST2: [usize; 21] = [3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 11, 13, 14, 16, 18, 20, 23, 27, 33, 66];
const SST: [usize; 21] = [4, 9, 11, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 29, 30, 33, 35, 37, 41, 46, 80];

/// A distribution of lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lengths {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Uniform between two neighbouring quantiles, the upper one excluded.
    Between(Vec<usize>),
    /// One of these, all equally likely.
    Of(Vec<usize>),
}

impl Lengths {
    /// Parses `sst`, `sst2`, a number of tokens, a range such as `16-64`, or the path of a text file with one input
    /// per line.
    pub fn parse(text: &str) -> Result<Self> {
        let number = |text: &str| text.parse().ok().filter(|number| (1..=512).contains(number));
        let kind = match (text, text.split_once('-')) {
            ("sst", _) => Kind::Between(SST.to_vec()),
            ("sst2", _) => Kind::Between(SST2.to_vec()),
            (_, Some((from, to))) if number(from).is_some_and(|from| number(to) >= Some(from)) => {
                Kind::Between(vec![number(from).unwrap_or(1), number(to).unwrap_or(512) + 1])
            }
            _ => match number(text) {
                Some(number) => Kind::Of(vec![number]),
                None => Kind::Of(of_file(text)?),
            },
        };
        Ok(Lengths { name: text.to_owned(), kind })
    }

    /// The length with the number `index`.
    pub(super) fn draw(&self, rng: &Rng, index: u64) -> usize {
        let uniform = rng.uniform(0, 0, index);
        match &self.kind {
            Kind::Of(all) => all[(uniform * all.len() as f64) as usize],
            Kind::Between(quantiles) => {
                let at = uniform * (quantiles.len() - 1) as f64;
                let (low, part) = (quantiles[at as usize], at.fract());
                let high = quantiles[at as usize + 1];
                low + (part * (high - low) as f64) as usize
            }
        }
    }

    /// The random number generator for [`Lengths::draw`].
    pub(super) fn rng(seed: u64) -> Rng {
        Rng::new(seed, Stream::Sample)
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An estimate for each line: its words and punctuation marks, and 2 special tokens.
fn of_file(path: &str) -> Result<Vec<usize>> {
    let expected = "sst, sst2, a number from 1 to 512, a range such as 16-64, or a text file";
    if !Path::new(path).exists() {
        return Err(Error::Usage(format!("--lengths {path}: expected {expected}")));
    }
    let text = std::fs::read_to_string(path).map_err(Error::reading(path))?;
    let pieces = |line: &str| {
        let marks = line.chars().filter(char::is_ascii_punctuation).count();
        let words = line.split(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
        (2 + marks + words.filter(|word| !word.is_empty()).count()).min(512)
    };
    let lengths: Vec<usize> = text.lines().filter(|line| !line.trim().is_empty()).map(pieces).collect();
    if lengths.is_empty() { Err(Error::data(path, None, "has no line of text")) } else { Ok(lengths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> Vec<usize> {
        let (lengths, rng) = (Lengths::parse(text).expect("lengths"), Lengths::rng(1));
        (0..4000).map(|index| lengths.draw(&rng, index)).collect()
    }

    #[test]
    fn lengths_follow_their_distribution() {
        let mean = |all: &[usize]| all.iter().sum::<usize>() as f64 / all.len() as f64;
        assert!((mean(&drawn("sst2")) - 13.3).abs() < 0.5);
        assert!((mean(&drawn("sst")) - 25.0).abs() < 0.5);
        assert!(drawn("128").iter().all(|length| *length == 128));
        let range = drawn("16-64");
        assert!(
            range.iter().all(|length| (16..=64).contains(length))
                && range.contains(&16)
                && range.contains(&64)
        );
    }

    #[test]
    fn files_are_measured_and_invalid_text_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("texts.txt");
        std::fs::write(&path, "not bad, at all!\n\n  \nfine\n").expect("a file");
        let Kind::Of(lengths) = Lengths::parse(&path.display().to_string()).expect("a file").kind else {
            panic!("lengths of a file")
        };
        assert_eq!(lengths, [8, 3]);
        for text in ["0", "513", "64-16", "no/such/file", "x-y", ""] {
            assert!(matches!(Lengths::parse(text), Err(Error::Usage(_))), "{text}");
        }
    }
}
