//! What the files of a tokenizer say besides the vocabulary, with the precedence of Transformers 5
//! (`PreTrainedTokenizerBase._from_pretrained` and the constructors of `BertTokenizer` and `TokenizersBackend`).

use super::class::TokenizerClass;
use super::sentencepiece::{Piece, PieceKind, SentencePieceModel};
use super::token::{Token, marked_special};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use tokenizers::TruncationDirection;

/// The named special tokens, in the order in which Transformers adds them.
pub(super) const NAMED: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Arguments of the constructors that change token ids and are in no published file.
const UNSUPPORTED: [&str; 8] = [
    "vocab",
    "tokenizer_object",
    "gguf_file",
    "post_processor",
    "tokenizer_truncation",
    "tokenizer_padding",
    "_json_truncation",
    "_json_padding",
];

/// From this `model_max_length` on, Transformers does not truncate.
const LARGE_INTEGER: f64 = 1e20;

/// Added tokens by the id that their file has.
type AddedTokens = BTreeMap<i64, Token>;

/// The parsed files of a tokenizer; an absent one is null or empty.
pub(super) struct ParsedFiles<'f> {
    pub tokenizer_config: &'f Map<String, Value>,
    pub special_tokens_map: &'f Map<String, Value>,
    pub added_tokens: &'f Map<String, Value>,
    pub tokenizer_json: &'f Value,
    /// The model of SentencePiece, if the vocabulary is from it.
    pub sentencepiece: Option<&'f SentencePieceModel>,
}

/// The keys of a tokenizer that change token ids or truncation.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of tokenizer_config.json")]
pub(super) struct Settings {
    /// The special tokens by name, in the order in which they are added. `None` for a name without a token.
    pub named: Vec<(String, Option<Token>)>,
    /// Further special tokens.
    pub extra: Vec<Token>,
    /// The added tokens with the ids that their file has, in the order of these.
    pub added: Vec<(i64, Token)>,
    pub do_lower_case: bool,
    pub strip_accents: Option<bool>,
    pub tokenize_chinese_chars: bool,
    /// `AlbertTokenizer` only.
    pub keep_accents: bool,
    /// `DebertaV2Tokenizer` only.
    pub split_by_punct: bool,
    /// `DebertaV2Tokenizer` only: the id of the token for unknown words, unless it is in the vocabulary with a score of 0.
    pub unk_id: usize,
    pub add_prefix_space: bool,
    /// tokenizer.model only.
    pub add_bos_token: bool,
    /// tokenizer.model only.
    pub add_eos_token: bool,
    pub split_special_tokens: bool,
    /// The number of tokens to truncate to, if the files have one.
    pub model_max_length: Option<usize>,
    /// The end at which a text is truncated, if tokenizer_config.json has it.
    pub truncation_side: Option<TruncationDirection>,
    /// Whether the model gets the segments of a pair.
    pub has_type_ids: bool,
}

impl Settings {
    /// Resolves the files. The error is a sentence that names the file or the key at fault.
    pub(super) fn resolve(files: &ParsedFiles<'_>, class: TokenizerClass) -> Result<Self, String> {
        let mut keys = files.tokenizer_config.clone();
        reject_unsupported(&keys)?;
        side(&keys, "padding_side")?;
        let (specific, added) = merge_files(files, &mut keys)?;
        let is_bert = class.is_word_piece();
        Ok(Settings {
            named: named_tokens(&keys, &specific, class, &defaults(class, files), &added)?,
            extra: match files.sentencepiece {
                Some(model) if listed_extra(&keys).is_none() => tokens_of_pieces(model),
                _ => extra_tokens(&keys, class)?,
            },
            added: added.into_iter().collect(),
            do_lower_case: match class.do_lower_case() {
                Some(default) => flag(&keys, "do_lower_case", default)?,
                None => true,
            },
            strip_accents: match keys.get("strip_accents") {
                Some(value) if is_bert && !value.is_null() => Some(flag(&keys, "strip_accents", false)?),
                _ => None,
            },
            tokenize_chinese_chars: !is_bert || flag(&keys, "tokenize_chinese_chars", true)?,
            keep_accents: class == TokenizerClass::Albert && flag(&keys, "keep_accents", false)?,
            split_by_punct: class == TokenizerClass::DebertaV2 && flag(&keys, "split_by_punct", false)?,
            unk_id: unk_id(&keys, files.sentencepiece)?,
            add_prefix_space: match class.add_prefix_space() {
                Some(default) => flag(&keys, "add_prefix_space", default)?,
                None => true,
            },
            add_bos_token: files.sentencepiece.is_some() && flag(&keys, "add_bos_token", false)?,
            add_eos_token: files.sentencepiece.is_some() && flag(&keys, "add_eos_token", false)?,
            split_special_tokens: flag(&keys, "split_special_tokens", false)?,
            model_max_length: model_max_length(&keys)?,
            truncation_side: side(&keys, "truncation_side")?,
            has_type_ids: model_input_names(&keys, class)?,
        })
    }

