//! Special and added tokens as the tokenizer files of Transformers have them.

use serde_json::{Map, Value, json};
use tokenizers::AddedToken;

/// The key that marks an object of tokenizer_config.json as a token.
const TYPE: &str = "__type";

/// A token of a tokenizer file, like `AddedToken` in Python: unlike in Rust, `normalized` may be unset.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the flags of the files")]
pub(super) struct Token {
    pub content: String,
    special: bool,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    /// By default, special tokens are matched in the text as it is, other ones in the normalized text.
    normalized: Option<bool>,
}

impl Token {
    /// A token that a file names by its text alone.
    pub(super) fn special(content: &str) -> Self {
        Token {
            content: content.to_string(),
            special: true,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: None,
        }
    }

    /// A token of a model of SentencePiece, which is matched in the text as it is.
    pub(super) fn of_piece(content: &str, special: bool) -> Self {
        Token { special, normalized: Some(false), ..Self::special(content) }
    }

    /// The token with the blanks before it.
    pub(super) fn stripping_left(self) -> Self {
        Token { lstrip: true, ..self }
    }

    /// A token of added_tokens.json, which is matched in the normalized text unless it is special.
    pub(super) fn added(content: &str, special: bool) -> Self {
        Token { special, normalized: Some(!special), ..Self::special(content) }
    }

    /// A token from an object with its text and flags. The error is a clause.
    pub(super) fn from_object(object: &Map<String, Value>) -> Result<Self, String> {
        let flag = |key: &str| match object.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(format!("has a token whose {key} is neither true nor false")),
        };
        let content = object.get("content").and_then(Value::as_str);
        Ok(Token {
            content: content.ok_or("has a token without content")?.to_string(),
            special: flag("special")?.unwrap_or(false),
            single_word: flag("single_word")?.unwrap_or(false),
            lstrip: flag("lstrip")?.unwrap_or(false),
            rstrip: flag("rstrip")?.unwrap_or(false),
            normalized: flag("normalized")?,
        })
    }

    /// A token from a string or from an object that is marked as a token. `None` for another value; the error is a
    /// clause.
    pub(super) fn from_value(value: &Value) -> Result<Option<Self>, String> {
        match value {
            Value::String(content) => Ok(Some(Self::special(content))),
            Value::Object(object) if object.get(TYPE).is_some_and(|kind| kind == "AddedToken") => {
                Self::from_object(object).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The token, marked as special if `is_special`.
    pub(super) fn marked(&self, is_special: bool) -> Self {
        Token { special: self.special || is_special, ..self.clone() }
    }

    /// The token for the `tokenizers` crate.
    pub(super) fn to_added(&self) -> AddedToken {
        AddedToken::from(self.content.as_str(), self.special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized.unwrap_or(!self.special))
    }
}

/// `object` marked as a special token, as Transformers reads the objects of special_tokens_map.json.
pub(super) fn marked_special(object: &Map<String, Value>) -> Value {
    let mut object = object.clone();
    object.insert("special".into(), true.into());
    object.insert(TYPE.into(), "AddedToken".into());
    Value::Object(object)
}

/// A token as an entry of `added_tokens_decoder`.
pub(super) fn to_json(token: &AddedToken) -> Value {
    json!({
        "content": token.content,
        "lstrip": token.lstrip,
        "normalized": token.normalized,
        "rstrip": token.rstrip,
        "single_word": token.single_word,
        "special": token.special,
    })
}
