//! Rows of a task → examples → token ids → the order they are worked on. Knows no model.
//!
//! [`load`] finds the files (in the binary, in a folder of the user's, or on the hub), reads them
//! whole and refuses what it does not understand, with file and line.

mod find;
pub mod order;
mod profile;
mod read;
mod tokens;

pub use profile::{Lengths, Profile, texts_of};
pub use tokens::{Spelled, Tokenized, Tokenizer, Word};

use crate::batch::Label;
use crate::catalog::Task;
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::hub::Hub;
use crate::rng::Rng;
use find::Found;
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

/// All that a task has to learn from and be scored by.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// Names of a model's outputs: one a class, or one alone of a regression.
    pub labels: Vec<String>,
    /// Rows to train on, all labelled.
    pub train: Vec<Example>,
    /// Rows that choose the best weights, all labelled.
    pub validation: Vec<Example>,
    /// Rows for the final score; only there when every one is labelled.
    pub test: Option<Vec<Example>>,
    /// Sentences that belong into the log of a run on this data.
    pub notes: Vec<String>,
    /// The commit of the hub's data set, when the rows came from there.
    pub commit: Option<String>,
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

/// Loads every split of `task`, from `data_dir` where one is given, else from where the catalog says.
///
/// # Errors
/// A file that is missing or malformed ([`Error::Data`]), one that the hub does not give
/// ([`Error::Hub`]), or a cancellation ([`Error::Interrupted`]).
pub fn load(task: &'static Task, data_dir: Option<&Path>, context: &mut Context<'_>) -> Result<Dataset> {
    let mut dataset = Dataset {
        labels: task.labels.names(),
        notes: task.note.map(str::to_string).into_iter().collect(),
        ..Dataset::default()
    };
    dataset.train = load_into(&mut dataset, task, SplitName::Train, data_dir, context)?;
    dataset.validation = load_into(&mut dataset, task, SplitName::Validation, data_dir, context)?;
    dataset.test = match find::find(task, SplitName::Test, data_dir, context)? {
        None => None,
        Some(found) => {
            let rows = take(&mut dataset, task, SplitName::Test, &found)?;
            let labelled = rows.iter().filter(|row| row.label.is_some()).count();
            if labelled < rows.len() {
                dataset.notes.push(format!(
                    "the test split is not scored: {} of its {} rows have no label",
                    rows.len() - labelled,
                    rows.len()
                ));
            }
            (labelled == rows.len() && !rows.is_empty()).then_some(rows)
        }
    };
    Ok(dataset)
}

/// Loads one split of `task` and no other. Rows of the test split may be unlabelled.
///
/// # Errors
/// As [`load`]; a split that is not there is an [`Error::Data`].
pub fn load_split(
    task: &'static Task,
    split: SplitName,
    data_dir: Option<&Path>,
    context: &mut Context<'_>,
) -> Result<Vec<Example>> {
    load_into(&mut Dataset::default(), task, split, data_dir, context)
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

/// Finds and reads a split that has to be there.
fn load_into(
    dataset: &mut Dataset,
    task: &'static Task,
    split: SplitName,
    data_dir: Option<&Path>,
    context: &mut Context<'_>,
) -> Result<Vec<Example>> {
    match find::find(task, split, data_dir, context)? {
        Some(found) => take(dataset, task, split, &found),
        None => Err(find::missing(task, split, data_dir)),
    }
}

/// Reads what was found, adds its notes and its commit, and refuses an empty split.
fn take(dataset: &mut Dataset, task: &'static Task, split: SplitName, found: &Found) -> Result<Vec<Example>> {
    let Rows { rows, notes } = read::read(task, split, found)?;
    if rows.is_empty() && split != SplitName::Test {
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