    /// The text of a named special token. `None` for a name without a token.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        self.named.iter().find(|(key, _)| key == name)?.1.as_ref().map(|token| token.content.as_str())
    }

    /// The tokens to add to a tokenizer that already has the added tokens `existing`.
    pub(super) fn tokens_to_add(&self, existing: &HashSet<String>) -> Vec<Token> {
        let named = || self.named.iter().filter_map(|(_, token)| token.as_ref());
        let added = || self.added.iter().map(|(_, token)| token);
        let known: HashSet<&str> = added().map(|token| token.content.as_str()).collect();
        let special = named().chain(&self.extra);
        let missing = special
            .filter(|token| !existing.contains(&token.content) && !known.contains(token.content.as_str()));
        let names: HashSet<&str> = named().map(|token| token.content.as_str()).collect();
        let all = added().chain(missing);
        all.map(|token| token.marked(names.contains(token.content.as_str()))).collect()
    }
}

/// Merges the other files into the keys of tokenizer_config.json. Returns the special tokens with names of their own, and
/// the added tokens by id, which decides on their order only.
fn merge_files(
    files: &ParsedFiles<'_>,
    keys: &mut Map<String, Value>,
) -> Result<(Map<String, Value>, AddedTokens), String> {
    let mut specific = Map::new();
    rename_additional(keys);
    take_specific(keys, &mut specific);
    take_extra_names(keys, &mut specific);
    // In Transformers, only names from tokenizer_config.json replace an earlier list of them.
    let listed = keys.get("model_specific_special_tokens").filter(|value| !value.is_null());
    if specific.is_empty()
        && let Some(value) = listed
    {
        let tokens = value.as_object().ok_or_else(|| unsuitable("model_specific_special_tokens"))?;
        specific.extend(tokens.clone());
    }
    if let Some(decoder) = keys.remove("added_tokens_decoder") {
        return Ok((specific, decoder_tokens(&decoder)?));
    }
    let mut added = BTreeMap::new();
    merge_special_tokens_map(files.special_tokens_map, keys)?;
    take_extra_names(keys, &mut specific);
    add_added_tokens(files.added_tokens, keys, &mut added)?;
    add_tokenizer_json(files.tokenizer_json, &mut added)?;
    Ok((specific, added))
}

fn flag(keys: &Map<String, Value>, key: &str, default: bool) -> Result<bool, String> {
    match keys.get(key) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(format!("{key} in tokenizer_config.json is neither true nor false; correct it")),
    }
}

fn unsuitable(key: &str) -> String {
    format!("{key} in the tokenizer files has a value that Transformers does not accept; correct it")
}

fn reject_unsupported(keys: &Map<String, Value>) -> Result<(), String> {
    let is_set = |key: &str| keys.get(key).is_some_and(|value| !value.is_null());
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    let versioned = ["init_inputs", "fast_tokenizer_files"].into_iter();
    let found = UNSUPPORTED.into_iter().find(|key| is_set(key));
    match found.or_else(|| versioned.into_iter().find(|key| is_set(key) && !is_empty(&keys[*key]))) {
        Some(key) => Err(format!("the key {key} of tokenizer_config.json is not supported; remove it")),
        None => Ok(()),
    }
}

