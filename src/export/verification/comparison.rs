//! Whether an export predicts what the model does.

use crate::catalog::{Metric, ProblemType, Task};
use crate::predict::{is_flipped, largest};
use crate::stats::ConfidenceInterval;
use crate::text::plural;
use crate::train::{Predictions, score_intervals};
use serde::Serialize;
use std::collections::BTreeMap;

/// How much an export may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// In single precision: rounding.
    Rounding,
    /// In int8: a small loss of the score.
    Quantization,
}

/// Largest difference of a logit by rounding, relative to the largest logit.
const LOGIT_TOLERANCE: f32 = 5e-4;
/// A smaller difference is rounding, however small all logits are.
const ROUNDING: f32 = 2e-5;
/// A prediction may change where the two highest logits, or a logit and its threshold, are nearer to each other.
const TIE: f32 = 1e-4;
/// Largest loss of a score by quantization.
const SCORE_LOSS: f64 = 0.01;
/// Largest share of other predictions by quantization, of rows without labels.
const FLIP_SHARE: f64 = 0.05;
/// Largest difference of a regression by quantization, as root mean square relative to the standard deviation of its
/// numbers, of rows without labels.
const RELATIVE_ERROR: f64 = 0.1;

/// A score with its 95 % interval, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScoreWithInterval {
    /// The score.
    pub value: f64,
    /// The interval for the rows as a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<ConfidenceInterval>,
}

/// A score of the model and of the export.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ComparedScore {
    /// Of the model.
    pub before: ScoreWithInterval,
    /// Of the export.
    pub after: ScoreWithInterval,
}

/// The predictions of a model and of its export for the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The largest absolute difference of a logit; NaN, `null` in JSON, if one is not a number.
    pub largest_logit_difference: f32,
    /// Rows with another predicted label, or set of labels; absent for a regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_flips: Option<usize>,
    /// Those of them whose highest logits are not almost equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_flips_beyond_tolerance: Option<usize>,
    /// The scores, of rows with labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<Metric, ComparedScore>,
    /// How much the export may differ.
    pub tolerance: Tolerance,
    /// In what it differs by more, one sentence each.
    pub problems: Vec<String>,
}

impl Comparison {
    /// Compares the predictions of an export with those of the model. `scored` is the task and the metric that decides, of
    /// rows with labels.
    pub(in crate::export) fn new(
        model: &Predictions,
        export: &Predictions,
        scored: Option<(&Task, Metric)>,
        tolerance: Tolerance,
    ) -> Self {
        let rows = 0..model.len();
        let is_classification = !model.is_regression();
        let flips: Vec<usize> = rows.clone().filter(|row| is_flipped(model, export, *row)).collect();
        let clear = flips.iter().filter(|row| margin(model, **row) > TIE).count();
        let pairs = rows.flat_map(|row| model.logits(row).iter().zip(export.logits(row)));
        let mut comparison = Comparison {
            largest_logit_difference: largest(pairs.map(|(a, b)| (a - b).abs())),
            label_flips: is_classification.then_some(flips.len()),
            label_flips_beyond_tolerance: is_classification.then_some(clear),
            scores: scored.map(|(task, _)| compared_scores(model, export, task)).unwrap_or_default(),
            tolerance,
            problems: Vec::new(),
        };
        comparison.problems = match tolerance {
            Tolerance::Rounding => comparison.beyond_rounding(model),
            Tolerance::Quantization => comparison.beyond_quantization(model, export, scored),
        };
        comparison
    }

    fn beyond_rounding(&self, model: &Predictions) -> Vec<String> {
        let mut problems = Vec::new();
        let magnitude = largest((0..model.len()).flat_map(|row| model.logits(row)).map(|logit| logit.abs()));
        let limit = (LOGIT_TOLERANCE * magnitude).max(ROUNDING);
        let difference = self.largest_logit_difference;
        if difference.is_nan() || difference > limit {
            problems.push(format!("a logit differs by {difference:.2e}, more than {limit:.2e}"));
        }
        if let Some(flips) = self.label_flips_beyond_tolerance.filter(|flips| *flips > 0) {
            let rows = plural(flips as u64, "row");
            problems.push(format!("{rows} with another label although the highest logits differ clearly"));
        }
        problems
    }

    fn beyond_quantization(
        &self,
        model: &Predictions,
        export: &Predictions,
        scored: Option<(&Task, Metric)>,
    ) -> Vec<String> {
        if self.largest_logit_difference.is_nan() {
            return vec!["a logit is not a number".into()];
        }
        if let Some((_, metric)) = scored
            && let Some(score) = self.scores.get(&metric)
        {
            return lost(metric, *score).into_iter().collect();
        }
        let rows = model.len().max(1);
        match self.label_flips {
            Some(flips) if flips as f64 > FLIP_SHARE * rows as f64 => {
                vec![format!("{flips} of {} have another label, more than 5 %", plural(rows as u64, "row"))]
            }
            None => beyond_relative_error(model, export).into_iter().collect(),
            Some(_) => Vec::new(),
        }
    }
}

/// What a score lost, if it is more than a point and the score is outside of the interval of that of the model.
fn lost(metric: Metric, ComparedScore { before, after }: ComparedScore) -> Option<String> {
    let difference = (before.value - after.value).abs();
    let loss = if metric.improves(after.value, before.value) { 0.0 } else { difference };
    let is_inside =
        before.interval.is_some_and(|interval| (interval.low..=interval.high).contains(&after.value));
    let is_lost = loss.is_nan() || (loss > SCORE_LOSS && !is_inside);
    is_lost.then(|| {
        let (before, after) = (before.value, after.value);
        format!("{} is {after:.4} instead of {before:.4}, outside of its interval", metric.name())
    })
}

