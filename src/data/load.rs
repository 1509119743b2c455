//! Loading of a dataset or a single split.

use super::custom;
use super::dataset::{Dataset, Example, SplitRows};
use super::find::{SplitFiles, find_split, missing_split};
use super::read::read_split;
use super::source::{DatasetSource, LoadContext};
use crate::catalog::{SplitName, SplitRole, SplitSpec, Task};
use crate::error::{Error, Result};

/// Loads every split of a task that a training uses.
///
/// # Errors
/// [`Error::Data`] for a missing or invalid file, [`Error::Hub`] if the hub does not provide a file,
/// [`Error::Interrupted`] if cancelled.
pub fn load(source: DatasetSource<'_>, context: &mut LoadContext<'_>) -> Result<Dataset> {
    if let Some(spec) = source.custom_spec()? {
        return custom::load(spec, source.is_subsampled, context.cancelled);
    }
    let DatasetSource { task, data_dir, .. } = source;
    let mut dataset = Dataset {
        labels: task.labels.clone(),
        notes: task.note.map(str::to_string).into_iter().collect(),
        ..Dataset::default()
    };
    for split in task.splits.iter().filter(|split| split.name.role() != SplitRole::ExtraTest) {
        match find_split(task, split, data_dir, context)? {
            Some(files) => {
                let rows = read_into(&mut dataset, task, split, &files)?;
                dataset.insert(split.name, rows);
            }
            None if split.name.is_required() => return Err(missing_split(task, split, data_dir)),
            None => {}
        }
    }
    Ok(dataset)
}

/// Checks that every split that a training needs has files, without reading them.
///
/// # Errors
/// As [`load`], for a missing file.
pub fn check_files(source: DatasetSource<'_>, context: &mut LoadContext<'_>) -> Result<()> {
    let DatasetSource { task, data_dir, .. } = source;
    for split in task.splits.iter().filter(|split| split.name.is_required() && !task.is_custom()) {
        if find_split(task, split, data_dir, context)?.is_none() {
            return Err(missing_split(task, split, data_dir));
        }
    }
    Ok(())
}

/// Loads one split of a task. Rows of an optional split may be unlabeled.
///
/// # Errors
/// As [`load`]; [`Error::Usage`] if the task does not have the split.
pub fn load_split(
    source: DatasetSource<'_>,
    split: SplitName,
    context: &mut LoadContext<'_>,
) -> Result<Vec<Example>> {
    let DatasetSource { task, data_dir, .. } = source;
    let Some(split) = task.split(split) else {
        return Err(Error::Usage(format!("task {} has no {} split", task.name, split.name())));
    };
    if let Some(spec) = source.custom_spec()? {
        let labels = source.labels;
        return custom::load_split(spec, split.name, (labels, source.is_subsampled), context.cancelled);
    }
    match find_split(task, split, data_dir, context)? {
        Some(files) => read_into(&mut Dataset::default(), task, split, &files),
        None => Err(missing_split(task, split, data_dir)),
    }
}

/// Reads a split and adds its notes and its commit to `dataset`. A required split must not be empty.
fn read_into(
    dataset: &mut Dataset,
    task: &'static Task,
    split: &SplitSpec,
    files: &SplitFiles,
) -> Result<Vec<Example>> {
    let split = split.name;
    let SplitRows { rows, notes } = read_split(task, split, files)?;
    if rows.is_empty() && split.is_required() {
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
