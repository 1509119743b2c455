//! Loading of the tokenizer of a model.

use super::build::build;
use super::class::TokenizerClass;
use super::components::{BuiltTokenizer, Source};
use super::encode::Tokenizer;
use super::sentencepiece::SentencePieceModel;
use super::settings::{ParsedFiles, Settings};
use crate::data::truncating::TruncatingTokenizer;
use crate::error::{Error, Result, catch_library_panic};
use crate::files::{ModelFolder, TOKENIZER_FILES, UNSUPPORTED_VOCABULARIES, VOCABULARIES};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The minimum of `max_seq_length`: the three special tokens of a pair, and a token of each text.
const MIN_LENGTH: usize = 5;
/// `max_position_embeddings` where config.json does not have it.
const DEFAULT_POSITIONS: usize = 512;

/// Content of the files of a tokenizer.
pub(super) struct Files(Vec<(&'static str, Cow<'static, [u8]>)>);

impl Files {
    fn read(folder: &ModelFolder) -> Result<Self> {
        let mut files = Vec::new();
        for name in TOKENIZER_FILES {
            if let Some(bytes) = folder.read(name)? {
                files.push((name, bytes));
            }
        }
        Ok(Files(files))
    }

    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(file, _)| *file == name).map(|(_, bytes)| &bytes[..])
    }

    /// The value of a JSON file; null without the file. The error is a sentence.
    pub(super) fn json(&self, name: &str) -> Result<Value, String> {
        parse_json(name, self.get(name))
    }

    /// The object of a JSON file; empty without the file. The error is a sentence.
    pub(super) fn object(&self, name: &str) -> Result<Map<String, Value>, String> {
        match self.json(name)? {
            Value::Null => Ok(Map::new()),
            Value::Object(object) => Ok(object),
            _ => Err(format!("{name} is not a JSON object")),
        }
    }
}

/// Whether a tokenizer makes two words of a text with a blank.
fn splits_at_blanks(tokenizer: &tokenizers::Tokenizer) -> bool {
    let Ok(encoding) = tokenizer.encode("a a", false) else { return true };
    let mut words = encoding.get_word_ids().iter().flatten();
    let first = words.next();
    words.any(|word| Some(word) != first)
}

/// Rejects a folder whose only vocabulary is one of another program.
fn check_vocabulary(folder: &ModelFolder, files: &Files) -> Result<()> {
    if VOCABULARIES.iter().any(|names| names.iter().any(|name| files.get(name).is_some())) {
        return Ok(());
    }
    for name in UNSUPPORTED_VOCABULARIES {
        if folder.read(name)?.is_some() {
            let problem = format!(
                "has the vocabulary {name}, which is not supported; save the tokenizer with save_pretrained of \
                 Transformers, which writes tokenizer.json"
            );
            return Err(Error::model(&folder.name, problem));
        }
    }
    Ok(())
}

fn parse_json(name: &str, bytes: Option<&[u8]>) -> Result<Value, String> {
    bytes.map_or(Ok(Value::Null), |bytes| {
        serde_json::from_slice(bytes).map_err(|e| format!("{name} is not valid JSON: {e}"))
    })
}

/// The number of positions before that of the first token: models like RoBERTa count from the id of the padding token.
fn unused_positions(config: &Value) -> usize {
    let padding = match config["model_type"].as_str() {
        Some("mpnet") => 1,
        Some("roberta" | "xlm-roberta" | "camembert") => config["pad_token_id"].as_u64().unwrap_or(1),
        _ => return 0,
    };
    usize::try_from(padding).unwrap_or(usize::MAX).saturating_add(1)
}

impl Tokenizer {
    /// Loads the tokenizer of a model. Rows are truncated to `max_length` tokens, special tokens included, or to the
    /// number of positions of the model if that is less.
    ///
    /// # Errors
    /// [`Error::Model`] if a file is missing or invalid, [`Error::Usage`] if `max_length` is below 5.
    pub fn load(folder: &ModelFolder, max_length: usize) -> Result<Self> {
        if max_length < MIN_LENGTH {
            return Err(Error::Usage(format!(
                "max_seq_length = {max_length} is too short for text and special tokens; set {MIN_LENGTH} or more"
            )));
        }
        Self::open(folder, Some(max_length))
    }

