//! The labels of the rows of a file, in little memory: each different value once.

use super::label_encoding::LabelEncoding;
use crate::data::read::table::{LabelValue, Position};
use crate::format;
use std::collections::HashMap;

/// Maximum number of different values, and of the bytes of their texts: together they take less than a gigabyte.
const MAX_VALUES: usize = 4_000_000;
const MAX_TEXT_BYTES: usize = 128 << 20;
/// The code of a row without a label.
const MISSING: u32 = u32::MAX;

/// A value of the label column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DistinctValue {
    pub(super) value: LabelValue,
    /// The first row that has it.
    pub(super) first: Position,
    /// Number of rows that have it.
    pub(super) rows: u64,
}

/// The label column of a file.
#[derive(Debug, Default)]
pub(super) struct LabelColumn {
    values: Vec<DistinctValue>,
    codes_by_value: HashMap<LabelValue, u32>,
    /// Number of bytes of the texts in `values`.
    text_bytes: usize,
    /// For each row the index of its value in `values`.
    codes: Vec<u32>,
    /// The names of the classes, in order, if the file has them.
    pub(super) class_names: Option<Vec<String>>,
}

impl LabelColumn {
    /// A column without rows.
    pub(super) fn new(class_names: Option<Vec<String>>) -> Self {
        LabelColumn { class_names, ..LabelColumn::default() }
    }

    /// Adds the label of the next row.
    ///
    /// # Errors
    /// A clause if there are too many different values, or if they are too long.
    pub(super) fn push(&mut self, position: Position, label: Option<LabelValue>) -> Result<(), String> {
        let Some(label) = label else {
            self.codes.push(MISSING);
            return Ok(());
        };
        let code = match self.codes_by_value.get(&label) {
            Some(code) => *code,
            None if self.values.len() == MAX_VALUES => {
                return Err(format!(
                    "has more than {MAX_VALUES} different values; set label_column to the labels"
                ));
            }
            None if self.text_bytes + text_bytes(&label) > MAX_TEXT_BYTES => {
                let size = format::bytes(MAX_TEXT_BYTES as u64);
                return Err(format!(
                    "has more than {size} of different values; set label_column to the labels"
                ));
            }
            None => {
                self.text_bytes += text_bytes(&label);
                let code = self.values.len() as u32;
                self.codes_by_value.insert(label.clone(), code);
                self.values.push(DistinctValue { value: label, first: position, rows: 0 });
                code
            }
        };
        self.values[code as usize].rows += 1;
        self.codes.push(code);
        Ok(())
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }

    /// The different values, in the order of their first rows.
    pub(super) fn values(&self) -> &[DistinctValue] {
        &self.values
    }

    /// For each row the index of its value in [`LabelColumn::values`], if it has a label.
    pub(super) fn codes(&self) -> impl Iterator<Item = Option<usize>> {
        self.codes.iter().map(|code| (*code != MISSING).then_some(*code as usize))
    }
}

/// Number of bytes of the texts of a label.
fn text_bytes(value: &LabelValue) -> usize {
    match value {
        LabelValue::Text(text) => text.len(),
        LabelValue::List(items) => items.iter().map(|item| size_of::<LabelValue>() + text_bytes(item)).sum(),
        LabelValue::Int(_) | LabelValue::Float(_) | LabelValue::Bool(_) => 0,
    }
}

/// The encoding of the label column in all files.
pub(super) fn encoding_of<'a>(columns: impl IntoIterator<Item = &'a LabelColumn>) -> LabelEncoding {
    LabelEncoding::of(columns.into_iter().flat_map(|column| &column.values).map(|value| &value.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_limited_memory() {
        let mut column = LabelColumn::new(None);
        let mut push = |row: usize| {
            let text = format!("{row} {}", "x".repeat(1 << 20));
            column.push(Position::Row(row as u64), Some(LabelValue::Text(text)))
        };
        // The same value again takes no memory.
        assert!((0..127).chain(0..127).all(|row| push(row).is_ok()));
        let problem = push(127).unwrap_err();
        assert_eq!(problem, "has more than 134.2 MB of different values; set label_column to the labels");
    }
}
