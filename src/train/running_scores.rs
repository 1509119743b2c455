//! [`RunningScores`]: the scores of the training rows, from the steps that train on them.

use super::multi_label_scores::LabelCounts;
use super::predictions::{example_loss, multi_hot};
use super::scores::{ConfusionMatrix, classification_scores, metrics, ratio};
use crate::batch::Label;
use crate::catalog::{Metric, ProblemType, Task};
use crate::event::Scores;
use serde::{Deserialize, Serialize};

/// The running mean over the steps of an epoch: each row is scored in its training step, with dropout and with the weights
/// before the update. So they cost nothing, but they lag behind the scores of an evaluation. A checkpoint within an epoch
/// contains them, so that a training that resumes continues the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RunningScores {
    /// The epoch, from 0.
    pub epoch: u64,
    examples: u64,
    /// Sum of the losses of the examples.
    loss: f64,
    sums: Sums,
}

/// What the metrics are computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sums {
    SingleLabelClassification(ConfusionMatrix),
    MultiLabelClassification(LabelCounts),
    Regression(Moments),
}

/// Moments of pairs of a prediction and a target, updated one by one (Welford 1962): sums of squares would lose digits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    count: u64,
    /// Means of predictions and targets.
    means: [f64; 2],
    /// Sums of the squared deviations from the means.
    squares: [f64; 2],
    /// Sum of the products of both deviations.
    products: f64,
    /// Sum of the absolute errors.
    errors: f64,
}

impl RunningScores {
    /// No rows of epoch `epoch` yet.
    pub(super) fn new(epoch: u64, problem_type: ProblemType, outputs: usize) -> Self {
        let sums = match problem_type {
            ProblemType::SingleLabelClassification => {
                Sums::SingleLabelClassification(ConfusionMatrix::new(outputs))
            }
            ProblemType::MultiLabelClassification => {
                Sums::MultiLabelClassification(LabelCounts::new(outputs))
            }
            ProblemType::Regression => Sums::Regression(Moments::default()),
        };
        RunningScores { epoch, examples: 0, loss: 0.0, sums }
    }

    /// Adds a row: the logits of its step, one for each output, and its target.
    pub(super) fn add(&mut self, logits: &[f32], target: &Label) {
        self.examples += 1;
        self.loss += example_loss(logits, target);
        match (&mut self.sums, target) {
            (Sums::SingleLabelClassification(confusion), Label::Class(class)) => {
                confusion.add_logits(logits, *class as usize);
            }
            (Sums::MultiLabelClassification(counts), Label::Set(_)) => {
                counts.add(logits.iter().copied().zip(multi_hot(target, logits.len())));
            }
            (Sums::Regression(moments), Label::Value(value)) => {
                moments.add(f64::from(logits[0]), f64::from(*value));
            }
            (sums, target) => unreachable!("{target:?} in {sums:?}: all labels are of the problem type"),
        }
    }

    /// The scores of the rows so far, without the metrics that need all rows at once: Spearman correlation and average
    /// precision. `None` before the first row.
    pub(super) fn scores(&self, task: &Task) -> Option<Scores> {
        if self.examples == 0 {
            return None;
        }
        let loss = self.loss / self.examples as f64;
        let mut scores = match &self.sums {
            Sums::SingleLabelClassification(confusion) => classification_scores(task, loss, confusion),
            Sums::MultiLabelClassification(counts) => counts.scores(task, loss),
            Sums::Regression(moments) => Scores {
                loss,
                metrics: metrics(task, (ProblemType::Regression, 1), |metric| moments.value(metric)),
                examples: self.examples,
                ..Scores::default()
            },
        };
        scores.metrics.retain(|metric, _| ![Metric::Spearman, Metric::AveragePrecision].contains(metric));
        scores.running_mean = true;
        Some(scores)
    }
}

