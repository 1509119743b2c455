//! Error analysis of a run, row by row: confusion matrix, calibration, hardest rows and likely label errors, or the
//! residuals of a regression.

use super::dir::RunDir;
use super::reader::ends;
use crate::catalog::{Labels, ProblemType, Task};
use crate::data::{self, DatasetSource, Example, LoadContext};
use crate::error::{Error, Result};
use crate::event::{Event, Progress, Scores, SplitName};
use crate::hub::Hub;
use crate::spec::RunSpec;
use crate::train::{Predictions, SavedPredictions, subsample_split};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Number of confidence bins of equal width.
pub const BINS: usize = 10;
/// Bytes at the start of a log that contain the start event, even with many class names.
const START_BYTES: u64 = 1 << 18;
/// A label is a likely error when another class has a higher mean probability than this.
const LABEL_ISSUE_THRESHOLD: f64 = 0.5;

/// The predictions of one seed of a run, with the rows that they are for, and a comparison of all seeds.
#[derive(Debug)]
pub struct ErrorReport {
    /// Run directory of the seed.
    pub dir: PathBuf,
    /// Index of the seed among those that have started.
    pub seed_index: usize,
    /// Number of seeds that have started.
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

/// The labels of the run in `dir`: those of its task, or for a custom task those in its log.
fn run_labels(dir: &RunDir, spec: &RunSpec) -> Labels {
    if !spec.task().is_custom() {
        return spec.task().labels.clone();
    }
    let (events, _) = ends(dir.path(), START_BYTES).unwrap_or_default();
    let started = events.into_iter().find_map(|event| match event {
        Event::Started(started) => Some(Labels::from(started.labels)),
        _ => None,
    });
    started.unwrap_or_default()
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

/// The predictions of several seeds for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossSeed {
    /// Number of seeds with predictions.
    pub seed_count: usize,
    /// All rows, by descending number of wrong seeds, then by descending mean loss.
    pub rows: Vec<SharedRow>,
}

/// The predictions of several seeds for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedRow {
    /// Index of the row.
    pub row: usize,
    /// Seeds with a wrong prediction.
    pub wrong: usize,
    /// Mean loss over the seeds.
    pub loss: f64,
    /// The class with the highest mean probability.
    pub predicted: usize,
    /// Its mean probability.
    pub probability: f64,
}

impl CrossSeed {
    /// From the predictions of each seed.
    ///
    /// # Errors
    /// When they are for different rows.
    pub fn of(seeds: &[Predictions]) -> Result<Self> {
        let Some(first) = seeds.first() else { return Ok(CrossSeed { seed_count: 0, rows: Vec::new() }) };
        if seeds.iter().any(|seed| seed.targets() != first.targets() || seed.classes() != first.classes()) {
            return Err(Error::Training("the seeds were evaluated on different rows".into()));
        }
        let count = seeds.len() as f64;
        let row = |row: usize| {
            let mean = |class| seeds.iter().map(|seed| seed.probability(row, class)).sum::<f64>() / count;
            let all = (0..first.classes()).map(|class| (class, mean(class)));
            let (predicted, probability) = all.rev().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
            SharedRow {
                row,
                wrong: seeds.iter().filter(|seed| seed.is_wrong(row)).count(),
                loss: seeds.iter().map(|seed| seed.loss(row)).sum::<f64>() / count,
                predicted,
                probability,
            }
        };
        let mut rows: Vec<SharedRow> = (0..first.len()).map(row).collect();
        rows.sort_by(|a, b| b.wrong.cmp(&a.wrong).then(b.loss.total_cmp(&a.loss)));
        Ok(CrossSeed { seed_count: seeds.len(), rows })
    }
}

/// Reads the validation rows that `predictions` are for.
fn read_examples(spec: &RunSpec, labels: &Labels, predictions: &Predictions) -> Result<Vec<Example>> {
    let hub = Hub::cache_only();
    let (mut watch, cancelled) = (|_: Progress| {}, AtomicBool::new(false));
    let mut context = LoadContext { hub: &hub, on_progress: &mut watch, cancelled: &cancelled };
    let split = SplitName::Validation;
    let names = labels.names();
    let rows = data::load_split(
        DatasetSource { labels: Some(&names), ..DatasetSource::from_spec(spec) },
        split,
        &mut context,
    )?;
    let rows = subsample_split(spec, split, rows);
    let labels = rows.iter().map(|row| row.label.as_ref());
    if !labels.eq(predictions.targets().iter().map(Some)) {
        return Err(Error::Training(format!(
            "the validation rows of task {} have changed since the run was evaluated",
            spec.task
        )));
    }
    Ok(rows)
}

/// The analysis of one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorAnalysis {
    /// Its scores.
    pub scores: Scores,
    /// All rows, the highest loss first; of a multi-label classification first those whose set is predicted wrongly.
    pub hardest: Vec<usize>,
    /// The part that depends on the kind of labels.
    pub detail: Detail,
}

