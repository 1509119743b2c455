//! Rows of texts and labels, from the cells of a table.

use super::cell::{Cell, LabelValue, Position, row_error};
use crate::error::{Error, Result};
use crate::spec::LabelColumns;
use crate::text::clipped;
use std::path::Path;

/// Maximum number of characters of a cell or a name in a message.
const MAX_SHOWN: usize = 60;

/// The names of the columns to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct ColumnNames {
    /// The column of the text, or of the first text of a pair.
    pub(in crate::data) text: String,
    /// The column of the second text.
    pub(in crate::data) text_pair: Option<String>,
    /// The column of the label, or a column for each label.
    pub(in crate::data) label: LabelColumns,
    /// Whether the column of the label is required.
    pub(in crate::data) is_label_required: bool,
    /// Whether empty text is a set without labels, and not a missing label.
    pub(in crate::data) is_multi_label: bool,
}

impl ColumnNames {
    /// The columns of the texts alone.
    pub(in crate::data) fn of_texts(text: String, text_pair: Option<String>) -> Self {
        ColumnNames { text, text_pair, label: "".into(), is_label_required: false, is_multi_label: false }
    }

    /// The names of all columns.
    pub(super) fn all(&self) -> Vec<&str> {
        let texts = [Some(&self.text), self.text_pair.as_ref()].into_iter().flatten();
        texts.chain(self.label.names()).map(String::as_str).collect()
    }

    /// The names of the columns that a file needs: the texts, and the label if it is required.
    pub(super) fn required(&self) -> Vec<&str> {
        let texts = [Some(&self.text), self.text_pair.as_ref()].into_iter().flatten();
        let labels = if self.is_label_required { self.label.names() } else { &[] };
        texts.chain(labels).map(String::as_str).collect()
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

/// The indices of the columns of a [`Record`].
#[derive(Debug, Clone)]
pub(super) struct RecordIndices {
    text: usize,
    text_pair: Option<usize>,
    /// Empty if the file has no labels.
    labels: Vec<usize>,
}

impl RecordIndices {
    /// The indices of the columns `wanted` among the columns `names` of a file.
    pub(super) fn find<S: AsRef<str>>(file: &Path, names: &[S], wanted: &ColumnNames) -> Result<Self> {
        let index = |name: &str| column_index(file, names, name);
        let labels = wanted.label.names().iter().map(|name| index(name)).collect::<Result<Vec<_>>>();
        Ok(RecordIndices {
            text: index(&wanted.text)?,
            text_pair: wanted.text_pair.as_deref().map(index).transpose()?,
            labels: match labels {
                Err(_) if !wanted.is_label_required => Vec::new(),
                labels => labels?,
            },
        })
    }

    /// The indices in the order of the cells of [`RecordIndices::record`].
    pub(super) fn projection(&self) -> Vec<usize> {
        let texts = [Some(self.text), self.text_pair].into_iter().flatten();
        texts.chain(self.labels.iter().copied()).collect()
    }

    /// The record of a row with the cells of [`RecordIndices::projection`].
    pub(super) fn record(
        &self,
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
                &format!("column {name} is {}; it should be a string", shortened(&other)),
            )),
        };
        let first = text(cell(), &names.text)?;
        let text_pair = names.text_pair.as_ref().map(|name| text(cell(), name)).transpose()?;
        let label = match &names.label {
            _ if self.labels.is_empty() => Ok(None),
            LabelColumns::One(name) => label(cell(), names.is_multi_label).map_err(|problem| (name, problem)),
            LabelColumns::Several(names) => applying_labels(names, &mut cell),
        };
        let label = label
            .map_err(|(name, problem)| row_error(file, position, &format!("column {name} {problem}")))?;
        Ok(Record { position, text: first, text_pair, label })
    }
}

/// The value of a label cell; `None` if it is missing or empty. With `is_multi_label`, empty text is an empty set.
fn label(cell: Cell, is_multi_label: bool) -> std::result::Result<Option<LabelValue>, String> {
    Ok(Some(match cell {
        Cell::Null => return Ok(None),
        Cell::Text(text) if text.is_empty() && is_multi_label => LabelValue::List(Vec::new()),
        Cell::Text(text) if text.is_empty() => return Ok(None),
        Cell::Float(number) if number.is_nan() => return Ok(None),
        Cell::Text(text) => LabelValue::Text(text),
        Cell::Int(number) => LabelValue::Int(number),
        Cell::Float(number) => LabelValue::Float(number),
        Cell::Bool(value) => LabelValue::Bool(value),
        Cell::List(cells) => {
            let item = |cell: Cell| match label(cell.clone(), false)? {
                Some(value) if !matches!(value, LabelValue::List(_)) => Ok(value),
                _ => Err(format!("has {} in a list; it should be a string or a number", shortened(&cell))),
            };
            LabelValue::List(cells.into_iter().map(item).collect::<std::result::Result<_, String>>()?)
        }
        other @ Cell::Other(_) => {
            return Err(format!("is {}; it should be a string or a number", shortened(&other)));
        }
    }))
}

/// The set of the columns `names` whose cell is 1 or true; `None` if all cells are empty. An error names its column.
fn applying_labels<'n>(
    names: &'n [String],
    cell: &mut dyn FnMut() -> Cell,
) -> std::result::Result<Option<LabelValue>, (&'n String, String)> {
    let (mut applying, mut empty) = (Vec::new(), Vec::new());
    for name in names {
        let cell = cell();
        let text = match &cell {
            Cell::Null => String::new(),
            Cell::Text(text) => text.trim().to_ascii_lowercase(),
            other => other.to_string(),
        };
        match text.as_str() {
            "1" | "1.0" | "true" => applying.push(LabelValue::Text(name.clone())),
            "0" | "0.0" | "false" => {}
            "" => empty.push(name),
            _ => return Err((name, format!("is {}; it should be 0 or 1", shortened(&cell)))),
        }
    }
    match empty.first() {
        None => Ok(Some(LabelValue::List(applying))),
        Some(_) if empty.len() == names.len() => Ok(None),
        Some(name) => Err((name, "is empty; it should be 0 or 1".into())),
    }
}

/// The start of a cell for a message.
fn shortened(cell: &Cell) -> String {
    clipped(&cell.to_string(), MAX_SHOWN).into_owned()
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
    let name = |name: &S| clipped(name.as_ref(), MAX_SHOWN).into_owned();
    let mut shown: Vec<String> = names.iter().take(LISTED).map(name).collect();
    if names.len() > LISTED {
        shown.push(format!("and {} more", names.len() - LISTED));
    }
    match names.len() {
        0 => "it has no columns".into(),
        1 => format!("its only column is {}", shown.concat()),
        _ => format!("its columns are {}", shown.join(", ")),
    }
}
