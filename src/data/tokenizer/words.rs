//! The words of a row that is encoded.

use crate::batch::Encoded;
use crate::data::dataset::Example;
use std::ops::Range;
use tokenizers::Encoding;

/// A row as token ids, with the words of its texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WordEncoding {
    /// The token ids.
    pub encoded: Encoded,
    /// The words of the first text and then of the second, in order. Special tokens belong to no word.
    pub words: Vec<WordSpan>,
}

/// A word or a punctuation mark of one or more tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordSpan {
    /// The text of the word: 0 for the first, 1 for the second.
    pub sequence: usize,
    /// The byte offsets of the word in its text.
    pub offsets: Range<usize>,
    /// The token indices of the word.
    pub tokens: Range<usize>,
}

/// The words of a row: as the tokenizer splits it, and unless it `splits_at_blanks`, also before each token that begins
/// with blanks. Then tokens of blanks belong to the word before them.
pub(super) fn words(row: &Example, encoding: &Encoding, splits_at_blanks: bool) -> Vec<WordSpan> {
    let mut words: Vec<WordSpan> = Vec::new();
    // Text and word of the previous token.
    let mut previous = None;
    for (token, (word_id, (start, end))) in
        encoding.get_word_ids().iter().zip(encoding.get_offsets()).enumerate()
    {
        let current = encoding.token_to_sequence(token).zip(*word_id);
        let begins_word = |sequence: usize| {
            !splits_at_blanks && text(row, sequence, *start..*end).starts_with(char::is_whitespace)
        };
        match (current, words.last_mut()) {
            (None, _) => {}
            (Some((sequence, _)), Some(word)) if current == previous && !begins_word(sequence) => {
                word.offsets.end = *end;
                word.tokens.end = token + 1;
            }
            (Some((sequence, _)), _) => {
                words.push(WordSpan { sequence, offsets: *start..*end, tokens: token..token + 1 });
            }
        }
        previous = current;
    }
    if splits_at_blanks { words } else { without_blanks(row, words) }
}

/// The words without the blanks around them. Those of nothing but blanks become part of the tokens of another word.
fn without_blanks(row: &Example, words: Vec<WordSpan>) -> Vec<WordSpan> {
    let mut trimmed: Vec<WordSpan> = Vec::new();
    for mut word in words {
        let found = text(row, word.sequence, word.offsets.clone());
        word.offsets.start += found.len() - found.trim_start().len();
        word.offsets.end = word.offsets.start + found.trim().len();
        match trimmed.last_mut() {
            Some(last)
                if last.sequence == word.sequence
                    && last.tokens.end == word.tokens.start
                    && (last.offsets.is_empty() || word.offsets.is_empty()) =>
            {
                last.tokens.end = word.tokens.end;
                if last.offsets.is_empty() {
                    last.offsets = word.offsets;
                }
            }
            _ => trimmed.push(word),
        }
    }
    trimmed
}

/// A part of a text of a row; empty for offsets outside it.
fn text(row: &Example, sequence: usize, offsets: Range<usize>) -> &str {
    let text = if sequence == 0 { Some(&row.text) } else { row.text_pair.as_ref() };
    text.and_then(|text| text.get(offsets)).unwrap_or_default()
}
