//! The cells of a table, of any format.

use crate::error::{Error, Result};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Cell {
    /// Missing: `null`, `NaN`, or a key that an object does not have.
    Null,
    /// Text; in formats without types any value.
    Text(String),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A list.
    List(Vec<Cell>),
    /// A value of another type, such as an object or a date, as text for a message.
    Other(String),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("null"),
            Cell::Text(text) => write!(f, "{text:?}"),
            Cell::Int(number) => write!(f, "{number}"),
            Cell::Float(number) => write!(f, "{number:?}"),
            Cell::Bool(value) => write!(f, "{value}"),
            Cell::List(cells) => {
                f.write_str("[")?;
                for (index, cell) in cells.iter().enumerate() {
                    write!(f, "{}{cell}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Cell::Other(text) => f.write_str(text),
        }
    }
}

/// Receives the position and the cells of a row.
pub(in crate::data::read) type OnRow<'a> = &'a mut dyn FnMut(Position, Vec<Cell>) -> Result<()>;

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
    /// A set of labels; its values are not lists.
    List(Vec<LabelValue>),
}

/// Labels are never NaN.
impl Eq for LabelValue {}

impl Hash for LabelValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            LabelValue::Text(text) => text.hash(state),
            LabelValue::Int(number) => number.hash(state),
            // Equal numbers have the same hash: adding 0 turns -0 into 0.
            LabelValue::Float(number) => (number + 0.0).to_bits().hash(state),
            LabelValue::Bool(value) => value.hash(state),
            LabelValue::List(items) => items.hash(state),
        }
    }
}

/// Where a row is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::data) enum Position {
    /// A line of a text file, from 1.
    Line(u64),
    /// A row of a file without lines, from 1.
    Row(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Line(number) => write!(f, "line {number}"),
            Position::Row(number) => write!(f, "row {number}"),
        }
    }
}

/// An error at a row of a file.
pub(in crate::data) fn row_error(file: &Path, position: Position, problem: &str) -> Error {
    match position {
        Position::Line(number) => Error::data(file, Some(number), problem),
        Position::Row(number) => Error::data(file, None, format!("row {number}: {problem}")),
    }
}
