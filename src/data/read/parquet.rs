//! Parquet files. Columns are found by name in the schema of the file.

use super::labels::{expected, parse_label};
use super::table::{ColumnIndices, ColumnNames, LabelValue, Record, available_columns};
use crate::batch::Label;
use crate::catalog::{HubDataset, Labels, SplitName, Task};
use crate::data::dataset::Example;
use crate::error::{Error, Result, panic_message};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// An open file with the names of its columns.
struct ParquetFile<'f> {
    path: &'f Path,
    reader: SerializedFileReader<std::fs::File>,
    names: Vec<String>,
}

impl<'f> ParquetFile<'f> {
    fn open(path: &'f Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(Error::reading(path))?;
        let reader = SerializedFileReader::new(file).map_err(|e| unreadable(path, &e))?;
        let schema = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
        let names = schema.iter().map(|field| field.name().to_string()).collect();
        Ok(ParquetFile { path, reader, names })
    }

    /// All rows, numbered from 1.
    fn rows(&self) -> Result<impl Iterator<Item = Result<(u64, Row)>> + '_> {
        let mut rows = self.reader.get_row_iter(None).map_err(|e| unreadable(self.path, &e))?;
        // The reader of the crate panics on some unsupported column types and corrupt pages.
        let next_row = move || {
            catch_unwind(AssertUnwindSafe(|| rows.next()))
                .unwrap_or_else(|panic| Some(Err(ParquetError::General(panic_message(&*panic)))))
        };
        let rows = std::iter::from_fn(next_row);
        Ok((1u64..).zip(rows).map(|(number, row)| Ok((number, row.map_err(|e| unreadable(self.path, &e))?))))
    }

    /// An error at a column of a row. `problem` follows the name of the column.
    fn error(&self, row: u64, column: usize, problem: &str) -> Error {
        let column = self.names.get(column).map_or("", String::as_str);
        Error::data(self.path, None, format!("row {row}: column {column} {problem}"))
    }

    /// The text at a column of a row.
    fn text(&self, row: &Row, number: u64, column: usize) -> Result<String> {
        text_at(row, column).ok_or_else(|| {
            let is_null = matches!(field(row, column), Some(Field::Null));
            let found = if is_null { "is null" } else { "is not text" };
            self.error(number, column, &format!("{found}; every row needs a text"))
        })
    }
}

fn unreadable(file: &Path, error: &ParquetError) -> Error {
    let problem = error.to_string();
    let line = problem.lines().next().unwrap_or_default();
    Error::data(file, None, format!("cannot be read as Parquet ({line}); download it again"))
}

/// Reads all rows of a file of a task from the catalog.
pub(super) fn read(file: &Path, task: &Task, split: SplitName, hub: &HubDataset) -> Result<Vec<Example>> {
    let file = ParquetFile::open(file)?;
    let columns = column_indices(&file, split, hub)?;
    let mut rows = Vec::new();
    for row in file.rows()? {
        let (number, row) = row?;
        let text = |column: usize| file.text(&row, number, column);
        let label = |column: usize| match label(&row, column, hub, task) {
            Ok(None) if split.is_required() => {
                Err(file.error(number, column, "has no label; training and validation rows need one"))
            }
            Ok(label) => Ok(label),
            Err(problem) => Err(file.error(number, column, &problem)),
        };
        rows.push(Example {
            text: text(columns.text)?,
            text_pair: columns.text_pair.map(text).transpose()?,
            label: columns.label.map(label).transpose()?.flatten(),
        });
    }
    Ok(rows)
}

/// The names of the columns.
pub(super) fn columns(file: &Path) -> Result<Vec<String>> {
    Ok(ParquetFile::open(file)?.names)
}

/// Reads all rows of a file of task `custom`.
pub(super) fn records(file: &Path, names: &ColumnNames) -> Result<Vec<Record>> {
    let file = ParquetFile::open(file)?;
    let columns = ColumnIndices::find(file.path, &file.names, names)?;
    let mut records = Vec::new();
    for row in file.rows()? {
        let (position, row) = row?;
        let text = |column: usize| file.text(&row, position, column);
        let label = |column: usize| {
            label_value(&row, column).map_err(|problem| file.error(position, column, &problem))
        };
        records.push(Record {
            position,
            text: text(columns.text)?,
            text_pair: columns.text_pair.map(text).transpose()?,
            label: columns.label.map(label).transpose()?.flatten(),
        });
    }
    Ok(records)
}

