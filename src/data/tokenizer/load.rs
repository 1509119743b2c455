//! Loading of the tokenizer of a model: from `tokenizer.json`, or from `vocab.txt` alone.

use super::encode::Tokenizer;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use serde_json::Value;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, TruncationDirection, TruncationParams, TruncationStrategy};

/// The files of a tokenizer in the Hugging Face layout.
pub(super) const FILES: [&str; 4] =
    ["tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"];

/// The special tokens of a BERT vocabulary, with their keys in `special_tokens_map.json`.
pub(super) const SPECIAL_TOKENS: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// The minimum length: the three special tokens of a pair, and a token of each text.
const MIN_LENGTH: usize = 5;

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
        let mut files = Vec::new();
        for name in FILES {
            if let Some(bytes) = folder.read(name)? {
                files.push((name, bytes));
            }
        }
        let file = |name: &str| files.iter().find(|(n, _)| *n == name).map(|(_, bytes)| &bytes[..]);
        let tokenizer_config = parse_json(folder, "tokenizer_config.json", file("tokenizer_config.json"))?;
        let config = folder.read("config.json")?;
        let config = parse_json(folder, "config.json", config.as_deref())?;
        let mut inner = match (file("tokenizer.json"), file("vocab.txt")) {
            (Some(bytes), _) => from_json(folder, bytes, &tokenizer_config)?,
            (None, Some(bytes)) => from_vocab(folder, bytes, &tokenizer_config)?,
            (None, None) => {
                let problem = "has neither tokenizer.json nor vocab.txt; one of them is required";
                return Err(Error::model(&folder.name, problem));
            }
        };
        let max_positions = config["max_position_embeddings"].as_u64();
        let max_positions = max_positions.map_or(512, |n| n as usize).max(MIN_LENGTH);
        let max_length = max_length.min(max_positions);
        inner
            .with_truncation(Some(TruncationParams {
                max_length,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            }))
            .map_err(|e| {
                Error::model(&folder.name, format!("the tokenizer does not support truncation: {e}"))
            })?;
        inner.with_padding(None);
        Ok(Tokenizer {
            vocab_size: inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1),
            is_lowercase: is_lowercase(&inner),
            is_distilbert: config["model_type"] == "distilbert",
            inner,
            max_length,
            max_positions,
            files,
        })
    }
}

/// The value of a JSON file; null if the model does not have the file.
fn parse_json(folder: &ModelFolder, name: &str, bytes: Option<&[u8]>) -> Result<Value> {
    bytes.map_or(Ok(Value::Null), |bytes| {
        serde_json::from_slice(bytes)
            .map_err(|e| Error::model(&folder.name, format!("{name} is not valid JSON: {e}")))
    })
}

/// The tokenizer of a `tokenizer.json`.
fn from_json(folder: &ModelFolder, bytes: &[u8], config: &Value) -> Result<tokenizers::Tokenizer> {
    let invalid =
        |e: &dyn std::fmt::Display| Error::model(&folder.name, format!("tokenizer.json cannot be used: {e}"));
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| invalid(&e))?;
    // As in Transformers, tokenizer_config.json takes precedence over tokenizer.json.
    let lowercase = config["do_lower_case"].as_bool();
    if let Some(tokenizers::NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer()
        && let Some(lowercase) = lowercase.filter(|lowercase| *lowercase != normalizer.lowercase)
    {
        let normalizer = BertNormalizer::new(
            normalizer.clean_text,
            normalizer.handle_chinese_chars,
            normalizer.strip_accents,
            lowercase,
        );
        tokenizer.with_normalizer(Some(normalizer)).map_err(|e| invalid(&e))?;
    }
    Ok(tokenizer)
}

/// Transformers' `BertTokenizer` for a vocabulary file with one token per line.
fn from_vocab(folder: &ModelFolder, bytes: &[u8], config: &Value) -> Result<tokenizers::Tokenizer> {
    let invalid = |e: String| Error::model(&folder.name, format!("vocab.txt {e}"));
    let vocab = WordPiece::read_bytes(bytes).map_err(|e| invalid(format!("is not UTF-8 text: {e}")))?;
    let id = |token: &str| {
        vocab
            .get(token)
            .copied()
            .ok_or_else(|| invalid(format!("has no {token} and is not a BERT vocabulary")))
    };
    let (sep, cls) = (id("[SEP]")?, id("[CLS]")?);
    id("[UNK]")?;
    let special: Vec<AddedToken> = SPECIAL_TOKENS
        .iter()
        .filter(|(_, token)| vocab.contains_key(*token))
        .map(|(_, token)| AddedToken::from(*token, true))
        .collect();
    let model = WordPiece::builder()
        .vocab(vocab)
        .unk_token("[UNK]".to_string())
        .build()
        .map_err(|e| invalid(format!("is not a vocabulary: {e}")))?;
    let flag = |key: &str, default: bool| config[key].as_bool().unwrap_or(default);
    let normalizer = BertNormalizer::new(
        true,
        flag("tokenize_chinese_chars", true),
        config["strip_accents"].as_bool(),
        flag("do_lower_case", true),
    );
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_normalizer(Some(normalizer)).map_err(|e| invalid(e.to_string()))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    tokenizer.with_post_processor(Some(BertProcessing::new(
        ("[SEP]".to_string(), sep),
        ("[CLS]".to_string(), cls),
    )));
    tokenizer.add_special_tokens(special).map_err(|e| invalid(e.to_string()))?;
    Ok(tokenizer)
}

/// Whether the tokenizer converts text to lower case.
fn is_lowercase(tokenizer: &tokenizers::Tokenizer) -> bool {
    match tokenizer.get_normalizer() {
        Some(tokenizers::NormalizerWrapper::BertNormalizer(normalizer)) => normalizer.lowercase,
        _ => tokenizer.encode_fast("A", false).is_ok_and(|upper| {
            tokenizer.encode_fast("a", false).is_ok_and(|lower| upper.get_ids() == lower.get_ids())
        }),
    }
}
