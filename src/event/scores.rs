//! What a pass over a labelled split says.

use crate::catalog::Metric;
use serde::{Deserialize, Serialize};

/// What a pass over a labelled split says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean cross-entropy, without label smoothing; of a regression the mean squared error.
    pub loss: f64,
    /// What is said beside it, in the same JSON object.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Rows scored.
    pub examples: u64,
}

/// The scores that there are for a kind of labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    /// Labels are classes.
    Classification(ClassificationMetrics),
    /// Labels are numbers.
    Regression(RegressionMetrics),
}

/// How far what is told agrees with the numbers that are given. A correlation is undefined, `null` in JSON, where
/// either side is the same in all rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegressionMetrics {
    /// Pearson's correlation.
    #[serde(deserialize_with = "Option::deserialize")]
    pub pearson: Option<f64>,
    /// Spearman's rank correlation.
    #[serde(deserialize_with = "Option::deserialize")]
    pub spearman: Option<f64>,
}

/// How well classes are told apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassificationMetrics {
    /// Share of rows whose most probable class is the right one.
    pub accuracy: f64,
    /// The accuracy on the mismatched validation split, beside the scores of the matched one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_mm: Option<f64>,
    /// F1 of class 1, for the tasks that are judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Matthews' correlation, for the tasks that are judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matthews_correlation: Option<f64>,
    /// `confusion[truth][predicted]`: rows of that kind.
    pub confusion: Vec<Vec<u64>>,
    /// Precision, recall and F1 of each class.
    pub per_class: Vec<ClassScores>,
}

impl Scores {
    /// Whether nearly all rows are called the same class though they are of several: nothing was learned but
    /// which class is the most frequent, as some seeds of large encoders end.
    pub fn is_collapsed(&self) -> bool {
        let Some(ClassificationMetrics { confusion, .. }) = self.classification() else { return false };
        let most = |of: &dyn Fn(usize) -> u64| (0..confusion.len()).map(of).max().unwrap_or(0);
        let called = most(&|class| confusion.iter().map(|row| row[class]).sum());
        let are = most(&|class| confusion[class].iter().sum());
        let nearly_all = 0.98 * self.examples as f64;
        called as f64 >= nearly_all && (are as f64) < nearly_all
    }

    /// What is said of classes, where labels are that.
    pub fn classification(&self) -> Option<&ClassificationMetrics> {
        match &self.metrics {
            Metrics::Classification(metrics) => Some(metrics),
            Metrics::Regression(_) => None,
        }
    }

    /// Takes over the accuracy of `mismatched`, the scores of the second validation split.
    pub fn take_mismatched(&mut self, mismatched: &Scores) {
        if let Metrics::Classification(metrics) = &mut self.metrics {
            metrics.accuracy_mm = mismatched.get(Metric::Accuracy);
        }
    }

    /// The score of that name, the loss included, where it is one of the task's and defined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match (metric, &self.metrics) {
            (Metric::Loss, _) => Some(self.loss),
            (Metric::Accuracy, Metrics::Classification(metrics)) => Some(metrics.accuracy),
            (Metric::AccuracyMm, Metrics::Classification(metrics)) => metrics.accuracy_mm,
            (Metric::F1, Metrics::Classification(metrics)) => metrics.f1,
            (Metric::MatthewsCorrelation, Metrics::Classification(metrics)) => metrics.matthews_correlation,
            (Metric::Pearson, Metrics::Regression(metrics)) => metrics.pearson,
            (Metric::Spearman, Metrics::Regression(metrics)) => metrics.spearman,
            _ => None,
        }
    }
}

/// How well one class is found. A quotient of 0 by 0 is 0, as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Share of the rows called so that are so.
    pub precision: f64,
    /// Share of the rows that are so that are called so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_for_everything_is_a_collapse() {
        let scores = |confusion: [[u64; 2]; 2]| Scores {
            loss: 0.69,
            metrics: Metrics::Classification(ClassificationMetrics {
                accuracy: 0.5,
                accuracy_mm: None,
                f1: None,
                matthews_correlation: None,
                confusion: confusion.map(Vec::from).to_vec(),
                per_class: Vec::new(),
            }),
            examples: confusion.iter().flatten().sum(),
        };
        assert!(scores([[0, 50], [0, 50]]).is_collapsed());
        assert!(scores([[1, 49], [0, 50]]).is_collapsed());
        assert!(!scores([[5, 45], [0, 50]]).is_collapsed());
        assert!(!scores([[0, 1], [0, 99]]).is_collapsed(), "there is nearly one class only");
    }

    #[test]
    fn scores_are_one_object_whatever_the_labels_are() {
        let both_ways = |text: &str| {
            let scores: Scores = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&scores).unwrap(), text);
            scores
        };
        let classes = both_ways(
            r#"{"loss":0.5,"accuracy":0.75,"f1":0.5,"confusion":[[2,0],[1,1]],"per_class":[{"precision":1.0,"recall":0.5,"f1":0.5}],"examples":4}"#,
        );
        assert_eq!((classes.get(Metric::F1), classes.get(Metric::Pearson)), (Some(0.5), None));
        let values = both_ways(r#"{"loss":0.25,"pearson":0.875,"spearman":null,"examples":3}"#);
        assert_eq!(values.get(Metric::Pearson), Some(0.875));
        assert_eq!((values.get(Metric::Spearman), values.get(Metric::Accuracy)), (None, None));
        assert!(!values.is_collapsed());
        let neither = serde_json::from_str::<Scores>(r#"{"loss":0.25,"pearson":0.875,"examples":3}"#);
        assert!(neither.is_err());
    }
}
