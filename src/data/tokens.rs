//! Texts → token ids, as the model's own tokenizer makes them: from `tokenizer.json`, or from
//! `vocab.txt` alone. Done once before training, in parallel.

use super::Example;
use super::wordpiece_cache::{Words, encoded, whole_row};
use crate::batch::Encoded;
use crate::error::{Error, Result};
use crate::event::{Progress, Unit};
use crate::files::ModelFolder;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, TruncationDirection, TruncationParams, TruncationStrategy};

/// Rows between two looks at the watcher and at the wish to stop.
const BLOCK: usize = 2048;

/// The files that a tokenizer is made of, in the Hugging Face layout.
const FILES: [&str; 4] = ["tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"];

/// Special tokens of every BERT vocabulary, by the names that `special_tokens_map.json` has for them.
const SPECIAL: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// Makes token ids of texts.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    max_length: usize,
    vocab_size: usize,
    lowercase: bool,
    distilbert: bool,
    /// Positions that the model has.
    positions: usize,
    /// The model's own files, so that an exported folder has them unchanged.
    originals: Vec<(&'static str, Cow<'static, [u8]>)>,
}

/// A row as token ids, with the words that they spell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spelled {
    /// The ids.
    pub encoded: Encoded,
    /// The words of the first text and then of the second, in their order. Special tokens are none.
    pub words: Vec<Word>,
}

/// A word, or a sign, of one or several tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Of which text: 0 for the first, 1 for the second.
    pub sequence: usize,
    /// Its bytes there.
    pub bytes: Range<usize>,
    /// Its tokens.
    pub tokens: Range<usize>,
}

/// Rows as token ids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tokenized {
    /// One for each row, in the same order.
    pub rows: Vec<Encoded>,
    /// How many of them were longer than the limit and were cut.
    pub truncated: usize,
}