/// Whether Python takes a value for false.
fn is_falsy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Bool(flag)) => !flag,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(object)) => object.is_empty(),
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
    }
}

/// `additional_special_tokens` is the name of `extra_special_tokens` in Transformers 4.
fn rename_additional(keys: &mut Map<String, Value>) {
    if is_falsy(keys.get("extra_special_tokens"))
        && let Some(additional) = keys.shift_remove("additional_special_tokens")
    {
        keys.insert("extra_special_tokens".into(), additional);
    }
}

/// Moves the special tokens with other names than those of [`NAMED`] to `specific`.
fn take_specific(keys: &mut Map<String, Value>, specific: &mut Map<String, Value>) {
    let is_specific = |key: &str| key.ends_with("_token") && !NAMED.contains(&key);
    let found: Vec<String> = keys
        .iter()
        .filter(|(key, value)| is_specific(key) && value.is_string())
        .map(|(key, _)| key.clone())
        .collect();
    for key in found {
        if let Some(value) = keys.shift_remove(&key) {
            specific.insert(key, value);
        }
    }
}

/// Moves `extra_special_tokens` to `specific` if it is a map from names to tokens.
fn take_extra_names(keys: &mut Map<String, Value>, specific: &mut Map<String, Value>) {
    if keys.get("extra_special_tokens").is_some_and(Value::is_object)
        && let Some(Value::Object(tokens)) = keys.shift_remove("extra_special_tokens")
    {
        specific.extend(tokens);
    }
}

fn decoder_tokens(decoder: &Value) -> Result<AddedTokens, String> {
    let in_decoder = |problem: &str| format!("added_tokens_decoder in tokenizer_config.json {problem}");
    let decoder = decoder.as_object().ok_or_else(|| in_decoder("is not a map from ids to tokens"))?;
    let token = |(id, token): (&String, &Value)| {
        let id =
            id.parse().map_err(|_| in_decoder(&format!("has the key {id:?}, which is not a token id")))?;
        let object = token.as_object().ok_or_else(|| in_decoder("has a token that is not an object"))?;
        Ok((id, Token::from_object(object).map_err(|problem| in_decoder(&problem))?))
    };
    decoder.iter().map(token).collect()
}

/// special_tokens_map.json takes precedence over tokenizer_config.json.
fn merge_special_tokens_map(map: &Map<String, Value>, keys: &mut Map<String, Value>) -> Result<(), String> {
    for (key, value) in map {
        let value = match value {
            Value::Object(object) if key != "extra_special_tokens" => marked_special(object),
            Value::Array(tokens) if key == "extra_special_tokens" => {
                let mut all = match keys.get(key) {
                    Some(Value::Array(existing)) => existing.clone(),
                    _ => Vec::new(),
                };
                for token in tokens {
                    let token = match token {
                        Value::Object(object) if object.contains_key("special") => {
                            return Err(unsuitable("extra_special_tokens"));
                        }
                        Value::Object(object) => marked_special(object),
                        other => other.clone(),
                    };
                    if !all.contains(&token) {
                        all.push(token);
                    }
                }
                Value::Array(all)
            }
            other => other.clone(),
        };
        keys.insert(key.clone(), value);
    }
    Ok(())
}

/// Adds the tokens of added_tokens.json, a map from tokens to ids.
fn add_added_tokens(
    added: &Map<String, Value>,
    keys: &Map<String, Value>,
    by_id: &mut AddedTokens,
) -> Result<(), String> {
    let content = |value: &Value| match value {
        Value::Object(object) => object.get("content").and_then(Value::as_str).map(str::to_string),
        value => value.as_str().map(str::to_string),
    };
    let mut special: HashSet<String> =
        NAMED.iter().filter_map(|name| keys.get(*name)).filter_map(content).collect();
    if let Some(Value::Array(extra)) = keys.get("extra_special_tokens") {
        special.extend(extra.iter().filter_map(content));
    }
    for (token, id) in added {
        let id = id.as_i64().ok_or_else(|| format!("added_tokens.json has no whole number for {token:?}"))?;
        by_id.insert(id, Token::added(token, special.contains(token)));
    }
    Ok(())
}

