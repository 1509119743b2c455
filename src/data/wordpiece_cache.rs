//! Tokenization with a cache of WordPiece tokens by word.
//!
//! A BERT tokenizer processes each space-separated word independently of its neighbors: the normalizer maps single
//! characters, words end at spaces, and WordPiece splits within words. Few distinct words make up most of a text, so
//! that most words are in the cache. Other tokenizers encode each text as a whole.

use super::dataset::Example;
use super::truncating::TruncatingTokenizer;
use crate::batch::Encoded;
use crate::error::catch_library_panic;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use tokenizers::{
    ModelWrapper, NormalizedString, Normalizer, NormalizerWrapper, PreTokenizerWrapper, Result, Tokenizer,
};

/// A tokenizer with a cache of the words it has seen.
pub(super) struct CachedTokenizer<'a> {
    tokenizer: &'a TruncatingTokenizer,
    /// `None` if the tokenizer does not process words independently.
    cache: Option<WordPieceCache<'a>>,
}

/// The tokens of words and the special tokens around texts.
struct WordPieceCache<'a> {
    /// Token ids of each word.
    words: HashMap<&'a str, Vec<u32>>,
    /// The template of a single text, and of a pair.
    templates: [Template; 2],
    /// The maximum number of tokens.
    max_length: usize,
}

/// The special tokens around texts, as tokenizers' `TemplateProcessing` adds them.
struct Template {
    /// Id and segment of the special tokens before the first text, between texts, and after the last text.
    special_tokens: Vec<Vec<(u32, u32)>>,
    /// The segment of each text.
    segments: Vec<u32>,
}

impl<'a> CachedTokenizer<'a> {
    /// An empty cache for `tokenizer`, whose truncation applies to encoded rows.
    pub(super) fn new(tokenizer: &'a TruncatingTokenizer) -> Result<Self> {
        let inner = &tokenizer.inner;
        let templates = if has_independent_words(inner) { templates(tokenizer)? } else { None };
        let max_length = tokenizer.truncation.max_length;
        let cache =
            templates.map(|templates| WordPieceCache { words: HashMap::new(), templates, max_length });
        Ok(CachedTokenizer { tokenizer, cache })
    }

    /// Adds the words of `rows` to the cache, on all cores.
    pub(super) fn add_words(&mut self, rows: &'a [Example]) -> Result<()> {
        let Some(WordPieceCache { words: cached, .. }) = &mut self.cache else { return Ok(()) };
        let add_new = |mut set: HashSet<&'a str>, row: &'a Example| {
            set.extend(texts(row).flat_map(words).filter(|word| !cached.contains_key(word)));
            set
        };
        let union = |mut set: HashSet<&'a str>, other: HashSet<&'a str>| {
            set.extend(other);
            set
        };
        let new = rows.par_iter().fold(HashSet::new, add_new).reduce(HashSet::new, union);
        let tokenizer = &self.tokenizer.inner;
        // Panics are caught on each thread, because the silence of the panic hook is a property of the thread.
        let encode = |word: &'a str| {
            let encoding = catch_library_panic(|| tokenizer.encode_fast(word, false))??;
            Ok((word, encoding.get_ids().to_vec()))
        };
        cached.extend(new.into_par_iter().map(encode).collect::<Result<Vec<_>>>()?);
        Ok(())
    }

    /// The token ids of a row, special tokens included, and whether it was truncated. Fast if the words of the row
    /// were added.
    pub(super) fn encode(&self, row: &Example) -> Result<(Encoded, bool)> {
        if let Some(cache) = &self.cache
            && let Some(tokens) = cache.count(row).filter(|tokens| *tokens <= cache.max_length)
            && let Some(encoded) = cache.encode(row, tokens)
        {
            return Ok((encoded, false));
        }
        self.tokenizer.encode(row)
    }

    /// The number of tokens of a row without truncation, special tokens included. Fast if the words of the row were
    /// added.
    pub(super) fn count(&self, row: &Example) -> Result<usize> {
        match self.cache.as_ref().and_then(|cache| cache.count(row)) {
            Some(count) => Ok(count),
            None => self.tokenizer.count(row),
        }
    }
}

