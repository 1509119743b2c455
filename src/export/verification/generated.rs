//! Texts to verify a model with that comes without data.

use crate::data::Example;
use kernels::rng::{Rng, Stream};

/// Number of texts.
const COUNT: usize = 64;
/// Most words of a text, so that models of long texts are verified in seconds too.
const MAX_WORDS: usize = 400;

/// Words of several scripts and lengths, numbers and signs.
const WORDS: [&str; 48] = [
    "the",
    "a",
    "not",
    "good",
    "bad",
    "never",
    "film",
    "service",
    "Which",
    "refund",
    "please",
    "NASA",
    "don't",
    "unbelievable",
    "internationalization",
    "is",
    "was",
    "of",
    "12",
    "3.5",
    "2026-01-31",
    "?",
    "!",
    "...",
    ",",
    "—",
    "“quoted”",
    "naïve",
    "über",
    "señor",
    "Ελλάδα",
    "привет",
    "мир",
    "日本",
    "語",
    "中文",
    "한국어",
    "مرحبا",
    "שלום",
    "नमस्ते",
    "ไทย",
    "😀",
    "👩‍💻",
    "http://example.org/a?b=c",
    "user@example.org",
    "C++",
    "\u{200b}",
    "𝒳",
];

/// Texts with words of [`WORDS`], always the same: from none to more than `max_length` tokens. `is_pair` says whether the
/// model takes pairs; if unknown, every second text is one.
pub(super) fn generated_texts(max_length: usize, is_pair: Option<bool>) -> Vec<Example> {
    let rng = Rng::new(0, Stream::Sample);
    let longest = (max_length + 8).min(MAX_WORDS);
    let text = |number: usize, part: u32| {
        // Short texts are more frequent, the last one is longer than the model takes.
        let share = number as f64 / (COUNT - 1) as f64;
        let words = (share.powi(2) * longest as f64) as usize;
        let word = |index: usize| {
            let draw = rng.uniform(number as u32, part, index as u64);
            WORDS[((draw * WORDS.len() as f64) as usize).min(WORDS.len() - 1)]
        };
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    };
    let example = |number: usize| Example {
        text: text(number, 0),
        text_pair: is_pair.unwrap_or(number % 2 == 1).then(|| text(COUNT - 1 - number, 1)),
        label: None,
    };
    (0..COUNT).map(example).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_of_all_lengths_and_always_the_same() {
        let texts = generated_texts(128, Some(false));
        assert_eq!(texts, generated_texts(128, Some(false)));
        let words: Vec<usize> = texts.iter().map(|row| row.text.split_whitespace().count()).collect();
        assert!(words[0] == 0 && words[COUNT - 1] > 128 && words.is_sorted(), "{words:?}");
        assert!(texts.iter().all(|row| row.text_pair.is_none() && row.label.is_none()));
        let mixed = generated_texts(8192, None);
        assert_eq!(mixed.iter().filter(|row| row.text_pair.is_some()).count(), COUNT / 2);
        assert!(generated_texts(8192, Some(true)).iter().all(|row| row.text_pair.is_some()));
    }
}
