//! Specifications as TOML text, as in the `spec.toml` of a run directory.

use super::file::{Experiment, parse};
use super::key::Key;
use super::keys::keys;
use super::run_spec::{RunSpec, built_in};
use super::sweep::{Axis, Sweep, SweptValues, sweep_keys};
use super::toml_value::toml_value;
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
    keys().iter().filter_map(|key| assignment(key, spec)).collect()
}

/// The line `key = value`, unless the key is absent.
fn assignment(key: &Key, spec: &RunSpec) -> Option<String> {
    Some(line_of(key, &key.get(spec)?))
}

fn line_of(key: &Key, text: &str) -> String {
    format!("{} = {}\n", key.name, toml_value(key.kind, text))
}

/// The complete sweep as TOML: it is enough to repeat it.
pub fn sweep_to_toml(sweep: &Sweep) -> String {
    let experiment = Value::from(sweep.base.experiment.as_str());
    format!("experiment = {experiment}\n{}", sweep_assignments(sweep))
}

/// [`assignments`] with the values of swept keys, and the keys that say how to sweep.
pub fn sweep_assignments(sweep: &Sweep) -> String {
    let settings = sweep.settings();
    let setting = |key: &Key| Some(line_of(key, &settings.get(key.name)?));
    let line = |key: &'static Key| match sweep.axes.iter().find(|axis| axis.key == key) {
        Some(axis) => Some(format!("{} = {}\n", key.name, axis.values.toml(key))),
        None => assignment(key, &sweep.base),
    };
    keys().iter().filter_map(line).chain(sweep_keys().iter().filter_map(setting)).collect()
}

/// A sweep as a JSON object: the specification, where a swept key has a list of its values or a range, and the keys that
/// say how to sweep.
pub fn sweep_json(sweep: &Sweep) -> serde_json::Value {
    let mut object = serde_json::to_value(&sweep.base).unwrap_or_default();
    for Axis { key, values } in &sweep.axes {
        object[key.name] = match values {
            SweptValues::List(values) => {
                values.iter().map(|text| value_json(&sweep.base, key, text)).collect()
            }
            SweptValues::Range(range) => {
                serde_json::json!({ "min": range.min, "max": range.max, "scale": range.scale.name() })
            }
        };
    }
    let settings = sweep.settings();
    for Key { name, .. } in sweep_keys() {
        if let Some(text) = settings.get(name) {
            object[*name] = text.parse::<u64>().map_or_else(|_| text.into(), Into::into);
        }
    }
    object
}

/// A value of a key as JSON; null if the key is absent.
fn value_json(base: &RunSpec, key: &Key, text: &str) -> serde_json::Value {
    let mut spec = base.clone();
    key.set(&mut spec, text).ok();
    serde_json::to_value(&spec)
        .ok()
        .and_then(|mut object| Some(object.get_mut(key.name)?.take()))
        .unwrap_or_default()
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

/// Parses what [`sweep_to_toml`] wrote. Errors name `file`.
pub fn sweep_from_toml(text: &str, file: &Path) -> Result<Sweep> {
    match one_experiment(text, file)? {
        Some(Experiment { sweep: Some(sweep), .. }) => Ok(*sweep),
        _ => Err(Error::Usage(format!("{} is not the description of one sweep", file.display()))),
    }
}

/// Parses what [`to_toml`] wrote; a missing key has its default. Errors name `file`.
pub fn from_toml(text: &str, file: &Path) -> Result<RunSpec> {
    match one_experiment(text, file)? {
        Some(Experiment { spec, sweep: None, .. }) => Ok(spec),
        _ => Err(Error::Usage(format!("{} is not the specification of one run", file.display()))),
    }
}

/// The experiment of a file, if it has exactly one.
fn one_experiment(text: &str, file: &Path) -> Result<Option<Experiment>> {
    let parsed = parse(text, file);
    let errors = parsed.all_errors();
    if !errors.is_empty() {
        return Err(Error::Config(errors));
    }
    let mut experiments = parsed.experiments.into_iter();
    let first = experiments.next();
    Ok(first.filter(|_| experiments.next().is_none()))
}
