//! The tokenizer that `TokenizersBackend` makes of tokenizer.model, a model of SentencePiece without a class of its own
//! (`SpmConverter.build_tokenizer_from_spm_proto` in `convert_slow_tokenizer.py`). As there, texts are not trimmed and
//! get no blank in front, whatever the normalizer of the model says.

use super::charsmap;
use super::components::{BuiltTokenizer, add_tokens, template};
use super::sentencepiece::{ModelType, SentencePieceModel};
use super::settings::Settings;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{DecoderWrapper, ModelWrapper, NormalizerWrapper, Tokenizer};

/// The largest size of all merges in bytes, ten times that of the largest vocabulary in use.
const MAX_MERGES: usize = 64 << 20;

/// Makes a tokenizer. The error is a sentence.
pub(super) fn build(model: &SentencePieceModel, settings: &Settings) -> Result<BuiltTokenizer, String> {
    let invalid = |e: &dyn std::fmt::Display| format!("tokenizer.model cannot be used: {e}");
    let inner: ModelWrapper = match model.model_type {
        ModelType::Unigram => unigram(model).map_err(|e| invalid(&e))?.into(),
        ModelType::Bpe => bpe(model, settings).map_err(|e| invalid(&e))?.into(),
        ModelType::Word | ModelType::Char => {
            return Err(invalid(&"it is of model_type word or char; only unigram and bpe are supported"));
        }
    };
    let blank = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let map = charsmap::normalizer(&model.charsmap)?;
    let normalizers: Vec<Value> = [map, blank].into_iter().filter(|part| !part.is_null()).collect();
    let normalizer = json!({"type": "Sequence", "normalizers": normalizers});
    let mut decoders = vec![json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "})];
    if model.byte_fallback {
        decoders.extend([json!({"type": "ByteFallback"}), json!({"type": "Fuse"})]);
    }
    let decoder = json!({"type": "Sequence", "decoders": decoders});
    let normalizer: NormalizerWrapper = serde_json::from_value(normalizer).map_err(|e| invalid(&e))?;
    let decoder: DecoderWrapper = serde_json::from_value(decoder).map_err(|e| invalid(&e))?;
    let mut tokenizer = Tokenizer::new(inner);
    tokenizer.with_normalizer(Some(normalizer)).map_err(|e| invalid(&e))?;
    tokenizer.with_decoder(Some(decoder));
    add_tokens(&mut tokenizer, settings)?;
    let processing = with_ends(&tokenizer, settings)?;
    tokenizer.with_post_processor(Some(processing));
    Ok(BuiltTokenizer { inner: tokenizer, truncation_side: None })
}

fn unigram(model: &SentencePieceModel) -> Result<Unigram, String> {
    let vocab = model.pieces.iter().map(|piece| (piece.text.clone(), f64::from(piece.score))).collect();
    let unknown = model.unk.id.ok_or("it has no piece for unknown characters (unk_id)")?;
    Unigram::from(vocab, Some(unknown), model.byte_fallback).map_err(|e| e.to_string())
}

fn bpe(model: &SentencePieceModel, settings: &Settings) -> Result<BPE, String> {
    // Of equal pieces, the last counts.
    let ids: HashMap<&str, u32> =
        (0..).zip(&model.pieces).map(|(id, piece)| (piece.text.as_str(), id)).collect();
    let merges = merges(&ids)?;
    let mut vocab = Vocab::default();
    vocab.extend(ids.iter().map(|(piece, id)| ((*piece).to_owned(), *id)));
    // An added token with the id of a piece replaces it.
    let mut pieces: HashMap<u32, &str> = ids.iter().map(|(piece, id)| (*id, *piece)).collect();
    for (id, token) in &settings.added {
        let Ok(id) = u32::try_from(*id) else { continue };
        let Some(piece) = pieces.get_mut(&id) else { continue };
        if *piece != token.content && !vocab.contains_key(&token.content) {
            vocab.remove(*piece);
            vocab.insert(token.content.clone(), id);
            *piece = &token.content;
        }
    }
    let builder = BPE::builder().vocab_and_merges(vocab, merges).unk_token(model.unk.text.clone());
    let bpe = builder.fuse_unk(true).byte_fallback(model.byte_fallback).build();
    bpe.map_err(|e| e.to_string())
}

/// The merges, which a model of SentencePiece does not have: each pair of pieces that makes a piece, in the order of its
/// id, and the pairs of a piece in the order of the length of the first (`generate_merges` in Transformers).
fn merges(ids: &HashMap<&str, u32>) -> Result<Vec<(String, String)>, String> {
    let mut pieces: Vec<&str> = ids.keys().copied().collect();
    pieces.sort_unstable_by_key(|piece| ids[piece]);
    let (mut merges, mut size) = (Vec::new(), 0);
    for piece in pieces {
        let middles = piece.char_indices().map(|(index, _)| piece.split_at(index)).skip(1);
        for (first, second) in middles.filter(|(a, b)| ids.contains_key(a) && ids.contains_key(b)) {
            size += piece.len();
            if size > MAX_MERGES {
                return Err("its pieces have too many pairs that make another piece".into());
            }
            merges.push((first.to_owned(), second.to_owned()));
        }
    }
    Ok(merges)
}

/// The first and the last token of each text, if `add_bos_token` and `add_eos_token` say so. The texts of a pair are of
/// the segments 0 and 1.
fn with_ends(tokenizer: &Tokenizer, settings: &Settings) -> Result<TemplateProcessing, String> {
    let mut tokens = Vec::new();
    let mut end = |is_added: bool, name: &str| match settings.named(name).filter(|_| is_added) {
        None => Ok::<_, String>(String::new()),
        Some(content) => {
            let id = tokenizer.token_to_id(content);
            tokens.push((
                content.to_owned(),
                id.ok_or_else(|| format!("the special token {name} cannot be used; set it"))?,
            ));
            Ok(content.to_owned())
        }
    };
    let first = end(settings.add_bos_token, "bos_token")?;
    let last = end(settings.add_eos_token, "eos_token")?;
    let text = |name: &str, segment: u8| {
        let pieces = [first.as_str(), name, last.as_str()].into_iter().filter(|piece| !piece.is_empty());
        pieces.map(|piece| format!("{piece}:{segment}")).collect::<Vec<_>>().join(" ")
    };
    let (single, second) = (text("$A", 0), text("$B", 1));
    template(single.clone(), format!("{single} {second}"), tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_are_those_of_transformers() {
        let ids =
            HashMap::from([("a", 5), ("b", 4), ("ab", 7), ("é", 2), ("aé", 3), ("abaé", 9), ("aba", 8)]);
        let found = merges(&ids).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, [("a", "é"), ("a", "b"), ("ab", "a"), ("ab", "aé"), ("aba", "é")]);
    }

    #[test]
    fn pieces_with_too_many_pairs_are_an_error() {
        let all = "a".repeat(1000);
        let ids: HashMap<&str, u32> =
            (1..=1000_u32).map(|length| (&all[..length as usize], length)).collect();
        assert!(merges(&ids).unwrap_err().contains("too many pairs"));
    }
}
