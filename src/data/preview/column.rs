//! What is known about a column from the first rows of its file.

use crate::data::custom::{LabelEncoding, SetNotation};
use crate::data::read::table::{Cell, LabelValue};
use crate::text::clipped;
use std::collections::HashSet;

/// Maximum number of different values that are counted, and of bytes of one.
const MAX_VALUES: usize = 20_000;
const MAX_VALUE_BYTES: usize = 2_000;
/// Number of examples.
const EXAMPLES: usize = 3;
/// Maximum number of characters of an example.
const EXAMPLE_LENGTH: usize = 200;

/// A column of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnPreview {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub kind: ColumnKind,
    /// Different values in the first rows.
    pub examples: Vec<String>,
    /// Number of the first rows.
    pub rows: usize,
    /// Number of rows with an empty or missing value.
    pub empty: usize,
    /// Number of different values; at most as many as are counted.
    pub distinct: usize,
    /// Mean number of characters of the values that are not empty.
    pub mean_length: f64,
    /// Mean number of words of the values that are not empty.
    pub mean_words: f64,
    /// Whether all values are 0 or 1, or booleans.
    pub is_binary: bool,
}

/// The type of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Words.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers, at least one of them with a fraction.
    Number,
    /// `True` and `False`, or booleans.
    Boolean,
    /// Lists.
    List,
    /// Days or times.
    Date,
    /// Values that are neither texts nor labels, such as objects.
    Other,
    /// No values.
    Empty,
}

impl ColumnKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ColumnKind::Text => "text",
            ColumnKind::Integer => "integer",
            ColumnKind::Number => "number",
            ColumnKind::Boolean => "boolean",
            ColumnKind::List => "list",
            ColumnKind::Date => "date",
            ColumnKind::Other => "object",
            ColumnKind::Empty => "empty",
        }
    }
}

/// Collects the values of a column.
#[derive(Debug, Default)]
pub(super) struct ColumnSummary {
    values: HashSet<LabelValue>,
    examples: Vec<String>,
    rows: usize,
    empty: usize,
    characters: usize,
    words: usize,
    others: usize,
}

impl ColumnSummary {
    /// Adds the cell of the next row.
    pub(super) fn push(&mut self, cell: &Cell) {
        self.rows += 1;
        let text = cell_text(cell);
        if text.trim().is_empty() {
            self.empty += 1;
            return;
        }
        self.characters += text.chars().count();
        self.words += text.split_whitespace().count();
        let value = match cell {
            Cell::Other(_) => {
                self.others += 1;
                LabelValue::Text(clip_bytes(&text))
            }
            _ => label_value(cell),
        };
        if self.values.len() < MAX_VALUES && self.values.insert(value) && self.examples.len() < EXAMPLES {
            self.examples.push(clipped(&text, EXAMPLE_LENGTH).into_owned());
        }
    }

    /// The column.
    pub(super) fn finish(self, name: String) -> ColumnPreview {
        let filled = self.rows - self.empty;
        let mean = |sum: usize| if filled == 0 { 0.0 } else { sum as f64 / filled as f64 };
        ColumnPreview {
            name,
            kind: self.kind(),
            rows: self.rows,
            empty: self.empty,
            distinct: self.values.len(),
            mean_length: mean(self.characters),
            mean_words: mean(self.words),
            is_binary: !self.values.is_empty() && self.values.iter().all(is_binary),
            examples: self.examples,
        }
    }

    fn kind(&self) -> ColumnKind {
        if self.values.is_empty() {
            return ColumnKind::Empty;
        }
        if self.others > 0 {
            return ColumnKind::Other;
        }
        if SetNotation::are_sets(self.values.iter()) {
            return ColumnKind::List;
        }
        match LabelEncoding::of(self.values.iter()) {
            LabelEncoding::WholeNumbers => ColumnKind::Integer,
            LabelEncoding::Numbers => ColumnKind::Number,
            LabelEncoding::Booleans => ColumnKind::Boolean,
            LabelEncoding::Words if self.values.iter().all(is_date) => ColumnKind::Date,
            LabelEncoding::Words => ColumnKind::Text,
        }
    }
}

/// The text of a cell, as a table shows it.
pub(super) fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Null => String::new(),
        other => other.to_string(),
    }
}

/// The value of a cell, long texts by their start.
fn label_value(cell: &Cell) -> LabelValue {
    match cell {
        Cell::Int(number) => LabelValue::Int(*number),
        Cell::Float(number) => LabelValue::Float(*number),
        Cell::Bool(value) => LabelValue::Bool(*value),
        Cell::List(cells) => LabelValue::List(cells.iter().map(label_value).collect()),
        Cell::Text(text) => LabelValue::Text(clip_bytes(text)),
        Cell::Null | Cell::Other(_) => LabelValue::Text(cell_text(cell)),
    }
}

fn clip_bytes(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_VALUE_BYTES)].to_string()
}

fn is_binary(value: &LabelValue) -> bool {
    match value {
        LabelValue::Bool(_) | LabelValue::Int(0 | 1) => true,
        LabelValue::Float(number) => *number == 0.0 || *number == 1.0,
        LabelValue::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            matches!(text.as_str(), "0" | "1" | "0.0" | "1.0" | "true" | "false")
        }
        LabelValue::Int(_) | LabelValue::List(_) => false,
    }
}

/// Whether a value is a day or a time: digits in groups with `-`, `/`, `.` or `:` between them, as in `2026-11-30 08:15`.
fn is_date(value: &LabelValue) -> bool {
    let LabelValue::Text(text) = value else { return false };
    let mut groups = text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    let rest = text.chars().filter(|c| !c.is_ascii_digit());
    let is_plain = rest.clone().all(|c| matches!(c, '-' | '/' | '.' | ':' | 'T' | 'Z' | '+' | ' '));
    let separators = rest.filter(|c| matches!(c, '-' | '/' | '.' | ':')).count();
    is_plain && separators >= 2 && groups.all(|group| group.len() <= 9) && text.len() >= 6
}
