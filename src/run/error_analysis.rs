//! What a run gets right and wrong, row by row: which rows are in which cell of the confusion matrix, how far
//! its probabilities can be relied on, what is hard for it, and which labels it doubts. Of a regression: how far
//! off it is.

use super::{RunDir, reader};
use crate::catalog::{Labels, Task};
use crate::data::{self, DatasetSource, Example, LoadContext};
use crate::error::{Error, Result};
use crate::event::{Event, Progress, Scores, SplitName};
use crate::hub::Hub;
use crate::spec::RunSpec;
use crate::train::{Predictions, SavedPredictions, subsample_split};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Bins of equal width that confidences are sorted into.
pub const BINS: usize = 10;
/// Bytes at the beginning of a log that have the start of the run in them, however many names of classes it has.
const BEGIN: u64 = 1 << 18;
/// Above this mean probability of another class, a label is doubted.
const DOUBT: f64 = 0.5;

/// Every evaluation of one seed of a run with the rows that were judged, and what all its seeds say of them.
#[derive(Debug)]
pub struct ErrorReport {
    /// The seed's directory; that of the run when it has only one.
    pub dir: PathBuf,
    /// The place of the seed among those that have begun.
    pub seed: usize,
    /// How many have begun.
    pub seeds: usize,
    /// What all of them say of each row, where there are several, or why that cannot be told.
    pub together: std::result::Result<Option<CrossSeed>, String>,
    /// What was trained.
    pub spec: RunSpec,
    /// What its labels are.
    pub labels: Labels,
    /// Evaluations of the validation split, oldest first; none before the first, and in runs of versions
    /// that did not keep them.
    pub evaluations: Vec<SavedPredictions>,
    /// The rows as texts, in the order of the evaluations, or why they cannot be shown.
    pub texts: std::result::Result<Vec<Example>, String>,
    /// The likely mislabelled rows.
    pub suspects: Vec<LabelIssue>,
}

impl ErrorReport {
    /// Reads what the seed at `place` of a run keeps (the newest without a place), and its validation rows from
    /// where it had them. `dirs` are the directories of the seeds that have begun. Nothing is fetched.
    ///
    /// # Errors
    /// When the specification or an evaluation cannot be read. Data that are not there any more are none.
    pub fn read(dirs: &[PathBuf], place: Option<usize>) -> Result<Self> {
        let newest = dirs.len().saturating_sub(1);
        let seed = place.unwrap_or(newest).min(newest);
        let path = dirs.get(seed).ok_or_else(|| Error::Training("no seed of the run has begun".into()))?;
        let dir = RunDir::at(path);
        let spec = dir.spec()?;
        let labels = labels(&dir, &spec);
        let evaluations = dir.evaluations(&labels)?;
        let texts = match evaluations.last() {
            Some(newest) => texts(&spec, &labels, &newest.predictions).map_err(|error| error.to_string()),
            None => Ok(Vec::new()),
        };
        let together = together(&spec, &labels, dirs).map_err(|error| error.to_string());
        let (dir, seeds) = (path.clone(), dirs.len());
        Ok(ErrorReport { dir, seed, seeds, together, ..ErrorReport::new(spec, labels, evaluations, texts) })
    }

    /// What evaluations of the rows with these texts come to, of a run of one seed.
    pub fn new(
        spec: RunSpec,
        labels: Labels,
        evaluations: Vec<SavedPredictions>,
        texts: std::result::Result<Vec<Example>, String>,
    ) -> Self {
        let suspects = suspects(&evaluations);
        let (dir, seed, seeds) = (PathBuf::new(), 0, 1);
        ErrorReport { dir, seed, seeds, together: Ok(None), spec, labels, evaluations, texts, suspects }
    }
}

/// What the labels of the run in `dir` are: those of its task, or the names of classes that its log began with.
fn labels(dir: &RunDir, spec: &RunSpec) -> Labels {
    if !spec.task().is_custom() {
        return spec.task().labels.clone();
    }
    let (begin, _) = reader::ends(dir.path(), BEGIN).unwrap_or_default();
    let started = begin.into_iter().find_map(|event| match event {
        Event::Started(started) => Some(Labels::from(started.labels)),
        _ => None,
    });
    started.unwrap_or_default()
}