/// The indices of the columns that the catalog names. The label column is optional in optional splits.
fn column_indices(file: &ParquetFile<'_>, split: SplitName, hub: &HubDataset) -> Result<ColumnIndices> {
    let index = |name: &str| {
        file.names.iter().position(|found| *found == name).ok_or_else(|| {
            let problem = format!("has no column {name}; {}", available_columns(&file.names));
            Error::data(file.path, None, problem)
        })
    };
    let columns = hub.columns;
    Ok(ColumnIndices {
        text: index(columns.text)?,
        text_pair: columns.text_pair.map(index).transpose()?,
        label: match columns.label {
            Some(name) if !split.is_required() => index(name).ok(),
            other => other.map(index).transpose()?,
        },
    })
}

fn field(row: &Row, column: usize) -> Option<&Field> {
    row.get_column_iter().nth(column).map(|(_, field)| field)
}

fn text_at(row: &Row, column: usize) -> Option<String> {
    match field(row, column)? {
        Field::Str(text) => Some(text.clone()),
        // Some writers store text without the UTF-8 annotation.
        Field::Bytes(bytes) => String::from_utf8(bytes.data().to_vec()).ok(),
        _ => None,
    }
}

/// The value of a label column; `None` if it is null or empty.
fn label_value(row: &Row, column: usize) -> Result<Option<LabelValue>, String> {
    Ok(Some(match field(row, column) {
        None | Some(Field::Null) => return Ok(None),
        Some(Field::Bool(value)) => LabelValue::Bool(*value),
        Some(Field::Byte(value)) => LabelValue::Int((*value).into()),
        Some(Field::Short(value)) => LabelValue::Int((*value).into()),
        Some(Field::Int(value)) => LabelValue::Int((*value).into()),
        Some(Field::Long(value)) => LabelValue::Int(*value),
        Some(Field::UByte(value)) => LabelValue::Int((*value).into()),
        Some(Field::UShort(value)) => LabelValue::Int((*value).into()),
        Some(Field::UInt(value)) => LabelValue::Int((*value).into()),
        Some(Field::ULong(value)) => {
            i64::try_from(*value).map_or(LabelValue::Float(*value as f64), LabelValue::Int)
        }
        Some(Field::Float(value)) => LabelValue::Float((*value).into()),
        Some(Field::Double(value)) => LabelValue::Float(*value),
        Some(other) => match text_at(row, column) {
            Some(text) if text.is_empty() => return Ok(None),
            Some(text) => LabelValue::Text(text),
            None => return Err(format!("is {other}; it should be a number or text")),
        },
    }))
}

/// The label of a row: a class index or name, a regression target, or a score that is compared with the threshold of
/// the task.
fn label(row: &Row, column: usize, hub: &HubDataset, task: &Task) -> Result<Option<Label>, String> {
    let number = match label_value(row, column)? {
        None => return Ok(None),
        Some(LabelValue::Bool(value)) => f64::from(u8::from(value)),
        Some(LabelValue::Int(value)) => value as f64,
        Some(LabelValue::Float(value)) => value,
        Some(LabelValue::Text(name)) => {
            return parse_label(&name, &task.labels)
                .map_err(|expected| format!("is {name:?}; it {expected}"));
        }
    };
    if number == -1.0 {
        return Ok(None);
    }
    if let Some(threshold) = hub.threshold {
        return if (0.0..=1.0).contains(&number) {
            Ok(Some(Label::Class(u32::from(number > threshold))))
        } else {
            Err(format!("is {number}; it should be a score from 0 to 1"))
        };
    }
    match &task.labels {
        Labels::Classes(names) if number.fract() == 0.0 && (0.0..names.len() as f64).contains(&number) => {
            Ok(Some(Label::Class(number as u32)))
        }
        Labels::Scale { low, high } if (*low..=*high).contains(&(number as f32)) => {
            Ok(Some(Label::Value(number as f32)))
        }
        labels => Err(format!("is {number}; it {}", expected(labels))),
    }
}
