//! Tokenizers with a Unigram vocabulary. From tokenizer.json they take the vocabulary, the map of characters, the added
//! tokens and the side of truncation only, unless said otherwise; without that file, the vocabulary and the map are those
//! of a model of SentencePiece.

use super::charsmap;
use super::class::TokenizerClass;
use super::components::{BuiltTokenizer, Source, add_tokens, bert_template, invalid_json, template};
use super::sentencepiece::{ModelType, SentencePieceModel};
use super::settings::Settings;
use serde_json::{Value, json};
use std::borrow::Cow;
use tokenizers::{PostProcessorWrapper, Tokenizer, TruncationDirection};

/// What the files of a tokenizer have.
struct Parts<'f> {
    /// A list of tokens with their scores.
    vocab: Cow<'f, Value>,
    /// The normalizer with the map of characters, or null.
    charsmap: Value,
    truncation_side: Option<TruncationDirection>,
    /// What tokenizer.json adds around texts.
    post_processor: Option<PostProcessorWrapper>,
}

/// Makes a tokenizer of `class`, which has a Unigram vocabulary.
pub(super) fn build(
    source: &Source<'_>,
    settings: &Settings,
    class: TokenizerClass,
) -> Result<BuiltTokenizer, String> {
    let parts = match (source.json, source.sentencepiece) {
        (Some((bytes, value)), _) => Parts::of_json(bytes, value)?,
        (None, Some(model)) => Parts::of_sentencepiece(model, settings, class)?,
        (None, None) => {
            let file = class.sentencepiece_file().unwrap_or("spiece.model");
            return Err(format!("has neither tokenizer.json nor {file}; one of them is required"));
        }
    };
    match class {
        TokenizerClass::Albert => albert(&parts, settings),
        TokenizerClass::Camembert => camembert(&parts, settings),
        TokenizerClass::DebertaV2 => deberta_v2(&parts, settings),
        _ => with_doubled_separator(&parts, 3, settings),
    }
}

impl<'f> Parts<'f> {
    fn of_json(bytes: &[u8], value: &'f Value) -> Result<Self, String> {
        let whole = Tokenizer::from_bytes(bytes).map_err(|e| invalid_json(&e))?;
        let vocab = value.pointer("/model/vocab").filter(|vocab| vocab.is_array());
        let vocab = vocab.ok_or("model.vocab in tokenizer.json is not a list of tokens with their scores")?;
        let normalizer = value.get("normalizer").unwrap_or(&Value::Null);
        let all = normalizer.get("normalizers").and_then(Value::as_array);
        let has_map = |normalizer: &&Value| normalizer.get("precompiled_charsmap").is_some();
        let charsmap = all.into_iter().flatten().chain([normalizer]).find(has_map).cloned();
        Ok(Parts {
            vocab: Cow::Borrowed(vocab),
            charsmap: charsmap.unwrap_or_default(),
            truncation_side: whole.get_truncation().map(|section| section.direction),
            post_processor: whole.get_post_processor().cloned(),
        })
    }

    /// RoBERTa's families have other special tokens in front than SentencePiece (`convert_slow_tokenizer.py`).
    fn of_sentencepiece(
        model: &SentencePieceModel,
        settings: &Settings,
        class: TokenizerClass,
    ) -> Result<Self, String> {
        // The other classes take the scores for those of Unigram, as in Transformers.
        let is_strict = matches!(class, TokenizerClass::Camembert | TokenizerClass::Albert);
        if is_strict && model.model_type != ModelType::Unigram {
            let file = class.sentencepiece_file().unwrap_or("spiece.model");
            return Err(format!(
                "{file} is of a model_type that its tokenizer_class does not have; train it as unigram"
            ));
        }
        let named = |name: &str, score: f64| json!([settings.named(name).unwrap_or("None"), score]);
        let special = ["bos_token", "pad_token", "eos_token", "unk_token"].map(|name| named(name, 0.0));
        let [_, pad, _, unk] = &special;
        let mut vocab: Vec<Value> = match class {
            TokenizerClass::XlmRoberta => special.into_iter().chain(model.vocab().skip(3)).collect(),
            TokenizerClass::Camembert => {
                let unused = |token: &str, score: f64| json!([token, score]);
                let first = [
                    unused("<s>NOTUSED", 0.0),
                    pad.clone(),
                    unused("</s>NOTUSED", 0.0),
                    unk.clone(),
                    unused("<unk>NOTUSED", -100.0),
                ];
                first.into_iter().chain(model.vocab().skip(1)).collect()
            }
            _ => model.vocab().collect(),
        };
        if matches!(class, TokenizerClass::XlmRoberta | TokenizerClass::Camembert) {
            vocab.push(named("mask_token", 0.0));
        }
        let charsmap = charsmap::normalizer(&model.charsmap)?;
        Ok(Parts { vocab: Cow::Owned(vocab.into()), charsmap, truncation_side: None, post_processor: None })
    }

    /// A tokenizer that splits at blanks and marks the beginning of words with `▁`, with the added tokens.
    fn build(&self, unk_id: usize, normalizer: &Value, settings: &Settings) -> Result<Tokenizer, String> {
        let metaspace = metaspace(if settings.add_prefix_space { "always" } else { "never" });
        self.with_pre_tokenizers(
            &[json!({"type": "WhitespaceSplit"}), metaspace],
            unk_id,
            normalizer,
            settings,
        )
    }

