//! How much a key matters: the rank correlation of its values with the scores.

use crate::stats::{ConfidenceInterval, spearman_interval};
use crate::train::spearman;

/// Absolute correlations from here on are 1 but for rounding.
const EXACT: f64 = 1.0 - 1e-12;
/// Fewest trials for an interval.
const FEWEST: usize = 5;

/// The importance of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance {
    /// Spearman's correlation of the values with the scores, in -1..=1.
    pub correlation: f64,
    /// Its interval of 95 %. `None` for fewer than five trials, or an order without exception.
    pub interval: Option<ConfidenceInterval>,
    /// The number of trials.
    pub trials: usize,
}

/// The importance of a key with these values in trials with these scores; `None` if either is constant.
pub fn importance(values: &[f64], scores: &[f64]) -> Option<Importance> {
    let correlation = spearman(values, scores)?;
    let trials = values.len();
    let has_interval = trials >= FEWEST && correlation.abs() < EXACT;
    let interval = if has_interval { spearman_interval(correlation, trials as u64) } else { None };
    Some(Importance { correlation, interval, trials })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::rng::{Rng, Stream};

    #[test]
    fn an_interval_needs_several_trials_and_exceptions() {
        assert_eq!(importance(&[1.0, 1.0], &[0.1, 0.2]), None, "constant");
        let ordered = importance(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).unwrap();
        assert!(ordered.correlation > EXACT && ordered.interval.is_none(), "{ordered:?}");
        let other = importance(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.1, 0.3, 0.2, 0.4, 0.6, 0.5]).unwrap();
        let ConfidenceInterval { low, high } = other.interval.unwrap();
        assert!(low < other.correlation && other.correlation < high && high < 1.0, "{other:?}");
        assert!(importance(&[1.0, 2.0, 3.0], &[0.1, 0.3, 0.2]).unwrap().interval.is_none());
    }

    /// For independent columns the correlation is 0, which 95 % of the intervals contain.
    #[test]
    fn intervals_contain_the_correlation_as_often_as_they_say() {
        let (rng, tries, trials) = (Rng::new(7, Stream::Sample), 2000_u32, 20);
        let column = |number: u32| (0..trials).map(|row| rng.normal(number, 0, row)).collect::<Vec<f64>>();
        let contained = (0..tries).filter(|number| {
            let found = importance(&column(2 * number), &column(2 * number + 1)).unwrap();
            found.interval.is_some_and(|interval| interval.contains_zero())
        });
        let share = contained.count() as f64 / f64::from(tries);
        assert!((0.93..=0.97).contains(&share), "{share}");
    }
}
