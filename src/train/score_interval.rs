//! Confidence intervals of scores for the examples as a sample.

use super::metric_rows::MetricRows;
use super::predictions::Predictions;
use super::scores::ClassSums;
use crate::catalog::{Metric, MetricDisplay, Task};
use crate::event::Scores;
use crate::stats::bootstrap::{Resampler, SEED, percentile_interval};
use crate::stats::{
    ConfidenceInterval, SeedScores, jackknife_error, normal_interval, pearson_interval, spearman_interval,
    wilson,
};
use std::collections::BTreeMap;

/// The 95 % interval of a score for the examples as a sample: Wilson's for accuracies, the jackknife over the confusion
/// matrix for F1 and Matthews correlation, Fisher's transformation for correlations. `None` where it needs the
/// predictions of the examples, as for a loss, where the metric is undefined, and for running means, whose weights
/// change.
pub fn score_interval(scores: &Scores, metric: Metric) -> Option<ConfidenceInterval> {
    let value = scores.get(metric).filter(|value| value.is_finite())?;
    let rows = scores.examples;
    if scores.running_mean {
        return None;
    }
    match metric {
        Metric::Accuracy | Metric::ExactMatch => wilson(value * rows as f64, rows),
        Metric::Pearson => pearson_interval(value, rows),
        Metric::Spearman => spearman_interval(value, rows),
        Metric::F1 | Metric::F1Macro | Metric::MatthewsCorrelation if !scores.confusion.is_empty() => {
            let counts = &scores.confusion;
            let error = jackknife_error(&ClassSums::of(counts).without_one(counts, metric)?)?;
            Some(within_range(metric, normal_interval(value, error)))
        }
        _ => None,
    }
}

/// The 95 % interval of each score of `predictions` that has one: as [`score_interval`], by Student's t for means over
/// the examples such as the loss, and by the bootstrap for other metrics.
pub fn score_intervals(task: &Task, predictions: &Predictions) -> BTreeMap<Metric, ConfidenceInterval> {
    let scores = predictions.scores(task);
    let metrics = scores.metrics.keys().copied().chain([Metric::Loss]);
    let interval = |metric: Metric| {
        let found = score_interval(&scores, metric)
            .or_else(|| interval_of_row_mean(&scores, predictions, metric))
            .or_else(|| bootstrap_interval(predictions, metric))?;
        Some((metric, within_range(metric, found)))
    };
    metrics.filter_map(interval).collect()
}

/// Student's interval of a score that is a mean over the examples.
fn interval_of_row_mean(
    scores: &Scores,
    predictions: &Predictions,
    metric: Metric,
) -> Option<ConfidenceInterval> {
    let value = scores.get(metric).filter(|value| value.is_finite())?;
    let rows = predictions.row_values(metric).filter(|rows| rows.len() > 1)?;
    let count = rows.len();
    Some(SeedScores { values: &[value], replicates: &[rows], divisor: count as f64 }.interval(count))
}

/// The percentile interval of a score in resamples of the examples; `None` if it is undefined in too many of them.
fn bootstrap_interval(predictions: &Predictions, metric: Metric) -> Option<ConfidenceInterval> {
    let resampler = Resampler::new(SEED, u32::try_from(predictions.len()).ok()?);
    let rows = MetricRows::of(predictions);
    let value = |drawn: &[u32]| rows.value(metric, drawn);
    percentile_interval(&resampler.replicates(MetricRows::resamples([&rows], metric), value)?)
}

/// The part of an interval that the metric can have.
pub fn within_range(metric: Metric, interval: ConfidenceInterval) -> ConfidenceInterval {
    match metric.display() {
        MetricDisplay::Percent => interval.clamped(0.0, 1.0),
        MetricDisplay::Coefficient => interval.clamped(-1.0, 1.0),
        MetricDisplay::Loss => interval.clamped(0.0, f64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::{ProblemType, task};

    fn scores(metric: Metric, value: f64) -> Scores {
        Scores {
            metrics: BTreeMap::from([(metric, Some(value))]),
            confusion: vec![vec![50, 10], vec![5, 35]],
            examples: 100,
            ..Scores::default()
        }
    }

    #[test]
    fn intervals_follow_from_the_counts() {
        let interval = |metric, value| score_interval(&scores(metric, value), metric).unwrap();
        // `proportion_confint(85, 100, method="wilson")`
        let accuracy = interval(Metric::Accuracy, 0.85);
        assert!(
            (accuracy.low - 0.767_2).abs() < 1e-4 && (accuracy.high - 0.907_0).abs() < 1e-4,
            "{accuracy:?}"
        );
        let f1 = interval(Metric::F1, 14.0 / 17.0);
        assert!(f1.low > 0.7 && f1.low < 0.8 && f1.high > 0.86 && f1.high < 0.93, "{f1:?}");
        let matthews = interval(Metric::MatthewsCorrelation, 0.697_5);
        assert!(matthews.low > 0.5 && matthews.high < 0.85, "{matthews:?}");
        assert!(interval(Metric::Pearson, 0.9).low > 0.8);
    }

    #[test]
    fn every_score_of_predictions_has_an_interval() {
        let task = task("custom").unwrap();
        let mut sets = Predictions::new(ProblemType::MultiLabelClassification, 60, 2);
        let mut numbers = Predictions::new(ProblemType::Regression, 60, 1);
        for row in 0..60_usize {
            let label = (row % 2) as u32;
            let error = if row % 7 == 0 { -1.0 } else { 1.0 };
            sets.set(row, &[error, -0.1 * row as f32], Label::set([label]));
            numbers.set(row, &[row as f32 + 5.0 * error], Label::Value(row as f32 + 0.01 * row as f32));
        }
        for predictions in [sets, numbers] {
            let (scores, intervals) = (predictions.scores(task), score_intervals(task, &predictions));
            assert_eq!(intervals.len(), scores.metrics.len() + 1);
            for (metric, interval) in intervals {
                let value = scores.get(metric).unwrap();
                assert!(interval.low <= value && value <= interval.high, "{metric} {value}: {interval:?}");
                assert!(interval.low < interval.high, "{metric}: {interval:?}");
            }
        }
    }

    #[test]
    fn scores_without_counts_have_no_interval() {
        assert_eq!(score_interval(&scores(Metric::Accuracy, 0.85), Metric::Loss), None);
        assert_eq!(score_interval(&scores(Metric::F1Micro, 0.85), Metric::F1Micro), None);
        let running = Scores { running_mean: true, ..scores(Metric::Accuracy, 0.85) };
        assert_eq!(score_interval(&running, Metric::Accuracy), None);
        assert_eq!(score_interval(&Scores::default(), Metric::Accuracy), None);
    }
}
