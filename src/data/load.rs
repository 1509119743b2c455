//! Loading of a dataset or a single split.

use super::custom;
use super::dataset::{Dataset, Example, SplitRows};
use super::find::{SplitFiles, find_split, missing_split};
use super::read::read_split;
use super::source::{DatasetSource, LoadContext};
use crate::catalog::Task;
use crate::error::{Error, Result};
use crate::event::SplitName;
use std::path::Path;

/// Loads every split of a task.
///
/// # Errors
/// [`Error::Data`] for a missing or invalid file, [`Error::Hub`] if the hub does not provide a file,
/// [`Error::Interrupted`] if cancelled.
pub fn load(source: DatasetSource<'_>, context: &mut LoadContext<'_>) -> Result<Dataset> {
    if let Some(spec) = source.custom_spec()? {
        return custom::load(spec);
    }
    let DatasetSource { task, data_dir, .. } = source;
    let mut dataset = Dataset {
        labels: task.labels.clone(),
        notes: task.note.map(str::to_string).into_iter().collect(),
        ..Dataset::default()
    };
    dataset.train = load_into(&mut dataset, task, SplitName::Train, data_dir, context)?;
    dataset.validation = load_into(&mut dataset, task, SplitName::Validation, data_dir, context)?;
    if task.has_mismatched() {
        let split = SplitName::ValidationMismatched;
        dataset.mismatched = Some(load_into(&mut dataset, task, split, data_dir, context)?);
    }
    if let Some(files) = find_split(task, SplitName::Test, data_dir, context)? {
        let rows = read_into(&mut dataset, task, SplitName::Test, &files)?;
        dataset.set_test(rows);
    }
    Ok(dataset)
}

/// Loads one split of a task. Rows of the test split may be unlabelled.
///
/// # Errors
/// As [`load`]; a split that does not exist is an [`Error::Data`].
pub fn load_split(
    source: DatasetSource<'_>,
    split: SplitName,
    context: &mut LoadContext<'_>,
) -> Result<Vec<Example>> {
    if let Some(spec) = source.custom_spec()? {
        return custom::load_split(spec, split, source.labels);
    }
    load_into(&mut Dataset::default(), source.task, split, source.data_dir, context)
}

/// Finds and reads a required split. Adds its notes and its commit to `dataset`.
fn load_into(
    dataset: &mut Dataset,
    task: &'static Task,
    split: SplitName,
    data_dir: Option<&Path>,
    context: &mut LoadContext<'_>,
) -> Result<Vec<Example>> {
    match find_split(task, split, data_dir, context)? {
        Some(files) => read_into(dataset, task, split, &files),
        None => Err(missing_split(task, split, data_dir)),
    }
}

/// Reads a split and adds its notes and its commit to `dataset`. Only the test split may be empty.
fn read_into(
    dataset: &mut Dataset,
    task: &'static Task,
    split: SplitName,
    files: &SplitFiles,
) -> Result<Vec<Example>> {
    let SplitRows { rows, notes } = read_split(task, split, files)?;
    if rows.is_empty() && split != SplitName::Test {
        let problem = format!("has no rows; the {} split needs at least one", split.name());
        return Err(Error::data(files.first_file(), None, problem));
    }
    for note in notes {
        if !dataset.notes.contains(&note) {
            dataset.notes.push(note);
        }
    }
    if let SplitFiles::Parquet { commit: Some(commit), .. } = files {
        dataset.commit = Some(commit.clone());
    }
    Ok(rows)
}
