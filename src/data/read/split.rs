//! Reading of a split of a task from its files.

use super::budget::MemoryBudget;
use super::input::Input;
use super::text_file::{TextFile, TextLines};
use super::{parquet, trees, tsv};
use crate::catalog::{Columns, LocalFormat, SplitName, Task, TaskSource};
use crate::data::dataset::SplitRows;
use crate::data::find::SplitFiles;
use crate::error::{Error, Result};
use encoding_rs::UTF_8;
use std::path::Path;

/// The columns of the embedded files of a task.
pub(in crate::data) fn embedded_columns(task: &Task) -> &'static Columns {
    if task.pair {
        &Columns { text: "question1", text_pair: Some("question2"), label: Some("is_duplicate") }
    } else {
        &Columns { text: "sentence", text_pair: None, label: Some("label") }
    }
}

/// Reads the rows of `split` from its files.
pub(in crate::data) fn read_split(task: &Task, split: SplitName, files: &SplitFiles) -> Result<SplitRows> {
    let mut budget = MemoryBudget::for_rows();
    match files {
        SplitFiles::Embedded { folder, text } => {
            let file = Path::new("assets").join(folder).join(format!("{}.tsv", split.name()));
            tsv::read(
                &file,
                &mut TextLines::new(text.as_bytes()),
                &tsv::TsvFormat::new(task, split, &[*embedded_columns(task)]),
                &mut budget,
            )
        }
        SplitFiles::Tsv(file) => {
            let TaskSource::Files { local: LocalFormat::Tsv { columns, test_columns, unnamed, .. }, .. } =
                &task.source
            else {
                return Err(unsupported(task, file));
            };
            let format = match split {
                split if !split.is_required() => tsv::TsvFormat::new(task, split, &[*test_columns, *columns]),
                _ => tsv::TsvFormat::new(task, split, &[*columns]).without_header(*unnamed),
            };
            let mut lines = TextFile::open(Input::open(file)?, Some(UTF_8))?.lines()?;
            tsv::read(file, &mut lines, &format, &mut budget)
        }
        SplitFiles::Trees(file) => {
            let TaskSource::Files { local: LocalFormat::Trees(tree), .. } = &task.source else {
                return Err(unsupported(task, file));
            };
            let mut lines = TextFile::open(Input::open(file)?, Some(UTF_8))?.lines()?;
            trees::read(file, &mut lines, tree, &mut budget)
        }
        SplitFiles::Parquet { files: shards, .. } => {
            let TaskSource::Files { hub, .. } = &task.source else {
                return Err(unsupported(task, &files.first_file()));
            };
            let mut all = SplitRows::default();
            for file in shards {
                all.rows.extend(parquet::read(file, task, split, hub, &mut budget)?);
            }
            Ok(all)
        }
    }
}

fn unsupported(task: &Task, file: &Path) -> Error {
    Error::data(file, None, format!("has a format that task {} does not support", task.name))
}
