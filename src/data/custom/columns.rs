//! The columns of a custom dataset.

use super::headerless::infer_two_columns;
use crate::data::read::table::{Table, TableOptions, available_columns};
use crate::error::{Error, Result};
use crate::spec::{LabelColumns, RunSpec};
use std::path::Path;

/// An error in the columns of a file, and the key that names the column.
#[derive(Debug)]
pub struct ColumnError {
    /// The key of the specification to set or to change.
    pub key: &'static str,
    /// The error.
    pub error: Error,
}

/// The specification with its column names and `stratify` filled in. Named columns are checked; missing names are inferred from the
/// header of the training file as in Transformers' `run_glue.py`, but only if the choice is unambiguous.
///
/// # Errors
/// [`Error::Data`] if the file cannot be read, a named column does not exist, or the choice is ambiguous.
pub fn infer_columns(spec: &RunSpec) -> Result<RunSpec> {
    infer_columns_by_key(spec).map_err(|found| found.error)
}

/// [`infer_columns`] with errors that have the key to change.
///
/// # Errors
/// As [`infer_columns`].
pub fn infer_columns_by_key(spec: &RunSpec) -> Result<RunSpec, ColumnError> {
    let Some(file) = spec.train_file.as_deref().filter(|_| spec.task().is_custom()) else {
        return Ok(spec.clone());
    };
    let at = |key| move |error| ColumnError { key, error };
    let stratify = spec.stratify.or(spec.validation_file.is_none().then_some(true));
    let table = Table::open_with_column(file, &TableOptions::from_spec(spec), known_column(spec))
        .map_err(at("train_file"))?;
    let names = table.names();
    if !table.has_header() && spec.label_column.is_none() && spec.text_column.is_none() {
        let (text, label) = infer_two_columns(file, &table).map_err(at("text_column"))?;
        return Ok(RunSpec {
            text_column: Some(text),
            label_column: Some(LabelColumns::One(label)),
            stratify,
            ..spec.clone()
        });
    }
    let check =
        |key: &'static str, name: &str| check_column(file, names, key, &table.resolve(name)).map_err(at(key));
    let given_texts = match (&spec.text_column, &spec.text_pair_column) {
        (Some(text), None) => Some((check("text_column", text)?, None)),
        (Some(text), Some(pair)) => {
            Some((check("text_column", text)?, Some(check("text_pair_column", pair)?)))
        }
        (None, _) => None,
    };
    let label = match &spec.label_column {
        Some(columns) => {
            let names = columns.names().iter().map(|name| check("label_column", name));
            let names = names.collect::<Result<Vec<_>, _>>()?;
            match (columns, &names[..]) {
                (LabelColumns::One(_), [name]) => LabelColumns::One(name.clone()),
                _ => LabelColumns::Several(names),
            }
        }
        None if names.iter().any(|name| name == "label") => "label".into(),
        None => {
            let problem = format!("has no column label; set label_column; {}", available_columns(names));
            return Err(at("label_column")(Error::data(file, None, problem)));
        }
    };
    let (text, text_pair) = given_texts.or_else(|| infer_text_columns(names, &label)).ok_or_else(|| {
        let columns = available_columns(names);
        let problem = format!(
            "has no unambiguous text column; set text_column, and text_pair_column for pairs; {columns}"
        );
        at("text_column")(Error::data(file, None, problem))
    })?;
    Ok(RunSpec {
        text_column: Some(text),
        text_pair_column: text_pair,
        label_column: Some(label),
        stratify,
        ..spec.clone()
    })
}

/// A column that the specification names, by which a header is recognized.
fn known_column(spec: &RunSpec) -> Option<&str> {
    let label = spec.label_column.as_ref().and_then(|columns| columns.names().first());
    spec.text_column.as_ref().or(label).map(String::as_str)
}

/// The names of the columns of a file, read as `spec` says.
///
/// # Errors
/// [`Error::Data`] and [`Error::Read`] if the file cannot be read.
pub fn column_names(spec: &RunSpec, file: &Path) -> Result<Vec<String>> {
    let table = Table::open_with_column(file, &TableOptions::from_spec(spec), known_column(spec))?;
    Ok(table.names().to_vec())
}

/// Checks that a validation or test file has the columns of `spec`, which are known; with `is_labeled` also those of
/// the labels.
///
/// # Errors
/// [`Error::Data`] and [`Error::Read`] if the file cannot be read or lacks a column.
pub fn check_columns(spec: &RunSpec, file: &Path, is_labeled: bool) -> Result<()> {
    let table = Table::open_with_column(file, &TableOptions::from_spec(spec), known_column(spec))?;
    let labels = spec.label_column.iter().filter(|_| is_labeled).flat_map(LabelColumns::names);
    let labels = labels.map(|name| ("label_column", name));
    let texts = [("text_column", &spec.text_column), ("text_pair_column", &spec.text_pair_column)];
    let texts = texts.into_iter().filter_map(|(key, name)| Some((key, name.as_ref()?)));
    texts
        .chain(labels)
        .try_for_each(|(key, name)| check_column(file, table.names(), key, &table.resolve(name)).map(drop))
}

/// `name` if it is one of the columns `names`; `key` is the key of the specification that names it.
fn check_column(file: &Path, names: &[String], key: &str, name: &str) -> Result<String> {
    names.iter().find(|found| *found == name).cloned().ok_or_else(|| {
        let problem = format!("has no column {name}, which {key} names; {}", available_columns(names));
        Error::data(file, None, problem)
    })
}

/// The text column, or the two text columns of pairs, if the names are unambiguous.
pub(in crate::data) fn infer_text_columns(
    names: &[String],
    label: &LabelColumns,
) -> Option<(String, Option<String>)> {
    let others: Vec<&String> = names.iter().filter(|name| !label.names().contains(name)).collect();
    let has = |name: &str| others.iter().any(|other| *other == name);
    match (has("sentence1") && has("sentence2"), has("sentence"), has("text")) {
        (true, false, false) => Some(("sentence1".into(), Some("sentence2".into()))),
        (false, true, false) => Some(("sentence".into(), None)),
        (false, false, true) => Some(("text".into(), None)),
        (false, false, false) => match others[..] {
            [only] => Some((only.clone(), None)),
            _ => None,
        },
        _ => None,
    }
}