/// Adds the section `added_tokens` of tokenizer.json.
fn add_tokenizer_json(file: &Value, by_id: &mut AddedTokens) -> Result<(), String> {
    let Some(tokens) = file.get("added_tokens").filter(|tokens| !tokens.is_null()) else { return Ok(()) };
    let invalid = |problem: &str| format!("added_tokens in tokenizer.json {problem}");
    for token in tokens.as_array().ok_or_else(|| invalid("is not a list"))? {
        let object = token.as_object().ok_or_else(|| invalid("has a token that is not an object"))?;
        let id = object.get("id").and_then(Value::as_i64);
        let id = id.ok_or_else(|| invalid("has a token without an id"))?;
        by_id.insert(id, Token::from_object(object).map_err(|problem| invalid(&problem))?);
    }
    Ok(())
}

/// The special tokens of a class that the files may replace. `TokenizersBackend` has only the token for padding of
/// tokenizer.json, or those of the trainer of tokenizer.model.
fn defaults<'f>(class: TokenizerClass, files: &ParsedFiles<'f>) -> Vec<(&'static str, &'f str)> {
    let pad_token = files.tokenizer_json.pointer("/padding/pad_token").and_then(Value::as_str);
    match (class, files.sentencepiece) {
        (TokenizerClass::Fast, Some(SentencePieceModel { bos, eos, unk, .. })) => {
            let all = [("bos_token", bos), ("eos_token", eos), ("unk_token", unk)];
            let all = all.into_iter().filter(|(_, piece)| piece.id.is_some());
            all.map(|(name, piece)| (name, piece.text.as_str())).collect()
        }
        (TokenizerClass::Fast, None) => pad_token.map(|token| ("pad_token", token)).into_iter().collect(),
        _ => class.special_tokens().to_vec(),
    }
}

/// The id of the token for unknown words of `DebertaV2Tokenizer`: that of the model of SentencePiece, or of
/// tokenizer_config.json.
fn unk_id(keys: &Map<String, Value>, model: Option<&SentencePieceModel>) -> Result<usize, String> {
    let id = match (model, keys.get("unk_id")) {
        (Some(model), _) => model.unk.id,
        (None, None) => Some(1),
        (None, Some(id)) => id.as_u64().and_then(|id| usize::try_from(id).ok()),
    };
    id.ok_or_else(|| "the token for unknown words has no id; set unk_id in tokenizer_config.json".into())
}

/// All special tokens with a name: first those of [`NAMED`], then those that only this model has.
fn named_tokens(
    keys: &Map<String, Value>,
    specific: &Map<String, Value>,
    class: TokenizerClass,
    defaults: &[(&str, &str)],
    added: &AddedTokens,
) -> Result<Vec<(String, Option<Token>)>, String> {
    let known: HashMap<&str, &Token> = added.values().map(|token| (token.content.as_str(), token)).collect();
    let token = |key: &str, value: &Value| match value {
        Value::Null => Ok(None),
        value => match Token::from_value(value).map_err(|problem| format!("{key} {problem}"))? {
            Some(token) => Ok(Some(token)),
            None => Err(unsuitable(key)),
        },
    };
    // A token that a key names by its text alone, or the default of a class.
    let by_text = |key: &str, token: Token| {
        if key == "mask_token" && class.has_stripping_mask() { token.stripping_left() } else { token }
    };
    let mut named = Vec::new();
    for key in NAMED {
        let found = if let Some(value) = keys.get(key) {
            let found = token(key, value)?;
            let found = if value.is_string() { found.map(|token| by_text(key, token)) } else { found };
            found.map(|token| known.get(token.content.as_str()).map_or(token, |found| (*found).clone()))
        } else {
            let default = defaults.iter().find(|(name, _)| *name == key);
            default.map(|(_, content)| by_text(key, Token::special(content)))
        };
        named.push((key.to_string(), found));
    }
    let is_token = |value: &Value| value.is_string() || matches!(Token::from_value(value), Ok(Some(_)));
    let in_keys = keys
        .iter()
        .filter(|(key, value)| key.ends_with("_token") && !NAMED.contains(&key.as_str()) && is_token(value));
    let mut all: Map<String, Value> = in_keys.map(|(key, value)| (key.clone(), value.clone())).collect();
    all.extend(specific.clone());
    for (key, value) in &all {
        let found = token(key, value)?.ok_or_else(|| unsuitable(key))?;
        match named.iter_mut().find(|(name, _)| name == key) {
            Some((_, token)) => *token = Some(found),
            None => named.push((key.clone(), Some(found))),
        }
    }
    Ok(named)
}

