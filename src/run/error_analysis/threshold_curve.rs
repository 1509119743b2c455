//! Thresholds of the probability of a label: how precision, recall and false-positive rate depend on them, and the
//! threshold that reaches a target.

use crate::config::expected_one_of;
use crate::stats::{ConfidenceInterval, wilson};
use crate::train::Predictions;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a threshold trades off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMetric {
    /// Of the rows at or above the threshold, the share that has the label.
    Precision,
    /// Of the rows with the label, the share at or above the threshold.
    Recall,
    /// Of the rows without the label, the share at or above the threshold.
    FalsePositiveRate,
}

impl ThresholdMetric {
    /// Every metric.
    pub const ALL: [ThresholdMetric; 3] =
        [ThresholdMetric::Precision, ThresholdMetric::Recall, ThresholdMetric::FalsePositiveRate];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ThresholdMetric::Precision => "precision",
            ThresholdMetric::Recall => "recall",
            ThresholdMetric::FalsePositiveRate => "false_positive_rate",
        }
    }
}

impl FromStr for ThresholdMetric {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = ThresholdMetric::ALL.into_iter().find(|metric| metric.name() == name);
        found.ok_or_else(|| expected_one_of(&ThresholdMetric::ALL.map(ThresholdMetric::name), name))
    }
}

/// A value that a threshold has to reach: at least that precision or recall, at most that false-positive rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdTarget {
    /// Which metric.
    pub metric: ThresholdMetric,
    /// From 0 to 1.
    pub value: f64,
}

/// The rows at or above a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdPoint {
    /// The threshold of the probability, between the probabilities of two rows.
    pub threshold: f64,
    /// Number of rows at or above it.
    pub predicted: u64,
    /// Those of them with the label.
    pub true_positives: u64,
}

/// The thresholds that divide the rows of a label differently.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdCurve {
    /// In ascending order; all rows are at or above the first threshold, 0.
    pub points: Vec<ThresholdPoint>,
    /// Number of rows with the label.
    pub positives: u64,
    /// Number of rows without it.
    pub negatives: u64,
}

/// A share of rows with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// From 0 to 1.
    pub value: f64,
    /// Wilson's interval.
    pub interval: ConfidenceInterval,
}

impl ThresholdCurve {
    /// The curve of a label; without points for a regression.
    pub fn of(predictions: &Predictions, label: usize) -> Self {
        if label >= predictions.classes() {
            return ThresholdCurve { points: Vec::new(), positives: 0, negatives: 0 };
        }
        let row = |row: usize| {
            let has_label = predictions.targets()[row].indices().contains(&(label as u32));
            (predictions.probability(row, label), has_label)
        };
        let mut rows: Vec<(f64, bool)> = (0..predictions.len()).map(row).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let positives = rows.iter().filter(|(_, has_label)| *has_label).count() as u64;
        let (mut predicted, mut true_positives) = (rows.len() as u64, positives);
        let (mut points, mut below) = (Vec::new(), None);
        for (probability, has_label) in rows.iter().copied() {
            if below != Some(probability) {
                let threshold = below.map_or(0.0, |below| f64::midpoint(below, probability));
                points.push(ThresholdPoint { threshold, predicted, true_positives });
            }
            below = Some(probability);
            predicted -= 1;
            true_positives -= u64::from(has_label);
        }
        ThresholdCurve { points, positives, negatives: rows.len() as u64 - positives }
    }

    /// The value of a metric at a point; `None` where it is undefined.
    pub fn share(&self, point: &ThresholdPoint, metric: ThresholdMetric) -> Option<Share> {
        let (part, all) = match metric {
            ThresholdMetric::Precision => (point.true_positives, point.predicted),
            ThresholdMetric::Recall => (point.true_positives, self.positives),
            ThresholdMetric::FalsePositiveRate => (point.predicted - point.true_positives, self.negatives),
        };
        let interval = wilson(part as f64, all)?;
        Some(Share { value: part as f64 / all as f64, interval })
    }

