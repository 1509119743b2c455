//! A tokenizer from its vocabulary and its settings, as Transformers makes it.

use super::class::TokenizerClass;
use super::settings::Settings;
use super::token::Token;
use serde_json::{Value, json};
use std::collections::HashSet;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{Model, ModelWrapper, Tokenizer, TruncationDirection};

/// The ids of `[CLS]` and `[SEP]` in a template for a tokenizer without these tokens.
const DEFAULT_IDS: (u32, u32) = (2, 3);
/// The longest text that a replacement rule of a normalizer may make of one character.
const MAX_GROWTH: usize = 1000;

/// The files that a tokenizer is made from.
pub(super) struct Source<'f> {
    /// tokenizer.json, as bytes and parsed.
    pub json: Option<(&'f [u8], &'f Value)>,
    pub vocab: Option<&'f [u8]>,
}

/// A tokenizer, and the side of truncation that its tokenizer.json has.
pub(super) struct BuiltTokenizer {
    pub inner: Tokenizer,
    pub truncation_side: Option<TruncationDirection>,
}

/// Makes a tokenizer. The error is a sentence that names the file at fault.
pub(super) fn build(
    source: &Source<'_>,
    settings: &Settings,
    class: TokenizerClass,
) -> Result<BuiltTokenizer, String> {
    if let Some((_, value)) = source.json {
        check_template(value.get("post_processor").unwrap_or(&Value::Null))?;
    }
    let mut built = match (class, source.json) {
        (TokenizerClass::Bert { .. }, _) => bert(source, settings)?,
        (TokenizerClass::XlmRoberta, Some((bytes, value))) => xlm_roberta(bytes, value, settings)?,
        (TokenizerClass::Fast, Some((bytes, value))) => fast(bytes, value, settings)?,
        (TokenizerClass::XlmRoberta | TokenizerClass::Fast, None) => {
            let problem =
                "has no tokenizer.json, which its tokenizer_class requires; set it to \"BertTokenizer\"";
            return Err(problem.into());
        }
    };
    check_unknown(&built.inner)?;
    built.inner.set_encode_special_tokens(settings.split_special_tokens);
    Ok(built)
}

/// The token for unknown words has to be in the vocabulary, or a text with such a word could not be encoded.
fn check_unknown(tokenizer: &Tokenizer) -> Result<(), String> {
    match tokenizer.get_model() {
        ModelWrapper::WordPiece(model) if model.token_to_id(&model.unk_token).is_none() => Err(format!(
            "the vocabulary does not have {:?}, the token for unknown words; set unk_token in tokenizer_config.json",
            model.unk_token
        )),
        _ => Ok(()),
    }
}

/// Each special token that the template of tokenizer.json names has to be in its table of special tokens. The crate does
/// not check that, and panics when it adds such a token.
fn check_template(processor: &Value) -> Result<(), String> {
    for part in processor.get("processors").and_then(Value::as_array).into_iter().flatten() {
        check_template(part)?;
    }
    let pieces = ["single", "pair"].iter().filter_map(|key| processor.get(*key)?.as_array()).flatten();
    for name in pieces.filter_map(|piece| piece.get("SpecialToken")?.get("id")?.as_str()) {
        if processor.get("special_tokens").and_then(|tokens| tokens.get(name)).is_none() {
            return Err(format!(
                "tokenizer.json cannot be used: post_processor adds {name:?}, which special_tokens does not have"
            ));
        }
    }
    Ok(())
}

fn invalid_json(e: &dyn std::fmt::Display) -> String {
    format!("tokenizer.json cannot be used: {e}")
}

/// `BertTokenizer`: from tokenizer.json it takes the vocabulary, the added tokens and the side of truncation only.
fn bert(source: &Source<'_>, settings: &Settings) -> Result<BuiltTokenizer, String> {
    let unknown = settings.named("unk_token").unwrap_or("None").to_string();
    let (model, truncation_side) = match (source.json, source.vocab) {
        (Some((bytes, value)), _) => {
            let sections = sections_of(bytes, value)?;
            let side = sections.get_truncation().map(|section| section.direction);
            // An empty map of the type that the crate wants.
            let mut vocab = WordPiece::read_bytes(&[]).map_err(|e| invalid_json(&e))?;
            vocab.extend(vocab_of_json(value)?);
            (WordPiece::builder().vocab(vocab), side)
        }
        (None, Some(bytes)) => {
            let vocab =
                WordPiece::read_bytes(bytes).map_err(|e| format!("vocab.txt is not UTF-8 text: {e}"))?;
            (WordPiece::builder().vocab(vocab), None)
        }
        (None, None) => {
            return Err("has neither tokenizer.json nor vocab.txt; one of them is required".into());
        }
    };
    let invalid = |e: &dyn std::fmt::Display| format!("the vocabulary cannot be used: {e}");
    let model = model.unk_token(unknown).build().map_err(|e| invalid(&e))?;
    let normalizer = BertNormalizer::new(
        true,
        settings.tokenize_chinese_chars,
        settings.strip_accents,
        settings.do_lower_case,
    );
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(normalizer)).map_err(|e| invalid(&e))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    add_tokens(&mut tokenizer, settings)?;
    let template = bert_template(&tokenizer, settings)?;
    tokenizer.with_post_processor(Some(template));
    Ok(BuiltTokenizer { inner: tokenizer, truncation_side })
}

