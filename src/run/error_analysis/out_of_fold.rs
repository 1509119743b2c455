//! The out-of-fold predictions of a cross-validation: for each training row that of the model that was not trained on it.

use crate::catalog::Labels;
use crate::data::{self, DatasetSource, Example, LoadContext};
use crate::error::Error;
use crate::event::{Progress, SplitName};
use crate::hub::Hub;
use crate::run::dir::RunDir;
use crate::run::reader::run_labels;
use crate::spec::RunSpec;
use crate::train::{Predictions, SavedPredictions};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The training of one fold.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldTraining {
    /// Its run directory.
    pub dir: PathBuf,
    /// Its specification.
    pub spec: RunSpec,
}

/// The trainings that predicted the rows of a cross-validation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folds {
    /// The training of each fold that has been evaluated.
    pub trainings: Vec<FoldTraining>,
    /// For each row the index of the training that predicted it.
    of_rows: Vec<usize>,
}

impl Folds {
    /// The trainings of folds, and for each row the index of the one that predicted it.
    pub fn new(trainings: Vec<FoldTraining>, of_rows: Vec<usize>) -> Self {
        Folds { trainings, of_rows }
    }

    /// The training that predicted `row`.
    pub fn of_row(&self, row: usize) -> Option<&FoldTraining> {
        self.trainings.get(*self.of_rows.get(row)?)
    }
}

/// The out-of-fold predictions of one repeat of a cross-validation.
pub(super) struct OutOfFold {
    pub(super) folds: Folds,
    pub(super) labels: Labels,
    /// In the order of the training split, or in that of the folds if its rows cannot be read.
    pub(super) evaluations: Vec<SavedPredictions>,
    /// The rows in the order of the predictions, or why they cannot be read.
    pub(super) examples: Result<Vec<Example>, String>,
}

impl OutOfFold {
    /// Reads the predictions of the folds that have been evaluated, and their rows.
    ///
    /// # Errors
    /// When a file of predictions cannot be read.
    pub(super) fn read(trainings: Vec<FoldTraining>) -> crate::error::Result<Self> {
        let first = trainings.first().map(|first| run_labels(&RunDir::at(&first.dir), &first.spec));
        let labels = first.unwrap_or_default();
        let (mut folds, mut of_folds) = (Folds::default(), Vec::new());
        for training in trainings {
            let evaluations = RunDir::at(&training.dir).evaluations(&labels)?;
            if let Some(newest) = evaluations.last() {
                folds.of_rows.extend(std::iter::repeat_n(folds.trainings.len(), newest.predictions.len()));
                folds.trainings.push(training);
                of_folds.push(evaluations);
            }
        }
        let mut evaluations = concatenated(&of_folds);
        let examples =
            evaluations.last().map(|newest| read_rows(&folds.trainings, &labels, &newest.predictions));
        let examples = examples.transpose().map(Option::unwrap_or_default).map_err(|error| error.to_string());
        let examples = examples.map(|rows| {
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by_key(|index| rows[*index].0);
            for evaluation in &mut evaluations {
                evaluation.predictions = evaluation.predictions.select(&order);
            }
            folds.of_rows = order.iter().map(|index| folds.of_rows[*index]).collect();
            order.iter().map(|index| rows[*index].1.clone()).collect()
        });
        Ok(OutOfFold { folds, labels, evaluations, examples })
    }
}

/// The folds of each repeat of a cross-validation among the trainings in `dirs`, which are in the order of their seeds. Empty
/// if they are not of a cross-validation.
///
/// # Errors
/// When a specification cannot be read.
pub(in crate::run) fn repeats(dirs: &[PathBuf]) -> crate::error::Result<Vec<Vec<FoldTraining>>> {
    let mut repeats: Vec<Vec<FoldTraining>> = Vec::new();
    for dir in dirs {
        let spec = RunDir::at(dir).spec()?;
        let Some(fold) = spec.fold else { return Ok(Vec::new()) };
        let training = FoldTraining { dir: dir.clone(), spec };
        let follows =
            |others: &&mut Vec<FoldTraining>| others.last().is_some_and(|last| last.spec.fold < Some(fold));
        match repeats.last_mut().filter(follows) {
            Some(others) => others.push(training),
            None => repeats.push(vec![training]),
        }
    }
    Ok(repeats)
}

/// The predictions of all folds in the order of the folds. Evaluation i has those of evaluation i of each fold, or of the
/// last one of a fold that has fewer. Each fold has one at least.
fn concatenated(folds: &[Vec<SavedPredictions>]) -> Vec<SavedPredictions> {
    let longest = folds.iter().max_by_key(|evaluations| evaluations.len());
    let merge = |(index, saved): (usize, &SavedPredictions)| {
        let of_fold =
            |evaluations: &'_ Vec<SavedPredictions>| evaluations.get(index).or(evaluations.last()).cloned();
        let of_folds: Vec<SavedPredictions> = folds.iter().filter_map(of_fold).collect();
        let predictions: Vec<&Predictions> = of_folds.iter().map(|saved| &saved.predictions).collect();
        let (step, epoch) = (saved.step, saved.epoch);
        SavedPredictions { step, epoch, predictions: Predictions::concatenate(&predictions) }
    };
    longest.into_iter().flatten().enumerate().map(merge).collect()
}

/// The rows of folds in the order of the folds, each with its position in the training split. Their labels are the targets
/// of `predictions`.
fn read_rows(
    folds: &[FoldTraining],
    labels: &Labels,
    predictions: &Predictions,
) -> crate::error::Result<Vec<(usize, Example)>> {
    let Some(first) = folds.first() else { return Ok(Vec::new()) };
    let hub = Hub::cache_only();
    let (mut watch, cancelled) = (|_: Progress| {}, AtomicBool::new(false));
    let mut context = LoadContext { hub: &hub, on_progress: &mut watch, cancelled: &cancelled };
    let source = DatasetSource { labels: Some(labels), ..DatasetSource::from_spec(&first.spec).subsampled() };
    let split = SplitName::Validation;
    let rows = data::load_split(source, data::source_split(&first.spec, split), &mut context)?;
    let selected = folds.iter().flat_map(|fold| data::selected_rows(&fold.spec, split, &rows));
    let selected: Vec<(usize, Example)> = selected.map(|row| (row, rows[row].clone())).collect();
    let labels = selected.iter().map(|(_, row)| row.label.as_ref());
    let is_same = labels.eq(predictions.targets().iter().map(Some));
    if is_same { Ok(selected) } else { Err(rows_have_changed(&first.spec)) }
}

/// The error for rows that are not those which were predicted.
pub(super) fn rows_have_changed(spec: &RunSpec) -> Error {
    Error::Training(format!(
        "the validation rows of task {} have changed since the run was evaluated",
        spec.task
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::ProblemType;

    fn saved(step: u64, rows: &[f32]) -> SavedPredictions {
        let mut predictions = Predictions::new(ProblemType::Regression, rows.len(), 1);
        for (row, value) in rows.iter().enumerate() {
            predictions.set(row, &[*value], Label::Value(value + 1.0));
        }
        SavedPredictions { step, epoch: step as f64, predictions }
    }

    #[test]
    fn evaluations_of_folds_are_one_after_the_other() {
        let folds = [vec![saved(0, &[1.0, 2.0]), saved(4, &[3.0, 4.0])], vec![saved(0, &[5.0])]];
        let merged = concatenated(&folds);
        assert_eq!(merged, [saved(0, &[1.0, 2.0, 5.0]), saved(4, &[3.0, 4.0, 5.0])]);
        assert_eq!(concatenated(&[]), []);
    }
}
