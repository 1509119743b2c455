//! Rows of a task → examples → token ids → the order they are worked on. Knows no model.
//!
//! [`load`] finds the files (in the binary, in a folder of the user's, where the specification says, or on the
//! hub), reads them whole and refuses what it does not understand, with file and line.

mod custom;
mod find;
pub mod order;
mod profile;
mod read;
mod tokens;
mod wordpiece_cache;

pub use custom::filled;
pub use profile::{Lengths, Profile, texts_of};
pub use tokens::{Spelled, Tokenized, Tokenizer, Word};

use crate::batch::Label;
use crate::catalog::{Labels, SplitName, SplitSpec, Task};
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::hub::Hub;
use crate::rng::Rng;
use crate::spec::RunSpec;
use find::Found;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// One row of a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Example {
    /// The text, or the first of two.
    pub text: String,
    /// The second text of a pair.
    pub text_pair: Option<String>,
    /// The label, where it is known.
    pub label: Option<Label>,
}

/// The rows of every split of a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// What the labels of the rows are.
    pub labels: Labels,
    /// The rows of each split, all with a label: a split with unlabelled rows is left out.
    pub splits: BTreeMap<SplitName, Vec<Example>>,
    /// Notes for the log of a run on this data.
    pub notes: Vec<String>,
    /// The commit of the hub's data set, when the rows came from there.
    pub commit: Option<String>,
}

/// Which rows are wanted, and where they are.
#[derive(Debug, Clone, Copy)]
pub struct DatasetSource<'a> {
    /// The task.
    pub task: &'static Task,
    /// The folder to read from, where it is not the one that the catalog says.
    pub data_dir: Option<&'a Path>,
    /// The specification that names the files of task `custom`.
    pub spec: Option<&'a RunSpec>,
    /// The classes of task `custom`, where they are known without its training file.
    pub labels: Option<&'a [String]>,
}

impl<'a> DatasetSource<'a> {
    /// The rows of a task that is not `custom`.
    pub fn at(task: &'static Task, data_dir: Option<&'a Path>) -> Self {
        DatasetSource { task, data_dir, spec: None, labels: None }
    }

    /// The rows that a specification tells to learn from.
    pub fn of(spec: &'a RunSpec) -> Self {
        DatasetSource { spec: Some(spec), ..DatasetSource::at(spec.task(), spec.data_dir.as_deref()) }
    }

    /// The specification that names the files, when they are the user's own.
    fn own(&self) -> Result<Option<&'a RunSpec>> {
        if !self.task.is_custom() {
            return Ok(None);
        }
        self.spec.filter(|spec| spec.task().is_custom()).map(Some).ok_or_else(|| {
            Error::Usage(
                "the files of task custom are named by a specification; name a run on it, or an experiment"
                    .into(),
            )
        })
    }
}

/// What loading needs of the world.
pub struct Context<'a> {
    /// Where data sets are fetched from.
    pub hub: &'a Hub,
    /// Told how far the work is.
    pub watch: &'a mut dyn FnMut(Progress),
    /// Set by another thread to stop.
    pub cancelled: &'a AtomicBool,
}

/// The rows of one split, with what there is to tell of them.
#[derive(Debug, Clone, PartialEq, Default)]
struct Rows {
    rows: Vec<Example>,
    notes: Vec<String>,
}

/// Loads every split of a task.
///
/// # Errors
/// A file that is missing or malformed ([`Error::Data`]), one that the hub does not give
/// ([`Error::Hub`]), or a cancellation ([`Error::Interrupted`]).
pub fn load(place: DatasetSource<'_>, context: &mut Context<'_>) -> Result<Dataset> {
    if let Some(spec) = place.own()? {
        return custom::load(spec);
    }
    let DatasetSource { task, data_dir, .. } = place;
    let mut dataset = Dataset {
        labels: task.labels.clone(),
        notes: task.note.map(str::to_string).into_iter().collect(),
        ..Dataset::default()
    };
    for split in task.splits {
        match find::find(task, split, data_dir, context)? {
            Some(found) => {
                let rows = take(&mut dataset, task, split, &found)?;
                dataset.insert(split.name, rows);
            }
            None if split.name.is_required() => return Err(find::missing(task, split, data_dir)),
            None => {}
        }
    }
    Ok(dataset)
}

impl Dataset {
    /// The rows of a split; empty if the data set does not have it.
    pub fn split(&self, name: SplitName) -> &[Example] {
        self.splits.get(&name).map_or(&[], Vec::as_slice)
    }

    /// The rows to train on.
    pub fn train(&self) -> &[Example] {
        self.split(SplitName::Train)
    }

    /// The rows that select the best weights.
    pub fn validation(&self) -> &[Example] {
        self.split(SplitName::Validation)
    }

