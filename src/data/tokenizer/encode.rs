//! Texts → token ids.

use super::class::TokenizerClass;
use super::settings::Settings;
use super::words::{WordEncoding, words};
use crate::batch::Encoded;
use crate::data::dataset::Example;
use crate::data::truncating::{TruncatingTokenizer, to_encoded};
use crate::data::wordpiece_cache::CachedTokenizer;
use crate::error::{Error, Result, catch_library_panic};
use crate::event::{Progress, Unit};
use rayon::prelude::*;
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicBool, Ordering};

/// The number of rows between two reports of progress, which are also the checks for cancellation.
const BLOCK_ROWS: usize = 2048;

/// The tokenizer of a model.
pub struct Tokenizer {
    /// The name of the model.
    pub(super) name: String,
    pub(super) inner: TruncatingTokenizer,
    pub(super) vocab_size: usize,
    /// Whether words are tokens of their own, so that no token has parts of two.
    pub(super) splits_at_blanks: bool,
    /// `vocab_size` of config.json, the number of word embeddings.
    pub(super) embedding_rows: Option<u64>,
    /// The number of positions of the model.
    pub(super) max_positions: usize,
    pub(super) class: TokenizerClass,
    /// The name of the class in the files.
    pub(super) class_name: String,
    pub(super) settings: Settings,
    /// tokenizer_config.json of the model.
    pub(super) original_config: Map<String, Value>,
    /// vocab.txt of the model, if the vocabulary is from that file.
    pub(super) vocab_txt: Option<Vec<u8>>,
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
        self.inner.truncation.max_length
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
        let mut tokenizer = self.cached()?;
        for block in rows.chunks(BLOCK_ROWS) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted(
                    "stopped during tokenization, before any training".to_string(),
                ));
            }
            self.guarded("a text", || tokenizer.add_words(block))?;
            let encode = |row: &Example| {
                let (encoded, is_truncated) = self.guarded(&row.text, || tokenizer.encode(row))?;
                Ok((self.checked(row, encoded)?, is_truncated))
            };
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
        let (encoded, is_truncated) = self.guarded(&row.text, || self.inner.encode(row))?;
        Ok((self.checked(row, encoded)?, is_truncated))
    }

    /// [`Tokenizer::encode`] for several rows, on all cores.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_all(&self, rows: &[Example]) -> Result<Vec<(Encoded, bool)>> {
        rows.par_iter().map(|row| self.encode(row)).collect()
    }

    /// The token ids of one row, with the words of its texts.
    ///
    /// # Errors
    /// [`Error::Training`] if the tokenizer rejects the text.
    pub fn encode_words(&self, row: &Example) -> Result<WordEncoding> {
        let encoding = self.guarded(&row.text, || self.inner.encode_with_offsets(row))?;
        let words = words(row, &encoding, self.splits_at_blanks);
        Ok(WordEncoding { encoded: self.checked(row, to_encoded(row, &encoding))?, words })
    }

    /// The number of tokens of each row without truncation, special tokens included.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_batch`].
    pub fn lengths(&self, rows: &[Example], cancelled: &AtomicBool) -> Result<Vec<usize>> {
        let mut tokenizer = self.cached()?;
        let mut lengths = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK_ROWS) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted("stopped while counting tokens".to_string()));
            }
            self.guarded("a text", || tokenizer.add_words(block))?;
            let length = |row: &Example| self.guarded(&row.text, || tokenizer.count(row));
            lengths.extend(block.par_iter().map(length).collect::<Result<Vec<_>>>()?);
        }
        Ok(lengths)
    }

    /// The tokens of `ids`; `?` for an id that is not in the vocabulary.
    pub fn ids_to_tokens(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|id| self.inner.inner.id_to_token(*id).unwrap_or_else(|| "?".to_string())).collect()
    }

    /// The id of the padding token, if there is one.
    pub fn pad_token_id(&self) -> Option<u32> {
        self.inner.inner.token_to_id(self.settings.named("pad_token").unwrap_or("[PAD]"))
    }

    /// The number of positions of the model, which limits [`Tokenizer::max_length`].
    pub fn max_positions(&self) -> usize {
        self.max_positions
    }

    fn cached(&self) -> Result<CachedTokenizer<'_>> {
        self.guarded("a text", || CachedTokenizer::new(&self.inner))
    }

    /// Calls the `tokenizers` crate for `text`. Its errors and panics are faults of the tokenizer files.
    fn guarded<T>(&self, text: &str, work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
        let result = catch_library_panic(work).map(|result| result.map_err(|e| e.to_string()));
        result.unwrap_or_else(Err).map_err(|problem| {
            let start = shortened(text);
            Error::model(&self.name, format!("its tokenizer cannot encode {start:?}: {problem}"))
        })
    }

    /// An encoded row for the model: every token has a word embedding, and a model without segments gets none.
    fn checked(&self, row: &Example, mut encoded: Encoded) -> Result<Encoded> {
        if !self.settings.has_type_ids {
            encoded.type_ids.fill(0);
        }
        let Some(rows) = self.embedding_rows else { return Ok(encoded) };
        match encoded.ids.iter().find(|id| u64::from(**id) >= rows) {
            None => Ok(encoded),
            Some(id) => Err(Error::model(
                &self.name,
                format!(
                    "the text {:?} has the token {:?} with id {id}, but there are only {rows} word embeddings; resize \
                     them (resize_token_embeddings in Transformers) or use the tokenizer of this model",
                    shortened(&row.text),
                    self.inner.inner.id_to_token(*id).unwrap_or_default(),
                ),
            )),
        }
    }
}

/// The start of a text, for a message.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