/// What the newest evaluations of all seeds say together; nothing of a single one.
fn together(spec: &RunSpec, labels: &Labels, dirs: &[PathBuf]) -> Result<Option<CrossSeed>> {
    let mut judged = Vec::new();
    for dir in dirs {
        // One that was not scored yet has nothing to say.
        judged.extend(RunDir::at(dir).newest_evaluation(labels)?.map(|evaluation| evaluation.predictions));
    }
    if judged.len() < 2 {
        return Ok(None);
    }
    if judged[0].is_regression() {
        return Err(Error::Training(
            "a number is off by more or less, and none is wrong: what is hard stands in the hardest rows of each \
             seed"
            .into(),
        ));
    }
    if spec.max_eval_samples.is_some_and(|count| count <= judged[0].len()) {
        return Err(Error::Training(
            "each seed is scored on rows that it drew itself (max_eval_samples), so there are none that all of \
             them have judged"
                .into(),
        ));
    }
    CrossSeed::of(&judged).map(Some)
}

/// What several seeds say of each row.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossSeed {
    /// How many have been scored.
    pub seeds: usize,
    /// All rows: those that most seeds get wrong first, of as many the one with the highest mean loss.
    pub rows: Vec<SharedRow>,
}

/// What several seeds say of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedRow {
    /// The row.
    pub row: usize,
    /// Seeds whose prediction is another class than the row's.
    pub wrong: usize,
    /// Mean of their losses.
    pub loss: f64,
    /// The class with the highest mean probability.
    pub predicted: usize,
    /// That probability.
    pub probability: f64,
}

impl CrossSeed {
    /// From what each seed said.
    ///
    /// # Errors
    /// When they have judged different rows.
    pub fn of(seeds: &[Predictions]) -> Result<Self> {
        let Some(first) = seeds.first() else { return Ok(CrossSeed { seeds: 0, rows: Vec::new() }) };
        if seeds.iter().any(|seed| seed.targets() != first.targets() || seed.classes() != first.classes()) {
            return Err(Error::Training("the seeds were scored on different rows".into()));
        }
        let count = seeds.len() as f64;
        let row = |row: usize| {
            let mean = |class| seeds.iter().map(|seed| seed.probability(row, class)).sum::<f64>() / count;
            let all = (0..first.classes()).map(|class| (class, mean(class)));
            let (predicted, probability) = all.rev().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
            SharedRow {
                row,
                wrong: seeds.iter().filter(|seed| seed.predicted(row) != seed.target(row)).count(),
                loss: seeds.iter().map(|seed| seed.loss(row)).sum::<f64>() / count,
                predicted,
                probability,
            }
        };
        let mut rows: Vec<SharedRow> = (0..first.len()).map(row).collect();
        rows.sort_by(|a, b| b.wrong.cmp(&a.wrong).then(b.loss.total_cmp(&a.loss)));
        Ok(CrossSeed { seeds: seeds.len(), rows })
    }
}

/// The rows that `judged` is of, read again.
fn texts(spec: &RunSpec, labels: &Labels, judged: &Predictions) -> Result<Vec<Example>> {
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
    let labels = rows.iter().map(|row| row.label);
    if !labels.eq(judged.targets().iter().map(|label| Some(*label))) {
        return Err(Error::Training(format!(
            "the validation rows of task {} are not those any more that the run was scored on",
            spec.task
        )));
    }
    Ok(rows)
}

/// What one evaluation says of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorAnalysis {
    /// Its scores.
    pub scores: Scores,
    /// All rows, the highest loss first.
    pub hardest: Vec<usize>,
    /// What there is to say of the kind of labels that the task has.
    pub detail: Detail,
}

/// What an evaluation says beside its scores.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Of classes.
    Classes(Box<Classes>),
    /// Of numbers on a scale: its parts, the lowest first.
    Scale(Vec<ResidualBin>),
}

