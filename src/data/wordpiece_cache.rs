//! Texts → pieces of words, with each word cut into its pieces only once.
//!
//! A BERT tokenizer treats what stands between two spaces without a look at what stands around it: letters are
//! changed one by one, words end at spaces, and pieces are found within words. Few words make up most of a text,
//! so that nearly all of them have been met before. Other tokenizers get each text as a whole.

use super::Example;
use crate::batch::Encoded;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use tokenizers::{Encoding, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Result, Tokenizer};

/// A tokenizer that keeps in mind the words of the texts that it has met.
pub(super) struct Words<'a> {
    tokenizer: &'a Tokenizer,
    /// Cuts nothing away.
    whole: Tokenizer,
    /// Unless the tokenizer wants texts as a whole.
    known: Option<Known<'a>>,
}

/// What texts are put together of.
struct Known<'a> {
    /// Ids of the pieces of words.
    words: HashMap<&'a str, Vec<u32>>,
    /// The special tokens of one text, and of two.
    frames: [Frame; 2],
    /// Tokens that are allowed.
    longest: usize,
}

/// Special tokens around texts: before the first, between it and the next, after the last. Each is an id and a segment.
struct Frame {
    parts: Vec<Vec<(u32, u32)>>,
    /// The segment of each text.
    segments: Vec<u32>,
}

impl<'a> Words<'a> {
    /// No words yet. What is encoded is cut to what `tokenizer` is set to.
    pub(super) fn of(tokenizer: &'a Tokenizer) -> Result<Self> {
        let mut whole = tokenizer.clone();
        whole.with_truncation(None)?;
        let frames = if stands_alone(tokenizer) { frames(&whole)? } else { None };
        let longest = tokenizer.get_truncation().map_or(usize::MAX, |limit| limit.max_length);
        let known = frames.map(|frames| Known { words: HashMap::new(), frames, longest });
        Ok(Words { tokenizer, whole, known })
    }

    /// Meets the words of `rows`, on all cores.
    pub(super) fn meet(&mut self, rows: &'a [Example]) -> Result<()> {
        let Some(Known { words: known, .. }) = &mut self.known else { return Ok(()) };
        let unknown = |mut set: HashSet<&'a str>, row: &'a Example| {
            set.extend(texts(row).flat_map(words).filter(|word| !known.contains_key(word)));
            set
        };
        let both = |mut set: HashSet<&'a str>, other: HashSet<&'a str>| {
            set.extend(other);
            set
        };
        let unknown = rows.par_iter().fold(HashSet::new, unknown).reduce(HashSet::new, both);
        let whole = &self.whole;
        let pieces = |word: &'a str| Ok((word, whole.encode_fast(word, false)?.get_ids().to_vec()));
        known.extend(unknown.into_par_iter().map(pieces).collect::<Result<Vec<_>>>()?);
        Ok(())
    }

    /// A row that was met as token ids, special ones included, and whether its end was cut.
    pub(super) fn encode(&self, row: &Example) -> Result<(Encoded, bool)> {
        if let Some(known) = &self.known {
            let tokens = known.count(row);
            if tokens <= known.longest {
                return Ok((known.put_together(row, tokens), false));
            }
        }
        Ok(encoded(row, &whole_row(self.tokenizer, row)?))
    }

    /// Tokens of a row that was met, special ones included, if nothing is cut away.
    pub(super) fn count(&self, row: &Example) -> Result<usize> {
        match &self.known {
            Some(known) => Ok(known.count(row)),
            None => Ok(whole_row(&self.whole, row)?.len()),
        }
    }
}

impl Known<'_> {
    fn frame(&self, row: &Example) -> &Frame {
        &self.frames[usize::from(row.text_pair.is_some())]
    }

    fn count(&self, row: &Example) -> usize {
        let pieces: usize = texts(row).flat_map(words).map(|word| self.words[word].len()).sum();
        pieces + self.frame(row).parts.iter().map(Vec::len).sum::<usize>()
    }

    fn put_together(&self, row: &Example, tokens: usize) -> Encoded {
        let Frame { parts, segments } = self.frame(row);
        let (mut ids, mut type_ids) = (Vec::with_capacity(tokens), Vec::with_capacity(tokens));
        let mut texts = texts(row).zip(segments);
        for part in parts {
            ids.extend(part.iter().map(|(id, _)| id));
            type_ids.extend(part.iter().map(|(_, segment)| segment));
            if let Some((text, segment)) = texts.next() {
                words(text).for_each(|word| ids.extend_from_slice(&self.words[word]));
                type_ids.resize(ids.len(), *segment);
            }
        }
        Encoded { ids, type_ids, label: row.label }
    }
}

/// The frames of one text and of two, as they are around the token of what is unknown, which is in neither of
/// them; `None` where that is not to be had.
fn frames(tokenizer: &Tokenizer) -> Result<Option<[Frame; 2]>> {
    let ModelWrapper::WordPiece(model) = tokenizer.get_model() else { return Ok(None) };
    let unknown = model.unk_token.as_str();
    let alone = tokenizer.encode_fast(unknown, false)?;
    let [id] = *alone.get_ids() else { return Ok(None) };
    let one = frame(&tokenizer.encode_fast(unknown, true)?, id);
    let two = frame(&tokenizer.encode_fast((unknown, unknown), true)?, id);
    let is_whole = one.segments.len() == 1 && two.segments.len() == 2;
    Ok(is_whole.then_some([one, two]))
}

fn frame(encoding: &Encoding, text: u32) -> Frame {
    let tokens = encoding.get_ids().iter().copied().zip(encoding.get_type_ids().iter().copied());
    let tokens: Vec<(u32, u32)> = tokens.collect();
    Frame {
        parts: tokens.split(|(id, _)| *id == text).map(<[_]>::to_vec).collect(),
        segments: tokens.iter().filter(|(id, _)| *id == text).map(|(_, segment)| *segment).collect(),
    }
}

/// What the tokenizer made of a row, and whether it cut its end.
pub(super) fn encoded(row: &Example, encoding: &Encoding) -> (Encoded, bool) {
    let is_cut = !encoding.get_overflowing().is_empty();
    let encoded = Encoded {
        ids: encoding.get_ids().to_vec(),
        type_ids: encoding.get_type_ids().to_vec(),
        label: row.label,
    };
    (encoded, is_cut)
}

/// The tokens of a row, special ones included.
pub(super) fn whole_row(tokenizer: &Tokenizer, row: &Example) -> Result<Encoding> {
    match &row.text_pair {
        Some(second) => tokenizer.encode_fast((row.text.as_str(), second.as_str()), true),
        None => tokenizer.encode_fast(row.text.as_str(), true),
    }
}

fn texts(row: &Example) -> impl Iterator<Item = &str> {
    std::iter::once(row.text.as_str()).chain(row.text_pair.as_deref())
}

/// What stands between spaces.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// Whether what stands between two spaces has the same ids wherever it stands.
fn stands_alone(tokenizer: &Tokenizer) -> bool {
    let has_space = |token: &tokenizers::AddedToken| token.content.contains(' ');
    matches!(tokenizer.get_normalizer(), Some(NormalizerWrapper::BertNormalizer(_)))
        && matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)))
        && matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_))
        && !tokenizer.get_added_tokens_decoder().values().any(has_space)
}
