//! The classes of a custom dataset: the distinct values of the label column of its training file.

use crate::data::read::table::{LabelValue, Record, row_error};
use crate::error::{Error, Result};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The maximum number of classes. More indicate a wrong label column, and a confusion matrix of more is useless.
const MAX_CLASSES: usize = 1000;
/// The maximum number of class names in a message.
const MAX_LISTED: usize = 12;

/// The classes of the records of the training file `file`. They are sorted as numbers if all are integers, otherwise
/// as text, which is the order of `run_glue.py`.
///
/// # Errors
/// [`Error::Data`] if there are no rows, only one class, more than [`MAX_CLASSES`], or numbers with a fraction.
pub(super) fn classes(file: &Path, column: &str, records: &[Record]) -> Result<Vec<String>> {
    let values: Vec<(u64, &LabelValue)> =
        records.iter().filter_map(|record| Some((record.position, record.label.as_ref()?))).collect();
    let are_numbers = values.iter().all(|(_, value)| is_number(value));
    let fraction = values.iter().find(|(_, value)| integer(value).is_none());
    if let (true, Some((position, value))) = (are_numbers, fraction) {
        let problem = format!(
            "column {column} has numbers with a fraction, such as {}; task custom does not support regression, use \
             text or integer labels",
            class_name(value)
        );
        return Err(row_error(file, *position, &problem));
    }
    let integers: Option<BTreeSet<i64>> = values.iter().map(|(_, value)| integer(value)).collect();
    let labels: Vec<String> = match integers {
        Some(integers) => integers.iter().map(i64::to_string).collect(),
        None => {
            values.iter().map(|(_, value)| class_name(value)).collect::<BTreeSet<_>>().into_iter().collect()
        }
    };
    let problem = match &labels[..] {
        [] => "has no rows".to_string(),
        [only] => format!("column {column} has only the label {only:?}; at least two are required"),
        labels if labels.len() > MAX_CLASSES => format!(
            "column {column} has {} different labels, more than the maximum of {MAX_CLASSES}; set label_column to the \
             column of the labels",
            labels.len()
        ),
        _ => return Ok(labels),
    };
    Err(Error::data(file, None, problem))
}

/// The index of each class by name.
pub(super) struct ClassIndex<'a> {
    by_name: HashMap<&'a str, u32>,
}

impl<'a> ClassIndex<'a> {
    pub(super) fn new(labels: &'a [String]) -> Self {
        ClassIndex { by_name: labels.iter().map(String::as_str).zip(0u32..).collect() }
    }

    /// The class of a label value, also if it is an integer written in another way (`09`).
    pub(super) fn get(&self, value: &LabelValue) -> Option<u32> {
        let get = |name: &str| self.by_name.get(name).copied();
        get(&class_name(value)).or_else(|| get(&integer(value)?.to_string()))
    }
}

/// The name of the class of a label value.
pub(super) fn class_name(value: &LabelValue) -> String {
    match value {
        LabelValue::Text(text) => text.clone(),
        LabelValue::Int(number) => number.to_string(),
        LabelValue::Float(number) => format!("{number:?}"),
        LabelValue::Bool(value) => value.to_string(),
    }
}

/// Whether a label value is -1, GLUE's mark for an unpublished label.
pub(super) fn is_hidden(value: &LabelValue) -> bool {
    integer(value) == Some(-1)
}

/// The first class names, and the number of the others.
pub(super) fn list(labels: &[String]) -> String {
    let first = labels.iter().take(MAX_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match labels.len().saturating_sub(MAX_LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn integer(value: &LabelValue) -> Option<i64> {
    match value {
        LabelValue::Int(number) => Some(*number),
        LabelValue::Text(text) => text.parse().ok(),
        LabelValue::Float(_) | LabelValue::Bool(_) => None,
    }
}

fn is_number(value: &LabelValue) -> bool {
    match value {
        LabelValue::Int(_) | LabelValue::Float(_) => true,
        // `nan` and `inf` are names here.
        LabelValue::Text(text) => text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok(),
        LabelValue::Bool(_) => false,
    }
}
