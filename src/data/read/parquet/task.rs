//! Rows of a task of the catalog from Parquet files.

use super::file::ParquetTable;
use crate::batch::Label;
use crate::catalog::{HubDataset, Labels, SplitName, Task};
use crate::data::dataset::Example;
use crate::data::read::budget::MemoryBudget;
use crate::data::read::labels::{expected, parse_label};
use crate::data::read::table::{Cell, available_columns, row_error};
use crate::error::{Error, Result};
use std::path::Path;

/// Reads all rows of a file.
pub(in crate::data::read) fn read(
    path: &Path,
    task: &Task,
    split: SplitName,
    hub: &HubDataset,
    budget: &mut MemoryBudget,
) -> Result<Vec<Example>> {
    let file = ParquetTable::open(path)?.with_class_indices();
    let columns = Columns::find(path, &file, split, hub)?;
    let mut rows = Vec::new();
    let projection: Vec<usize> =
        [Some(columns.text), columns.text_pair, columns.label].into_iter().flatten().collect();
    file.read(&projection, &mut |position, cells| {
        let error = |column: usize, problem: &str| {
            let name =
                projection.get(column).and_then(|index| file.names().get(*index)).map_or("", String::as_str);
            row_error(path, position, &format!("column {name} {problem}"))
        };
        let mut cells = cells.into_iter().enumerate();
        let mut next = || cells.next().unwrap_or((0, Cell::Null));
        let text = |(column, cell): (usize, Cell)| match cell {
            Cell::Text(text) => Ok(text),
            Cell::Null => Err(error(column, "is null; every row needs a text")),
            _ => Err(error(column, "is not text; every row needs a text")),
        };
        let label = |(column, cell): (usize, Cell)| match label(cell, hub, task) {
            Ok(None) if split.is_required() => {
                Err(error(column, "has no label; training and validation rows need one"))
            }
            Ok(label) => Ok(label),
            Err(problem) => Err(error(column, &problem)),
        };
        let example = Example {
            text: text(next())?,
            text_pair: columns.text_pair.map(|_| text(next())).transpose()?,
            label: columns.label.map(|_| label(next())).transpose()?.flatten(),
        };
        budget.add(example.memory(), path)?;
        rows.push(example);
        Ok(())
    })?;
    Ok(rows)
}

/// The indices of the columns.
struct Columns {
    text: usize,
    text_pair: Option<usize>,
    label: Option<usize>,
}

impl Columns {
    /// The columns that the catalog names. The label column is optional in optional splits.
    fn find(path: &Path, file: &ParquetTable<'_>, split: SplitName, hub: &HubDataset) -> Result<Self> {
        let index = |name: &str| {
            file.names().iter().position(|found| *found == name).ok_or_else(|| {
                let problem = format!("has no column {name}; {}", available_columns(file.names()));
                Error::data(path, None, problem)
            })
        };
        let columns = hub.columns;
        Ok(Columns {
            text: index(columns.text)?,
            text_pair: columns.text_pair.map(index).transpose()?,
            label: match columns.label {
                Some(name) if !split.is_required() => index(name).ok(),
                other => other.map(index).transpose()?,
            },
        })
    }
}

/// The label of a row: a class index or name, a regression target, or a score that is compared with the threshold of
/// the task.
fn label(cell: Cell, hub: &HubDataset, task: &Task) -> Result<Option<Label>, String> {
    let number = match cell {
        Cell::Null => return Ok(None),
        Cell::Bool(value) => f64::from(u8::from(value)),
        Cell::Int(value) => value as f64,
        Cell::Float(value) => value,
        Cell::Text(name) if name.is_empty() => return Ok(None),
        Cell::Text(name) => {
            return parse_label(&name, &task.labels)
                .map_err(|expected| format!("is {name:?}; it {expected}"));
        }
        other @ (Cell::List(_) | Cell::Other(_)) => {
            return Err(format!("is {other}; it should be a number or text"));
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
