//! Rows of texts and labels, from the cells of a table.

use super::cell::{Cell, LabelValue, Position, row_error};
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

impl ColumnNames {
    /// The names of all columns.
    pub(super) fn all(&self) -> Vec<&str> {
        [Some(&self.text), self.text_pair.as_ref(), Some(&self.label)]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    }

    /// The names of the columns that a file needs: the texts, and the label if it is required.
    pub(super) fn required(&self) -> Vec<&str> {
        let label = self.is_label_required.then_some(&self.label);
        [Some(&self.text), self.text_pair.as_ref(), label].into_iter().flatten().map(String::as_str).collect()
    }
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Record {
    /// Where the row is.
    pub(in crate::data) position: Position,
    /// The text, or the first text of a pair; empty if it is missing.
    pub(in crate::data) text: String,
    /// The second text.
    pub(in crate::data) text_pair: Option<String>,
    /// The value of the label column; `None` if it is missing.
    pub(in crate::data) label: Option<LabelValue>,
}

/// The indices of the columns to read.
#[derive(Debug, Clone, Copy)]
pub(in crate::data::read) struct ColumnIndices {
    pub(in crate::data::read) text: usize,
    pub(in crate::data::read) text_pair: Option<usize>,
    pub(in crate::data::read) label: Option<usize>,
}

impl ColumnIndices {
    /// The indices of the columns `wanted` among the columns `names` of a file.
    pub(super) fn find<S: AsRef<str>>(file: &Path, names: &[S], wanted: &ColumnNames) -> Result<Self> {
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

    /// The indices in the order of the cells of [`ColumnIndices::record`].
    pub(super) fn projection(self) -> Vec<usize> {
        [Some(self.text), self.text_pair, self.label].into_iter().flatten().collect()
    }

    /// The record of a row with the cells of [`ColumnIndices::projection`].
    pub(super) fn record(
        self,
        file: &Path,
        position: Position,
        cells: Vec<Cell>,
        names: &ColumnNames,
    ) -> Result<Record> {
        let mut cells = cells.into_iter();
        let mut cell = || cells.next().unwrap_or(Cell::Null);
        let text = |cell: Cell, name: &str| match cell {
            Cell::Text(text) => Ok(text),
            Cell::Null => Ok(String::new()),
            other => Err(row_error(
                file,
                position,
                &format!("column {name} is {}; it should be a string", clipped(&other)),
            )),
        };
        Ok(Record {
            position,
            text: text(cell(), &names.text)?,
            text_pair: names.text_pair.as_ref().map(|name| text(cell(), name)).transpose()?,
            label: self.label.map(|_| label(file, position, cell(), &names.label)).transpose()?.flatten(),
        })
    }
}

/// The value of a label cell; `None` if it is missing or empty.
fn label(file: &Path, position: Position, cell: Cell, name: &str) -> Result<Option<LabelValue>> {
    Ok(Some(match cell {
        Cell::Null => return Ok(None),
        Cell::Text(text) if text.is_empty() => return Ok(None),
        Cell::Float(number) if number.is_nan() => return Ok(None),
        Cell::Text(text) => LabelValue::Text(text),
        Cell::Int(number) => LabelValue::Int(number),
        Cell::Float(number) => LabelValue::Float(number),
        Cell::Bool(value) => LabelValue::Bool(value),
        other @ (Cell::List(_) | Cell::Other(_)) => {
            let problem = format!("column {name} is {}; it should be a string or a number", clipped(&other));
            return Err(row_error(file, position, &problem));
        }
    }))
}

/// The start of a cell for a message.
fn clipped(cell: &Cell) -> String {
    const LENGTH: usize = 60;
    let text = cell.to_string();
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
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
    const LISTED: usize = 20;
    let mut shown: Vec<String> = names.iter().take(LISTED).map(|name| clipped_name(name.as_ref())).collect();
    if names.len() > LISTED {
        shown.push(format!("and {} more", names.len() - LISTED));
    }
    match names.len() {
        0 => "it has no columns".into(),
        1 => format!("its only column is {}", shown.concat()),
        _ => format!("its columns are {}", shown.join(", ")),
    }
}

fn clipped_name(name: &str) -> String {
    const LENGTH: usize = 60;
    match name.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_string(),
    }
}
