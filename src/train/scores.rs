//! Logits and targets → scores. Pure functions; definitions as in scikit-learn and SciPy.

use crate::catalog::{Metric, ProblemType, SplitName, Task};
use crate::event::{ClassScores, Scores};
use crate::stats::{pearson, spearman};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The metrics that an evaluation on a task reports, but for the loss, which has its own field, and those that are
/// taken from another split. `value` computes one; `None` is an undefined value.
pub(super) fn metrics(
    task: &Task,
    (problem_type, outputs): (ProblemType, usize),
    value: impl Fn(Metric) -> Option<f64>,
) -> BTreeMap<Metric, Option<f64>> {
    let is_computed = |metric: &Metric| {
        *metric != Metric::Loss && metric.source().is_none() && task.reports(*metric, problem_type, outputs)
    };
    let all = Metric::ALL.iter().copied().filter(is_computed);
    all.map(|metric| (metric, value(metric))).collect()
}

/// The scores of a single-label classification: `rows` are the logits, one a class, and the target of each example.
pub(super) fn classification<'a>(
    task: &Task,
    classes: usize,
    rows: impl Iterator<Item = (&'a [f32], usize)>,
) -> Scores {
    let (mut loss, mut confusion) = (0.0, ConfusionMatrix::new(classes));
    for (logits, target) in rows {
        loss += cross_entropy(logits, target);
        confusion.add_logits(logits, target);
    }
    classification_scores(task, loss / confusion.total().max(1) as f64, &confusion)
}

/// The scores of a single-label classification with this mean loss.
pub(super) fn classification_scores(task: &Task, loss: f64, confusion: &ConfusionMatrix) -> Scores {
    let sums = ClassSums::of(&confusion.counts);
    let classes = sums.classes();
    Scores {
        loss,
        metrics: metrics(task, (ProblemType::SingleLabelClassification, classes), |metric| {
            sums.value(metric)
        }),
        per_class: (0..classes).map(|class| sums.class_scores(class)).collect(),
        confusion: confusion.counts.clone(),
        examples: confusion.total(),
        running_mean: false,
    }
}

/// The scores of a regression, whose loss is the mean squared error.
pub(super) fn regression(task: &Task, predictions: &[f64], targets: &[f64]) -> Scores {
    let errors = || predictions.iter().zip(targets).map(|(a, b)| a - b);
    let squares: f64 = errors().map(|error| error.powi(2)).sum();
    let value = |metric| match metric {
        Metric::Pearson => pearson(predictions, targets),
        Metric::Spearman => spearman(predictions, targets),
        Metric::Mae => Some(ratio(errors().map(f64::abs).sum(), targets.len() as f64)),
        _ => None,
    };
    Scores {
        loss: squares / targets.len().max(1) as f64,
        metrics: metrics(task, (ProblemType::Regression, 1), value),
        examples: targets.len() as u64,
        ..Scores::default()
    }
}

/// Adds the metrics of `task` that are taken from another split, of which `other` are the scores.
pub fn add_metrics_from(other: &Scores, split: SplitName, task: &Task, scores: &mut Scores) {
    for metric in task.metrics(task.labels.problem_type()) {
        if let Some((source, base)) = metric.source()
            && source == split
        {
            scores.metrics.insert(*metric, other.get(base));
        }
    }
}

/// `counts[target][predicted]`: number of examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ConfusionMatrix {
    counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    pub(super) fn new(classes: usize) -> Self {
        ConfusionMatrix { counts: vec![vec![0; classes]; classes] }
    }

    /// Adds an example with these logits, one for each class.
    pub(super) fn add_logits(&mut self, logits: &[f32], target: usize) {
        self.counts[target][argmax(logits)] += 1;
    }

    fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }
}

