//! What several classes of tokenizers are made from.

use super::sentencepiece::SentencePieceModel;
use super::settings::Settings;
use super::token::Token;
use serde_json::{Value, json};
use std::collections::HashSet;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{Tokenizer, TruncationDirection};

/// The files that a tokenizer is made from.
pub(super) struct Source<'f> {
    /// tokenizer.json, as bytes and parsed.
    pub json: Option<(&'f [u8], &'f Value)>,
    pub vocab_txt: Option<&'f [u8]>,
    pub vocab_json: Option<&'f [u8]>,
    pub merges: Option<&'f [u8]>,
    pub sentencepiece: Option<&'f SentencePieceModel>,
}

/// A tokenizer, and the side of truncation that its tokenizer.json has.
pub(super) struct BuiltTokenizer {
    pub inner: Tokenizer,
    pub truncation_side: Option<TruncationDirection>,
}

pub(super) fn invalid_json(e: &dyn std::fmt::Display) -> String {
    format!("tokenizer.json cannot be used: {e}")
}

/// `<s> A </s>` and `<s> A </s> </s> B </s>`, without blanks in the offsets of tokens.
pub(super) fn roberta_processing(
    tokenizer: &Tokenizer,
    settings: &Settings,
) -> Result<RobertaProcessing, String> {
    let token = |name: &str| {
        let content = settings.named(name).unwrap_or("None").to_string();
        let unknown = || tokenizer.token_to_id(settings.named("unk_token")?);
        let id = tokenizer.token_to_id(&content).or_else(unknown);
        id.map(|id| (content.clone(), id)).ok_or_else(|| {
            format!("the special token {name} is {content:?}, which is not in the vocabulary; set it")
        })
    };
    let processing = RobertaProcessing::new(token("sep_token")?, token("cls_token")?);
    Ok(processing.trim_offsets(true).add_prefix_space(settings.add_prefix_space))
}

/// tokenizer.json without vocabulary and added tokens, which is read for the sections that matter and to find mistakes
/// in the other ones.
pub(super) fn sections_of(bytes: &[u8], value: &Value) -> Result<Tokenizer, String> {
    let kind = value.get("model").and_then(|model| model.get("type")).and_then(Value::as_str);
    if kind.is_none_or(|kind| kind == "Unigram") {
        return Tokenizer::from_bytes(bytes).map_err(|e| invalid_json(&e));
    }
    let Some(file) = value.as_object() else { return Err(invalid_json(&"it is not an object")) };
    // The vocabulary is not copied.
    let mut sections: serde_json::Map<String, Value> = file
        .iter()
        .filter(|(key, _)| !["model", "added_tokens"].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let model = file.get("model").and_then(Value::as_object);
    let mut model: serde_json::Map<String, Value> = model
        .into_iter()
        .flatten()
        .filter(|(key, _)| !["vocab", "merges"].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    model.insert("vocab".into(), json!({}));
    if kind == Some("BPE") {
        model.insert("merges".into(), json!([]));
    }
    sections.insert("model".into(), Value::Object(model));
    sections.insert("added_tokens".into(), json!([]));
    serde_json::from_value(Value::Object(sections)).map_err(|e| invalid_json(&e))
}

/// The vocabulary of a tokenizer.json: a map from tokens to ids, or a list of tokens.
pub(super) fn vocab_of_json(file: &Value) -> Result<Vec<(String, u32)>, String> {
    let in_vocab = |problem: &str| format!("model.vocab in tokenizer.json {problem}");
    let id = |token: &str, id: Option<u64>| {
        let id = id.and_then(|id| u32::try_from(id).ok());
        id.map(|id| (token.to_string(), id))
            .ok_or_else(|| in_vocab(&format!("has no valid id for {token:?}")))
    };
    match file.get("model").and_then(|model| model.get("vocab")) {
        Some(Value::Object(vocab)) => vocab.iter().map(|(token, value)| id(token, value.as_u64())).collect(),
        Some(Value::Array(tokens)) => (0_u64..)
            .zip(tokens)
            .map(|(index, token)| {
                let token = token.as_array().and_then(|pair| pair.first()).unwrap_or(token);
                let token = token.as_str().ok_or_else(|| in_vocab("has a token that is not a string"))?;
                id(token, Some(index))
            })
            .collect(),
        _ => Err(in_vocab("is neither a map from tokens to ids nor a list of tokens")),
    }
}

/// The special tokens around texts.
pub(super) fn template(
    single: String,
    pair: String,
    tokens: Vec<(String, u32)>,
) -> Result<TemplateProcessing, String> {
    let invalid = |e: &dyn std::fmt::Display| format!("the special tokens cannot be used: {e}");
    TemplateProcessing::builder()
        .try_single(single)
        .map_err(|e| invalid(&e))?
        .try_pair(pair)
        .map_err(|e| invalid(&e))?
        .special_tokens(tokens)
        .build()
        .map_err(|e| invalid(&e))
}

/// `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`. `ids` are those of `[CLS]` and `[SEP]` for a tokenizer without these
/// tokens.
pub(super) fn bert_template(
    tokenizer: &Tokenizer,
    settings: &Settings,
    ids: (u32, u32),
) -> Result<TemplateProcessing, String> {
    let token = |name: &str, default: u32| {
        let content = settings.named(name).unwrap_or("None").to_string();
        let unknown = || tokenizer.token_to_id(settings.named("unk_token")?);
        let id = settings.named(name).map(|content| tokenizer.token_to_id(content).or_else(unknown));
        match id.unwrap_or(Some(default)) {
            Some(id) => Ok((content, id)),
            None => Err(format!("the special token {name} is {content:?}, which is not in the vocabulary")),
        }
    };
    let (cls, sep) = (token("cls_token", ids.0)?, token("sep_token", ids.1)?);
    let single = format!("{}:0 $A:0 {}:0", cls.0, sep.0);
    let pair = format!("{single} $B:1 {}:1", sep.0);
    template(single, pair, vec![cls, sep])
}

pub(super) fn add_tokens(tokenizer: &mut Tokenizer, settings: &Settings) -> Result<(), String> {
    let existing: HashSet<String> =
        tokenizer.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
    let tokens: Vec<_> = settings.tokens_to_add(&existing).iter().map(Token::to_added).collect();
    tokenizer.add_tokens(tokens).map(|_| ()).map_err(|e| format!("the added tokens cannot be used: {e}"))
}
