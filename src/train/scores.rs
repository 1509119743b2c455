//! Logits and labels → scores. Pure functions; definitions as in scikit-learn and SciPy.

use super::correlation::{pearson, spearman};
use crate::catalog::{Metric, Task};
use crate::event::{ClassScores, ClassificationMetrics, Metrics, RegressionMetrics, Scores};

/// Adds up what a pass over a split says of classes, example by example.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    loss: f64,
    confusion: Vec<Vec<u64>>,
}

impl Tally {
    /// Nothing counted, over `classes` classes.
    pub(super) fn new(classes: usize) -> Self {
        Tally { loss: 0.0, confusion: vec![vec![0; classes]; classes] }
    }

    /// Counts one example: its logits (one a class) and its class.
    pub(super) fn add(&mut self, logits: &[f32], label: usize) {
        self.loss += cross_entropy(logits, label);
        self.confusion[label][argmax(logits)] += 1;
    }

    /// The scores of all that was counted, with those that `task` is judged by.
    pub(super) fn scores(&self, task: &Task) -> Scores {
        let examples: u64 = self.confusion.iter().flatten().sum();
        let right: u64 = (0..self.confusion.len()).map(|class| self.confusion[class][class]).sum();
        let per_class: Vec<ClassScores> =
            (0..self.confusion.len()).map(|class| self.class_scores(class)).collect();
        let judged = |metric| task.metrics.contains(&metric);
        Scores {
            loss: self.loss / examples.max(1) as f64,
            metrics: Metrics::Classification(ClassificationMetrics {
                accuracy: ratio(right as f64, examples as f64),
                accuracy_mm: None,
                f1: judged(Metric::F1).then(|| per_class[1].f1),
                matthews_correlation: judged(Metric::MatthewsCorrelation).then(|| matthews(&self.confusion)),
                confusion: self.confusion.clone(),
                per_class,
            }),
            examples,
        }
    }

    fn class_scores(&self, class: usize) -> ClassScores {
        let hits = self.confusion[class][class] as f64;
        let called: u64 = self.confusion.iter().map(|row| row[class]).sum();
        let there: u64 = self.confusion[class].iter().sum();
        let (precision, recall) = (ratio(hits, called as f64), ratio(hits, there as f64));
        ClassScores { precision, recall, f1: ratio(2.0 * hits, (called + there) as f64) }
    }
}

/// The scores of a regression: what was told of each row, and the number that is given.
pub(super) fn regression(told: &[f64], given: &[f64]) -> Scores {
    let squares: f64 = told.iter().zip(given).map(|(told, given)| (told - given).powi(2)).sum();
    Scores {
        loss: squares / given.len().max(1) as f64,
        metrics: Metrics::Regression(RegressionMetrics {
            pearson: pearson(told, given),
            spearman: spearman(told, given),
        }),
        examples: given.len() as u64,
    }
}

/// Cross-entropy of one example from its logits, in f64: log Σ exp(z) − z[label].
pub(super) fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|z| f64::from(z - highest).exp()).sum();
    sum.ln() - f64::from(logits[label] - highest)
}

/// Probabilities of the classes: softmax of the logits.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|z| f64::from(z - highest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| (e / sum) as f32).collect()
}

/// The class with the highest logit; the first of equals.
pub fn argmax(logits: &[f32]) -> usize {
    logits.iter().enumerate().fold(0, |best, (class, z)| if *z > logits[best] { class } else { best })
}

/// Matthews' correlation of a confusion matrix with any number of classes (Gorodkin's R_K); 0 where
/// it is undefined.
fn matthews(confusion: &[Vec<u64>]) -> f64 {
    let classes = confusion.len();
    let total: f64 = confusion.iter().flatten().sum::<u64>() as f64;
    let right: f64 = (0..classes).map(|class| confusion[class][class] as f64).sum();
    let there: Vec<f64> = confusion.iter().map(|row| row.iter().sum::<u64>() as f64).collect();
    let called: Vec<f64> =
        (0..classes).map(|class| confusion.iter().map(|row| row[class]).sum::<u64>() as f64).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let numerator = right * total - dot(&there, &called);
    let spread = (total * total - dot(&called, &called)) * (total * total - dot(&there, &there));
    ratio(numerator, spread.sqrt())
}

fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::task;

    fn tally(confusion: &[&[u64]]) -> Tally {
        Tally { loss: 0.0, confusion: confusion.iter().map(|row| row.to_vec()).collect() }
    }

    /// `accuracy_score`, `f1_score`, `matthews_corrcoef`, `precision_score`, `recall_score` of
    /// scikit-learn on 50 + 10 + 5 + 35 rows.
    #[test]
    fn equals_scikit_learn() {
        let tally = tally(&[&[50, 10], &[5, 35]]);
        let scores = tally.scores(task("qqp").unwrap());
        let found = scores.classification().expect("classes");
        assert!((found.accuracy - 0.85).abs() < 1e-12);
        assert!((found.f1.unwrap() - 14.0 / 17.0).abs() < 1e-12);
        assert!((found.per_class[1].precision - 7.0 / 9.0).abs() < 1e-12);
        assert!((found.per_class[1].recall - 0.875).abs() < 1e-12);
        assert_eq!(found.matthews_correlation, None);
        assert!((matthews(&tally.confusion) - 0.697_518_448_882_885).abs() < 1e-12);
    }

    #[test]
    fn one_class_only_is_no_division_by_zero() {
        let tally = tally(&[&[60, 0], &[40, 0]]);
        assert_eq!(matthews(&tally.confusion), 0.0);
        let scores = tally.scores(task("qqp").unwrap());
        assert_eq!((scores.get(Metric::F1), scores.get(Metric::Accuracy)), (Some(0.0), Some(0.6)));
    }

    /// `torch.nn.functional.cross_entropy(torch.tensor([[2., -1.], [0.5, 0.25]]), torch.tensor([0, 1]))`.
    #[test]
    fn loss_equals_pytorch() {
        let mut tally = Tally::new(2);
        tally.add(&[2.0, -1.0], 0);
        tally.add(&[0.5, 0.25], 1);
        let scores = tally.scores(task("sst2").unwrap());
        assert!((scores.loss - 0.437_263).abs() < 1e-5, "{}", scores.loss);
        assert_eq!(scores.classification().expect("classes").confusion, [[1, 0], [1, 0]]);
        assert!(cross_entropy(&[1000.0, -1000.0], 1).is_finite());
    }

    /// `torch.nn.MSELoss()(torch.tensor([2.5, 0., 4.]), torch.tensor([3., 1., 4.]))`.
    #[test]
    fn a_regression_has_its_own_scores() {
        let scores = regression(&[2.5, 0.0, 4.0], &[3.0, 1.0, 4.0]);
        assert!((scores.loss - 1.25 / 3.0).abs() < 1e-12);
        assert!(
            scores
                .get(Metric::Pearson)
                .is_some_and(|pearson| (pearson - 0.998_906_107_238_671_8).abs() < 1e-9)
        );
        assert!(scores.get(Metric::Spearman).is_some_and(|spearman| (spearman - 1.0).abs() < 1e-12));
        assert_eq!(scores.examples, 3);
        assert_eq!(scores.get(Metric::Accuracy), None);
        let constant = regression(&[2.5, 2.5], &[3.0, 1.0]);
        assert_eq!((constant.get(Metric::Pearson), constant.loss), (None, 1.25));
    }
}