/// Whether the numbers of a regression differ by more than a share of their spread.
fn beyond_relative_error(model: &Predictions, export: &Predictions) -> Option<String> {
    let rows = 0..model.len();
    let count = model.len().max(1) as f64;
    let mean = rows.clone().map(|row| model.predicted_value(row)).sum::<f64>() / count;
    let root =
        |f: &dyn Fn(usize) -> f64| (rows.clone().map(|row| f(row).powi(2)).sum::<f64>() / count).sqrt();
    let spread = root(&|row| model.predicted_value(row) - mean);
    let error = root(&|row| model.predicted_value(row) - export.predicted_value(row));
    let limit = RELATIVE_ERROR * spread.max(1e-3);
    (error > limit).then(|| {
        format!(
            "numbers differ by {error:.4} (root mean square), more than a tenth of their standard deviation"
        )
    })
}

/// How far a row is from another prediction: the difference of the two highest logits, or the lowest absolute value of a
/// logit with a threshold.
fn margin(predictions: &Predictions, row: usize) -> f32 {
    let logits = predictions.logits(row);
    if predictions.problem_type() == ProblemType::MultiLabelClassification {
        return logits.iter().map(|logit| logit.abs()).fold(f32::INFINITY, f32::min);
    }
    let mut sorted = logits.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    match sorted[..] {
        [first, second, ..] => first - second,
        _ => f32::INFINITY,
    }
}

fn compared_scores(
    model: &Predictions,
    export: &Predictions,
    task: &Task,
) -> BTreeMap<Metric, ComparedScore> {
    let scores = |predictions: &Predictions| {
        let (scores, intervals) = (predictions.scores(task), score_intervals(task, predictions));
        let score = |metric: Metric| {
            let value = scores.get(metric)?;
            Some(ScoreWithInterval { value, interval: intervals.get(&metric).copied() })
        };
        let metrics = scores.metrics.keys().copied().chain([Metric::Loss]);
        metrics.filter_map(|metric| Some((metric, score(metric)?))).collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (scores(model), scores(export));
    let compared = |(metric, before): (&Metric, &ScoreWithInterval)| {
        let after = after.get(metric).copied()?;
        Some((*metric, ComparedScore { before: *before, after }))
    };
    before.iter().filter_map(compared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::task;

    fn predictions(rows: &[[f32; 2]]) -> Predictions {
        let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, rows.len(), 2);
        for (row, logits) in rows.iter().enumerate() {
            predictions.set(row, logits, Label::Class(0));
        }
        predictions
    }

    fn compare(model: &[[f32; 2]], export: &[[f32; 2]], tolerance: Tolerance) -> Comparison {
        let scored = task("demo").map(|task| (task, Metric::Accuracy));
        Comparison::new(&predictions(model), &predictions(export), scored, tolerance)
    }

    #[test]
    fn rounding_may_change_only_ties() {
        let model = [[1.0, 0.0], [0.5, 0.499_95]];
        let same = compare(&model, &model, Tolerance::Rounding);
        assert_eq!((same.label_flips, &same.problems[..]), (Some(0), &[][..]));
        let tie = compare(&model, &[[1.0, 0.0], [0.5, 0.500_01]], Tolerance::Rounding);
        assert_eq!(
            (tie.label_flips, tie.label_flips_beyond_tolerance, tie.problems.len()),
            (Some(1), Some(0), 0)
        );
        let moved = compare(&model, &[[1.001, 0.0], [0.5, 0.499_95]], Tolerance::Rounding);
        assert!(moved.problems[0].contains("a logit differs"), "{moved:?}");
        let swapped = compare(&model, &[[0.0, 1.0], [0.499_95, 0.5]], Tolerance::Rounding);
        assert_eq!(
            (swapped.label_flips_beyond_tolerance, swapped.problems.len()),
            (Some(1), 2),
            "{swapped:?}"
        );
        let nan = compare(&model, &[[f32::NAN, 0.0], [0.5, 0.499_95]], Tolerance::Rounding);
        assert!(!nan.problems.is_empty() && nan.largest_logit_difference.is_nan());
    }

    #[test]
    fn quantization_may_lose_a_point() {
        let model: Vec<[f32; 2]> = (0..1000).map(|_| [1.0, 0.0]).collect();
        let flipped = |count: usize| -> Vec<[f32; 2]> {
            (0..1000).map(|row| if row < count { [0.0, 1.0] } else { [0.9, 0.0] }).collect()
        };
        let few = compare(&model, &flipped(9), Tolerance::Quantization);
        assert_eq!((few.label_flips, few.problems.len()), (Some(9), 0), "{few:?}");
        let many = compare(&model, &flipped(40), Tolerance::Quantization);
        assert!(many.problems[0].contains("accuracy is 0.9600 instead of 1.0000"), "{many:?}");
        let unlabeled = |count: usize| {
            Comparison::new(
                &predictions(&model),
                &predictions(&flipped(count)),
                None,
                Tolerance::Quantization,
            )
        };
        assert_eq!((unlabeled(40).problems.len(), unlabeled(60).problems.len()), (0, 1));
        assert!(unlabeled(40).scores.is_empty());
    }

    #[test]
    fn numbers_are_compared_with_their_spread() {
        let numbers = |offset: f32| {
            let mut predictions = Predictions::new(ProblemType::Regression, 10, 1);
            (0..10).for_each(|row| predictions.set(row, &[row as f32 + offset], Label::Value(0.0)));
            predictions
        };
        let compare =
            |offset| Comparison::new(&numbers(0.0), &numbers(offset), None, Tolerance::Quantization);
        assert_eq!((compare(0.1).label_flips, compare(0.1).problems.len()), (None, 0));
        assert!(compare(0.5).problems[0].contains("root mean square"));
    }
}