    /// The rows of the final score; empty if there are none with labels.
    pub fn test(&self) -> &[Example] {
        self.split(SplitName::Test)
    }

    /// Adds the rows of a split. One with unlabelled rows, which cannot be evaluated, becomes a note instead.
    fn insert(&mut self, name: SplitName, rows: Vec<Example>) {
        let unlabelled = rows.iter().filter(|row| row.label.is_none()).count();
        if unlabelled > 0 {
            let (name, total) = (name.name(), rows.len());
            self.notes.push(format!(
                "the {name} split is not scored: {unlabelled} of its {total} rows have no label"
            ));
        } else if !rows.is_empty() {
            self.splits.insert(name, rows);
        }
    }
}

/// Loads one split of a task and no other. Rows of the test split may be unlabelled.
///
/// # Errors
/// As [`load`]; a split that is not there is an [`Error::Data`].
pub fn load_split(
    place: DatasetSource<'_>,
    split: SplitName,
    context: &mut Context<'_>,
) -> Result<Vec<Example>> {
    let DatasetSource { task, data_dir, .. } = place;
    let Some(split) = task.split(split) else {
        return Err(Error::Usage(format!("task {} has no {} split", task.name, split.name())));
    };
    if let Some(spec) = place.own()? {
        return custom::load_split(spec, split.name, place.labels);
    }
    match find::find(task, split, data_dir, context)? {
        Some(found) => take(&mut Dataset::default(), task, split, &found),
        None => Err(find::missing(task, split, data_dir)),
    }
}

/// Takes `count` of the rows, drawn with `rng` at place `which` and kept in their order; all of
/// them when there are no more or no count is given.
pub fn sample(rows: Vec<Example>, count: Option<usize>, rng: &Rng, which: u32) -> Vec<Example> {
    let Some(count) = count.filter(|count| *count < rows.len()) else { return rows };
    let mut taken = vec![false; rows.len()];
    for index in rng.permutation(which, 0, rows.len()).into_iter().take(count) {
        taken[index] = true;
    }
    rows.into_iter().zip(taken).filter_map(|(row, taken)| taken.then_some(row)).collect()
}

/// Reads what was found, adds its notes and its commit, and refuses an empty split that is required.
fn take(
    dataset: &mut Dataset,
    task: &'static Task,
    split: &SplitSpec,
    found: &Found,
) -> Result<Vec<Example>> {
    let (split, Rows { rows, notes }) = (split.name, read::read(task, split.name, found)?);
    if rows.is_empty() && split.is_required() {
        return Err(Error::data(
            found.first_file(),
            None,
            format!("has no rows; the {} split needs some", split.name()),
        ));
    }
    for note in notes {
        if !dataset.notes.contains(&note) {
            dataset.notes.push(note);
        }
    }
    if let Found::Parquet { commit: Some(commit), .. } = found {
        dataset.commit = Some(commit.clone());
    }
    Ok(rows)
}

impl Found {
    /// The file to name in an error about the whole split.
    fn first_file(&self) -> PathBuf {
        match self {
            Found::Tsv(file) | Found::Trees(file) => file.clone(),
            Found::Embedded { folder, .. } => Path::new("assets").join(folder),
            Found::Parquet { files, .. } => files.first().cloned().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn rows(n: usize) -> Vec<Example> {
        (0..n).map(|i| Example { text: i.to_string(), ..Example::default() }).collect()
    }

    #[test]
    fn a_sample_keeps_the_order_and_depends_on_seed_and_place() {
        let rng = Rng::new(42, Stream::Sample);
        let numbers = |rows: &[Example]| rows.iter().map(|r| r.text.parse().unwrap()).collect::<Vec<u32>>();
        let drawn = sample(rows(1000), Some(100), &rng, 0);
        assert_eq!(drawn.len(), 100);
        assert!(numbers(&drawn).is_sorted());
        assert!(numbers(&drawn).iter().any(|n| *n > 500), "the first rows are not a sample");
        assert_eq!(drawn, sample(rows(1000), Some(100), &rng, 0));
        assert_ne!(drawn, sample(rows(1000), Some(100), &rng, 1));
        assert_ne!(drawn, sample(rows(1000), Some(100), &Rng::new(43, Stream::Sample), 0));
    }

    #[test]
    fn a_count_that_is_too_large_or_absent_takes_all() {
        let rng = Rng::new(1, Stream::Sample);
        assert_eq!(sample(rows(5), Some(9), &rng, 0).len(), 5);
        assert_eq!(sample(rows(5), None, &rng, 0).len(), 5);
        assert_eq!(sample(rows(5), Some(0), &rng, 0).len(), 0);
    }
}
