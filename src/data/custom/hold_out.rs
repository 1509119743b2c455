//! The choice of the training rows that are held out for validation. It does not depend on the seed, so that all runs on
//! a file are scored on the same rows.

use crate::data::dataset::random_order;
use kernels::rng::{Rng, Stream};
use std::cmp::Reverse;
use std::collections::HashMap;

/// One of this many rows is held out.
const RATIO: usize = 10;
/// The key of the random permutation.
const KEY: u32 = 5;

/// Number of rows to hold out of `rows`, of which there are at least two.
fn count(rows: usize) -> usize {
    ((rows + RATIO / 2) / RATIO).max(1)
}

/// The rows in random order.
fn order(rows: usize) -> impl Iterator<Item = usize> {
    random_order(rows, &Rng::new(0, Stream::Sample), KEY).into_iter().map(|row| row as usize)
}

/// For each row whether it is held out, without regard to its class.
pub(super) fn random(rows: usize) -> Vec<bool> {
    let mut is_held_out = vec![false; rows];
    order(rows).take(count(rows)).for_each(|row| is_held_out[row] = true);
    is_held_out
}

/// For each row, by the number of its class, whether it is held out. The held-out rows of each class are proportional to
/// its rows, rounded by the largest remainder as in scikit-learn's `StratifiedShuffleSplit`; at least one row of each class is trained on. The
/// result depends on which rows are of the same class, but not on the numbers of the classes.
pub(super) fn stratified(mut strata: Vec<u32>) -> Vec<bool> {
    number_by_occurrence(&mut strata);
    let mut left = quotas(&strata);
    let mut is_held_out = vec![false; strata.len()];
    for row in order(strata.len()) {
        if let Some(left) = left.get_mut(strata[row] as usize).filter(|left| **left > 0) {
            *left -= 1;
            is_held_out[row] = true;
        }
    }
    // Without a class of two rows, some class is not trained on.
    if is_held_out.contains(&true) { is_held_out } else { random(strata.len()) }
}

/// Numbers the classes in the order of their first rows.
fn number_by_occurrence(classes: &mut [u32]) {
    let mut numbers = HashMap::new();
    for class in classes {
        let next = numbers.len() as u32;
        *class = *numbers.entry(*class).or_insert(next);
    }
}

/// Number of rows to hold out of each class.
fn quotas(strata: &[u32]) -> Vec<usize> {
    let rows = strata.len();
    let mut sizes = vec![0; strata.iter().max().map_or(0, |last| *last as usize + 1)];
    for stratum in strata {
        sizes[*stratum as usize] += 1;
    }
    let total = count(rows);
    let mut quotas: Vec<usize> = sizes.iter().map(|size| size * total / rows.max(1)).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|class| Reverse(sizes[*class] * total % rows.max(1)));
    let mut missing = total - quotas.iter().sum::<usize>();
    for class in by_remainder {
        if missing > 0 && quotas[class] + 1 < sizes[class] {
            quotas[class] += 1;
            missing -= 1;
        }
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(classes: &[u32], is_held_out: &[bool]) -> Vec<usize> {
        let count =
            |class| classes.iter().zip(is_held_out).filter(|(c, held)| **c == class && **held).count();
        (0..=classes.iter().copied().max().unwrap()).map(count).collect()
    }

    #[test]
    fn held_out_rows_have_the_proportions_of_the_classes() {
        // 80, 15 and 5 rows of 100: 8, 1.5 and 0.5 of 10, as StratifiedShuffleSplit rounds.
        let classes: Vec<u32> =
            (0..100).map(|row| if row % 20 == 0 { 2 } else { u32::from(row % 20 < 4) }).collect();
        let held = stratified(classes.clone());
        assert_eq!(held.iter().filter(|held| **held).count(), 10);
        let found = counts(&classes, &held);
        assert_eq!((found[0], found[1] + found[2]), (8, 2));
        assert_eq!(held, stratified(classes.clone()));
        let renumbered: Vec<u32> = classes.iter().map(|class| 7 - class).collect();
        assert_eq!(held, stratified(renumbered));
    }

    #[test]
    fn every_class_keeps_a_row_to_train_on() {
        let classes: Vec<u32> = (0..60).map(|row| u32::from(row == 59)).collect();
        assert_eq!(counts(&classes, &stratified(classes.clone())), [6, 0]);
        let single: Vec<u32> = (0..10).collect();
        assert_eq!(stratified(single).iter().filter(|held| **held).count(), 1);
        assert_eq!(stratified(vec![0, 1]).iter().filter(|held| **held).count(), 1);
        assert_eq!(stratified(vec![0, 0]).iter().filter(|held| **held).count(), 1);
    }
}
