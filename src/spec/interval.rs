//! How often something happens during training.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// What a value must be.
const EXPECTED: &str = "a number of steps of at least 1, or epoch";

/// How often something happens: Transformers' `IntervalStrategy` together with its number of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalStrategy {
    /// At the end of each epoch.
    Epoch,
    /// Every N optimizer steps; N is at least 1.
    Steps(u64),
}

impl fmt::Display for IntervalStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntervalStrategy::Epoch => f.write_str("epoch"),
            IntervalStrategy::Steps(steps) => write!(f, "{steps}"),
        }
    }
}

impl FromStr for IntervalStrategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "epoch" {
            return Ok(IntervalStrategy::Epoch);
        }
        // TOML integers are signed, so a larger number could not be written back.
        match text.parse::<i64>().map(u64::try_from) {
            Ok(Ok(steps)) if steps > 0 => Ok(IntervalStrategy::Steps(steps)),
            _ => Err(format!("expected {EXPECTED}, found `{text}`")),
        }
    }
}

impl Serialize for IntervalStrategy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            IntervalStrategy::Epoch => serializer.serialize_str("epoch"),
            IntervalStrategy::Steps(steps) => serializer.serialize_u64(*steps),
        }
    }
}

impl<'de> Deserialize<'de> for IntervalStrategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntervalVisitor)
    }
}

struct IntervalVisitor;

impl Visitor<'_> for IntervalVisitor {
    type Value = IntervalStrategy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IntervalStrategy, E> {
        if text == "epoch" {
            Ok(IntervalStrategy::Epoch)
        } else {
            Err(E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    fn visit_u64<E: Error>(self, steps: u64) -> Result<IntervalStrategy, E> {
        if steps > 0 {
            Ok(IntervalStrategy::Steps(steps))
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(steps), &self))
        }
    }

    fn visit_i64<E: Error>(self, steps: i64) -> Result<IntervalStrategy, E> {
        match u64::try_from(steps) {
            Ok(steps) => self.visit_u64(steps),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(steps), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_epoch_parse_and_serialize_alike() {
        for (text, json) in [("epoch", serde_json::json!("epoch")), ("20", serde_json::json!(20))] {
            let value: IntervalStrategy = text.parse().unwrap();
            assert_eq!(value.to_string(), text);
            assert_eq!(serde_json::to_value(value).unwrap(), json);
            assert_eq!(serde_json::from_value::<IntervalStrategy>(json).unwrap(), value);
        }
        for text in ["0", "-1", "epochs", "1.5", "", "9223372036854775808"] {
            assert!(text.parse::<IntervalStrategy>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<IntervalStrategy>("0").is_err());
        assert!(serde_json::from_str::<IntervalStrategy>("\"20\"").is_err());
    }
}
