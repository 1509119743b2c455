//! The types of a specification's fields: how each is parsed from text and written as text.

use super::choices::{EngineChoice, LoraTargetModules, LrSchedulerType, Precision, ReportTo};
use super::delimiter::Delimiter;
use super::device::DeviceSpec;
use super::encoding_label::EncodingLabel;
use super::interval::IntervalStrategy;
use super::kind::ValueKind;
use crate::catalog::{LabelMap, Metric, ProblemType, TaskId};
use crate::files::expand_home;
use std::path::PathBuf;
use std::str::FromStr;

/// The type of a field of a specification.
pub(super) trait FieldValue: Sized {
    /// Parses text that is not empty. The error is a sentence without the key's name.
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String>;

    /// The value as a user would type it; `None` when it is absent.
    fn text(&self) -> Option<String>;

    /// The value of a key without text; `None` when the key requires one.
    fn absent() -> Option<Self> {
        None
    }
}

/// Parses the text of a field, which is empty for an absent value.
pub(super) fn parse<T: FieldValue>(text: &str, kind: ValueKind) -> Result<T, String> {
    if text.is_empty() {
        return T::absent().ok_or_else(|| format!("expected {}, found nothing", kind.expected()));
    }
    T::parse(text, kind)
}

impl<T: FieldValue> FieldValue for Option<T> {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        T::parse(text, kind).map(Some)
    }

    fn text(&self) -> Option<String> {
        self.as_ref().and_then(FieldValue::text)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl FieldValue for String {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        if text.trim().is_empty() || text.contains('\0') {
            return Err(unexpected(text, kind));
        }
        // A specification has the whole path, so that a run does not depend on whose home directory it is.
        let is_path = matches!(kind, ValueKind::Path | ValueKind::Model) && text.starts_with('~');
        Ok(if is_path { expand_home(text).to_string_lossy().into_owned() } else { text.to_owned() })
    }

    fn text(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl FieldValue for PathBuf {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        <String as FieldValue>::parse(text, kind).map(PathBuf::from)
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string_lossy().into_owned())
    }
}

impl FieldValue for u64 {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        integer(text, kind)
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl FieldValue for usize {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        integer(text, kind)
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl FieldValue for bool {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        text.parse().map_err(|_| unexpected(text, kind))
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl FieldValue for f64 {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if kind.contains_real(number) => Ok(number),
            _ => Err(unexpected(text, kind)),
        }
    }

    fn text(&self) -> Option<String> {
        // The notation of JSON, so that spec.toml and events.jsonl write a number alike: 0.00002, not 2e-5.
        let json = serde_json::Number::from_f64(*self);
        Some(json.map_or_else(|| format!("{self:?}"), |number| number.to_string()))
    }
}

impl FieldValue for LabelMap {
    fn parse(text: &str, _: ValueKind) -> Result<Self, String> {
        text.parse()
    }

    fn text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.to_string())
    }

    fn absent() -> Option<Self> {
        Some(LabelMap::default())
    }
}

/// Implements [`FieldValue`] by `FromStr` and `Display`.
macro_rules! by_from_str {
    ($($type:ty),+) => {
        $(impl FieldValue for $type {
            fn parse(text: &str, _: ValueKind) -> Result<Self, String> {
                text.parse()
            }

            fn text(&self) -> Option<String> {
                Some(self.to_string())
            }
        })+
    };
}

by_from_str!(
    Delimiter,
    EncodingLabel,
    TaskId,
    DeviceSpec,
    Metric,
    ProblemType,
    LrSchedulerType,
    Precision,
    EngineChoice,
    ReportTo,
    LoraTargetModules,
    IntervalStrategy
);

/// A whole number in the key's range.
fn integer<T: TryFrom<i64>>(text: &str, kind: ValueKind) -> Result<T, String> {
    let number = i64::from_str(text).ok().filter(|number| kind.contains_integer(*number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| unexpected(text, kind))
}

fn unexpected(text: &str, kind: ValueKind) -> String {
    format!("expected {}, found `{text}`", kind.expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tilde_is_the_home_directory_in_paths_and_models() {
        let home = std::env::home_dir().unwrap();
        let folder = home.join("data/x");
        assert_eq!(<PathBuf as FieldValue>::parse("~/data/x", ValueKind::Path), Ok(folder.clone()));
        assert_eq!(String::parse("~/data/x", ValueKind::Model), Ok(folder.display().to_string()));
        assert_eq!(String::parse("~/data/x", ValueKind::Text), Ok("~/data/x".into()), "the name of a column");
        assert_eq!(String::parse("owner/name", ValueKind::Model), Ok("owner/name".into()));
    }

    #[test]
    fn numbers_have_the_same_text_in_toml_and_json() {
        for number in [0.0, 3.0, 0.01, 0.0002, 1e-4, 5e-5, 2e-5, 1.25e-5, 1e-8, 0.1 + 0.2, 1e5, 1e15] {
            assert_eq!(number.text().unwrap(), serde_json::to_string(&number).unwrap());
        }
    }
}