/// The part of an analysis that depends on the kind of labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Of a classification.
    Classes(Box<Classes>),
    /// Of a multi-label classification: the counts of each label.
    MultiLabel(Vec<LabelCounts>),
    /// Of a regression: the residuals by target, lowest first.
    Scale(Vec<ResidualBin>),
}

/// Confusion matrix and calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    /// `cells[target][predicted]`: the rows in that cell, the highest loss first.
    pub cells: Vec<Vec<Vec<usize>>>,
    /// Confidence against accuracy.
    pub calibration: Calibration,
}

impl ErrorAnalysis {
    /// Analyses the predictions of one evaluation of `task`.
    pub fn of(predictions: &Predictions, task: &Task, labels: &Labels) -> Self {
        let losses: Vec<f64> = (0..predictions.len()).map(|row| predictions.loss(row)).collect();
        let mut hardest: Vec<usize> = (0..predictions.len()).collect();
        hardest.sort_by(|a, b| losses[*b].total_cmp(&losses[*a]));
        let detail = match labels {
            Labels::Classes(_) => Detail::Classes(Box::new(Classes::of(predictions, &hardest))),
            Labels::MultiLabel(_) => {
                hardest.sort_by_key(|row| !predictions.is_wrong(*row));
                Detail::MultiLabel(label_counts(predictions))
            }
            scale @ Labels::Scale { .. } => Detail::Scale(residual_bins(predictions, scale)),
        };
        ErrorAnalysis { scores: predictions.scores(task), hardest, detail }
    }
}

impl Classes {
    fn of(predictions: &Predictions, hardest: &[usize]) -> Self {
        let mut cells = vec![vec![Vec::new(); predictions.classes()]; predictions.classes()];
        for row in hardest {
            cells[predictions.target(*row)][predictions.predicted(*row)].push(*row);
        }
        Classes { cells, calibration: Calibration::of(predictions) }
    }
}

/// How often a label of a multi-label classification applies and is predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Rows that it applies to.
    pub rows: usize,
    /// Rows that it is predicted for.
    pub predicted: usize,
}

fn label_counts(predictions: &Predictions) -> Vec<LabelCounts> {
    let mut all = vec![LabelCounts::default(); predictions.classes()];
    for (row, target) in predictions.targets().iter().enumerate() {
        for label in target.indices() {
            all.get_mut(*label as usize).map(|counts| counts.rows += 1);
        }
        for label in predictions.predicted_set(row) {
            all.get_mut(label as usize).map(|counts| counts.predicted += 1);
        }
    }
    all
}

/// The residuals of the rows whose target is in one interval of a scale.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ResidualBin {
    /// Lower bound.
    pub from: f64,
    /// Upper bound; included only in the last interval.
    pub to: f64,
    /// Number of rows.
    pub rows: usize,
    /// Mean of prediction minus target; 0 without rows.
    pub bias: f64,
    /// Root mean squared error; 0 without rows.
    pub rmse: f64,
}

/// The residuals by interval of the scale.
fn residual_bins(predictions: &Predictions, scale: &Labels) -> Vec<ResidualBin> {
    let empty_bin =
        |(from, to): (f32, f32)| ResidualBin { from: from.into(), to: to.into(), ..ResidualBin::default() };
    let mut bins: Vec<ResidualBin> = scale.intervals().into_iter().map(empty_bin).collect();
    for (row, label) in predictions.targets().iter().enumerate() {
        let Some(bin) = scale.bins(label).first().and_then(|bin| bins.get_mut(*bin)) else { continue };
        let residual = predictions.predicted_value(row) - predictions.target_value(row);
        bin.rows += 1;
        bin.bias += residual;
        bin.rmse += residual * residual;
    }
    for bin in bins.iter_mut().filter(|bin| bin.rows > 0) {
        bin.bias /= bin.rows as f64;
        bin.rmse = (bin.rmse / bin.rows as f64).sqrt();
    }
    bins
}

/// Confidence against accuracy, after Guo et al. 2017, "On Calibration of Modern Neural Networks".
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Rows by the probability p of their predicted class: bin m has those with m/10 < p ≤ (m+1)/10.
    pub bins: [Bin; BINS],
    /// Expected calibration error: Σ n_m/n · |accuracy_m − confidence_m|.
    pub error: f64,
}

/// Rows with similar confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Number of rows.
    pub rows: usize,
    /// Fraction with a correct prediction; 0 without rows.
    pub accuracy: f64,
    /// Mean probability of the predicted class; 0 without rows.
    pub confidence: f64,
}

