//! Distributions of input lengths, in tokens.

use crate::error::{Error, Result};
use kernels::rng::{Rng, Stream};
use std::fmt;
use std::path::Path;

/// Quantiles (0, 5, …, 100 %) of the lengths of the training sentences of two tasks, tokenized with the vocabulary of
/// `bert-base-uncased`, special tokens included.
const SST2: [usize; 21] = [3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 11, 13, 14, 16, 18, 20, 23, 27, 33, 66];
const SST: [usize; 21] = [4, 9, 11, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 29, 30, 33, 35, 37, 41, 46, 80];

/// Most tokens of an input. Models with fewer positions get shorter inputs.
const MAX_TOKENS: usize = 8192;

/// A distribution of lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lengths {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Piecewise uniform between sorted quantiles, the upper bound excluded.
    Quantiles(Vec<usize>),
    /// Uniform over a list of lengths.
    List(Vec<usize>),
}

impl Lengths {
    /// Parses `sst`, `sst2`, a number of tokens, a range such as `16-64`, or the path of a text file with one input per
    /// line.
    ///
    /// # Errors
    /// Any other text; a file that cannot be read or has no text.
    pub fn parse(text: &str) -> Result<Self> {
        let number = |text: &str| text.parse().ok().filter(|number| (1..=MAX_TOKENS).contains(number));
        let kind = match (text, text.split_once('-')) {
            ("sst", _) => Kind::Quantiles(SST.to_vec()),
            ("sst2", _) => Kind::Quantiles(SST2.to_vec()),
            (_, Some((from, to))) if number(from).is_some_and(|from| number(to) >= Some(from)) => {
                Kind::Quantiles(vec![number(from).unwrap_or(1), number(to).unwrap_or(MAX_TOKENS) + 1])
            }
            _ => match number(text) {
                Some(number) => Kind::List(vec![number]),
                None => Kind::List(lengths_of_file(text)?),
            },
        };
        Ok(Lengths { name: text.to_owned(), kind })
    }

    /// The length of example `index`.
    pub(super) fn draw(&self, rng: &Rng, index: u64) -> usize {
        let uniform = rng.uniform(0, 0, index);
        match &self.kind {
            Kind::List(all) => all[(uniform * all.len() as f64) as usize],
            Kind::Quantiles(quantiles) => {
                let at = uniform * (quantiles.len() - 1) as f64;
                let (low, fraction) = (quantiles[at as usize], at.fract());
                let high = quantiles[at as usize + 1];
                low + (fraction * (high - low) as f64) as usize
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

/// The approximate number of tokens of each line: words, punctuation marks and two special tokens.
fn lengths_of_file(path: &str) -> Result<Vec<usize>> {
    let expected = "expected sst, sst2, a number from 1 to 8192, a range such as 16-64, or a text file";
    if !Path::new(path).exists() {
        return Err(Error::Usage(format!("--lengths {path}: {expected}")));
    }
    let text = std::fs::read_to_string(path).map_err(Error::reading(path))?;
    let pieces = |line: &str| {
        let marks = line.chars().filter(char::is_ascii_punctuation).count();
        let words = line.split(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
        (2 + marks + words.filter(|word| !word.is_empty()).count()).min(512)
    };
    let lengths: Vec<usize> = text.lines().filter(|line| !line.trim().is_empty()).map(pieces).collect();
    if lengths.is_empty() { Err(Error::data(path, None, "has no text")) } else { Ok(lengths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<usize> {
        let (lengths, rng) = (Lengths::parse(text).expect("lengths"), Lengths::rng(1));
        (0..4000).map(|index| lengths.draw(&rng, index)).collect()
    }

    #[test]
    fn lengths_follow_the_distribution() {
        let mean = |all: &[usize]| all.iter().sum::<usize>() as f64 / all.len() as f64;
        assert!((mean(&lengths("sst2")) - 13.3).abs() < 0.5);
        assert!((mean(&lengths("sst")) - 25.0).abs() < 0.5);
        assert!(lengths("128").iter().all(|length| *length == 128));
        let range = lengths("16-64");
        assert!(
            range.iter().all(|length| (16..=64).contains(length))
                && range.contains(&16)
                && range.contains(&64)
        );
    }

    #[test]
    fn files_are_counted_and_invalid_text_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("texts.txt");
        std::fs::write(&path, "not bad, at all!\n\n  \nfine\n").expect("a file");
        let Kind::List(lengths) = Lengths::parse(&path.display().to_string()).expect("a file").kind else {
            panic!("not a list of lengths")
        };
        assert_eq!(lengths, [8, 3]);
        for text in ["0", "8193", "64-16", "no/such/file", "x-y", ""] {
            assert!(matches!(Lengths::parse(text), Err(Error::Usage(_))), "{text}");
        }
    }
}