/// The list of special tokens without a name, if the files have one.
fn listed_extra(keys: &Map<String, Value>) -> Option<&Value> {
    let listed = keys.get("extra_special_tokens").or_else(|| keys.get("additional_special_tokens"));
    listed.filter(|value| !value.is_null())
}

/// The special tokens without a name; special_tokens_map.json may have them under the name in Transformers 4.
fn extra_tokens(keys: &Map<String, Value>, class: TokenizerClass) -> Result<Vec<Token>, String> {
    let invalid = || unsuitable("extra_special_tokens");
    match listed_extra(keys) {
        None => Ok(class.extra_tokens().iter().map(|content| Token::special(content)).collect()),
        Some(Value::Array(tokens)) => {
            let token = |value: &Value| Token::from_value(value).ok().flatten().ok_or_else(invalid);
            tokens.iter().map(token).collect()
        }
        Some(_) => Err(invalid()),
    }
}

/// The tokens that Transformers adds for a model of SentencePiece, unless the files list some.
fn tokens_of_pieces(model: &SentencePieceModel) -> Vec<Token> {
    let token = |piece: &Piece| match piece.kind {
        PieceKind::Normal => None,
        PieceKind::Control => Some(Token::of_piece(&piece.text, true)),
        PieceKind::UserDefined => Some(Token::of_piece(&piece.text, false)),
    };
    model.pieces.iter().filter_map(token).collect()
}

/// The number of tokens that Transformers truncates to, unless the call has another one.
fn model_max_length(keys: &Map<String, Value>) -> Result<Option<usize>, String> {
    let Some((key, value)) = ["model_max_length", "max_len"].iter().find_map(|key| keys.get_key_value(*key))
    else {
        return Ok(None);
    };
    match value {
        Value::Null => Ok(None),
        Value::Number(number) if number.as_f64().is_some_and(|length| length > LARGE_INTEGER) => Ok(None),
        Value::Number(number) if number.as_u64().is_some() => {
            Ok(number.as_u64().and_then(|length| usize::try_from(length).ok()))
        }
        _ => {
            Err(format!("{key} in tokenizer_config.json is not a number of tokens; set it to a whole number"))
        }
    }
}

fn side(keys: &Map<String, Value>, key: &str) -> Result<Option<TruncationDirection>, String> {
    match keys.get(key).map(Value::as_str) {
        None => Ok(None),
        Some(Some("right")) => Ok(Some(TruncationDirection::Right)),
        Some(Some("left")) => Ok(Some(TruncationDirection::Left)),
        Some(_) => Err(format!("{key} in tokenizer_config.json is neither \"right\" nor \"left\"")),
    }
}

/// Whether the model gets `token_type_ids`.
fn model_input_names(keys: &Map<String, Value>, class: TokenizerClass) -> Result<bool, String> {
    match keys.get("model_input_names") {
        None => Ok(class.has_type_ids()),
        Some(Value::Array(names)) => Ok(names.iter().any(|name| name == "token_type_ids")),
        Some(_) => Err("model_input_names in tokenizer_config.json is not a list of names".into()),
    }
}