impl Calibration {
    /// The calibration of all rows.
    pub fn of(predictions: &Predictions) -> Self {
        let mut bins = [Bin::default(); BINS];
        for row in 0..predictions.len() {
            let predicted = predictions.predicted(row);
            let confidence = predictions.probability(row, predicted);
            let index = (confidence * BINS as f64).ceil() as usize;
            let bin = &mut bins[index.clamp(1, BINS) - 1];
            bin.rows += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(predicted == predictions.target(row)));
        }
        let all = predictions.len().max(1) as f64;
        let mut error = 0.0;
        for bin in bins.iter_mut().filter(|bin| bin.rows > 0) {
            let rows = bin.rows as f64;
            bin.confidence /= rows;
            bin.accuracy /= rows;
            error += rows / all * (bin.accuracy - bin.confidence).abs();
        }
        Calibration { bins, error }
    }
}

/// A row with a likely label error.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelIssue {
    /// Index of the row.
    pub row: usize,
    /// The class that the model predicts instead.
    pub suggested: usize,
    /// Mean probability of the label over the evaluations.
    pub label_probability: f64,
    /// Mean probability of the suggested class.
    pub suggested_probability: f64,
}

/// Likely label errors, the most likely first: rows with a low mean probability of their label over all evaluations
/// after step 0, where the model is confident in another class. They are the hard-to-learn region of Swayamdipta et
/// al. 2020, "Dataset Cartography".
fn find_label_issues(evaluations: &[SavedPredictions]) -> Vec<LabelIssue> {
    let trained: Vec<&Predictions> =
        evaluations.iter().filter(|evaluation| evaluation.step > 0).map(|one| &one.predictions).collect();
    // Only a class can be replaced by another one.
    let is_of_classes = |predictions: &&&Predictions| {
        predictions.problem_type() == ProblemType::SingleLabelClassification
    };
    let Some(first) = trained.first().filter(is_of_classes) else {
        return Vec::new();
    };
    let mean = |row: usize, class: usize| {
        trained.iter().map(|predictions| predictions.probability(row, class)).sum::<f64>()
            / trained.len() as f64
    };
    let mut found: Vec<LabelIssue> = (0..first.len())
        .filter_map(|row| {
            let label = first.target(row);
            let others = (0..first.classes()).filter(|class| *class != label);
            let (suggested, probability) =
                others.map(|class| (class, mean(row, class))).max_by(|a, b| a.1.total_cmp(&b.1))?;
            (probability > LABEL_ISSUE_THRESHOLD).then(|| LabelIssue {
                row,
                suggested,
                label_probability: mean(row, label),
                suggested_probability: probability,
            })
        })
        .collect();
    found.sort_by(|a, b| a.label_probability.total_cmp(&b.label_probability));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::{Metric, task};

    /// Rows of two classes, each with the probability of class 1 and its label.
    fn predictions(rows: &[(f64, u32)]) -> Predictions {
        let mut predictions = Predictions::new(rows.len(), 2);
        for (row, (p, label)) in rows.iter().enumerate() {
            predictions.set(row, &[0.0, (p / (1.0 - p)).ln() as f32], Label::Class(*label));
        }
        predictions
    }

    fn evaluation(step: u64, rows: &[(f64, u32)]) -> SavedPredictions {
        SavedPredictions { step, epoch: 0.0, predictions: predictions(rows) }
    }

    #[test]
    fn rows_are_sorted_by_cell_and_by_loss() {
        let predictions = predictions(&[(0.9, 1), (0.2, 1), (0.3, 0), (0.8, 0), (0.95, 0), (0.1, 1)]);
        let analysis = ErrorAnalysis::of(&predictions, task("demo").unwrap());
        let Detail::Classes(classes) = &analysis.detail else { panic!("classes") };
        let cells = &classes.cells;
        assert_eq!(*cells, [[vec![2], vec![4, 3]], [vec![5, 1], vec![0]]]);
        // Losses: −ln 0.05, −ln 0.1, then −ln 0.2 twice in the order of the rows, −ln 0.7, −ln 0.9.
        assert_eq!(analysis.hardest[..2], [4, 5]);
        assert_eq!(analysis.hardest[4..], [2, 0]);
        let counts: Vec<Vec<u64>> =
            cells.iter().map(|row| row.iter().map(|c| c.len() as u64).collect()).collect();
        let scores = &analysis.scores;
        assert_eq!((&counts, scores.get(Metric::Accuracy)), (&scores.confusion, Some(2.0 / 6.0)));
    }

    #[test]
    fn rows_of_a_regression_are_sorted_by_residual() {
        let mut predictions = Predictions::new(3, 1);
        for (row, (predicted, target)) in [(2.5, 3.0), (0.1, 3.2), (4.75, 4.0)].into_iter().enumerate() {
            predictions.set(row, &[predicted], Label::Value(target));
        }
        let analysis = ErrorAnalysis::of(&predictions, task("stsb").unwrap());
        assert_eq!(analysis.hardest, [1, 2, 0]);
        let Detail::Scale(bins) = analysis.detail else { panic!("a scale") };
        assert_eq!(bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [0, 0, 0, 2, 1]);
        assert_eq!((bins[3].from, bins[3].to, bins[0].rmse), (3.0, 4.0, 0.0));
        // The targets of rows 0 and 1 are in the fourth interval; the predictions are 0.5 and 3.1 too low.
        assert!((bins[3].bias + 1.8).abs() < 1e-6);
        assert!((bins[3].rmse - (f64::midpoint(0.25, 9.61)).sqrt()).abs() < 1e-6);
        assert!((bins[4].bias - 0.75).abs() < 1e-6 && (bins[4].rmse - 0.75).abs() < 1e-6);
        assert_eq!(find_label_issues(&[SavedPredictions { step: 3, epoch: 1.0, predictions }]), []);
    }

    /// By hand: of ten rows, four at 0.95 and three of them right, five at 0.75 and four right, one at 0.65
    /// and wrong: 0.4·|0.75 − 0.95| + 0.5·|0.8 − 0.75| + 0.1·|0 − 0.65| = 0.17.
    #[test]
    fn calibration_error_matches_the_definition() {
        let rows = [
            (0.95, 1),
            (0.95, 1),
            (0.05, 0),
            (0.05, 1),
            (0.75, 1),
            (0.75, 1),
            (0.25, 0),
            (0.25, 0),
            (0.75, 0),
            (0.65, 0),
        ];
        let calibration = Calibration::of(&predictions(&rows));
        assert!((calibration.error - 0.17).abs() < 1e-6, "{}", calibration.error);
        assert_eq!(calibration.bins.map(|bin| bin.rows), [0, 0, 0, 0, 0, 0, 1, 5, 0, 4]);
        let bin = calibration.bins[9];
        assert!((bin.confidence - 0.95).abs() < 1e-6 && bin.accuracy == 0.75, "{bin:?}");
        assert_eq!(Calibration::of(&predictions(&[])).error, 0.0);
        // A model that is always certain and always right is perfectly calibrated.
        let mut certain = Predictions::new(1, 2);
        certain.set(0, &[-200.0, 200.0], Label::Class(1));
        assert_eq!((Calibration::of(&certain).error, Calibration::of(&certain).bins[9].rows), (0.0, 1));
    }

    /// By hand: losses −ln of the label's probability, means over two seeds.
    #[test]
    fn seeds_are_compared_row_by_row() {
        let seeds = [
            predictions(&[(0.9, 1), (0.2, 1), (0.7, 0), (0.4, 1)]),
            predictions(&[(0.8, 1), (0.1, 1), (0.4, 0), (0.6, 1)]),
        ];
        let comparison = CrossSeed::of(&seeds).unwrap();
        let rows: Vec<(usize, usize, usize)> =
            comparison.rows.iter().map(|row| (row.row, row.wrong, row.predicted)).collect();
        assert_eq!((comparison.seed_count, rows), (2, vec![(1, 2, 0), (2, 1, 1), (3, 1, 0), (0, 0, 1)]));
        let first = &comparison.rows[0];
        assert!(
            (first.loss - (-(0.2f64.ln()) - 0.1f64.ln()) / 2.0).abs() < 1e-6
                && (first.probability - 0.85).abs() < 1e-6
        );
        let other = predictions(&[(0.9, 1), (0.2, 0), (0.7, 0), (0.4, 1)]);
        assert!(CrossSeed::of(&[seeds[0].clone(), other]).is_err());
    }

    #[test]
    fn label_issue_needs_confidence_in_another_class_over_all_evaluations() {
        // Row 0 is learned, row 1 never, row 2 is forgotten at the end, row 3 is less certain than row 1. Predictions
        // before the first step do not count.
        let evaluations = [
            evaluation(0, &[(0.01, 1), (0.99, 1), (0.5, 0), (0.5, 0)]),
            evaluation(10, &[(0.6, 1), (0.1, 1), (0.1, 0), (0.7, 0)]),
            evaluation(20, &[(0.9, 1), (0.2, 1), (0.8, 0), (0.6, 0)]),
        ];
        let found = find_label_issues(&evaluations);
        assert_eq!(
            found.iter().map(|issue| (issue.row, issue.suggested)).collect::<Vec<_>>(),
            [(1, 0), (3, 1)]
        );
        assert!(
            (found[0].label_probability - 0.15).abs() < 1e-6
                && (found[0].suggested_probability - 0.85).abs() < 1e-6
        );
        assert!((found[1].label_probability - 0.35).abs() < 1e-6);
        assert_eq!(find_label_issues(&evaluations[..1]), []);
        assert_eq!(find_label_issues(&[]), []);
    }
}