    /// Loads the tokenizer of a model. Rows are truncated as in Transformers with `truncation=True`: to
    /// `model_max_length` tokens of tokenizer_config.json, or to the number of positions of the model if that is less.
    ///
    /// # Errors
    /// [`Error::Model`] if a file is missing or invalid.
    pub fn from_pretrained(folder: &ModelFolder) -> Result<Self> {
        Self::open(folder, None)
    }

    fn open(folder: &ModelFolder, max_length: Option<usize>) -> Result<Self> {
        let files = Files::read(folder)?;
        check_vocabulary(folder, &files)?;
        let config = folder.read("config.json")?;
        let opened = catch_library_panic(|| {
            let config = parse_json("config.json", config.as_deref())?;
            Self::from_files(&folder.name, &files, &config, max_length)
        });
        let opened = opened.unwrap_or_else(|panic| Err(format!("the tokenizer files are damaged: {panic}")));
        opened.map_err(|problem| Error::model(&folder.name, problem))
    }

    /// The error is a sentence without the name of the model.
    fn from_files(
        name: &str,
        files: &Files,
        config: &Value,
        max_length: Option<usize>,
    ) -> Result<Self, String> {
        let tokenizer_config = files.object("tokenizer_config.json")?;
        let tokenizer_json = files.json("tokenizer.json")?;
        let (class, class_name) = TokenizerClass::of(&tokenizer_config, config)?;
        let sentencepiece = match class.sentencepiece_file() {
            Some(name) if tokenizer_json.is_null() => files
                .get(name)
                .map(|bytes| SentencePieceModel::parse(bytes).map_err(|problem| format!("{name} {problem}"))),
            _ => None,
        };
        let sentencepiece = sentencepiece.transpose()?;
        let parsed = ParsedFiles {
            sentencepiece: sentencepiece.as_ref(),
            tokenizer_config: &tokenizer_config,
            special_tokens_map: &files.object("special_tokens_map.json")?,
            added_tokens: &files.object("added_tokens.json")?,
            tokenizer_json: &tokenizer_json,
        };
        let settings = Settings::resolve(&parsed, class)?;
        let json = files.get("tokenizer.json").map(|bytes| (bytes, &tokenizer_json));
        let source = Source {
            json,
            vocab_txt: files.get("vocab.txt"),
            vocab_json: files.get("vocab.json"),
            merges: files.get("merges.txt"),
            sentencepiece: sentencepiece.as_ref(),
        };
        let BuiltTokenizer { inner, truncation_side } = build(&source, &settings, class)?;
        let max_positions = config["max_position_embeddings"].as_u64();
        let max_positions = max_positions.and_then(|positions| usize::try_from(positions).ok());
        let max_positions = max_positions.unwrap_or(DEFAULT_POSITIONS);
        let max_positions = max_positions.saturating_sub(unused_positions(config)).max(MIN_LENGTH);
        let max_length = max_length.or(settings.model_max_length).unwrap_or(usize::MAX).min(max_positions);
        let direction = settings.truncation_side.or(truncation_side).unwrap_or_default();
        Ok(Tokenizer {
            name: name.to_string(),
            vocab_size: inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1),
            embedding_rows: config["vocab_size"].as_u64(),
            splits_at_blanks: splits_at_blanks(&inner),
            inner: TruncatingTokenizer::new(inner, max_length, direction)?,
            max_positions,
            class,
            class_name,
            settings,
            original_config: tokenizer_config,
            vocab_txt: match files.get("tokenizer.json") {
                None if class.is_word_piece() => files.get("vocab.txt").map(<[u8]>::to_vec),
                _ => None,
            },
        })
    }
}
