//! The scores of an evaluation of a labeled split.

use crate::catalog::Metric;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The scores of an evaluation of a labeled split.
///
/// In JSON it is one flat object: `loss`, the metrics by name, `confusion` for classes, `per_class` for classes and
/// labels, `examples`, and `running_mean` where it is true. An undefined metric is `null`. Keys that a reader does not know are skipped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// Mean cross-entropy without label smoothing and class weights; mean binary cross-entropy of the labels of a
    /// multi-label classification; mean squared error of a regression.
    pub loss: f64,
    /// The other metrics. `None` is an undefined value, such as the correlation with a constant.
    pub metrics: BTreeMap<Metric, Option<f64>>,
    /// `confusion[target][predicted]`: number of examples; only of a single-label classification.
    pub confusion: Vec<Vec<u64>>,
    /// Precision, recall and F1 of each class or label; empty for a regression.
    pub per_class: Vec<ClassScores>,
    /// Number of examples.
    pub examples: u64,
    /// Whether each example was scored in its training step, with dropout and with the weights before the update: the
    /// running mean over the steps of an epoch. Otherwise all are scored with the same weights and without dropout.
    pub running_mean: bool,
}

/// Precision, recall and F1 of one class or label. As in scikit-learn, a quotient of 0 by 0 is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// True positives / predicted positives.
    pub precision: f64,
    /// True positives / actual positives.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Average precision of a label of a multi-label classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_precision: Option<f64>,
    /// Number of examples that a label of a multi-label classification applies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<u64>,
    /// Number of examples that a label of a multi-label classification is predicted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<u64>,
}

impl Scores {
    /// Whether the model predicts one class for at least 98 % of the examples although the targets are more
    /// varied: it has learned nothing but the most frequent class, as some seeds of large encoders do.
    pub fn is_collapsed(&self) -> bool {
        let classes = self.confusion.len();
        let predicted =
            |class: usize| -> u64 { self.confusion.iter().filter_map(|row| row.get(class)).sum() };
        let most_predicted = (0..classes).map(predicted).max().unwrap_or(0);
        let most_frequent = self.confusion.iter().map(|row| row.iter().sum()).max().unwrap_or(0_u64);
        let threshold = 0.98 * self.examples as f64;
        classes > 0 && most_predicted as f64 >= threshold && (most_frequent as f64) < threshold
    }

    /// The class, or the labels of a multi-label classification, that the model predicts for every example although
    /// the targets vary; `None` if its predictions vary too.
    pub fn constant_prediction(&self) -> Option<Vec<usize>> {
        let classes = 0..self.confusion.len();
        if !self.confusion.is_empty() {
            let is_predicted = |class: &usize| self.confusion.iter().any(|row| row.get(*class) > Some(&0));
            let targets = self.confusion.iter().filter(|row| row.iter().any(|count| *count > 0)).count();
            let predicted: Vec<usize> = classes.filter(is_predicted).collect();
            return (targets > 1 && predicted.len() == 1).then_some(predicted);
        }
        let is_constant = |count: Option<u64>| count == Some(0) || count == Some(self.examples);
        let is_predicted = |label: &ClassScores| label.predicted == Some(self.examples);
        let has_constant_predictions = self.per_class.iter().all(|label| is_constant(label.predicted));
        let has_constant_targets = self.per_class.iter().all(|label| is_constant(label.support));
        if self.examples == 0 || !has_constant_predictions || has_constant_targets {
            return None;
        }
        let labels = self.per_class.iter().enumerate().filter(|(_, label)| is_predicted(label));
        Some(labels.map(|(label, _)| label).collect())
    }

    /// The loss of a model that always predicts the class frequencies of these examples, their entropy, in the unit of
    /// `loss`: the best that is possible without the texts. `None` for a regression and without examples.
    pub fn prior_loss(&self) -> Option<f64> {
        let examples = self.examples as f64;
        let information = |count: u64| {
            let share = count as f64 / examples;
            if share > 0.0 { -share * share.ln() } else { 0.0 }
        };
        if self.examples == 0 {
            return None;
        }
        if !self.confusion.is_empty() {
            let targets = self.confusion.iter().map(|row| row.iter().sum::<u64>());
            return Some(targets.map(information).sum());
        }
        let of_label = |label: &ClassScores| {
            let support = label.support?.min(self.examples);
            Some(information(support) + information(self.examples - support))
        };
        let entropies: Option<Vec<f64>> = self.per_class.iter().map(of_label).collect();
        let entropies = entropies.filter(|labels| !labels.is_empty())?;
        Some(entropies.iter().sum::<f64>() / entropies.len() as f64)
    }

