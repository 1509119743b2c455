//! The strata of rows, of which parts have equal proportions: classes, sets of labels, or intervals of numbers.

use super::dataset::Example;
use crate::batch::Label;
use std::collections::HashMap;

/// Number of intervals with equally many rows that numbers are divided into.
const BINS: usize = 10;
/// The stratum of rows without a label.
const UNLABELED: u32 = u32::MAX;

/// The stratum of each row: rows of one class, set of labels, or interval of numbers.
pub(super) fn strata(rows: &[&Example]) -> Vec<u32> {
    let values: Vec<f32> = rows.iter().filter_map(|row| row.label.as_ref().and_then(Label::value)).collect();
    if !values.is_empty() && values.len() == rows.len() {
        return quantile_bins(&values);
    }
    let mut numbers = HashMap::new();
    let labels = rows.iter().map(|row| row.label.as_ref());
    let stratum = |label: Option<&Label>| {
        let Some(label) = label else { return UNLABELED };
        let next = numbers.len() as u32;
        *numbers.entry(label.indices().to_vec()).or_insert(next)
    };
    labels.map(stratum).collect()
}

/// The interval of each number: intervals have equally many rows, and equal numbers are in the same.
pub(super) fn quantile_bins(numbers: &[f32]) -> Vec<u32> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f32::total_cmp);
    let bin = |number: &f32| {
        let rank = sorted.partition_point(|other| other.total_cmp(number).is_lt());
        (rank * BINS / sorted.len().max(1)) as u32
    };
    numbers.iter().map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_divided_into_bins_of_equally_many_rows() {
        let numbers: Vec<f32> = (0..40).map(|row| (row * row) as f32).collect();
        let bins = quantile_bins(&numbers);
        assert!((0..10).all(|bin| bins.iter().filter(|other| **other == bin).count() == 4), "{bins:?}");
        assert_eq!(quantile_bins(&[1.0, 1.0, 1.0, 2.0]), [0, 0, 0, 7]);
    }

    #[test]
    fn rows_of_one_class_or_set_are_one_stratum() {
        let of = |labels: &[Label]| {
            let rows: Vec<Example> = labels
                .iter()
                .map(|label| Example { label: Some(label.clone()), ..Example::default() })
                .collect();
            strata(&rows.iter().collect::<Vec<_>>())
        };
        assert_eq!(of(&[Label::Class(3), Label::Class(1), Label::Class(3)]), [0, 1, 0]);
        assert_eq!(
            of(&[Label::set([]), Label::set([2, 1]), Label::set([1, 2]), Label::set([1])]),
            [0, 1, 1, 2]
        );
        assert_eq!(of(&[Label::Value(0.5), Label::Value(4.0)]), [0, 5]);
    }
}