/// What an evaluation says of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    /// `cells[label][predicted]`: the rows there, the highest loss first.
    pub cells: Vec<Vec<Vec<usize>>>,
    /// How far the probabilities can be relied on.
    pub calibration: Calibration,
}

impl ErrorAnalysis {
    /// The picture of an evaluation of `task`.
    pub fn of(judged: &Predictions, task: &Task) -> Self {
        let losses: Vec<f64> = (0..judged.len()).map(|row| judged.loss(row)).collect();
        let mut hardest: Vec<usize> = (0..judged.len()).collect();
        hardest.sort_by(|a, b| losses[*b].total_cmp(&losses[*a]));
        let detail = match &task.labels {
            Labels::Classes(_) => Detail::Classes(Box::new(Classes::of(judged, &hardest))),
            Labels::Scale { .. } => Detail::Scale(stretches(judged, &task.labels)),
        };
        ErrorAnalysis { scores: judged.scores(task), hardest, detail }
    }
}

impl Classes {
    fn of(judged: &Predictions, hardest: &[usize]) -> Self {
        let mut cells = vec![vec![Vec::new(); judged.classes()]; judged.classes()];
        for row in hardest {
            cells[judged.target(*row)][judged.predicted(*row)].push(*row);
        }
        Classes { cells, calibration: Calibration::of(judged) }
    }
}

/// Rows whose given number is in one part of a scale.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ResidualBin {
    /// Where the part begins.
    pub from: f64,
    /// Where it ends; the number there is in the next part, unless there is none.
    pub to: f64,
    /// How many rows.
    pub rows: usize,
    /// Mean of what was told less what is given; 0 without rows.
    pub bias: f64,
    /// Root of the mean squared difference; 0 without rows.
    pub rmse: f64,
}

/// How far off the rows in each part of a scale are.
fn stretches(judged: &Predictions, scale: &Labels) -> Vec<ResidualBin> {
    let of_part =
        |(from, to): (f32, f32)| ResidualBin { from: from.into(), to: to.into(), ..ResidualBin::default() };
    let mut all: Vec<ResidualBin> = scale.intervals().into_iter().map(of_part).collect();
    for (row, label) in judged.targets().iter().enumerate() {
        let stretch = &mut all[scale.bin(*label)];
        let off = judged.predicted_value(row) - judged.target_value(row);
        stretch.rows += 1;
        stretch.bias += off;
        stretch.rmse += off * off;
    }
    for stretch in all.iter_mut().filter(|stretch| stretch.rows > 0) {
        stretch.bias /= stretch.rows as f64;
        stretch.rmse = (stretch.rmse / stretch.rows as f64).sqrt();
    }
    all
}

/// Confidence against accuracy, after Guo et al. 2017, "On Calibration of Modern Neural Networks".
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Rows by the probability p of their predicted class: bin m has those with m/10 < p ≤ (m+1)/10.
    pub bins: [Bin; BINS],
    /// Expected calibration error: Σ n_m/n · |accuracy_m − confidence_m|.
    pub error: f64,
}

/// Rows of about the same confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub rows: usize,
    /// Share of them whose predicted class is the right one; 0 without rows.
    pub accuracy: f64,
    /// Mean probability of the predicted class; 0 without rows.
    pub confidence: f64,
}

impl Calibration {
    /// The calibration of what was said of all rows.
    pub fn of(judged: &Predictions) -> Self {
        let mut bins = [Bin::default(); BINS];
        for row in 0..judged.len() {
            let predicted = judged.predicted(row);
            let confidence = judged.probability(row, predicted);
            let place = (confidence * BINS as f64).ceil() as usize;
            let bin = &mut bins[place.clamp(1, BINS) - 1];
            bin.rows += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(predicted == judged.target(row)));
        }
        let all = judged.len().max(1) as f64;
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

/// A row whose label the model doubts all along.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelIssue {
    /// The row.
    pub row: usize,
    /// The class that the model holds for right.
    pub other: usize,
    /// Mean probability of the label over the evaluations.
    pub given: f64,
    /// Mean probability of the other class.
    pub probability: f64,
}