impl WordPieceCache<'_> {
    fn template(&self, row: &Example) -> &Template {
        let [single, pair] = &self.templates;
        if row.text_pair.is_some() { pair } else { single }
    }

    /// The number of tokens of a row, special tokens included. `None` if a word is not cached.
    fn count(&self, row: &Example) -> Option<usize> {
        let mut count = self.template(row).special_tokens.iter().map(Vec::len).sum();
        for word in texts(row).flat_map(words) {
            count += self.words.get(word)?.len();
        }
        Some(count)
    }

    /// The token ids of a row of `tokens` tokens. `None` if a word is not cached.
    fn encode(&self, row: &Example, tokens: usize) -> Option<Encoded> {
        let Template { special_tokens, segments } = self.template(row);
        let (mut ids, mut type_ids) = (Vec::with_capacity(tokens), Vec::with_capacity(tokens));
        let mut texts = texts(row).zip(segments);
        for special in special_tokens {
            ids.extend(special.iter().map(|(id, _)| id));
            type_ids.extend(special.iter().map(|(_, segment)| segment));
            if let Some((text, segment)) = texts.next() {
                for word in words(text) {
                    ids.extend_from_slice(self.words.get(word)?);
                }
                type_ids.resize(ids.len(), *segment);
            }
        }
        Some(Encoded { ids, type_ids, label: row.label.clone() })
    }
}

/// The templates of a single text and of a pair, found by encoding the unknown token, which is not a special token of
/// either template. `None` if the tokenizer does not allow that.
fn templates(tokenizer: &TruncatingTokenizer) -> Result<Option<[Template; 2]>> {
    let ModelWrapper::WordPiece(model) = tokenizer.inner.get_model() else { return Ok(None) };
    let unknown = model.unk_token.as_str();
    let without_special = tokenizer.inner.encode_fast(unknown, false)?;
    let [id] = *without_special.get_ids() else { return Ok(None) };
    let row = |text_pair: Option<&str>| Example {
        text: unknown.to_string(),
        text_pair: text_pair.map(str::to_string),
        label: None,
    };
    let single = template(&tokenizer.encode(&row(None))?.0, id);
    let pair = template(&tokenizer.encode(&row(Some(unknown)))?.0, id);
    let is_valid = single.segments.len() == 1 && pair.segments.len() == 2;
    Ok(is_valid.then_some([single, pair]))
}

/// The template of an encoding in which every text is the token `text`.
fn template(encoded: &Encoded, text: u32) -> Template {
    let tokens: Vec<(u32, u32)> = encoded.ids.iter().copied().zip(encoded.type_ids.iter().copied()).collect();
    Template {
        special_tokens: tokens.split(|(id, _)| *id == text).map(<[_]>::to_vec).collect(),
        segments: tokens.iter().filter(|(id, _)| *id == text).map(|(_, segment)| *segment).collect(),
    }
}

/// The texts of a row.
fn texts(row: &Example) -> impl Iterator<Item = &str> {
    std::iter::once(row.text.as_str()).chain(row.text_pair.as_deref())
}

/// The space-separated words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// Whether the tokens of a space-separated word do not depend on its neighbours.
fn has_independent_words(tokenizer: &Tokenizer) -> bool {
    let Some(NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer() else {
        return false;
    };
    // A token that is matched in normalized text may get its space from a tab or a Chinese character.
    let has_space = |token: &tokenizers::AddedToken| {
        let mut content = NormalizedString::from(token.content.as_str());
        let is_normalized = !token.normalized || normalizer.normalize(&mut content).is_ok();
        !is_normalized || content.get().contains(' ') || token.content.contains(' ')
    };
    matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)))
        && matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_))
        && !tokenizer.get_added_tokens_decoder().values().any(has_space)
}
