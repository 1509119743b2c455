//! Logits and sets of labels → scores. Pure functions; definitions as in scikit-learn.

use super::scores::{metrics, ratio};
use crate::catalog::{Metric, ProblemType, Task};
use crate::event::{ClassScores, Scores};
use serde::{Deserialize, Serialize};

/// Whether a label with this logit is predicted: its probability is above 0.5.
pub fn is_predicted(logit: f32) -> bool {
    logit > 0.0
}

/// The probability of a label, 1 / (1 + exp(−logit)).
pub fn sigmoid(logit: f64) -> f64 {
    let exp = (-logit.abs()).exp();
    if logit >= 0.0 { 1.0 / (1.0 + exp) } else { exp / (1.0 + exp) }
}

/// Mean binary cross-entropy of labels from their logits and whether they apply: log(1 + exp(−z)) and log(1 + exp(z)). That
/// of an infinite logit is the limit, 0 or ∞, for which PyTorch gives NaN.
pub(super) fn binary_cross_entropy(labels: impl Iterator<Item = (f32, bool)>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for (logit, applies) in labels {
        let x = if applies { -f64::from(logit) } else { f64::from(logit) };
        sum += x.max(0.0) + (-x.abs()).exp().ln_1p();
        count += 1;
    }
    ratio(sum, f64::from(count))
}

/// Counts of rows that most metrics of a multi-label classification are computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LabelCounts {
    rows: u64,
    /// Rows whose predicted set is the target.
    exact: u64,
    /// One for each label.
    labels: Vec<Counts>,
}

/// Counts of the rows of a label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Counts {
    true_positives: u64,
    false_positives: u64,
    false_negatives: u64,
}

impl Counts {
    fn f1(self) -> f64 {
        let errors = self.false_positives + self.false_negatives;
        ratio(2.0 * self.true_positives as f64, (2 * self.true_positives + errors) as f64)
    }

    fn scores(self) -> ClassScores {
        let Counts { true_positives, false_positives, false_negatives } = self;
        let share = |others: u64| ratio(true_positives as f64, (true_positives + others) as f64);
        ClassScores {
            precision: share(false_positives),
            recall: share(false_negatives),
            f1: self.f1(),
            average_precision: None,
            support: Some(true_positives + false_negatives),
            predicted: Some(true_positives + false_positives),
        }
    }
}

impl LabelCounts {
    pub(super) fn new(outputs: usize) -> Self {
        LabelCounts { rows: 0, exact: 0, labels: vec![Counts::default(); outputs] }
    }

    /// Adds a row: the logit of each label, and whether it applies.
    pub(super) fn add(&mut self, row: impl Iterator<Item = (f32, bool)>) {
        let mut is_exact = true;
        for (counts, (logit, target)) in self.labels.iter_mut().zip(row) {
            match (is_predicted(logit), target) {
                (true, true) => counts.true_positives += 1,
                (true, false) => counts.false_positives += 1,
                (false, true) => counts.false_negatives += 1,
                (false, false) => {}
            }
            is_exact &= is_predicted(logit) == target;
        }
        self.rows += 1;
        self.exact += u64::from(is_exact);
    }

    /// The value of a metric of a multi-label classification; `None` for the others, and for average precision.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::F1Micro => {
                let mut all = Counts::default();
                for label in &self.labels {
                    all.true_positives += label.true_positives;
                    all.false_positives += label.false_positives;
                    all.false_negatives += label.false_negatives;
                }
                Some(all.f1())
            }
            Metric::F1Macro => Some(mean(self.labels.iter().map(|label| label.f1()))),
            Metric::ExactMatch => Some(ratio(self.exact as f64, self.rows as f64)),
            _ => None,
        }
    }

    /// The scores with this mean loss; average precision has no value.
    pub(super) fn scores(&self, task: &Task, loss: f64) -> Scores {
        let kind = (ProblemType::MultiLabelClassification, self.labels.len());
        Scores {
            loss,
            metrics: metrics(task, kind, |metric| self.value(metric)),
            per_class: self.labels.iter().map(|label| label.scores()).collect(),
            examples: self.rows,
            ..Scores::default()
        }
    }
}

/// The scores of a multi-label classification: `logits` and whether each label applies, both (rows, outputs).
pub(super) fn multi_label(task: &Task, outputs: usize, logits: &[f32], targets: &[bool]) -> Scores {
    let pairs = || logits.iter().copied().zip(targets.iter().copied());
    let mut counts = LabelCounts::new(outputs);
    for (logits, targets) in logits.chunks_exact(outputs).zip(targets.chunks_exact(outputs)) {
        counts.add(logits.iter().copied().zip(targets.iter().copied()));
    }
    let mut scores = counts.scores(task, binary_cross_entropy(pairs()));
    for (label, scores) in scores.per_class.iter_mut().enumerate() {
        scores.average_precision = average_precision(pairs().skip(label).step_by(outputs).collect());
    }
    if let Some(value) = scores.metrics.get_mut(&Metric::AveragePrecision) {
        *value = mean_average_precision(scores.per_class.iter().map(|label| label.average_precision));
    }
    scores
}

