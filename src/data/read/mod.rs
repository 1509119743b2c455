//! The file formats → [`Example`](super::Example)s. Nothing is dropped silently: what is not
//! understood is an error with file and place, or is counted and told.

mod parquet;
pub(super) mod table;
mod trees;
mod tsv;

use super::Rows;
use super::find::Found;
use crate::batch::Label;
use crate::catalog::{Columns, Labels, LocalFormat, Task, TaskSource};
use crate::error::{Error, Result};
use crate::event::SplitName;
use std::path::Path;

/// Tasks whose published TSV files have rows that a line break inside a text has split: such
/// rows, as long as they are few, are left out and told.
const SPLIT_ROWS: &[&str] = &["qqp"];

/// Reads the rows of `split` from where they were found.
pub(super) fn read(task: &Task, split: SplitName, found: &Found) -> Result<Rows> {
    match found {
        Found::Embedded { folder, text } => {
            let file = Path::new("assets").join(folder).join(format!("{}.tsv", split.name()));
            let columns = if task.pair {
                Columns { text: "question1", text_pair: Some("question2"), label: Some("is_duplicate") }
            } else {
                Columns { text: "sentence", text_pair: None, label: Some("label") }
            };
            tsv::read(&file, text.as_bytes(), &tsv::Layout::new(task, split, &[columns]))
        }
        Found::Tsv(file) => {
            let TaskSource::Files { local: LocalFormat::Tsv { columns, test_columns, unnamed }, .. } =
                &task.source
            else {
                return Err(wrong_kind(task, file));
            };
            let layout = match split {
                SplitName::Test => tsv::Layout::new(task, split, &[*test_columns, *columns]),
                _ => tsv::Layout::new(task, split, &[*columns]).unnamed(*unnamed),
            };
            tsv::read(file, &bytes(file)?, &layout)
        }
        Found::Trees(file) => {
            let TaskSource::Files { local: LocalFormat::Trees(tree), .. } = &task.source else {
                return Err(wrong_kind(task, file));
            };
            trees::read(file, &bytes(file)?, tree)
        }
        Found::Parquet { files, .. } => {
            let TaskSource::Files { hub, .. } = &task.source else {
                return Err(wrong_kind(task, &found.first_file()));
            };
            let mut all = Rows::default();
            for file in files {
                all.rows.extend(parquet::read(file, task, split, hub)?);
            }
            Ok(all)
        }
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(Error::reading(file))
}

fn wrong_kind(task: &Task, file: &Path) -> Error {
    Error::data(file, None, format!("is of a kind that task {} does not take", task.name))
}

/// The label that a cell means, a class by its number or its name, or what it should be. `-1` stands for no
/// label.
fn label_of(cell: &str, labels: &Labels) -> Result<Option<Label>, String> {
    if cell == "-1" {
        return Ok(None);
    }
    let label = match labels {
        Labels::Classes(names) => {
            let number = cell.parse::<u32>().ok().filter(|class| (*class as usize) < names.len());
            let class = number.or_else(|| names.iter().position(|name| name == cell).map(|i| i as u32));
            class.map(Label::Class)
        }
        Labels::Scale { low, high } => {
            let number = cell.parse::<f32>().ok().filter(|value| (*low..=*high).contains(value));
            number.map(Label::Value)
        }
    };
    label.map_or_else(|| Err(expected(labels)), |label| Ok(Some(label)))
}

/// What a label should be: `should be 0 (negative) or 1 (positive)`, `should be a number from 0 to 5`.
fn expected(labels: &Labels) -> String {
    match labels {
        Labels::Classes(names) => {
            let all: Vec<String> =
                names.iter().enumerate().map(|(i, name)| format!("{i} ({name})")).collect();
            format!("should be {}", all.join(" or "))
        }
        Labels::Scale { low, high } => format!("should be a number from {low} to {high}"),
    }
}
