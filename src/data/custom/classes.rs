//! The classes of a custom dataset: the distinct values of the label column of its training file.

use super::label_column::LabelColumn;
use super::label_encoding::LabelEncoding;
use crate::data::read::table::LabelValue;
use crate::error::{Error, Result};
use crate::text::clipped;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// The maximum number of classes. More indicate a wrong label column, and a confusion matrix of more is useless.
pub(super) const MAX_CLASSES: usize = 1000;
/// The maximum number of characters of a class name in a message.
const MAX_NAME: usize = 60;

/// The classes of the training file `file`, in the order of the encoding: numbers as numbers, otherwise as text, which
/// is the order of `run_glue.py`. A file that has class names itself has their order.
///
/// # Errors
/// [`Error::Data`] if there are no rows, only one class, or more than [`MAX_CLASSES`].
pub(super) fn classes(
    file: &Path,
    name: &str,
    column: &LabelColumn,
    encoding: LabelEncoding,
) -> Result<Vec<String>> {
    if let Some(names) = &column.class_names {
        return Ok(names.clone());
    }
    let mut labels: Vec<String> =
        column.values().iter().map(|value| encoding.class_name(&value.value).into_owned()).collect();
    labels.sort_by(|a, b| encoding.compare(a, b));
    labels.dedup();
    let problem = match &labels[..] {
        [] => "has no rows".to_string(),
        [only] => format!("column {name} has only the label {only:?}; at least two are required"),
        labels if labels.len() > MAX_CLASSES => format!(
            "column {name} has {} different labels, more than the maximum of {MAX_CLASSES}; set label_column to the \
             column of the labels",
            labels.len()
        ),
        _ => return Ok(labels),
    };
    Err(Error::data(file, None, problem))
}

/// The index of each class by name.
pub(super) struct ClassIndex {
    by_name: HashMap<String, u32>,
    encoding: LabelEncoding,
    /// Number of classes, if labels may also be their indices.
    indexed: Option<u32>,
    /// Whether the classes are those of a model.
    is_of_model: bool,
}

impl ClassIndex {
    /// The index of the classes `labels`. With `has_class_names`, a whole number that is no name is the index of a class.
    pub(super) fn new(labels: &[String], encoding: LabelEncoding, has_class_names: bool) -> Self {
        let name = |label: &String| encoding.class_name(&LabelValue::Text(label.clone())).into_owned();
        let by_name = labels.iter().map(name).zip(0u32..).collect();
        let indexed = has_class_names.then_some(labels.len() as u32);
        ClassIndex { by_name, encoding, indexed, is_of_model: false }
    }

    /// The index for the classes `labels` of a model.
    pub(super) fn of_model(labels: &[String]) -> Self {
        let index = ClassIndex::new(labels, LabelEncoding::of_names(labels), false);
        ClassIndex { is_of_model: true, ..index }
    }

    /// The class of a label value.
    pub(super) fn get(&self, value: &LabelValue) -> Option<u32> {
        let get = |name: &str| self.by_name.get(name).copied();
        let whole = LabelEncoding::WholeNumbers.class_name(value);
        get(&self.encoding.class_name(value))
            .or_else(|| match value {
                LabelValue::Bool(value) => get(&value.to_string()),
                // Classes of runs of version 0.1 have no leading zeros, while their files may have some.
                LabelValue::Text(text) if self.is_of_model => get(&text.parse::<i64>().ok()?.to_string()),
                LabelValue::Text(_) | LabelValue::List(_) => None,
                LabelValue::Int(_) | LabelValue::Float(_) => get(&whole),
            })
            .or_else(|| {
                whole.parse().ok().filter(|index| self.indexed.is_some_and(|classes| *index < classes))
            })
    }
}

/// Whether a label value is -1, GLUE's mark for an unpublished label.
pub(super) fn is_hidden(value: &LabelValue) -> bool {
    LabelEncoding::WholeNumbers.class_name(value) == "-1"
}

/// A class name for a message.
pub(super) fn shortened(name: &str) -> Cow<'_, str> {
    clipped(name, MAX_NAME)
}
