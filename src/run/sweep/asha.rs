//! The rule of ASHA, the asynchronous successive halving algorithm (Li et al. 2020, "A system for massively parallel
//! hyperparameter tuning", algorithm 2), as pure functions.
//!
//! The number of trials is fixed, so no trial is promoted from the first rung before all have started: unlike there, where
//! new trials are drawn without end, an early promotion would only be that of a weaker trial.
//!
//! A trial is paused at each rung until it is promoted. Of n results at a rung, the best ⌊n / reduction_factor⌋ are
//! promotable. So a trial whose own result is among these continues, and a trial that was paused earlier can become
//! promotable when others have reported results.

use crate::catalog::Metric;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The results at a rung, in the order of their reports.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rung {
    /// The number of each trial and its value of the metric; NaN is worse than every number.
    pub results: Vec<(u64, f64)>,
    /// The trials that have continued beyond this rung.
    pub promoted: BTreeSet<u64>,
}

impl Rung {
    /// The trials that the rule promotes, the best first: those with the best ⌊n / `reduction_factor`⌋ of n results. Of
    /// equal results, that of the trial with the lower number is better.
    pub fn top(&self, metric: Metric, reduction_factor: u64) -> Vec<u64> {
        let mut ranked = self.results.clone();
        ranked.sort_by(|a, b| compare(metric, *a, *b));
        let count = self.results.len() as u64 / reduction_factor.max(1);
        ranked.into_iter().map(|(trial, _)| trial).take(count as usize).collect()
    }

    /// The place of a trial among the results, from 1.
    pub fn rank(&self, metric: Metric, trial: u64) -> usize {
        let Some(own) = self.results.iter().find(|(number, _)| *number == trial) else { return 0 };
        1 + self.results.iter().filter(|other| compare(metric, **other, *own) == Ordering::Less).count()
    }
}

/// Orders results, the best first.
fn compare(metric: Metric, a: (u64, f64), b: (u64, f64)) -> Ordering {
    let by_value = if metric.improves(a.1, b.1) || (b.1.is_nan() && !a.1.is_nan()) {
        Ordering::Less
    } else if metric.improves(b.1, a.1) || (a.1.is_nan() && !b.1.is_nan()) {
        Ordering::Greater
    } else {
        Ordering::Equal
    };
    by_value.then(a.0.cmp(&b.0))
}

/// Whether a trial that has just reported its result at `rung` continues.
pub fn is_promoted(rung: &Rung, trial: u64, metric: Metric, reduction_factor: u64) -> bool {
    rung.top(metric, reduction_factor).contains(&trial)
}

/// The paused trial to promote next, with its rung: the best promotable one of the highest rung that has any.
/// `is_paused` says which trials can be resumed.
pub fn promotable(
    rungs: &[Rung],
    metric: Metric,
    reduction_factor: u64,
    is_paused: impl Fn(u64) -> bool,
) -> Option<(u64, usize)> {
    let of_rung = |rung: &Rung| {
        let top = rung.top(metric, reduction_factor);
        top.into_iter().find(|trial| !rung.promoted.contains(trial) && is_paused(*trial))
    };
    rungs.iter().enumerate().rev().find_map(|(number, rung)| Some((of_rung(rung)?, number)))
}

