//! A tokenizer from its vocabulary and its settings, as Transformers makes it.

use super::bpe::roberta;
use super::class::TokenizerClass;
use super::components::{
    BuiltTokenizer, Source, add_tokens, bert_template, invalid_json, roberta_processing, sections_of,
    vocab_of_json,
};
use super::settings::Settings;
use super::{charsmap, sentencepiece_backend, unigram};
use serde_json::Value;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{Model, ModelWrapper, Tokenizer};

/// The ids of `[CLS]` and `[SEP]` in the template of a `BertTokenizer` without these tokens.
const DEFAULT_IDS: (u32, u32) = (2, 3);

/// Makes a tokenizer. The error is a sentence that names the file at fault.
pub(super) fn build(
    source: &Source<'_>,
    settings: &Settings,
    class: TokenizerClass,
) -> Result<BuiltTokenizer, String> {
    if let Some((_, value)) = source.json {
        check_template(value.get("post_processor").unwrap_or(&Value::Null))?;
        charsmap::check_normalizer(value.get("normalizer").unwrap_or(&Value::Null))?;
    }
    let mut built = match (class, source.json) {
        (TokenizerClass::Bert { .. } | TokenizerClass::Mpnet, _) => word_piece(source, settings, class)?,
        (TokenizerClass::Roberta, _) => roberta(source, settings)?,
        (
            TokenizerClass::XlmRoberta
            | TokenizerClass::Camembert
            | TokenizerClass::Albert
            | TokenizerClass::DebertaV2,
            _,
        ) => unigram::build(source, settings, class)?,
        (TokenizerClass::Fast, Some((bytes, value))) => fast(bytes, value, settings)?,
        (TokenizerClass::Fast, None) => {
            let missing = "has neither tokenizer.json nor tokenizer.model, of which its tokenizer_class requires one; \
                           save the tokenizer with save_pretrained of Transformers";
            sentencepiece_backend::build(source.sentencepiece.ok_or(missing)?, settings)?
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

/// `BertTokenizer` and `MPNetTokenizer`: from tokenizer.json they take the vocabulary, the added tokens and the side of
/// truncation only.
fn word_piece(
    source: &Source<'_>,
    settings: &Settings,
    class: TokenizerClass,
) -> Result<BuiltTokenizer, String> {
    let unknown = settings.named("unk_token").unwrap_or("None").to_string();
    let (model, truncation_side) = match (source.json, source.vocab_txt) {
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
    if class == TokenizerClass::Mpnet {
        let processing = roberta_processing(&tokenizer, settings)?;
        tokenizer.with_post_processor(Some(processing));
    } else {
        let template = bert_template(&tokenizer, settings, DEFAULT_IDS)?;
        tokenizer.with_post_processor(Some(template));
    }
    Ok(BuiltTokenizer { inner: tokenizer, truncation_side })
}

/// `TokenizersBackend`: tokenizer.json as it is, with further tokens from the other files.
fn fast(bytes: &[u8], value: &Value, settings: &Settings) -> Result<BuiltTokenizer, String> {
    if value.pointer("/model/dropout").and_then(Value::as_f64).is_some_and(|dropout| dropout > 0.0) {
        return Err("model.dropout in tokenizer.json makes the token ids random; set it to null".into());
    }
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
