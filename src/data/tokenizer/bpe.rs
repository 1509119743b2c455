//! `RobertaTokenizer`: byte-level BPE, from tokenizer.json or from vocab.json and merges.txt.

use super::components::{BuiltTokenizer, Source, add_tokens, roberta_processing, sections_of};
use super::settings::Settings;
use serde_json::{Value, json};
use tokenizers::{Tokenizer, TruncationDirection};

/// Vocabulary and merges of a tokenizer.
struct Parts {
    vocab: Value,
    merges: Value,
    truncation_side: Option<TruncationDirection>,
}

/// From tokenizer.json it takes the vocabulary, the merges, the added tokens and the side of truncation only.
pub(super) fn roberta(source: &Source<'_>, settings: &Settings) -> Result<BuiltTokenizer, String> {
    let Parts { vocab, merges, truncation_side } = match (source.json, source.vocab_json, source.merges) {
        (Some((bytes, value)), ..) => parts_of_json(bytes, value)?,
        (None, Some(vocab), Some(merges)) => parts_of_files(vocab, merges)?,
        (None, Some(_), None) => {
            return Err("has vocab.json but no merges.txt; both are required".into());
        }
        (None, None, _) => {
            return Err(
                "has neither tokenizer.json nor vocab.json and merges.txt; one of them is required".into()
            );
        }
    };
    let rebuilt = json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": settings.add_prefix_space, "trim_offsets": true, "use_regex": true,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": merges,
        },
    });
    let invalid = |e: serde_json::Error| format!("the vocabulary or the merges cannot be used: {e}");
    let mut tokenizer: Tokenizer = serde_json::from_value(rebuilt).map_err(invalid)?;
    add_tokens(&mut tokenizer, settings)?;
    let processing = roberta_processing(&tokenizer, settings)?;
    tokenizer.with_post_processor(Some(processing));
    Ok(BuiltTokenizer { inner: tokenizer, truncation_side })
}

fn parts_of_json(bytes: &[u8], value: &Value) -> Result<Parts, String> {
    let sections = sections_of(bytes, value)?;
    let model = value.get("model").unwrap_or(&Value::Null);
    let missing =
        |key: &str| format!("model.{key} in tokenizer.json is missing; RobertaTokenizer is byte-level BPE");
    Ok(Parts {
        vocab: model.get("vocab").filter(|vocab| vocab.is_object()).ok_or_else(|| missing("vocab"))?.clone(),
        merges: model
            .get("merges")
            .filter(|merges| merges.is_array())
            .ok_or_else(|| missing("merges"))?
            .clone(),
        truncation_side: sections.get_truncation().map(|section| section.direction),
    })
}

/// A line of merges.txt has two tokens, with a blank between them. The first line may name the version.
fn parts_of_files(vocab: &[u8], merges: &[u8]) -> Result<Parts, String> {
    let vocab: Value =
        serde_json::from_slice(vocab).map_err(|e| format!("vocab.json is not valid JSON: {e}"))?;
    if !vocab.is_object() {
        return Err("vocab.json is not a map from tokens to ids".into());
    }
    let text = std::str::from_utf8(merges).map_err(|e| format!("merges.txt is not UTF-8 text: {e}"))?;
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with("#version")) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [first, second] => pairs.push(json!([first, second])),
            _ => {
                return Err(format!(
                    "line {} of merges.txt is not two tokens with a blank between them",
                    index + 1
                ));
            }
        }
    }
    Ok(Parts { vocab, merges: pairs.into(), truncation_side: None })
}
