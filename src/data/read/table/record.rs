//! Rows and columns of a table.

use crate::catalog::FileFormat;
use crate::error::{Error, Result};
use std::path::Path;

/// The names of the columns to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct ColumnNames {
    /// The column of the text, or of the first text of a pair.
    pub(in crate::data) text: String,
    /// The column of the second text.
    pub(in crate::data) text_pair: Option<String>,
    /// The column of the label.
    pub(in crate::data) label: String,
    /// Whether the column of the label is required.
    pub(in crate::data) is_label_required: bool,
}

/// The indices of the columns to read.
#[derive(Debug, Clone, Copy)]
pub(in crate::data::read) struct ColumnIndices {
    pub(in crate::data::read) text: usize,
    pub(in crate::data::read) text_pair: Option<usize>,
    pub(in crate::data::read) label: Option<usize>,
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Record {
    /// The line of a text file, or the row of a Parquet file, from 1.
    pub(in crate::data) position: u64,
    /// The text, or the first text of a pair.
    pub(in crate::data) text: String,
    /// The second text.
    pub(in crate::data) text_pair: Option<String>,
    /// The value of the label column; `None` if it is empty.
    pub(in crate::data) label: Option<LabelValue>,
}

/// The value of a label column.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum LabelValue {
    /// Text; in formats without types any value.
    Text(String),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A boolean.
    Bool(bool),
}

impl ColumnIndices {
    /// The indices of the columns `wanted` among the columns `names` of a file.
    pub(in crate::data::read) fn find<S: AsRef<str>>(
        file: &Path,
        names: &[S],
        wanted: &ColumnNames,
    ) -> Result<Self> {
        let index = |name: &str| column_index(file, names, name);
        Ok(ColumnIndices {
            text: index(&wanted.text)?,
            text_pair: wanted.text_pair.as_deref().map(index).transpose()?,
            label: match index(&wanted.label) {
                Err(_) if !wanted.is_label_required => None,
                index => Some(index?),
            },
        })
    }
}

/// The index of the only column called `name`.
fn column_index<S: AsRef<str>>(file: &Path, names: &[S], name: &str) -> Result<usize> {
    let mut found = names.iter().enumerate().filter(|(_, other)| other.as_ref() == name);
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => {
            Err(Error::data(file, None, format!("has two columns called {name}; rename one")))
        }
        (None, _) => {
            Err(Error::data(file, None, format!("has no column {name}; {}", available_columns(names))))
        }
    }
}

/// The columns of a file as a clause of an error message.
pub(in crate::data) fn available_columns<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.len() {
        1 => format!("its only column is {}", names.concat()),
        _ => format!("its columns are {}", names.join(", ")),
    }
}

/// An error at a line of a text file or at a row of a Parquet file.
pub(in crate::data) fn row_error(file: &Path, position: u64, problem: &str) -> Error {
    match FileFormat::of(file) {
        Some(FileFormat::Parquet) => Error::data(file, None, format!("row {position}: {problem}")),
        _ => Error::data(file, Some(position), problem),
    }
}
