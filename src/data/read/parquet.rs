//! Parquet files, as the hub has them. Columns are found by name in the file's own schema.

use super::super::Example;
use super::{expected, label_of};
use crate::batch::Label;
use crate::catalog::{Hub, Labels, Task};
use crate::error::{Error, Result};
use crate::event::SplitName;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use std::path::Path;

/// Places of the wanted columns in a row.
struct Places {
    text: usize,
    text_pair: Option<usize>,
    label: Option<usize>,
}

/// Reads every row of one file.
pub(super) fn read(file: &Path, task: &Task, split: SplitName, hub: &Hub) -> Result<Vec<Example>> {
    let broken = |e: parquet::errors::ParquetError| {
        let problem = e.to_string();
        let line = problem.lines().next().unwrap_or_default().to_string();
        Error::data(file, None, format!("is not a Parquet file that can be read ({line}); fetch it again"))
    };
    let source = std::fs::File::open(file).map_err(Error::reading(file))?;
    let reader = SerializedFileReader::new(source).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
    let names: Vec<&str> = schema.iter().map(|field| field.name()).collect();
    let places = places(file, &names, split, hub)?;

    let mut rows = Vec::new();
    for (row, number) in reader.get_row_iter(None).map_err(broken)?.zip(1u64..) {
        let row = row.map_err(broken)?;
        let name_of = |place: usize| names[place];
        let text = |place: usize| {
            text_at(&row, place).ok_or_else(|| {
                let kind =
                    if matches!(field(&row, place), Some(Field::Null)) { "empty (null)" } else { "no text" };
                let problem =
                    format!("row {number}: column {} is {kind}; every row needs a text", name_of(place));
                Error::data(file, None, problem)
            })
        };
        rows.push(Example {
            text: text(places.text)?,
            text_pair: places.text_pair.map(text).transpose()?,
            label: match places.label {
                Some(place) => label(&row, place, hub, task)
                    .and_then(|label| {
                        if label.is_none() && split != SplitName::Test {
                            return Err("has no label; rows to train on or to choose by need one".to_string());
                        }
                        Ok(label)
                    })
                    .map_err(|problem| {
                        let column = name_of(place);
                        Error::data(file, None, format!("row {number}: column {column} {problem}"))
                    })?,
                None => None,
            },
        });
    }
    Ok(rows)
}

fn places(file: &Path, names: &[&str], split: SplitName, hub: &Hub) -> Result<Places> {
    let place = |name: &str| {
        names.iter().position(|found| *found == name).ok_or_else(|| {
            let problem = format!("has no column {name}; its columns are {}", names.join(", "));
            Error::data(file, None, problem)
        })
    };
    let columns = hub.columns;
    Ok(Places {
        text: place(columns.text)?,
        text_pair: columns.text_pair.map(place).transpose()?,
        label: match columns.label {
            Some(name) if split == SplitName::Test => place(name).ok(),
            other => other.map(place).transpose()?,
        },
    })
}

fn field(row: &Row, place: usize) -> Option<&Field> {
    row.get_column_iter().nth(place).map(|(_, field)| field)
}

fn text_at(row: &Row, place: usize) -> Option<String> {
    match field(row, place)? {
        Field::Str(text) => Some(text.clone()),
        // Writers that leave the UTF-8 mark out give plain bytes.
        Field::Bytes(bytes) => String::from_utf8(bytes.data().to_vec()).ok(),
        _ => None,
    }
}

/// The label of a row: a number, a name, or a score that the task's threshold cuts.
fn label(row: &Row, place: usize, hub: &Hub, task: &Task) -> Result<Option<Label>, String> {
    let number = match field(row, place) {
        None | Some(Field::Null) => return Ok(None),
        Some(Field::Bool(value)) => f64::from(u8::from(*value)),
        Some(Field::Byte(value)) => f64::from(*value),
        Some(Field::Short(value)) => f64::from(*value),
        Some(Field::Int(value)) => f64::from(*value),
        Some(Field::Long(value)) => *value as f64,
        Some(Field::UByte(value)) => f64::from(*value),
        Some(Field::UShort(value)) => f64::from(*value),
        Some(Field::UInt(value)) => f64::from(*value),
        Some(Field::ULong(value)) => *value as f64,
        Some(Field::Float(value)) => f64::from(*value),
        Some(Field::Double(value)) => *value,
        Some(Field::Str(name)) => {
            return label_of(name, task.labels).map_err(|expected| format!("is {name:?}; it {expected}"));
        }
        Some(other) => return Err(format!("is {other}; it should be a number")),
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
    match task.labels {
        Labels::Classes(names) if number.fract() == 0.0 && (0.0..names.len() as f64).contains(&number) => {
            Ok(Some(Label::Class(number as u32)))
        }
        Labels::Scale { low, high } if (low..=high).contains(&(number as f32)) => {
            Ok(Some(Label::Value(number as f32)))
        }
        labels => Err(format!("is {number}; it {}", expected(labels))),
    }
}
