//! The encoding of a text file, by its label.

use encoding_rs::Encoding;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A label of the WHATWG Encoding Standard, such as `utf-8` or `windows-1252`, or a name of Python, such as `latin-1`,
/// `utf_8` or `cp932`. It is written as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingLabel {
    label: String,
    encoding: &'static Encoding,
}

impl EncodingLabel {
    /// The encoding that the label names.
    pub(crate) fn encoding(&self) -> &'static Encoding {
        self.encoding
    }
}

impl FromStr for EncodingLabel {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        let label = label.trim();
        let lower = label.to_ascii_lowercase();
        let compact = lower.replace(['-', '_', ' '], "");
        let python = match compact.as_str() {
            "utf8sig" => "utf-8",
            "cp932" | "ms932" => "shift_jis",
            "cp949" => "euc-kr",
            "cp936" => "gbk",
            "cp950" => "big5",
            "utf16" => "utf-16le",
            other => other,
        };
        let encoding = Encoding::for_label_no_replacement(lower.as_bytes())
            .or_else(|| Encoding::for_label_no_replacement(python.as_bytes()));
        match encoding {
            Some(encoding) => Ok(EncodingLabel { label: label.to_owned(), encoding }),
            None => Err(format!(
                "`{label}` is not a known encoding; use a label such as utf-8, utf-16le, windows-1252 or shift_jis"
            )),
        }
    }
}

impl fmt::Display for EncodingLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl Serialize for EncodingLabel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EncodingLabel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_standard_and_of_python_are_known() {
        for (label, name) in [
            ("utf-8", "UTF-8"),
            ("UTF_8", "UTF-8"),
            ("utf-8-sig", "UTF-8"),
            ("latin-1", "windows-1252"),
            ("Windows-1252", "windows-1252"),
            ("cp932", "Shift_JIS"),
            ("utf-16", "UTF-16LE"),
            (" gb18030 ", "gb18030"),
        ] {
            let parsed: EncodingLabel = label.parse().unwrap();
            assert_eq!(parsed.encoding().name(), name, "{label}");
            assert_eq!(parsed.to_string(), label.trim());
        }
        for label in ["", "latin-99", "ibm500", "replacement"] {
            assert!(label.parse::<EncodingLabel>().unwrap_err().contains("known encoding"), "{label}");
        }
    }
}