    /// The point that reaches a target: the lowest threshold for a precision or a false-positive rate, the highest for a
    /// recall.
    pub fn choose(&self, target: ThresholdTarget) -> Option<&ThresholdPoint> {
        let reaches = |point: &&ThresholdPoint| {
            self.share(point, target.metric).is_some_and(|share| match target.metric {
                ThresholdMetric::FalsePositiveRate => share.value <= target.value,
                _ => share.value >= target.value,
            })
        };
        match target.metric {
            ThresholdMetric::Recall => self.points.iter().rfind(reaches),
            _ => self.points.iter().find(reaches),
        }
    }

    /// The value of a metric that is nearest to every target: the highest, or the lowest false-positive rate.
    pub fn best(&self, metric: ThresholdMetric) -> Option<f64> {
        let values = self.points.iter().filter_map(|point| Some(self.share(point, metric)?.value));
        match metric {
            ThresholdMetric::FalsePositiveRate => values.reduce(f64::min),
            _ => values.reduce(f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::ProblemType;

    /// Rows of a single label with these probabilities.
    fn curve(rows: &[(f64, bool)]) -> ThresholdCurve {
        let mut predictions = Predictions::new(ProblemType::MultiLabelClassification, rows.len(), 1);
        for (row, (probability, has_label)) in rows.iter().enumerate() {
            let logit = (probability / (1.0 - probability)).ln() as f32;
            predictions.set(row, &[logit], Label::set(has_label.then_some(0)));
        }
        ThresholdCurve::of(&predictions, 0)
    }

    #[test]
    fn thresholds_reach_their_targets() {
        // sklearn.metrics.precision_recall_curve: precision 0.5, 0.6, 0.75, 0.67, 1; recall 1, 1, 1, 0.67, 0.33
        let curve = curve(&[(0.1, false), (0.3, false), (0.5, true), (0.7, false), (0.8, true), (0.9, true)]);
        let shares: Vec<[f64; 3]> = curve
            .points
            .iter()
            .map(|point| {
                ThresholdMetric::ALL.map(|metric| curve.share(point, metric).expect("a share").value)
            })
            .collect();
        let third = 1.0 / 3.0;
        let expected = [
            [0.5, 1.0, 1.0],
            [0.6, 1.0, 2.0 * third],
            [0.75, 1.0, third],
            [2.0 * third, 2.0 * third, third],
            [1.0, 2.0 * third, 0.0],
            [1.0, third, 0.0],
        ];
        for (found, expected) in shares.iter().zip(expected) {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{shares:?}");
        }
        let choose = |metric, value| {
            let point = curve.choose(ThresholdTarget { metric, value }).expect("a threshold");
            (100.0 * point.threshold).round() / 100.0
        };
        assert_eq!(choose(ThresholdMetric::Precision, 0.7), 0.4);
        assert_eq!(choose(ThresholdMetric::Precision, 0.9), 0.75);
        assert_eq!(choose(ThresholdMetric::Recall, 0.9), 0.4);
        assert_eq!(choose(ThresholdMetric::Recall, 0.5), 0.75);
        assert_eq!(choose(ThresholdMetric::FalsePositiveRate, 0.4), 0.4);
        assert_eq!(choose(ThresholdMetric::FalsePositiveRate, 0.0), 0.75);
        let precision = curve.share(&curve.points[2], ThresholdMetric::Precision).expect("a share");
        // proportion_confint(3, 4, method="wilson")
        assert!(
            (precision.interval.low - 0.300_6).abs() < 1e-3 && precision.interval.high > 0.95,
            "{precision:?}"
        );
    }

    #[test]
    fn a_target_that_no_threshold_reaches_has_none() {
        let curve = curve(&[(0.2, true), (0.4, false), (0.9, false)]);
        assert_eq!(curve.choose(ThresholdTarget { metric: ThresholdMetric::Precision, value: 0.5 }), None);
        let highest = curve.best(ThresholdMetric::Precision).expect("a precision");
        assert!((highest - 1.0 / 3.0).abs() < 1e-12);
        let numbers = ThresholdCurve::of(&Predictions::new(ProblemType::Regression, 3, 1), 0);
        assert!(numbers.points.is_empty() && numbers.best(ThresholdMetric::Recall).is_none());
        assert!("f1".parse::<ThresholdMetric>().unwrap_err().contains("precision"));
    }
}