impl Moments {
    fn add(&mut self, prediction: f64, target: f64) {
        self.count += 1;
        let pair = [prediction, target];
        let before = [0, 1].map(|column| pair[column] - self.means[column]);
        for column in [0, 1] {
            self.means[column] += before[column] / self.count as f64;
        }
        let after = [0, 1].map(|column| pair[column] - self.means[column]);
        for column in [0, 1] {
            self.squares[column] += before[column] * after[column];
        }
        self.products += before[0] * after[1];
        self.errors += (prediction - target).abs();
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Pearson => {
                let norm = (self.squares[0] * self.squares[1]).sqrt();
                (norm > 0.0).then(|| (self.products / norm).clamp(-1.0, 1.0))
            }
            Metric::Mae => Some(ratio(self.errors, self.count as f64)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::task;
    use crate::train::Predictions;

    /// The scores of `rows`, and those of an evaluation with the same logits.
    fn both(
        task: &Task,
        problem_type: ProblemType,
        outputs: usize,
        rows: &[(Vec<f32>, Label)],
    ) -> [Scores; 2] {
        let mut running = RunningScores::new(0, problem_type, outputs);
        assert_eq!(running.scores(task), None);
        let mut predictions = Predictions::new(problem_type, rows.len(), outputs);
        for (row, (logits, target)) in rows.iter().enumerate() {
            running.add(logits, target);
            predictions.set(row, logits, target.clone());
            // A checkpoint between two steps changes nothing.
            running = toml::from_str(&toml::to_string(&running).unwrap()).unwrap();
        }
        [running.scores(task).unwrap(), predictions.scores(task)]
    }

    fn logits(row: usize, outputs: usize) -> Vec<f32> {
        (0..outputs).map(|output| ((row * 7 + output * 5) % 11) as f32 / 3.0 - 1.5).collect()
    }

    #[test]
    fn classes_have_the_scores_of_an_evaluation() {
        let rows: Vec<_> = (0..50).map(|row| (logits(row, 3), Label::Class(row as u32 * 5 % 3))).collect();
        let kind = ProblemType::SingleLabelClassification;
        let [running, evaluated] = both(task("custom").unwrap(), kind, 3, &rows);
        assert_eq!(running, Scores { running_mean: true, ..evaluated });
    }

    #[test]
    fn sets_have_the_scores_of_an_evaluation_without_average_precision() {
        let set =
            |row: usize| Label::set((0..4).filter(|label| (row * 3 + *label as usize).is_multiple_of(3)));
        let rows: Vec<_> = (0..40).map(|row| (logits(row, 4), set(row))).collect();
        let kind = ProblemType::MultiLabelClassification;
        let [running, mut evaluated] = both(task("custom").unwrap(), kind, 4, &rows);
        assert!((running.loss - evaluated.loss).abs() < 1e-12);
        assert!(evaluated.metrics.remove(&Metric::AveragePrecision).is_some());
        assert_eq!((running.metrics, running.examples), (evaluated.metrics, 40));
        let per_label = evaluated.per_class.into_iter();
        let per_label: Vec<_> =
            per_label.map(|label| crate::event::ClassScores { average_precision: None, ..label }).collect();
        assert_eq!(running.per_class, per_label);
    }

    #[test]
    fn values_have_the_scores_of_an_evaluation_without_ranks() {
        // The large offset would cost sums of squares all digits.
        let value = |row: usize| Label::Value(1e4 + (row * row % 17) as f32);
        let rows: Vec<_> = (0..60).map(|row| (vec![1e4 + logits(row, 1)[0]], value(row))).collect();
        let [running, evaluated] = both(task("stsb").unwrap(), ProblemType::Regression, 1, &rows);
        assert_eq!(running.metrics.keys().collect::<Vec<_>>(), [&Metric::Pearson]);
        let pearson = |scores: &Scores| scores.get(Metric::Pearson).unwrap();
        assert!((pearson(&running) - pearson(&evaluated)).abs() < 1e-9);
        assert!((running.loss - evaluated.loss).abs() < 1e-9);
        let constant: Vec<_> = (0..5).map(|row| (vec![row as f32], Label::Value(2.0))).collect();
        let [running, _] = both(task("stsb").unwrap(), ProblemType::Regression, 1, &constant);
        assert_eq!(running.metrics[&Metric::Pearson], None);
    }
}
