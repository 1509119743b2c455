//! The weight of each class or label in the loss.

use crate::batch::{Encoded, Label};
use crate::catalog::{Labels, ProblemType};
use crate::format;
use crate::spec::{ClassWeightRule, ClassWeights};
use std::sync::Arc;

/// Names in the note at most.
const MAX_LISTED: usize = 12;

/// The weights of the outputs for the training rows `rows`, and a note for the log.
pub(super) fn class_weights(
    setting: &ClassWeights,
    labels: &Labels,
    rows: &[Encoded],
) -> (Arc<[f32]>, String) {
    let outputs = labels.outputs();
    let targets = || rows.iter().filter_map(|row| row.label.as_ref());
    let weights: Vec<f64> = match setting {
        ClassWeights::Numbers(numbers) => numbers.clone(),
        ClassWeights::Rule(ClassWeightRule::Balanced) => match labels.problem_type() {
            ProblemType::MultiLabelClassification => balanced_labels(outputs, targets()),
            _ => balanced_classes(outputs, targets()),
        },
    };
    let named = labels.names().into_iter().zip(&weights);
    let texts = named.map(|(name, weight)| format!("{name} {}", format::real((1e4 * weight).round() / 1e4)));
    let note = format!("class weights: {}", list(texts));
    (weights.into_iter().map(|weight| weight as f32).collect(), note)
}

/// `compute_class_weight("balanced")` of scikit-learn: n / (k · count), with n rows of k different classes. A class
/// without rows has the weight 1.
fn balanced_classes<'a>(classes: usize, targets: impl Iterator<Item = &'a Label>) -> Vec<f64> {
    let counts = counts(classes, targets).0;
    let (rows, present) = (counts.iter().sum::<u64>(), counts.iter().filter(|count| **count > 0).count());
    let weight = |count: u64| if count == 0 { 1.0 } else { rows as f64 / (present as f64 * count as f64) };
    counts.into_iter().map(weight).collect()
}

/// The `pos_weight` that gives the rows with a label the same weight as those without: (n − count) / count, the
/// quotient of the balanced weights of a label that applies and one that does not. A label that applies to all rows
/// or to none has the weight 1.
fn balanced_labels<'a>(labels: usize, targets: impl Iterator<Item = &'a Label>) -> Vec<f64> {
    let (counts, rows) = counts(labels, targets);
    let weight = |count: u64| match rows - count {
        0 => 1.0,
        _ if count == 0 => 1.0,
        others => others as f64 / count as f64,
    };
    counts.into_iter().map(weight).collect()
}

/// Number of rows of each class or label, and of all rows.
fn counts<'a>(outputs: usize, targets: impl Iterator<Item = &'a Label>) -> (Vec<u64>, u64) {
    let (mut counts, mut rows) = (vec![0; outputs], 0);
    for target in targets {
        rows += 1;
        for index in target.indices() {
            if let Some(count) = counts.get_mut(*index as usize) {
                *count += 1;
            }
        }
    }
    (counts, rows)
}

fn list(texts: impl ExactSizeIterator<Item = String>) -> String {
    let more = texts.len().saturating_sub(MAX_LISTED);
    let first = texts.take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(labels: impl IntoIterator<Item = Label>) -> Vec<Encoded> {
        labels.into_iter().map(|label| Encoded { label: Some(label), ..Encoded::default() }).collect()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("l{index}")).collect()
    }

    /// `compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 7 + [1] * 2 + [2])`.
    #[test]
    fn balanced_weights_equal_scikit_learn() {
        let balanced = ClassWeights::Rule(ClassWeightRule::Balanced);
        let rows = rows([vec![0; 7], vec![1; 2], vec![2]].concat().into_iter().map(Label::Class));
        let (weights, note) = class_weights(&balanced, &names(3).into(), &rows);
        let expected = [0.476_190_48, 1.666_666_67, 3.333_333_33];
        assert!(weights.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6), "{weights:?}");
        assert_eq!(note, "class weights: l0 0.4762, l1 1.6667, l2 3.3333");
        // A class without training rows does not change the others.
        let (more, _) = class_weights(&balanced, &names(4).into(), &rows);
        assert_eq!((&more[..3], more[3]), (&weights[..], 1.0));
    }

    #[test]
    fn balanced_labels_have_the_ratio_of_their_rows() {
        let rows = rows([vec![0, 1], vec![1], vec![1, 2], vec![1, 2]].map(Label::set));
        let labels = Labels::multi_label(names(4));
        let balanced = ClassWeights::Rule(ClassWeightRule::Balanced);
        let (weights, _) = class_weights(&balanced, &labels, &rows);
        assert_eq!(weights[..], [3.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn numbers_are_taken_as_they_are() {
        let numbers = ClassWeights::Numbers(vec![0.5, 2.0]);
        let (weights, note) = class_weights(&numbers, &names(2).into(), &[]);
        assert_eq!((&weights[..], note.as_str()), (&[0.5, 2.0][..], "class weights: l0 0.5, l1 2"));
    }
}
