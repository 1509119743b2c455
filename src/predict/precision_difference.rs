//! How much the predictions of a model in one precision differ from those in another one.

use super::evaluation::EvaluatedScores;
use crate::catalog::ProblemType;
use crate::event::Scores;
use crate::train::{Predictions, is_predicted};
use serde::Serialize;

/// The difference of an evaluation from that of the same rows with the same weights in f32.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrecisionDifference {
    /// The scores in f32.
    pub f32: Scores,
    /// Rows of the split whose predicted label, or set of labels, is another one than in f32; `None` for a regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_flips: Option<usize>,
    /// The largest absolute difference of a logit.
    pub largest_logit_difference: f32,
}

impl PrecisionDifference {
    /// Compares the evaluation of a model with `reference`, that of the same rows in f32.
    pub fn new(evaluated: &Predictions, reference: EvaluatedScores) -> Self {
        let EvaluatedScores { scores, predictions, .. } = reference;
        let rows = 0..evaluated.len().min(predictions.len());
        let is_flipped = |row: &usize| is_flipped(evaluated, &predictions, *row);
        let pairs = rows.clone().flat_map(|row| evaluated.logits(row).iter().zip(predictions.logits(row)));
        let largest_logit_difference = largest(pairs.map(|(x, y)| (x - y).abs()));
        PrecisionDifference {
            label_flips: (!evaluated.is_regression()).then(|| rows.filter(is_flipped).count()),
            largest_logit_difference,
            f32: scores,
        }
    }
}

/// The largest number, at least 0; NaN if one of them is, unlike by `f32::max`.
pub(crate) fn largest(numbers: impl Iterator<Item = f32>) -> f32 {
    numbers.fold(0.0, |largest: f32, x| if largest.is_nan() || x <= largest { largest } else { x })
}

/// Whether the prediction of a row is another one.
pub(crate) fn is_flipped(a: &Predictions, b: &Predictions, row: usize) -> bool {
    match a.problem_type() {
        ProblemType::SingleLabelClassification => a.predicted(row) != b.predicted(row),
        ProblemType::MultiLabelClassification => {
            let mut logits = a.logits(row).iter().zip(b.logits(row));
            logits.any(|(a, b)| is_predicted(*a) != is_predicted(*b))
        }
        ProblemType::Regression => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::task;
    use std::collections::BTreeMap;

    fn compare(of: ProblemType, rows: [[[f32; 2]; 2]; 3]) -> PrecisionDifference {
        let [mut found, mut reference] = [(); 2].map(|()| Predictions::new(of, 3, 2));
        let target = |row: u32| match of {
            ProblemType::MultiLabelClassification => Label::set([row % 2]),
            _ => Label::Class(row % 2),
        };
        for (row, [logits, expected]) in rows.into_iter().enumerate() {
            found.set(row, &logits, target(row as u32));
            reference.set(row, &expected, target(row as u32));
        }
        let scores = reference.scores(task("demo").expect("a task"));
        let reference =
            EvaluatedScores { scores, confidence_intervals: BTreeMap::new(), predictions: reference };
        PrecisionDifference::new(&found, reference)
    }

    #[test]
    fn flips_are_rows_with_another_prediction() {
        let rows = [[[0.5, 0.25], [0.25, 0.5]], [[2.0, -1.0], [1.5, -3.0]], [[-0.5, -0.25], [-0.5, -0.125]]];
        let classes = compare(ProblemType::SingleLabelClassification, rows);
        assert_eq!((classes.label_flips, classes.largest_logit_difference), (Some(1), 2.0));
        assert_eq!(classes.f32.examples, 3);
        let sets = compare(ProblemType::MultiLabelClassification, rows);
        assert_eq!(sets.label_flips, Some(0), "the same labels have a probability above 0.5");
        let rows = [[[0.5, -0.25], [0.5, 0.5]], rows[1], [[1.0, 1.0], [-1.0, -1.0]]];
        assert_eq!(compare(ProblemType::MultiLabelClassification, rows).label_flips, Some(2));
        let rows = [rows[0], [[f32::NAN, 0.0], [0.0, 0.0]], rows[2]];
        let damaged = compare(ProblemType::SingleLabelClassification, rows);
        assert!(damaged.largest_logit_difference.is_nan());
    }
}
