//! Error analysis of a run, row by row: confusion matrix, calibration, hardest rows and likely label errors, or the
//! residuals of a regression.

mod analysis;
mod calibration;
mod cross_seed;
mod label_issues;
mod out_of_fold;
mod temperature;
mod threshold_curve;

use super::dir::RunDir;
use super::reader::run_labels;
use crate::catalog::Labels;
use crate::data::{self, DatasetSource, Example, LoadContext};
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::hub::Hub;
use crate::spec::RunSpec;
use crate::train::{Predictions, SavedPredictions};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub use analysis::{Classes, Detail, ErrorAnalysis, ResidualBin};
pub use calibration::{BINS, Bin, Calibration};
pub use cross_seed::{CrossSeed, SharedRow};
pub use label_issues::LabelIssue;
use label_issues::find_label_issues;
pub(super) use out_of_fold::repeats;
pub use out_of_fold::{FoldTraining, Folds};
use out_of_fold::{OutOfFold, rows_have_changed};
pub use temperature::{BeforeAfter, TemperatureScaling};
pub use threshold_curve::{Share, ThresholdCurve, ThresholdMetric, ThresholdPoint, ThresholdTarget};

/// The predictions of one seed of a run, with the rows that they are for, and a comparison of all seeds. Of a
/// cross-validation, the out-of-fold predictions of one repeat for all training rows.
#[derive(Debug)]
pub struct ErrorReport {
    /// Run directory of the seed; of its first fold.
    pub dir: PathBuf,
    /// The trainings that predicted the rows of a cross-validation; empty for rows that one training predicted.
    pub folds: Folds,
    /// Index of the seed, or of the repeat of a cross-validation, among those that have started.
    pub seed_index: usize,
    /// Number of seeds or repeats that have started.
    pub seed_count: usize,
    /// The comparison of all seeds, `None` for a single one, or why they cannot be compared.
    pub cross_seed: std::result::Result<Option<CrossSeed>, String>,
    /// The specification.
    pub spec: RunSpec,
    /// The labels.
    pub labels: Labels,
    /// Predictions for the validation split, oldest first. Empty before the first evaluation and in runs of versions
    /// that did not save them.
    pub evaluations: Vec<SavedPredictions>,
    /// The validation rows in the order of the predictions, or why they cannot be read.
    pub examples: std::result::Result<Vec<Example>, String>,
    /// Rows with likely label errors.
    pub label_issues: Vec<LabelIssue>,
}

impl ErrorReport {
    /// Reads the predictions of one seed of a run (by default the newest) and its validation rows. `dirs` are the run
    /// directories of the seeds that have started. Nothing is downloaded.
    ///
    /// # Errors
    /// When the specification or a predictions file cannot be read. Data that cannot be read is an error in
    /// [`ErrorReport::examples`] only.
    pub fn read(dirs: &[PathBuf], seed_index: Option<usize>) -> Result<Self> {
        let repeats = repeats(dirs)?;
        if repeats.iter().any(|folds| folds.len() > 1) {
            return Self::of_folds(repeats, seed_index);
        }
        let newest = dirs.len().saturating_sub(1);
        let seed_index = seed_index.unwrap_or(newest).min(newest);
        let path =
            dirs.get(seed_index).ok_or_else(|| Error::Training("no seed of the run has started".into()))?;
        let dir = RunDir::at(path);
        let spec = dir.spec()?;
        let labels = run_labels(&dir, &spec);
        let evaluations = dir.evaluations(&labels)?;
        let examples = match evaluations.last() {
            Some(newest) => {
                read_examples(&spec, &labels, &newest.predictions).map_err(|error| error.to_string())
            }
            None => Ok(Vec::new()),
        };
        let cross_seed = compare_seeds(&spec, &labels, dirs).map_err(|error| error.to_string());
        let (dir, seed_count) = (path.clone(), dirs.len());
        let report = ErrorReport::new(spec, labels, evaluations, examples);
        Ok(ErrorReport { dir, seed_index, seed_count, cross_seed, ..report })
    }

    /// Reads the predictions of one of the `repeats` of a cross-validation.
    fn of_folds(mut repeats: Vec<Vec<FoldTraining>>, seed_index: Option<usize>) -> Result<Self> {
        let (seed_count, newest) = (repeats.len(), repeats.len().saturating_sub(1));
        let seed_index = seed_index.unwrap_or(newest).min(newest);
        let OutOfFold { folds, labels, evaluations, examples } =
            OutOfFold::read(repeats.swap_remove(seed_index))?;
        let first = folds.trainings.first().map(|fold| (fold.dir.clone(), fold.spec.clone()));
        let (dir, spec) =
            first.ok_or_else(|| Error::Training("no fold of the run has been evaluated".into()))?;
        let report = ErrorReport::new(spec, labels, evaluations, examples);
        Ok(ErrorReport { dir, folds, seed_index, seed_count, ..report })
    }

    /// The run directory and the specification of the training that predicted `row`.
    pub fn training_of(&self, row: usize) -> (&Path, &RunSpec) {
        self.folds.of_row(row).map_or((&self.dir, &self.spec), |fold| (&fold.dir, &fold.spec))
    }

    /// A report of a run with one seed.
    pub fn new(
        spec: RunSpec,
        labels: Labels,
        evaluations: Vec<SavedPredictions>,
        examples: std::result::Result<Vec<Example>, String>,
    ) -> Self {
        let label_issues = find_label_issues(&evaluations);
        ErrorReport {
            dir: PathBuf::new(),
            folds: Folds::default(),
            seed_index: 0,
            seed_count: 1,
            cross_seed: Ok(None),
            spec,
            labels,
            evaluations,
            examples,
            label_issues,
        }
    }
}

/// Compares the newest predictions of all seeds; `None` while fewer than two have any.
fn compare_seeds(spec: &RunSpec, labels: &Labels, dirs: &[PathBuf]) -> Result<Option<CrossSeed>> {
    let mut seeds = Vec::new();
    for dir in dirs {
        seeds.extend(RunDir::at(dir).newest_evaluation(labels)?.map(|evaluation| evaluation.predictions));
    }
    let [first, _, ..] = &seeds[..] else { return Ok(None) };
    if first.is_regression() {
        return Err(Error::Training(
            "seeds of a regression are not compared, because a predicted number is not right or wrong; see the \
             hardest rows of each seed"
                .into(),
        ));
    }
    if spec.max_eval_samples.is_some_and(|count| count <= first.len()) {
        return Err(Error::Training(
            "seeds are not compared, because max_eval_samples draws other validation rows for each of them"
                .into(),
        ));
    }
    CrossSeed::of(&seeds).map(Some)
}

/// Reads the validation rows that `predictions` are for.
pub(super) fn read_examples(
    spec: &RunSpec,
    labels: &Labels,
    predictions: &Predictions,
) -> Result<Vec<Example>> {
    let hub = Hub::cache_only();
    let (mut watch, cancelled) = (|_: Progress| {}, AtomicBool::new(false));
    let mut context = LoadContext { hub: &hub, on_progress: &mut watch, cancelled: &cancelled };
    let split = SplitName::Validation;
    let source = DatasetSource { labels: Some(labels), ..DatasetSource::from_spec(spec) };
    let rows = data::load_selected(source, (spec, split), &mut context)?;
    let labels = rows.iter().map(|row| row.label.as_ref());
    if !labels.eq(predictions.targets().iter().map(Some)) {
        return Err(rows_have_changed(spec));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