    /// The fraction of the examples whose target is the most frequent class; `None` unless there are classes.
    pub fn majority(&self) -> Option<f64> {
        let most = self.confusion.iter().map(|row| row.iter().sum::<u64>()).max()?;
        (self.examples > 0).then(|| most as f64 / self.examples as f64)
    }

    /// The value of a metric, the loss included; `None` if it is not reported or undefined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Loss => Some(self.loss),
            metric => self.metrics.get(&metric).copied().flatten(),
        }
    }
}

const LOSS: &str = "loss";
const CONFUSION: &str = "confusion";
const PER_CLASS: &str = "per_class";
const EXAMPLES: &str = "examples";
const RUNNING_MEAN: &str = "running_mean";

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(LOSS, &self.loss)?;
        for (metric, value) in &self.metrics {
            map.serialize_entry(metric.name(), value)?;
        }
        if !self.confusion.is_empty() {
            map.serialize_entry(CONFUSION, &self.confusion)?;
        }
        if !self.per_class.is_empty() {
            map.serialize_entry(PER_CLASS, &self.per_class)?;
        }
        map.serialize_entry(EXAMPLES, &self.examples)?;
        if self.running_mean {
            map.serialize_entry(RUNNING_MEAN, &true)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ScoresVisitor)
    }
}

struct ScoresVisitor;

