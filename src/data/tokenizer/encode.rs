//! Texts → token ids.

use crate::batch::Encoded;
use crate::data::dataset::Example;
use crate::data::wordpiece_cache::{CachedTokenizer, encode, to_encoded};
use crate::error::{Error, Result};
use crate::event::{Progress, Unit};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// The number of rows between two reports of progress, which are also the checks for cancellation.
const BLOCK_ROWS: usize = 2048;

/// The tokenizer of a model.
pub struct Tokenizer {
    pub(super) inner: tokenizers::Tokenizer,
    pub(super) max_length: usize,
    pub(super) vocab_size: usize,
    pub(super) is_lowercase: bool,
    pub(super) is_distilbert: bool,
    /// The number of positions of the model.
    pub(super) max_positions: usize,
    /// Name and content of the files of the model, which an exported folder contains unchanged.
    pub(super) files: Vec<(&'static str, Cow<'static, [u8]>)>,
}

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

/// Rows as token ids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tokenized {
    /// The token ids of each row, in order.
    pub rows: Vec<Encoded>,
    /// The number of truncated rows.
    pub truncated: usize,
}

impl Tokenizer {
    /// The maximum number of tokens of a row, special tokens included. Longer rows are truncated.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The largest token id plus one, the minimum number of embeddings of a matching model.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Encodes all rows on all cores.
    ///
    /// # Errors
    /// [`Error::Interrupted`] soon after `cancelled` is set, [`Error::Training`] if the tokenizer rejects a text.
    pub fn encode_batch(
        &self,
        rows: &[Example],
        on_progress: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Tokenized> {
        let mut tokenized = Tokenized { rows: Vec::with_capacity(rows.len()), truncated: 0 };
        let mut report = |done: usize| {
            on_progress(Progress {
                what: "tokenizing".to_string(),
                done: done as u64,
                total: Some(rows.len() as u64),
                unit: Unit::Rows,
            });
        };
        report(0);
        let mut tokenizer = CachedTokenizer::new(&self.inner).map_err(|e| batch_error(&e))?;
        for block in rows.chunks(BLOCK_ROWS) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted(
                    "stopped during tokenization, before any training".to_string(),
                ));
            }
            tokenizer.add_words(block).map_err(|e| batch_error(&e))?;
            let encode = |row| tokenizer.encode(row).map_err(|e| row_error(row, &e));
            for (row, is_truncated) in block.par_iter().map(encode).collect::<Result<Vec<_>>>()? {
                tokenized.rows.push(row);
                tokenized.truncated += usize::from(is_truncated);
            }
            report(tokenized.rows.len());
        }
        Ok(tokenized)
    }

    /// The token ids of one row, and whether it was truncated.
    ///
    /// # Errors
    /// [`Error::Training`] if the tokenizer rejects the text.
    pub fn encode(&self, row: &Example) -> Result<(Encoded, bool)> {
        Ok(to_encoded(row, &encode(&self.inner, row).map_err(|e| row_error(row, &e))?))
    }

    /// The token ids of one row, with the words of its texts.
    ///
    /// # Errors
    /// [`Error::Training`] if the tokenizer rejects the text.
    pub fn encode_words(&self, row: &Example) -> Result<WordEncoding> {
        let encoding = match &row.text_pair {
            Some(second) => self.inner.encode((row.text.as_str(), second.as_str()), true),
            None => self.inner.encode(row.text.as_str(), true),
        };
        let encoding = encoding.map_err(|e| row_error(row, &e))?;
        let mut words: Vec<WordSpan> = Vec::new();
        // Text and word of the previous token.
        let mut previous = None;
        for (token, (word_id, (start, end))) in
            encoding.get_word_ids().iter().zip(encoding.get_offsets()).enumerate()
        {
            let current = encoding.token_to_sequence(token).zip(*word_id);
            match (current, words.last_mut()) {
                (None, _) => {}
                (current, Some(word)) if current == previous => {
                    word.offsets.end = *end;
                    word.tokens.end = token + 1;
                }
                (Some((sequence, _)), _) => {
                    words.push(WordSpan { sequence, offsets: *start..*end, tokens: token..token + 1 });
                }
            }
            previous = current;
        }
        let (encoded, _) = to_encoded(row, &encoding);
        Ok(WordEncoding { encoded, words })
    }

    /// The number of tokens of each row without truncation, special tokens included.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_batch`].
    pub fn lengths(&self, rows: &[Example], cancelled: &AtomicBool) -> Result<Vec<usize>> {
        let mut tokenizer = CachedTokenizer::new(&self.inner).map_err(|e| batch_error(&e))?;
        let mut lengths = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK_ROWS) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted("stopped while counting tokens".to_string()));
            }
            tokenizer.add_words(block).map_err(|e| batch_error(&e))?;
            let length = |row| tokenizer.count(row).map_err(|e| row_error(row, &e));
            lengths.extend(block.par_iter().map(length).collect::<Result<Vec<_>>>()?);
        }
        Ok(lengths)
    }

    /// The tokens of `ids`; `?` for an id that is not in the vocabulary.
    pub fn ids_to_tokens(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|id| self.inner.id_to_token(*id).unwrap_or_else(|| "?".to_string())).collect()
    }

    /// The id of the padding token, if there is one.
    pub fn pad_token_id(&self) -> Option<u32> {
        self.inner.token_to_id("[PAD]")
    }
}

fn batch_error(error: &tokenizers::Error) -> Error {
    Error::Training(format!("the tokenizer rejects a text: {error}"))
}

fn row_error(row: &Example, error: &tokenizers::Error) -> Error {
    let start: String = row.text.chars().take(40).collect();
    Error::Training(format!("the tokenizer rejects the text {start:?}: {error}"))
}
