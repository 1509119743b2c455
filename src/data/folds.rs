//! The folds of a cross-validation. They do not depend on the seed, so that all runs on a dataset are scored on the same
//! rows.

use super::dataset::{Example, random_order};
use super::strata::strata;
use kernels::rng::{Rng, Stream};

/// The key of the random permutation.
const KEY: u32 = 6;

/// The fold of each row, from 0. Folds have the same number of rows, except one at most, and so have the rows of each
/// class in them if `is_stratified`, as with scikit-learn's `StratifiedKFold`.
pub(super) fn fold_numbers(rows: &[&Example], folds: u64, is_stratified: bool) -> Vec<u64> {
    let mut order = random_order(rows.len(), &Rng::new(0, Stream::Sample), KEY);
    if is_stratified {
        let strata = strata(rows);
        order.sort_by_key(|row| strata[*row as usize]);
    }
    let mut numbers = vec![0; rows.len()];
    for (row, fold) in order.into_iter().zip((0..folds.max(1)).cycle()) {
        numbers[row as usize] = fold;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;

    fn rows(classes: impl IntoIterator<Item = u32>) -> Vec<Example> {
        let row = |class| Example { label: Some(Label::Class(class)), ..Example::default() };
        classes.into_iter().map(row).collect()
    }

    /// The number of rows of each fold that `is_counted`.
    fn sizes(numbers: &[u64], folds: u64, is_counted: impl Fn(usize) -> bool) -> Vec<usize> {
        let of_fold =
            |fold| numbers.iter().enumerate().filter(|(row, of)| **of == fold && is_counted(*row)).count();
        (0..folds).map(of_fold).collect()
    }

    #[test]
    fn folds_have_the_proportions_of_the_classes() {
        for (count, folds) in [(100, 5), (103, 7), (20, 20)] {
            let rows = rows((0..count).map(|row| if row % 20 == 0 { 2 } else { u32::from(row % 20 < 4) }));
            let all: Vec<&Example> = rows.iter().collect();
            let numbers = fold_numbers(&all, folds, true);
            let is_even = |sizes: &[usize]| sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1;
            assert!(is_even(&sizes(&numbers, folds, |_| true)));
            for class in 0..3 {
                let label = Some(Label::Class(class));
                assert!(is_even(&sizes(&numbers, folds, |row| rows[row].label == label)), "{count} {class}");
            }
            assert_eq!(numbers, fold_numbers(&all, folds, true));
        }
    }

    #[test]
    fn folds_of_unstratified_rows_are_random() {
        let rows = rows((0..1000).map(|row| u32::from(row >= 500)));
        let all: Vec<&Example> = rows.iter().collect();
        let numbers = fold_numbers(&all, 4, false);
        assert_eq!(sizes(&numbers, 4, |_| true), [250; 4]);
        assert_ne!(sizes(&numbers, 4, |row| row < 500), [125; 4]);
    }
}
