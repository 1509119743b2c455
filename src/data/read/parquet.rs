//! Parquet files, as the hub has them. Columns are found by name in the file's own schema.

use super::super::Example;
use super::table::{self, Cell, Record, Wanted};
use super::{expected, label_of};
use crate::batch::Label;
use crate::catalog::{HubDataset, Labels, Task};
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

/// A file that is open, with the names of its columns.
struct Opened<'f> {
    file: &'f Path,
    reader: SerializedFileReader<std::fs::File>,
    names: Vec<String>,
}

impl<'f> Opened<'f> {
    fn open(file: &'f Path) -> Result<Self> {
        let source = std::fs::File::open(file).map_err(Error::reading(file))?;
        let reader = SerializedFileReader::new(source).map_err(|e| broken(file, &e))?;
        let schema = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
        let names = schema.iter().map(|field| field.name().to_string()).collect();
        Ok(Opened { file, reader, names })
    }

    /// Every row, numbered from 1.
    fn rows(&self) -> Result<impl Iterator<Item = Result<(u64, Row)>> + '_> {
        let rows = self.reader.get_row_iter(None).map_err(|e| broken(self.file, &e))?;
        Ok((1u64..).zip(rows).map(|(number, row)| Ok((number, row.map_err(|e| broken(self.file, &e))?))))
    }

    fn wrong(&self, number: u64, place: usize, problem: &str) -> Error {
        let column = &self.names[place];
        Error::data(self.file, None, format!("row {number}: column {column} {problem}"))
    }

    fn text(&self, row: &Row, number: u64, place: usize) -> Result<String> {
        text_at(row, place).ok_or_else(|| {
            let kind =
                if matches!(field(row, place), Some(Field::Null)) { "empty (null)" } else { "no text" };
            self.wrong(number, place, &format!("is {kind}; every row needs a text"))
        })
    }
}

fn broken(file: &Path, error: &parquet::errors::ParquetError) -> Error {
    let problem = error.to_string();
    let line = problem.lines().next().unwrap_or_default().to_string();
    Error::data(file, None, format!("is not a Parquet file that can be read ({line}); fetch it again"))
}

/// Reads every row of one file of a task of the catalog.
pub(super) fn read(file: &Path, task: &Task, split: SplitName, hub: &HubDataset) -> Result<Vec<Example>> {
    let opened = Opened::open(file)?;
    let places = places(file, &opened.names, split, hub)?;
    let mut rows = Vec::new();
    for row in opened.rows()? {
        let (number, row) = row?;
        let text = |place: usize| opened.text(&row, number, place);
        let label = |place: usize| match label(&row, place, hub, task) {
            Ok(None) if split.is_required() => {
                Err(opened.wrong(number, place, "has no label; rows to train on or to choose by need one"))
            }
            Ok(label) => Ok(label),
            Err(problem) => Err(opened.wrong(number, place, &problem)),
        };
        rows.push(Example {
            text: text(places.text)?,
            text_pair: places.text_pair.map(text).transpose()?,
            label: places.label.map(label).transpose()?.flatten(),
        });
    }
    Ok(rows)
}

/// The names of the columns.
pub(super) fn columns(file: &Path) -> Result<Vec<String>> {
    Ok(Opened::open(file)?.names)
}

/// Reads every row of a file of the user's own.
pub(super) fn records(file: &Path, wanted: &Wanted) -> Result<Vec<Record>> {
    let opened = Opened::open(file)?;
    let places = table::Places::of(file, &opened.names, wanted)?;
    let mut records = Vec::new();
    for row in opened.rows()? {
        let (at, row) = row?;
        let text = |place: usize| opened.text(&row, at, place);
        let label = |place: usize| cell(&row, place).map_err(|problem| opened.wrong(at, place, &problem));
        records.push(Record {
            at,
            text: text(places.text)?,
            text_pair: places.text_pair.map(text).transpose()?,
            label: places.label.map(label).transpose()?.flatten(),
        });
    }
    Ok(records)
}

fn places(file: &Path, names: &[String], split: SplitName, hub: &HubDataset) -> Result<Places> {
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
            Some(name) if !split.is_required() => place(name).ok(),
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

/// What a label's column holds; `None` for nothing.
fn cell(row: &Row, place: usize) -> Result<Option<Cell>, String> {
    Ok(Some(match field(row, place) {
        None | Some(Field::Null) => return Ok(None),
        Some(Field::Bool(value)) => Cell::Flag(*value),
        Some(Field::Byte(value)) => Cell::Whole((*value).into()),
        Some(Field::Short(value)) => Cell::Whole((*value).into()),
        Some(Field::Int(value)) => Cell::Whole((*value).into()),
        Some(Field::Long(value)) => Cell::Whole(*value),
        Some(Field::UByte(value)) => Cell::Whole((*value).into()),
        Some(Field::UShort(value)) => Cell::Whole((*value).into()),
        Some(Field::UInt(value)) => Cell::Whole((*value).into()),
        Some(Field::ULong(value)) => i64::try_from(*value).map_or(Cell::Real(*value as f64), Cell::Whole),
        Some(Field::Float(value)) => Cell::Real((*value).into()),
        Some(Field::Double(value)) => Cell::Real(*value),
        Some(other) => match text_at(row, place) {
            Some(text) if text.is_empty() => return Ok(None),
            Some(text) => Cell::Text(text),
            None => return Err(format!("is {other}; it should be a number or a word")),
        },
    }))
}

/// The label of a row: a number, a name, or a score that the task's threshold cuts.
fn label(row: &Row, place: usize, hub: &HubDataset, task: &Task) -> Result<Option<Label>, String> {
    let number = match cell(row, place)? {
        None => return Ok(None),
        Some(Cell::Flag(value)) => f64::from(u8::from(value)),
        Some(Cell::Whole(value)) => value as f64,
        Some(Cell::Real(value)) => value,
        Some(Cell::Text(name)) => {
            return label_of(&name, &task.labels).map_err(|expected| format!("is {name:?}; it {expected}"));
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
