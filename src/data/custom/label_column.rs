//! The labels of the rows of a file, in little memory: each different value once.

use super::label_encoding::LabelEncoding;
use crate::data::read::table::{LabelValue, Position};
use std::collections::HashMap;

/// Maximum number of different values: they take less than a gigabyte.
const MAX_VALUES: usize = 4_000_000;
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
    /// A clause if there are too many different values.
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
            None => {
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

/// The encoding of the label column in all files.
pub(super) fn encoding_of<'a>(columns: impl IntoIterator<Item = &'a LabelColumn>) -> LabelEncoding {
    LabelEncoding::of(columns.into_iter().flat_map(|column| &column.values).map(|value| &value.value))
}