/// What the metrics of a single-label classification are computed from: sums over the cells of a confusion matrix.
#[derive(Debug, Clone)]
pub(super) struct ClassSums {
    /// Number of examples.
    total: f64,
    /// For each class, the examples that are predicted correctly.
    true_positives: Vec<f64>,
    /// For each class, the examples whose target it is.
    actual: Vec<f64>,
    /// For each class, the examples that it is predicted for.
    predicted: Vec<f64>,
}

impl ClassSums {
    /// Those of no examples.
    pub(super) fn new(classes: usize) -> Self {
        let zeros = || vec![0.0; classes];
        ClassSums { total: 0.0, true_positives: zeros(), actual: zeros(), predicted: zeros() }
    }

    /// Those of `counts[target][predicted]`. Cells that are missing are 0, and those of unknown classes are left out.
    pub(super) fn of(counts: &[Vec<u64>]) -> Self {
        let mut sums = ClassSums::new(counts.len());
        for (target, row) in counts.iter().enumerate() {
            for (class, count) in row.iter().enumerate().take(counts.len()) {
                sums.add(target, class, *count as f64);
            }
        }
        sums
    }

    /// Adds `count` examples of a cell. The class numbers are less than [`ClassSums::classes`].
    pub(super) fn add(&mut self, target: usize, predicted: usize, count: f64) {
        self.total += count;
        self.actual[target] += count;
        self.predicted[predicted] += count;
        if target == predicted {
            self.true_positives[target] += count;
        }
    }

    /// For each cell of the same `counts` with an example, its number of examples and `metric` without one of them.
    pub(super) fn without_one(&self, counts: &[Vec<u64>], metric: Metric) -> Option<Vec<(f64, f64)>> {
        let mut sums = self.clone();
        let mut values = Vec::new();
        for (target, row) in counts.iter().enumerate() {
            let cells = row.iter().enumerate().take(counts.len());
            for (predicted, count) in cells.filter(|(_, count)| **count > 0) {
                sums.add(target, predicted, -1.0);
                values.push((*count as f64, sums.value(metric)?));
                sums.add(target, predicted, 1.0);
            }
        }
        Some(values)
    }

    fn classes(&self) -> usize {
        self.actual.len()
    }

    /// The value of a metric of a single-label classification; `None` for the others.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Accuracy => Some(ratio(self.true_positives.iter().sum(), self.total)),
            Metric::F1 => (self.classes() > 1).then(|| self.f1(1)),
            Metric::F1Macro => Some(self.f1_macro()),
            Metric::MatthewsCorrelation => Some(self.matthews()),
            _ => None,
        }
    }

    fn f1(&self, class: usize) -> f64 {
        ratio(2.0 * self.true_positives[class], self.predicted[class] + self.actual[class])
    }

    fn class_scores(&self, class: usize) -> ClassScores {
        ClassScores {
            precision: ratio(self.true_positives[class], self.predicted[class]),
            recall: ratio(self.true_positives[class], self.actual[class]),
            f1: self.f1(class),
            average_precision: None,
            support: None,
            predicted: None,
        }
    }

    /// Mean F1 of the classes that are a target or a prediction, as `f1_score(average="macro")`.
    fn f1_macro(&self) -> f64 {
        let occurs = |class: &usize| self.actual[*class] + self.predicted[*class] > 0.0;
        let scores: Vec<f64> = (0..self.classes()).filter(occurs).map(|class| self.f1(class)).collect();
        ratio(scores.iter().sum(), scores.len() as f64)
    }

    /// Matthews correlation for any number of classes (Gorodkin's R_K); 0 where it is undefined.
    fn matthews(&self) -> f64 {
        let (total, correct) = (self.total, self.true_positives.iter().sum::<f64>());
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let (actual, predicted) = (&self.actual, &self.predicted);
        let numerator = correct * total - dot(actual, predicted);
        let spread = (total * total - dot(predicted, predicted)) * (total * total - dot(actual, actual));
        ratio(numerator, spread.sqrt())
    }
}