/// `average_precision_score` of a label from the logit of each row and whether the label applies:
/// Σ (recall_n − recall_{n−1}) · precision_n over the distinct logits, the highest first; 0 if it never applies. `None` if a
/// logit is NaN; scikit-learn also refuses infinite ones, which are ordered as other numbers here.
pub(super) fn average_precision(mut rows: Vec<(f32, bool)>) -> Option<f64> {
    if rows.iter().any(|(logit, _)| logit.is_nan()) {
        return None;
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = rows.iter().filter(|(_, applies)| *applies).count() as f64;
    let (mut predicted, mut true_positives, mut sum) = (0.0, 0.0, 0.0);
    for group in rows.chunk_by(|a, b| a.0 == b.0) {
        let found = group.iter().filter(|(_, applies)| *applies).count() as f64;
        predicted += group.len() as f64;
        true_positives += found;
        sum += ratio(found, positives) * true_positives / predicted;
    }
    Some(sum)
}

/// The mean of the average precision of each label; `None` if one is.
pub(super) fn mean_average_precision(labels: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let count = labels.len() as f64;
    let sum: Option<f64> = labels.sum();
    sum.map(|sum| ratio(sum, count))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    ratio(values.sum(), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::task;

    fn assert_near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?}, {expected}");
    }

    /// `f1_score`, `accuracy_score`, `average_precision_score` and `precision_recall_fscore_support` with
    /// `zero_division=0`, and `torch.nn.BCEWithLogitsLoss`. Label 1 never applies, label 2 always does, label 3 is
    /// never predicted, label 4 always is; some logits of labels 0 and 3 are equal.
    #[test]
    fn equals_scikit_learn() {
        let logits = [
            [0.5f32, -1.0, 2.0, -0.5, 1.5],
            [0.5, 0.5, -1.0, -0.5, 0.5],
            [-2.0, 1.5, 0.0, -3.0, 2.5],
            [1.0, -1.0, 0.5, -0.5, 0.25],
            [-1.0, 0.5, 3.0, -1.5, 1.0],
            [0.0, -0.25, -1.0, -2.5, 0.75],
        ];
        let targets = [
            [1, 0, 1, 1, 1],
            [0, 0, 1, 0, 0],
            [0, 0, 1, 1, 1],
            [1, 0, 1, 0, 1],
            [0, 0, 1, 1, 1],
            [0, 0, 1, 0, 0],
        ];
        let targets: Vec<bool> = targets.concat().iter().map(|target| *target == 1).collect();
        let scores = multi_label(task("custom").unwrap(), 5, &logits.concat(), &targets);
        assert_near(Some(scores.loss), 0.724_920_630_166_926_1);
        assert_near(scores.get(Metric::F1Micro), 0.6);
        assert_near(scores.get(Metric::F1Macro), 0.453_333_333_333_333_3);
        assert_near(scores.get(Metric::ExactMatch), 1.0 / 6.0);
        assert_near(scores.get(Metric::AveragePrecision), 0.638_888_888_888_888_8);
        let expected = [
            [2.0 / 3.0, 1.0, 0.8, 5.0 / 6.0],
            [0.0, 0.0, 0.0, 0.0],
            [1.0, 0.5, 2.0 / 3.0, 1.0],
            [0.0, 0.0, 0.0, 4.0 / 9.0],
            [2.0 / 3.0, 1.0, 0.8, 11.0 / 12.0],
        ];
        for (found, [precision, recall, f1, average_precision]) in scores.per_class.iter().zip(expected) {
            assert_near(Some(found.precision), precision);
            assert_near(Some(found.recall), recall);
            assert_near(Some(found.f1), f1);
            assert_near(found.average_precision, average_precision);
        }
        assert_eq!((scores.examples, scores.confusion.len(), scores.metrics.len()), (6, 0, 4));
    }

    #[test]
    fn no_label_and_no_prediction_is_an_exact_match_with_an_f1_of_0() {
        let scores = multi_label(task("custom").unwrap(), 3, &[-1.0; 6], &[false; 6]);
        for (metric, expected) in [
            (Metric::F1Micro, 0.0),
            (Metric::F1Macro, 0.0),
            (Metric::ExactMatch, 1.0),
            (Metric::AveragePrecision, 0.0),
        ] {
            assert_eq!(scores.get(metric), Some(expected), "{metric}");
        }
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let loss = binary_cross_entropy([(1000.0, true), (-1000.0, false), (-1000.0, true)].into_iter());
        assert!((loss - 1000.0 / 3.0).abs() < 1e-9, "{loss}");
        assert_eq!((sigmoid(1000.0), sigmoid(-1000.0), sigmoid(0.0)), (1.0, 0.0, 0.5));
    }
}