impl<'de> Visitor<'de> for ScoresVisitor {
    type Value = Scores;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the scores of an evaluation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scores, A::Error> {
        let missing = <A::Error as serde::de::Error>::missing_field;
        let (mut loss, mut examples, mut scores) = (None, None, Scores::default());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                LOSS => loss = Some(map.next_value()?),
                EXAMPLES => examples = Some(map.next_value()?),
                CONFUSION => scores.confusion = map.next_value()?,
                PER_CLASS => scores.per_class = map.next_value()?,
                RUNNING_MEAN => scores.running_mean = map.next_value()?,
                name => match Metric::by_name(name) {
                    Some(metric) => drop(scores.metrics.insert(metric, map.next_value()?)),
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        scores.loss = loss.ok_or_else(|| missing(LOSS))?;
        scores.examples = examples.ok_or_else(|| missing(EXAMPLES))?;
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicting_one_class_only_is_a_collapse() {
        let scores = |confusion: [[u64; 2]; 2]| Scores {
            confusion: confusion.map(Vec::from).to_vec(),
            examples: confusion.iter().flatten().sum(),
            ..Scores::default()
        };
        assert!(scores([[0, 50], [0, 50]]).is_collapsed());
        assert!(scores([[1, 49], [0, 50]]).is_collapsed());
        assert!(!scores([[5, 45], [0, 50]]).is_collapsed());
        assert!(!scores([[0, 1], [0, 99]]).is_collapsed(), "nearly all targets are of one class");
        let ragged = Scores { confusion: vec![vec![], vec![3]], examples: 3, ..Scores::default() };
        assert!(!ragged.is_collapsed());
    }

    #[test]
    fn a_constant_prediction_is_that_of_every_example() {
        let scores = |confusion: &[[u64; 3]]| Scores {
            confusion: confusion.iter().map(|row| row.to_vec()).collect(),
            examples: confusion.iter().flatten().sum(),
            ..Scores::default()
        };
        assert_eq!(scores(&[[0, 9, 0], [0, 90, 0], [0, 0, 0]]).constant_prediction(), Some(vec![1]));
        assert_eq!(scores(&[[1, 8, 0], [0, 90, 0], [0, 0, 0]]).constant_prediction(), None);
        assert_eq!(scores(&[[0, 0, 0], [0, 9, 0], [0, 0, 0]]).constant_prediction(), None, "one target only");
        let label = |support, predicted| ClassScores {
            precision: 0.0,
            recall: 0.0,
            f1: 0.0,
            average_precision: None,
            support: Some(support),
            predicted: Some(predicted),
        };
        let sets = |per_class| Scores { per_class, examples: 5, ..Scores::default() };
        assert_eq!(sets(vec![label(2, 0), label(4, 5)]).constant_prediction(), Some(vec![1]));
        assert_eq!(sets(vec![label(2, 0), label(0, 0)]).constant_prediction(), Some(vec![]));
        assert_eq!(sets(vec![label(2, 1), label(4, 5)]).constant_prediction(), None);
        assert_eq!(sets(vec![label(0, 0), label(5, 5)]).constant_prediction(), None, "constant targets");
        let regression = Scores { loss: 1.0, examples: 5, ..Scores::default() };
        assert_eq!(regression.constant_prediction(), None);
    }

    #[test]
    fn the_prior_loss_is_the_entropy_of_the_targets() {
        let scores = |confusion: Vec<Vec<u64>>| Scores {
            examples: confusion.iter().flatten().sum(),
            confusion,
            ..Scores::default()
        };
        let close = |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-12);
        close(scores(vec![vec![3, 2], vec![5, 0]]).prior_loss(), std::f64::consts::LN_2);
        close(scores(vec![vec![9, 0], vec![1, 0]]).prior_loss(), 0.325_082_973_391_448_2);
        close(scores(vec![vec![9, 0], vec![0, 0]]).prior_loss(), 0.0);
        close(scores(vec![vec![9, 0], vec![1, 0]]).majority(), 0.9);
        let label = |support| ClassScores {
            precision: 0.0,
            recall: 0.0,
            f1: 0.0,
            average_precision: None,
            support,
            predicted: None,
        };
        let labels = |per_class| Scores { per_class, examples: 10, ..Scores::default() };
        close(labels(vec![label(Some(5)), label(Some(0))]).prior_loss(), std::f64::consts::LN_2 / 2.0);
        assert_eq!(labels(vec![label(None)]).prior_loss(), None);
        assert_eq!(labels(vec![]).prior_loss(), None, "a regression");
        assert_eq!((Scores::default().prior_loss(), Scores::default().majority()), (None, None));
    }

    #[test]
    fn json_is_one_flat_object() {
        let round_trip = |text: &str| {
            let scores: Scores = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&scores).unwrap(), text);
            scores
        };
        let classes = round_trip(
            r#"{"loss":0.5,"accuracy":0.75,"f1":0.5,"confusion":[[2,0],[1,1]],"per_class":[{"precision":1.0,"recall":0.5,"f1":0.5}],"examples":4}"#,
        );
        assert_eq!((classes.get(Metric::F1), classes.get(Metric::Pearson)), (Some(0.5), None));
        let numbers = round_trip(r#"{"loss":0.25,"pearson":0.875,"spearman":null,"examples":3}"#);
        assert_eq!(numbers.get(Metric::Pearson), Some(0.875));
        assert_eq!((numbers.get(Metric::Spearman), numbers.get(Metric::Accuracy)), (None, None));
        assert!(!numbers.is_collapsed());
    }

    #[test]
    fn unknown_keys_are_skipped_and_loss_and_examples_are_required() {
        let read = |text: &str| serde_json::from_str::<Scores>(text);
        let newer = read(r#"{"loss":0.25,"bleu":{"n":4},"accuracy":0.5,"examples":3}"#).unwrap();
        assert_eq!(newer.metrics, BTreeMap::from([(Metric::Accuracy, Some(0.5))]));
        assert!(read(r#"{"accuracy":0.5,"examples":3}"#).is_err());
        assert!(read(r#"{"loss":0.25,"accuracy":0.5}"#).is_err());
    }

    #[test]
    fn an_undefined_metric_survives_toml() {
        let metrics = BTreeMap::from([(Metric::Pearson, Some(0.1 + 0.2)), (Metric::Spearman, None)]);
        let scores = Scores { loss: 1.0 / 3.0, metrics, examples: 3, ..Scores::default() };
        let read: Scores = toml::from_str(&toml::to_string(&scores).unwrap()).unwrap();
        assert_eq!((read.loss, read.get(Metric::Pearson)), (scores.loss, scores.get(Metric::Pearson)));
        assert_eq!(read.get(Metric::Spearman), None);
    }
}