/// The trial to promote when no more results can come: the best one of the highest rung, if none was promoted from there.
/// So at least one trial is trained to its end, also where the highest rung has fewer than `reduction_factor` results.
pub fn last_promotion(
    rungs: &[Rung],
    metric: Metric,
    is_paused: impl Fn(u64) -> bool,
) -> Option<(u64, usize)> {
    let (number, rung) = rungs.iter().enumerate().rev().find(|(_, rung)| !rung.results.is_empty())?;
    let best = rung.top(metric, 1).into_iter().find(|trial| is_paused(*trial))?;
    rung.promoted.is_empty().then_some((best, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACCURACY: Metric = Metric::Accuracy;

    fn rung(values: &[f64]) -> Rung {
        Rung { results: (0..).zip(values.iter().copied()).collect(), promoted: BTreeSet::new() }
    }

    #[test]
    fn a_fraction_of_the_results_is_promoted() {
        let one = rung(&[0.9]);
        assert!(!is_promoted(&one, 0, ACCURACY, 3), "one result says nothing");
        let three = rung(&[0.9, 0.7, 0.8]);
        assert_eq!(three.top(ACCURACY, 3), [0]);
        assert!(!is_promoted(&three, 2, ACCURACY, 3) && three.rank(ACCURACY, 2) == 2);
        assert_eq!(promotable(std::slice::from_ref(&three), ACCURACY, 3, |_| true), Some((0, 0)));
        assert_eq!(promotable(std::slice::from_ref(&three), ACCURACY, 3, |trial| trial != 0), None);
        let promoted = Rung { promoted: BTreeSet::from([0]), ..three };
        assert_eq!(promotable(&[promoted], ACCURACY, 3, |_| true), None);
    }

    #[test]
    fn losses_are_minimized_and_nan_is_the_worst() {
        let losses = rung(&[0.5, f64::NAN, 0.3, 0.4]);
        assert_eq!(losses.top(Metric::Loss, 2), [2, 3]);
        assert_eq!(losses.rank(Metric::Loss, 1), 4);
        assert_eq!(rung(&[f64::NAN, 0.1]).top(ACCURACY, 1), [1, 0]);
        assert_eq!(rung(&[0.5, 0.5]).top(ACCURACY, 2), [0], "the lower number of equal results");
    }

    #[test]
    fn the_highest_rung_is_served_first() {
        let low = rung(&[0.9, 0.8, 0.7, 0.6]);
        let high = Rung { results: vec![(5, 0.5), (6, 0.4)], promoted: BTreeSet::new() };
        assert_eq!(promotable(&[low, high], ACCURACY, 2, |_| true), Some((5, 1)));
    }

    #[test]
    fn one_trial_reaches_the_end() {
        let low =
            Rung { promoted: BTreeSet::from([0, 1]), ..rung(&[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]) };
        let high = Rung { results: vec![(0, 0.5), (1, 0.6)], promoted: BTreeSet::new() };
        let rungs = [low, high.clone()];
        assert_eq!(promotable(&rungs, ACCURACY, 4, |_| true), None);
        assert_eq!(last_promotion(&rungs, ACCURACY, |_| true), Some((1, 1)));
        assert_eq!(last_promotion(&rungs, ACCURACY, |trial| trial == 0), Some((0, 1)), "the best has failed");
        let done = Rung { promoted: BTreeSet::from([1]), ..high };
        assert_eq!(last_promotion(&[done], ACCURACY, |_| true), None);
    }

    proptest! {
        #[test]
        fn promotions_are_the_best_and_never_too_many(
            values in prop::collection::vec(0.0_f64..1.0, 0..40),
            factor in 2_u64..6,
        ) {
            let rung = rung(&values);
            let top = rung.top(ACCURACY, factor);
            prop_assert_eq!(top.len() as u64, values.len() as u64 / factor);
            let worst = top.iter().map(|trial| values[*trial as usize]).fold(f64::INFINITY, f64::min);
            let outside = (0..values.len() as u64).filter(|trial| !top.contains(trial));
            for trial in outside {
                prop_assert!(values[trial as usize] <= worst);
            }
        }

        #[test]
        fn a_new_result_never_removes_more_than_one_promotion(
            values in prop::collection::vec(0.0_f64..1.0, 1..40),
            factor in 2_u64..6,
        ) {
            let (before, after) = (rung(&values[..values.len() - 1]), rung(&values));
            let top = after.top(ACCURACY, factor);
            let lost = before.top(ACCURACY, factor).into_iter().filter(|trial| !top.contains(trial)).count();
            prop_assert!(lost <= 1);
        }
    }
}
