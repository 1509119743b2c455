//! Specifications as TOML text, as in the `spec.toml` of a run directory.

use super::file::parse;
use super::key::Key;
use super::keys::keys;
use super::kind::ValueKind;
use super::lists::array;
use super::run_spec::{RunSpec, built_in};
use crate::catalog::LabelMap;
use crate::error::{Error, Result};
use std::path::Path;
use toml_edit::Value;

/// The complete specification as TOML: it is enough to repeat the run.
pub fn to_toml(spec: &RunSpec) -> String {
    let experiment = Value::from(spec.experiment.as_str());
    format!("experiment = {experiment}\n{}", assignments(spec))
}

/// One line `key = value` for each key that is not absent.
pub fn assignments(spec: &RunSpec) -> String {
    let line = |key: &Key| {
        let text = key.get(spec)?;
        Some(format!("{} = {}\n", key.name, toml_value(key.kind, &text)))
    };
    keys().iter().filter_map(line).collect()
}

/// The keys whose values are not the defaults, in the order of the table of keys, with their values as a user would type
/// them.
pub fn settings(spec: &RunSpec) -> Vec<(&'static Key, String)> {
    let built_in = built_in("");
    let setting = |key: &'static Key| {
        let text = key.get(spec).unwrap_or_default();
        (text != key.get(&built_in).unwrap_or_default()).then_some((key, text))
    };
    keys().iter().filter_map(setting).collect()
}

/// [`settings`] as a JSON object.
pub fn settings_json(spec: &RunSpec) -> serde_json::Value {
    let json = serde_json::to_value(spec).unwrap_or_default();
    let pair = |(key, text): (&Key, String)| {
        let value = json.get(key.name).cloned().unwrap_or(serde_json::Value::String(text));
        (key.name.to_owned(), value)
    };
    settings(spec).into_iter().map(pair).collect()
}

/// Parses what [`to_toml`] wrote; a missing key has its default. Errors name `file`.
pub fn from_toml(text: &str, file: &Path) -> Result<RunSpec> {
    let parsed = parse(text, file);
    let errors = parsed.all_errors();
    if !errors.is_empty() {
        return Err(Error::Config(errors));
    }
    let mut experiments = parsed.experiments.into_iter();
    match (experiments.next(), experiments.next()) {
        (Some(one), None) => Ok(one.spec),
        _ => Err(Error::Usage(format!("{} is not the specification of one run", file.display()))),
    }
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
