//! What separates the cells of a text file.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A character that separates cells: printable ASCII other than a letter, a digit or a quote, or a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

/// The name of the tab, which is invisible.
const TAB: &str = "tab";

impl Delimiter {
    /// The character.
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str(TAB),
            other => write!(f, "{}", char::from(other)),
        }
    }
}

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            b"tab" | b"\\t" | b"\t" => Ok(Delimiter(b'\t')),
            [byte] if byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'') => Ok(Delimiter(*byte)),
            _ => Err(format!("expected one character such as , or ; or |, or tab, found `{text}`")),
        }
    }
}

impl Serialize for Delimiter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Delimiter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tab_has_a_name() {
        for text in ["tab", "\\t", "\t"] {
            assert_eq!(text.parse::<Delimiter>().unwrap().to_string(), "tab");
        }
        assert_eq!(";".parse::<Delimiter>().unwrap().byte(), b';');
        for text in ["", ";;", "a", "\"", "é", " "] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
    }
}