    /// A tokenizer with the added tokens and these pre-tokenizers, of which the last also decodes.
    fn with_pre_tokenizers(
        &self,
        pre_tokenizers: &[Value],
        unk_id: usize,
        normalizer: &Value,
        settings: &Settings,
    ) -> Result<Tokenizer, String> {
        let rebuilt = json!({
            "version": "1.0",
            "added_tokens": [],
            "normalizer": normalizer,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": pre_tokenizers},
            "decoder": pre_tokenizers.last(),
            "model": {"type": "Unigram", "unk_id": unk_id, "vocab": self.vocab, "byte_fallback": false},
        });
        let mut tokenizer: Tokenizer = serde_json::from_value(rebuilt).map_err(|e| invalid_json(&e))?;
        add_tokens(&mut tokenizer, settings)?;
        Ok(tokenizer)
    }

    /// The tokenizer with special tokens around texts.
    fn finish(
        &self,
        mut inner: Tokenizer,
        post_processor: impl Into<PostProcessorWrapper>,
    ) -> BuiltTokenizer {
        inner.with_post_processor(Some(post_processor.into()));
        BuiltTokenizer { inner, truncation_side: self.truncation_side }
    }
}

/// `CamembertTokenizer`, which finds the token for unknown words in the vocabulary.
fn camembert(parts: &Parts<'_>, settings: &Settings) -> Result<BuiltTokenizer, String> {
    let is_unknown = |piece: &Value| piece.get(0).and_then(Value::as_str) == settings.named("unk_token");
    let unk_id = parts.vocab.as_array().and_then(|vocab| vocab.iter().position(is_unknown)).unwrap_or(0);
    with_doubled_separator(parts, unk_id, settings)
}

/// `XLMRobertaTokenizer` and `CamembertTokenizer`: `<s> A </s>` and `<s> A </s> </s> B </s>`, all of segment 0.
fn with_doubled_separator(
    parts: &Parts<'_>,
    unk_id: usize,
    settings: &Settings,
) -> Result<BuiltTokenizer, String> {
    let tokenizer = parts.build(unk_id, &parts.charsmap, settings)?;
    let token = |name: &str| {
        let content = settings.named(name).unwrap_or("None").to_string();
        let id = tokenizer.token_to_id(&content);
        id.map(|id| (content, id)).ok_or_else(|| format!("the special token {name} cannot be used; set it"))
    };
    let (bos, eos) = (token("bos_token")?, token("eos_token")?);
    let single = format!("{} $A {}", bos.0, eos.0);
    let pair = format!("{single} {} $B:0 {}", eos.0, eos.0);
    let template = template(single, pair, vec![bos, eos])?;
    Ok(parts.finish(tokenizer, template))
}

/// `AlbertTokenizer`, which also takes the special tokens around texts from tokenizer.json.
fn albert(parts: &Parts<'_>, settings: &Settings) -> Result<BuiltTokenizer, String> {
    let quote = |pattern: &str| json!({"type": "Replace", "pattern": {"String": pattern}, "content": "\""});
    let mut normalizers = vec![quote("``"), quote("''")];
    if !settings.keep_accents {
        normalizers.extend([json!({"type": "NFKD"}), json!({"type": "StripAccents"})]);
    }
    if settings.do_lower_case {
        normalizers.push(json!({"type": "Lowercase"}));
    }
    if !parts.charsmap.is_null() {
        normalizers.push(parts.charsmap.clone());
    }
    let tokenizer = parts.build(1, &json!({"type": "Sequence", "normalizers": normalizers}), settings)?;
    if let Some(post_processor) = &parts.post_processor {
        return Ok(parts.finish(tokenizer, post_processor.clone()));
    }
    let token = |name: &str, default: &str| {
        let content = settings.named(name).unwrap_or(default);
        let id = tokenizer.token_to_id(content);
        id.map(|id| (default.to_string(), id)).ok_or_else(|| {
            format!("the special token {name} is {content:?}, which is not in the vocabulary; set it")
        })
    };
    let (cls, sep) = (token("cls_token", "[CLS]")?, token("sep_token", "[SEP]")?);
    let single = "[CLS]:0 $A:0 [SEP]:0".to_string();
    let template = template(single.clone(), format!("{single} $B:1 [SEP]:1"), vec![cls, sep])?;
    Ok(parts.finish(tokenizer, template))
}

/// `DebertaV2Tokenizer`, which does not use the map of characters.
fn deberta_v2(parts: &Parts<'_>, settings: &Settings) -> Result<BuiltTokenizer, String> {
    let mut normalizers = Vec::new();
    if settings.do_lower_case {
        normalizers.push(json!({"type": "Lowercase"}));
    }
    normalizers.extend([
        json!({"type": "Replace", "pattern": {"Regex": r"\s{2,}|[\n\r\t]"}, "content": " "}),
        json!({"type": "NFC"}),
        json!({"type": "Strip", "strip_left": false, "strip_right": true}),
    ]);
    let mut pre_tokenizers = Vec::new();
    if settings.split_by_punct {
        pre_tokenizers.push(json!({"type": "Punctuation", "behavior": "Isolated"}));
    }
    pre_tokenizers.push(metaspace(if settings.add_prefix_space { "always" } else { "first" }));
    let unknown = settings.named("unk_token").unwrap_or("None");
    let is_unknown = |piece: &Value| {
        piece.get(0).and_then(Value::as_str) == Some(unknown)
            && piece.get(1).and_then(Value::as_f64) == Some(0.0)
    };
    let unk_id = parts.vocab.as_array().and_then(|vocab| vocab.iter().position(is_unknown));
    let normalizer = json!({"type": "Sequence", "normalizers": normalizers});
    let unk_id = unk_id.unwrap_or(settings.unk_id);
    let tokenizer = parts.with_pre_tokenizers(&pre_tokenizers, unk_id, &normalizer, settings)?;
    let template = bert_template(&tokenizer, settings, (0, 0))?;
    Ok(parts.finish(tokenizer, template))
}

fn metaspace(prepend_scheme: &str) -> Value {
    json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": prepend_scheme, "split": true})
}
