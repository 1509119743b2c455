//! The values of an experiments file as the text that a user would type in the form, and the reverse.

use super::key::Key;
use super::kind::ValueKind;
use super::lists::array;
use crate::catalog::LabelMap;
use crate::config::describe_value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};
use toml_edit::Value;

/// The text of a TOML value, whose TOML type must fit the key.
pub(super) fn value_text(key: &Key, value: &Spanned<DeValue>) -> Result<String, String> {
    let (expected, is_number) = (key.kind.expected(), key.kind.is_number());
    match value.get_ref() {
        DeValue::String(text) => {
            let is_quoted_number =
                is_number && !text.is_empty() && text != "epoch" && key.check(text).is_ok();
            if is_quoted_number {
                return Err(format!("write a number without quotes: {} = {text}", key.name));
            }
            Ok(text.to_string())
        }
        DeValue::Table(table) if key.kind == ValueKind::LabelMap => label_map_text(table),
        DeValue::Integer(number) if is_number => {
            match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Ok(number.to_string()),
                Err(_) => Ok(number.as_str().to_owned()),
            }
        }
        DeValue::Float(number) if matches!(key.kind, ValueKind::Real { .. }) => {
            Ok(number.as_str().to_owned())
        }
        DeValue::Array(list) if key.kind.accepts_list() => Ok(list_text(list)),
        DeValue::Boolean(value) if key.kind == ValueKind::Boolean => Ok(value.to_string()),
        other
            if is_number
                || key.kind.accepts_list()
                || matches!(key.kind, ValueKind::Boolean | ValueKind::LabelMap) =>
        {
            Err(format!("expected {expected}, found {}", describe_value(other)))
        }
        other => Err(format!("expected {expected} in quotes, found {}", describe_value(other))),
    }
}

/// A list of texts and numbers as TOML.
fn list_text(list: &DeArray) -> String {
    let item = |item: &Spanned<DeValue>| match item.get_ref() {
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::String(text) => Value::from(text.as_ref()).to_string(),
        other => describe_value(other),
    };
    format!("[{}]", list.iter().map(item).collect::<Vec<_>>().join(", "))
}

/// A table of label names as text.
fn label_map_text(table: &DeTable) -> Result<String, String> {
    let pair = |(from, to): (&Spanned<_>, &Spanned<DeValue>)| match to.get_ref() {
        DeValue::String(to) => Ok((AsRef::<str>::as_ref(from.get_ref()).to_owned(), to.to_string())),
        other => Err(format!("expected a label name in quotes, found {}", describe_value(other))),
    };
    let pairs = table.iter().map(pair).collect::<Result<Vec<_>, String>>()?;
    if pairs.is_empty() { Ok(String::new()) } else { LabelMap::new(pairs).map(|map| map.to_string()) }
}

/// A valid text as a TOML value; a number keeps its notation where that is valid TOML.
pub(super) fn toml_value(kind: ValueKind, text: &str) -> Value {
    let quoted = || Value::from(text);
    match kind {
        ValueKind::Integer { .. } | ValueKind::Interval => {
            text.parse::<i64>().map_or_else(|_| quoted(), Into::into)
        }
        ValueKind::Real { .. } => match (text.parse::<Value>(), text.parse::<f64>()) {
            (Ok(number), _) if number.is_float() || number.is_integer() => number,
            // `.5` and `5.` are numbers in Rust, but not in TOML.
            (_, Ok(number)) => format!("{number:?}").parse().unwrap_or_else(|_| number.into()),
            _ => quoted(),
        },
        kind if kind.accepts_list() => array(text).map_or_else(quoted, Value::from),
        ValueKind::Boolean => text.parse::<bool>().map_or_else(|_| quoted(), Into::into),
        ValueKind::LabelMap => {
            let map = text.parse::<LabelMap>().ok();
            map.and_then(|map| map.to_toml().parse().ok()).unwrap_or_else(quoted)
        }
        _ => quoted(),
    }
}