/// Cross-entropy of one example from its logits, in f64: log Σ exp(z) − z[target].
pub(super) fn cross_entropy(logits: &[f32], target: usize) -> f64 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|z| f64::from(z - highest).exp()).sum();
    sum.ln() - f64::from(logits[target] - highest)
}

/// Probabilities of the classes: softmax of the logits.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|z| f64::from(z - highest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| (e / sum) as f32).collect()
}

/// The class with the highest logit; the first of equals. A NaN is the highest, as in NumPy and PyTorch.
pub fn argmax(logits: &[f32]) -> usize {
    let is_higher = |z: f32, best: f32| !best.is_nan() && (z > best || z.is_nan());
    logits
        .iter()
        .enumerate()
        .fold(0, |best, (class, z)| if is_higher(*z, logits[best]) { class } else { best })
}

/// The quotient; 0 if the denominator is 0, as scikit-learn with `zero_division=0`.
pub(super) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::task;

    /// Scores of examples with these counts of `[target][predicted]`.
    fn scores(name: &str, counts: [[usize; 2]; 2]) -> Scores {
        let logits: [&[f32]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
        let cells = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let rows = cells.into_iter().flat_map(|(target, predicted)| {
            std::iter::repeat_n((logits[predicted], target), counts[target][predicted])
        });
        classification(task(name).unwrap(), 2, rows)
    }

    fn assert_near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?}, {expected}");
    }

    /// `accuracy_score`, `f1_score`, `matthews_corrcoef`, `precision_score`, `recall_score` of
    /// scikit-learn on 50 + 10 + 5 + 35 rows.
    #[test]
    fn equals_scikit_learn() {
        let counts = [[50, 10], [5, 35]];
        let qqp = scores("qqp", counts);
        assert_near(qqp.get(Metric::Accuracy), 0.85);
        assert_near(qqp.get(Metric::F1), 14.0 / 17.0);
        assert_near(Some(qqp.per_class[1].precision), 7.0 / 9.0);
        assert_near(Some(qqp.per_class[1].recall), 0.875);
        assert_eq!(qqp.metrics.keys().collect::<Vec<_>>(), [&Metric::Accuracy, &Metric::F1]);
        assert_near(scores("cola", counts).get(Metric::MatthewsCorrelation), 0.697_518_448_882_885);
    }

    #[test]
    fn metrics_without_a_row_are_those_of_the_other_rows() {
        let counts = vec![vec![5, 1, 0], vec![2, 7, 1], vec![0, 3, 4]];
        for metric in [Metric::Accuracy, Metric::F1, Metric::F1Macro, Metric::MatthewsCorrelation] {
            let cells =
                (0..9).map(|cell| (cell / 3, cell % 3)).filter(|(row, column)| counts[*row][*column] > 0);
            let expected = cells.map(|(row, column)| {
                let mut others = counts.clone();
                others[row][column] -= 1;
                (counts[row][column] as f64, ClassSums::of(&others).value(metric).unwrap())
            });
            let found = ClassSums::of(&counts).without_one(&counts, metric).unwrap();
            assert_eq!(found, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn predicting_one_class_only_does_not_divide_by_zero() {
        let counts = [[60, 0], [40, 0]];
        assert_eq!(scores("cola", counts).get(Metric::MatthewsCorrelation), Some(0.0));
        let qqp = scores("qqp", counts);
        assert_eq!((qqp.get(Metric::F1), qqp.get(Metric::Accuracy)), (Some(0.0), Some(0.6)));
    }

    /// `torch.nn.functional.cross_entropy(torch.tensor([[2., -1.], [0.5, 0.25]]), torch.tensor([0, 1]))`.
    #[test]
    fn loss_equals_pytorch() {
        let rows: [(&[f32], usize); 2] = [(&[2.0, -1.0], 0), (&[0.5, 0.25], 1)];
        let scores = classification(task("sst2").unwrap(), 2, rows.into_iter());
        assert!((scores.loss - 0.437_263).abs() < 1e-5, "{}", scores.loss);
        assert_eq!(scores.confusion, [[1, 0], [1, 0]]);
        assert!(cross_entropy(&[1000.0, -1000.0], 1).is_finite());
    }

    /// `torch.nn.MSELoss()(torch.tensor([2.5, 0., 4.]), torch.tensor([3., 1., 4.]))`.
    #[test]
    fn a_regression_reports_correlations_and_squared_error() {
        let stsb = task("stsb").unwrap();
        let scores = regression(stsb, &[2.5, 0.0, 4.0], &[3.0, 1.0, 4.0]);
        assert_near(Some(scores.loss), 1.25 / 3.0);
        assert_near(scores.get(Metric::Pearson), 0.998_906_107_238_671_8);
        assert_near(scores.get(Metric::Spearman), 1.0);
        assert_eq!((scores.examples, scores.get(Metric::Accuracy), scores.get(Metric::Mae)), (3, None, None));
        let custom = regression(task("custom").unwrap(), &[2.5, 0.0, 4.0], &[3.0, 1.0, 4.0]);
        assert_near(custom.get(Metric::Mae), 0.5);
        let constant = regression(stsb, &[2.5, 2.5], &[3.0, 1.0]);
        assert_eq!((constant.metrics[&Metric::Pearson], constant.loss), (None, 1.25));
    }

    #[test]
    fn the_mismatched_accuracy_is_taken_from_its_split() {
        let mnli = task("mnli").unwrap();
        let rows: [(&[f32], usize); 1] = [(&[1.0, 0.0, 0.0], 0)];
        let mut matched = classification(mnli, 3, rows.into_iter());
        assert_eq!(matched.get(Metric::AccuracyMm), None);
        let other = Scores { metrics: BTreeMap::from([(Metric::Accuracy, Some(0.25))]), ..Scores::default() };
        add_metrics_from(&other, SplitName::Test, mnli, &mut matched);
        assert_eq!(matched.get(Metric::AccuracyMm), None);
        add_metrics_from(&other, SplitName::ValidationMismatched, mnli, &mut matched);
        assert_eq!(matched.get(Metric::AccuracyMm), Some(0.25));
    }

    /// `f1_score(average="macro")`, which leaves out classes that are neither a target nor a prediction.
    #[test]
    fn macro_f1_equals_scikit_learn() {
        let macro_f1 = |targets: &[usize], predicted: &[usize]| {
            let logits = |class: usize| [0, 1, 2, 3].map(|other| if other == class { 1.0f32 } else { 0.0 });
            let rows: Vec<([f32; 4], usize)> = targets
                .iter()
                .zip(predicted)
                .map(|(target, predicted)| (logits(*predicted), *target))
                .collect();
            let rows = rows.iter().map(|(logits, target)| (&logits[..], *target));
            classification(task("custom").unwrap(), 4, rows).get(Metric::F1Macro)
        };
        assert_near(macro_f1(&[0, 0, 0, 1, 1, 2], &[0; 6]), 2.0 / 9.0);
        assert_near(macro_f1(&[0, 0, 3, 3, 3, 0], &[0, 3, 3, 3, 1, 0]), 0.488_888_888_888_888_93);
        let custom = scores("custom", [[50, 10], [5, 35]]);
        assert_near(custom.get(Metric::F1Macro), 0.846_547_314_578_005_1);
        assert_near(custom.get(Metric::F1), 14.0 / 17.0);
    }

    #[test]
    fn macro_f1_is_reported_for_more_than_two_classes() {
        let rows: [(&[f32], usize); 1] = [(&[1.0, 0.0, 0.0], 0)];
        let mnli = classification(task("mnli").unwrap(), 3, rows.into_iter());
        assert_eq!(mnli.metrics.keys().collect::<Vec<_>>(), [&Metric::Accuracy, &Metric::F1Macro]);
        let custom = classification(task("custom").unwrap(), 3, rows.into_iter());
        assert_eq!(custom.metrics, mnli.metrics);
    }
}