impl Tokenizer {
    /// Reads the tokenizer of a model. Inputs are cut to `max_length` tokens, special ones
    /// included, or to what the model has positions for when that is less.
    ///
    /// # Errors
    /// [`Error::Model`] when a file is missing or not understood, [`Error::Usage`] when
    /// `max_length` leaves no room for text.
    pub fn load(folder: &ModelFolder, max_length: usize) -> Result<Self> {
        if max_length < 5 {
            return Err(Error::Usage(format!(
                "max_seq_length = {max_length} leaves no room for text beside the special tokens; set 5 or more"
            )));
        }
        let mut originals = Vec::new();
        for name in FILES {
            if let Some(bytes) = folder.read(name)? {
                originals.push((name, bytes));
            }
        }
        let file = |name: &str| originals.iter().find(|(n, _)| *n == name).map(|(_, bytes)| &bytes[..]);
        let settings = json_of(folder, "tokenizer_config.json", file("tokenizer_config.json"))?;
        let config = folder.read("config.json")?;
        let config = json_of(folder, "config.json", config.as_deref())?;
        let mut inner = match (file("tokenizer.json"), file("vocab.txt")) {
            (Some(bytes), _) => from_json(folder, bytes, &settings)?,
            (None, Some(bytes)) => from_vocab(folder, bytes, &settings)?,
            (None, None) => {
                return Err(Error::model(
                    &folder.name,
                    "has neither tokenizer.json nor vocab.txt; one of them is needed to read text",
                ));
            }
        };
        let positions = config["max_position_embeddings"].as_u64().map_or(512, |n| n as usize).max(5);
        let max_length = max_length.min(positions);
        inner
            .with_truncation(Some(TruncationParams {
                max_length,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            }))
            .map_err(|e| Error::model(&folder.name, format!("tokenizer cannot cut its input: {e}")))?;
        inner.with_padding(None);
        Ok(Tokenizer {
            vocab_size: inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1),
            lowercase: lowercases(&inner),
            distilbert: config["model_type"] == "distilbert",
            inner,
            max_length,
            positions,
            originals,
        })
    }

    /// Tokens that an input is cut to, special ones included.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// One more than the largest id: a model with fewer embeddings does not fit this tokenizer.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Makes ids of all rows on all cores; `watch` is told how far it is.
    ///
    /// # Errors
    /// [`Error::Interrupted`] soon after `cancelled` is set; [`Error::Training`] when the
    /// tokenizer refuses a text.
    pub fn encode(
        &self,
        rows: &[Example],
        watch: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Tokenized> {
        let mut all = Tokenized { rows: Vec::with_capacity(rows.len()), truncated: 0 };
        let mut tell = |done: usize| {
            watch(Progress {
                what: "tokenizing".to_string(),
                done: done as u64,
                total: Some(rows.len() as u64),
                unit: Unit::Rows,
            });
        };
        tell(0);
        let mut words = Words::of(&self.inner).map_err(|e| unable(&e))?;
        for block in rows.chunks(BLOCK) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted(
                    "stopped while tokenizing; nothing was trained yet".to_string(),
                ));
            }
            words.meet(block).map_err(|e| unable(&e))?;
            let one = |row| words.encode(row).map_err(|e| refused(row, &e));
            for (row, truncated) in block.par_iter().map(one).collect::<Result<Vec<_>>>()? {
                all.rows.push(row);
                all.truncated += usize::from(truncated);
            }
            tell(all.rows.len());
        }
        Ok(all)
    }

    /// The tokens that ids stand for; an id that is none of the vocabulary's is shown as `?`.
    pub fn tokens_of(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|id| self.inner.id_to_token(*id).unwrap_or_else(|| "?".to_string())).collect()
    }

    /// Writes the tokenizer's files into `folder`, so that Transformers' `AutoTokenizer` loads
    /// it. Files that the model came with are copied; the others are made.
    ///
    /// # Errors
    /// [`Error::Write`] naming the file.
    pub fn save(&self, folder: &Path) -> Result<()> {
        for name in FILES {
            let original = self.originals.iter().find(|(n, _)| *n == name).map(|(_, bytes)| bytes.to_vec());
            let Some(bytes) = original.map_or_else(|| self.make(name), |bytes| Ok(Some(bytes)))? else {
                continue;
            };
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(Error::writing(&path))?;
        }
        Ok(())
    }

    /// The contents of a file that the model came without, or `None` when it needs none.
    fn make(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let pretty = |value: &Value| Ok(Some(format!("{value:#}\n").into_bytes()));
        match name {
            "tokenizer.json" => {
                let mut plain = self.inner.clone();
                plain
                    .with_truncation(None)
                    .and_then(|plain| plain.to_string(true))
                    .map(|text| Some(text.into_bytes()))
                    .map_err(|e| Error::Training(format!("tokenizer.json cannot be written: {e}")))
            }
            "tokenizer_config.json" => {
                let class = if self.distilbert { "DistilBertTokenizer" } else { "BertTokenizer" };
                let mut settings = json!({
                    "tokenizer_class": class,
                    "do_lower_case": self.lowercase,
                    "model_max_length": self.positions,
                });
                for (key, token) in SPECIAL {
                    settings[key] = json!(token);
                }
                pretty(&settings)
            }
            "special_tokens_map.json" => {
                let map: serde_json::Map<String, Value> =
                    SPECIAL.iter().map(|(key, token)| ((*key).to_string(), json!(token))).collect();
                pretty(&Value::Object(map))
            }
            "vocab.txt" => {
                let mut vocab: Vec<(String, u32)> = self.inner.get_vocab(true).into_iter().collect();
                vocab.sort_unstable_by_key(|(_, id)| *id);
                // A file by line numbers can hold only ids without gaps.
                let whole = vocab.iter().enumerate().all(|(line, (_, id))| line == *id as usize);
                Ok(whole.then(|| {
                    vocab.into_iter().map(|(token, _)| token + "\n").collect::<String>().into_bytes()
                }))
            }
            _ => Ok(None),
        }
    }

    /// The ids of one row, and whether its end was cut.
    ///
    /// # Errors
    /// [`Error::Training`] when the tokenizer refuses the text.
    pub fn encode_one(&self, row: &Example) -> Result<(Encoded, bool)> {
        Ok(encoded(row, &whole_row(&self.inner, row).map_err(|e| refused(row, &e))?))
    }

    /// The ids of one row, and which of them spell which word.
    ///
    /// # Errors
    /// [`Error::Training`] when the tokenizer refuses the text.
    pub fn spell(&self, row: &Example) -> Result<Spelled> {
        let encoding = match &row.text_pair {
            Some(second) => self.inner.encode((row.text.as_str(), second.as_str()), true),
            None => self.inner.encode(row.text.as_str(), true),
        };
        let encoding = encoding.map_err(|e| refused(row, &e))?;
        let mut words: Vec<Word> = Vec::new();
        let mut last = None;
        let places = encoding.get_word_ids().iter().zip(encoding.get_offsets());
        for (token, (id, (first, end))) in places.enumerate() {
            let place = encoding.token_to_sequence(token).zip(*id);
            match (place, words.last_mut()) {
                (None, _) => {}
                (place, Some(word)) if place == last => {
                    word.bytes.end = *end;
                    word.tokens.end = token + 1;
                }
                (Some((sequence, _)), _) => {
                    words.push(Word { sequence, bytes: *first..*end, tokens: token..token + 1 });
                }
            }
            last = place;
        }
        let (encoded, _) = encoded(row, &encoding);
        Ok(Spelled { encoded, words })
    }

    /// How many tokens each of the rows has, special ones included, if nothing is cut.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn lengths(&self, rows: &[Example], cancelled: &AtomicBool) -> Result<Vec<usize>> {
        let mut words = Words::of(&self.inner).map_err(|e| unable(&e))?;
        let mut lengths = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted("stopped while counting tokens".to_string()));
            }
            words.meet(block).map_err(|e| unable(&e))?;
            let length = |row| words.count(row).map_err(|e| refused(row, &e));
            lengths.extend(block.par_iter().map(length).collect::<Result<Vec<_>>>()?);
        }
        Ok(lengths)
    }

    /// The id of the padding token, if there is one.
    pub fn padding(&self) -> Option<u32> {
        self.inner.token_to_id("[PAD]")
    }
}