/// The likely mislabelled rows, the most likely first: those with the lowest mean probability of their label
/// over all evaluations after the first step, where the model is confident in another class. After
/// Swayamdipta et al. 2020, "Dataset Cartography", whose hard-to-learn region they are.
fn suspects(evaluations: &[SavedPredictions]) -> Vec<LabelIssue> {
    let trained: Vec<&Predictions> =
        evaluations.iter().filter(|evaluation| evaluation.step > 0).map(|one| &one.predictions).collect();
    // A number is never right or wrong: how far off it is stands in the hardest rows.
    let Some(first) = trained.first().filter(|judged| !judged.is_regression()) else { return Vec::new() };
    let mean = |row: usize, class: usize| {
        trained.iter().map(|judged| judged.probability(row, class)).sum::<f64>() / trained.len() as f64
    };
    let mut found: Vec<LabelIssue> = (0..first.len())
        .filter_map(|row| {
            let label = first.target(row);
            let others = (0..first.classes()).filter(|class| *class != label);
            let (other, probability) =
                others.map(|class| (class, mean(row, class))).max_by(|a, b| a.1.total_cmp(&b.1))?;
            (probability > DOUBT).then(|| LabelIssue { row, other, given: mean(row, label), probability })
        })
        .collect();
    found.sort_by(|a, b| a.given.total_cmp(&b.given));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::{Metric, task};

    /// Rows of two classes, each with the probability of class 1 and its label.
    fn judged(rows: &[(f64, u32)]) -> Predictions {
        let mut judged = Predictions::new(rows.len(), 2);
        for (row, (p, label)) in rows.iter().enumerate() {
            judged.set(row, &[0.0, (p / (1.0 - p)).ln() as f32], Label::Class(*label));
        }
        judged
    }

    fn evaluation(step: u64, rows: &[(f64, u32)]) -> SavedPredictions {
        SavedPredictions { step, epoch: 0.0, predictions: judged(rows) }
    }

    #[test]
    fn each_row_is_in_its_cell_and_the_hardest_comes_first() {
        let judged = judged(&[(0.9, 1), (0.2, 1), (0.3, 0), (0.8, 0), (0.95, 0), (0.1, 1)]);
        let picture = ErrorAnalysis::of(&judged, task("demo").unwrap());
        let Detail::Classes(classes) = &picture.detail else { panic!("classes") };
        let cells = &classes.cells;
        assert_eq!(*cells, [[vec![2], vec![4, 3]], [vec![5, 1], vec![0]]]);
        // Losses: −ln 0.05, −ln 0.1, then −ln 0.2 twice in the order of the rows, −ln 0.7, −ln 0.9.
        assert_eq!(picture.hardest[..2], [4, 5]);
        assert_eq!(picture.hardest[4..], [2, 0]);
        let counts: Vec<Vec<u64>> =
            cells.iter().map(|row| row.iter().map(|c| c.len() as u64).collect()).collect();
        let scores = &picture.scores;
        assert_eq!((&counts, scores.get(Metric::Accuracy)), (&scores.confusion, Some(2.0 / 6.0)));
    }

    #[test]
    fn of_a_regression_the_rows_that_are_furthest_off_come_first() {
        let mut judged = Predictions::new(3, 1);
        for (row, (told, given)) in [(2.5, 3.0), (0.1, 3.2), (4.75, 4.0)].into_iter().enumerate() {
            judged.set(row, &[told], Label::Value(given));
        }
        let picture = ErrorAnalysis::of(&judged, task("stsb").unwrap());
        assert_eq!(picture.hardest, [1, 2, 0]);
        let Detail::Scale(stretches) = picture.detail else { panic!("a scale") };
        assert_eq!(stretches.iter().map(|stretch| stretch.rows).collect::<Vec<_>>(), [0, 0, 0, 2, 1]);
        assert_eq!((stretches[3].from, stretches[3].to, stretches[0].rmse), (3.0, 4.0, 0.0));
        // The numbers of rows 0 and 1 are in the fourth part; they are 0.5 and 3.1 too low.
        assert!((stretches[3].bias + 1.8).abs() < 1e-6);
        assert!((stretches[3].rmse - (f64::midpoint(0.25, 9.61)).sqrt()).abs() < 1e-6);
        assert!((stretches[4].bias - 0.75).abs() < 1e-6 && (stretches[4].rmse - 0.75).abs() < 1e-6);
        assert_eq!(suspects(&[SavedPredictions { step: 3, epoch: 1.0, predictions: judged }]), []);
    }

    /// By hand: of ten rows, four at 0.95 and three of them right, five at 0.75 and four right, one at 0.65
    /// and wrong: 0.4·|0.75 − 0.95| + 0.5·|0.8 − 0.75| + 0.1·|0 − 0.65| = 0.17.
    #[test]
    fn the_calibration_error_is_that_of_guo() {
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
        let calibration = Calibration::of(&judged(&rows));
        assert!((calibration.error - 0.17).abs() < 1e-6, "{}", calibration.error);
        assert_eq!(calibration.bins.map(|bin| bin.rows), [0, 0, 0, 0, 0, 0, 1, 5, 0, 4]);
        let bin = calibration.bins[9];
        assert!((bin.confidence - 0.95).abs() < 1e-6 && bin.accuracy == 0.75, "{bin:?}");
        assert_eq!(Calibration::of(&judged(&[])).error, 0.0);
        // Who is always sure and always right is perfectly calibrated.
        let mut sure = Predictions::new(1, 2);
        sure.set(0, &[-200.0, 200.0], Label::Class(1));
        assert_eq!((Calibration::of(&sure).error, Calibration::of(&sure).bins[9].rows), (0.0, 1));
    }

    /// By hand: losses −ln of the label's probability, means over two seeds.
    #[test]
    fn seeds_are_laid_over_each_other() {
        let seeds = [
            judged(&[(0.9, 1), (0.2, 1), (0.7, 0), (0.4, 1)]),
            judged(&[(0.8, 1), (0.1, 1), (0.4, 0), (0.6, 1)]),
        ];
        let together = CrossSeed::of(&seeds).unwrap();
        let rows: Vec<(usize, usize, usize)> =
            together.rows.iter().map(|row| (row.row, row.wrong, row.predicted)).collect();
        assert_eq!((together.seeds, rows), (2, vec![(1, 2, 0), (2, 1, 1), (3, 1, 0), (0, 0, 1)]));
        let first = &together.rows[0];
        assert!(
            (first.loss - (-(0.2f64.ln()) - 0.1f64.ln()) / 2.0).abs() < 1e-6
                && (first.probability - 0.85).abs() < 1e-6
        );
        let other = judged(&[(0.9, 1), (0.2, 0), (0.7, 0), (0.4, 1)]);
        assert!(CrossSeed::of(&[seeds[0].clone(), other]).is_err());
    }

    #[test]
    fn a_label_is_doubted_when_the_model_holds_another_for_right_all_along() {
        // Row 0 is learned, row 1 never, row 2 is forgotten at the end, row 3 is doubted less than row 1.
        // What was said before the first step counts for nothing.
        let evaluations = [
            evaluation(0, &[(0.01, 1), (0.99, 1), (0.5, 0), (0.5, 0)]),
            evaluation(10, &[(0.6, 1), (0.1, 1), (0.1, 0), (0.7, 0)]),
            evaluation(20, &[(0.9, 1), (0.2, 1), (0.8, 0), (0.6, 0)]),
        ];
        let found = suspects(&evaluations);
        assert_eq!(
            found.iter().map(|suspect| (suspect.row, suspect.other)).collect::<Vec<_>>(),
            [(1, 0), (3, 1)]
        );
        assert!((found[0].given - 0.15).abs() < 1e-6 && (found[0].probability - 0.85).abs() < 1e-6);
        assert!((found[1].given - 0.35).abs() < 1e-6);
        assert_eq!(suspects(&evaluations[..1]), []);
        assert_eq!(suspects(&[]), []);
    }
}