/// `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`.
fn bert_template(tokenizer: &Tokenizer, settings: &Settings) -> Result<TemplateProcessing, String> {
    let token = |name: &str, default: u32| {
        let content = settings.named(name).unwrap_or("None").to_string();
        let unknown = || tokenizer.token_to_id(settings.named("unk_token")?);
        let id = settings.named(name).map(|content| tokenizer.token_to_id(content).or_else(unknown));
        match id.unwrap_or(Some(default)) {
            Some(id) => Ok((content, id)),
            None => Err(format!("the special token {name} is {content:?}, which is not in the vocabulary")),
        }
    };
    let (cls, sep) = (token("cls_token", DEFAULT_IDS.0)?, token("sep_token", DEFAULT_IDS.1)?);
    let single = format!("{}:0 $A:0 {}:0", cls.0, sep.0);
    let pair = format!("{single} $B:1 {}:1", sep.0);
    template(single, pair, vec![cls, sep])
}

/// tokenizer.json without vocabulary and added tokens, which is read for the sections that matter and to find mistakes
/// in the other ones.
fn sections_of(bytes: &[u8], value: &Value) -> Result<Tokenizer, String> {
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
fn vocab_of_json(file: &Value) -> Result<Vec<(String, u32)>, String> {
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

/// `XLMRobertaTokenizer`: from tokenizer.json it takes the Unigram vocabulary, the map of characters, the added tokens and
/// the side of truncation only.
fn xlm_roberta(bytes: &[u8], value: &Value, settings: &Settings) -> Result<BuiltTokenizer, String> {
    let sections = Tokenizer::from_bytes(bytes).map_err(|e| invalid_json(&e))?;
    let vocab = value.pointer("/model/vocab").filter(|vocab| vocab.is_array());
    let vocab = vocab.ok_or("model.vocab in tokenizer.json is not a list of tokens with their scores")?;
    let normalizer = value.get("normalizer").unwrap_or(&Value::Null);
    let all = normalizer.get("normalizers").and_then(Value::as_array);
    let is_precompiled = |normalizer: &&Value| normalizer.get("precompiled_charsmap").is_some();
    let precompiled = all.into_iter().flatten().chain([normalizer]).find(is_precompiled);
    let scheme = if settings.add_prefix_space { "always" } else { "never" };
    let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
    let rebuilt = json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": precompiled,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": false},
    });
    let mut tokenizer: Tokenizer = serde_json::from_value(rebuilt).map_err(|e| invalid_json(&e))?;
    add_tokens(&mut tokenizer, settings)?;
    let token = |name: &str| {
        let content = settings.named(name).unwrap_or("None").to_string();
        let id = tokenizer.token_to_id(&content);
        id.map(|id| (content, id)).ok_or_else(|| format!("the special token {name} cannot be used; set it"))
    };
    let (bos, eos) = (token("bos_token")?, token("eos_token")?);
    let single = format!("{} $A {}", bos.0, eos.0);
    let pair = format!("{single} {} $B:0 {}", eos.0, eos.0);
    tokenizer.with_post_processor(Some(template(single, pair, vec![bos, eos])?));
    let truncation_side = sections.get_truncation().map(|section| section.direction);
    Ok(BuiltTokenizer { inner: tokenizer, truncation_side })
}

/// The special tokens around texts.
fn template(single: String, pair: String, tokens: Vec<(String, u32)>) -> Result<TemplateProcessing, String> {
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

/// `TokenizersBackend`: tokenizer.json as it is, with further tokens from the other files.
fn fast(bytes: &[u8], value: &Value, settings: &Settings) -> Result<BuiltTokenizer, String> {
    if value.pointer("/model/dropout").and_then(Value::as_f64).is_some_and(|dropout| dropout > 0.0) {
        return Err("model.dropout in tokenizer.json makes the token ids random; set it to null".into());
    }
    check_growth(value.get("normalizer").unwrap_or(&Value::Null))?;
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| invalid_json(&e))?;
    let truncation_side = tokenizer.get_truncation().map(|section| section.direction);
    tokenizer.with_padding(None);
    if tokenizer.get_post_processor().is_none() {
        let plain = TemplateProcessing::builder().build().map_err(|e| invalid_json(&e))?;
        tokenizer.with_post_processor(Some(plain));
    }
    add_tokens(&mut tokenizer, settings)?;
    Ok(BuiltTokenizer { inner: tokenizer, truncation_side })
}

/// Rejects replacement rules that could turn a short text into one that does not fit in memory.
fn check_growth(normalizer: &Value) -> Result<(), String> {
    fn growth(normalizer: &Value) -> usize {
        let parts = normalizer.get("normalizers").and_then(Value::as_array);
        let of_parts = parts.into_iter().flatten().map(growth).fold(1, usize::saturating_mul);
        let content = normalizer.get("content").and_then(Value::as_str).map_or(1, str::len);
        of_parts.saturating_mul(content.max(1))
    }
    match growth(normalizer) {
        growth if growth > MAX_GROWTH => Err(format!(
            "the replacement rules of the normalizer in tokenizer.json can make a text {growth} times as long; \
             shorten them"
        )),
        _ => Ok(()),
    }
}

fn add_tokens(tokenizer: &mut Tokenizer, settings: &Settings) -> Result<(), String> {
    let existing: HashSet<String> =
        tokenizer.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
    let tokens: Vec<_> = settings.tokens_to_add(&existing).iter().map(Token::to_added).collect();
    tokenizer.add_tokens(tokens).map(|_| ()).map_err(|e| format!("the added tokens cannot be used: {e}"))
}