fn unable(error: &tokenizers::Error) -> Error {
    Error::Training(format!("the tokenizer refuses a text: {error}"))
}

fn refused(row: &Example, error: &tokenizers::Error) -> Error {
    let start: String = row.text.chars().take(40).collect();
    Error::Training(format!("the tokenizer refuses the text {start:?}: {error}"))
}

fn json_of(folder: &ModelFolder, name: &str, bytes: Option<&[u8]>) -> Result<Value> {
    bytes.map_or(Ok(Value::Null), |bytes| {
        serde_json::from_slice(bytes)
            .map_err(|e| Error::model(&folder.name, format!("{name} is not JSON: {e}")))
    })
}

fn from_json(folder: &ModelFolder, bytes: &[u8], settings: &Value) -> Result<tokenizers::Tokenizer> {
    let refused = |e: &dyn std::fmt::Display| {
        Error::model(&folder.name, format!("tokenizer.json is not understood: {e}"))
    };
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| refused(&e))?;
    // As in Transformers, what tokenizer_config.json says of case wins over tokenizer.json.
    let lowercase = settings["do_lower_case"].as_bool();
    if let Some(tokenizers::NormalizerWrapper::BertNormalizer(found)) = tokenizer.get_normalizer()
        && let Some(lowercase) = lowercase.filter(|wanted| *wanted != found.lowercase)
    {
        let changed =
            BertNormalizer::new(found.clean_text, found.handle_chinese_chars, found.strip_accents, lowercase);
        tokenizer.with_normalizer(Some(changed)).map_err(|e| refused(&e))?;
    }
    Ok(tokenizer)
}

/// Transformers' `BertTokenizer`, made of a vocabulary with one token a line.
fn from_vocab(folder: &ModelFolder, bytes: &[u8], settings: &Value) -> Result<tokenizers::Tokenizer> {
    let refused = |e: String| Error::model(&folder.name, format!("vocab.txt {e}"));
    let vocab = WordPiece::read_bytes(bytes).map_err(|e| refused(format!("is not UTF-8 text: {e}")))?;
    let id = |token: &str| {
        vocab
            .get(token)
            .copied()
            .ok_or_else(|| refused(format!("has no {token}; it is not a BERT vocabulary")))
    };
    let (sep, cls) = (id("[SEP]")?, id("[CLS]")?);
    id("[UNK]")?;
    let special: Vec<AddedToken> = SPECIAL
        .iter()
        .filter(|(_, token)| vocab.contains_key(*token))
        .map(|(_, token)| AddedToken::from(*token, true))
        .collect();
    let model = WordPiece::builder()
        .vocab(vocab)
        .unk_token("[UNK]".to_string())
        .build()
        .map_err(|e| refused(format!("is no vocabulary: {e}")))?;
    let flag = |key: &str, default: bool| settings[key].as_bool().unwrap_or(default);
    let normalizer = BertNormalizer::new(
        true,
        flag("tokenize_chinese_chars", true),
        settings["strip_accents"].as_bool(),
        flag("do_lower_case", true),
    );
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_normalizer(Some(normalizer)).map_err(|e| refused(e.to_string()))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    tokenizer.with_post_processor(Some(BertProcessing::new(
        ("[SEP]".to_string(), sep),
        ("[CLS]".to_string(), cls),
    )));
    tokenizer.add_special_tokens(special).map_err(|e| refused(e.to_string()))?;
    Ok(tokenizer)
}

/// Whether the tokenizer makes small letters of capitals.
fn lowercases(tokenizer: &tokenizers::Tokenizer) -> bool {
    match tokenizer.get_normalizer() {
        Some(tokenizers::NormalizerWrapper::BertNormalizer(normalizer)) => normalizer.lowercase,
        _ => tokenizer.encode_fast("A", false).is_ok_and(|big| {
            tokenizer.encode_fast("a", false).is_ok_and(|small| big.get_ids() == small.get_ids())
        }),
    }
}
