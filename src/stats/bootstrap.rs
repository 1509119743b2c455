//! The bootstrap over rows: a statistic is computed again and again from rows that are drawn with replacement. For a
//! paired comparison, both sides use the same rows of each resample.
//!
//! Sources: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993); Berg-Kirkpatrick, Burkett and Klein, "An
//! empirical investigation of statistical significance in NLP" (2012).

use super::interval::ConfidenceInterval;
use super::level::CONFIDENCE_LEVEL;
use kernels::rng::{Rng, Stream};

/// The seed of the resamples, so that the same predictions always have the same intervals.
pub const SEED: u64 = 25;
/// A statistic may be undefined in some resamples, which are left out, but it has to be defined in this share of them.
const MIN_DEFINED: f64 = 0.95;

/// Draws resamples, which depend only on the seed and on their number.
#[derive(Debug, Clone, Copy)]
pub struct Resampler {
    rng: Rng,
    rows: u32,
}

impl Resampler {
    /// For a sample of `rows` rows.
    pub fn new(seed: u64, rows: u32) -> Self {
        Resampler { rng: Rng::new(seed, Stream::Sample), rows }
    }

    /// Fills `indices` with the rows of resample number `number`, as many as the sample has.
    pub(super) fn draw(&self, number: u32, indices: &mut Vec<u32>) {
        indices.clear();
        let blocks = u64::from(self.rows).div_ceil(4);
        // The product of a word and the number of rows, divided by 2³², is uniform up to rows/2³².
        let row = |word: u32| ((u64::from(word) * u64::from(self.rows)) >> 32) as u32;
        indices.extend((0..blocks).flat_map(|block| self.rng.block(number, 0, block)).map(row));
        indices.truncate(self.rows as usize);
    }

    /// The values of a statistic in `count` resamples, given the rows of each. Resamples in which it is undefined are left
    /// out; `None` if more than 5 % are.
    pub fn replicates<T>(
        &self,
        count: u32,
        mut statistic: impl FnMut(&[u32]) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut rows = Vec::new();
        let value = |number| {
            self.draw(number, &mut rows);
            statistic(&rows)
        };
        let values: Vec<T> = (0..count).filter_map(value).collect();
        (values.len() as f64 >= MIN_DEFINED * f64::from(count)).then_some(values)
    }
}

/// The percentile interval of a statistic from its `values` in the resamples, interpolated as `numpy.percentile` does;
/// as `scipy.stats.bootstrap(method="percentile")`. `None` for fewer than two values.
pub fn percentile_interval(values: &[f64]) -> Option<ConfidenceInterval> {
    if values.len() < 2 {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let position = share * (sorted.len() - 1) as f64;
        let below = (position.floor() as usize).min(sorted.len() - 2);
        sorted[below] + (position - below as f64) * (sorted[below + 1] - sorted[below])
    };
    let tail = (1.0 - CONFIDENCE_LEVEL) / 2.0;
    Some(ConfidenceInterval { low: quantile(tail), high: quantile(1.0 - tail) })
}

/// The two-sided p-value of the hypothesis that a difference is 0, from its values in the resamples: twice the smaller
/// share of values at or beyond 0, which agrees with [`percentile_interval`]. One is added to both counts, so that it
/// is never 0.
///
/// Source: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 4.2.
pub fn p_value(differences: &[f64]) -> f64 {
    let count = |is_beyond: fn(f64) -> bool| differences.iter().filter(|value| is_beyond(**value)).count();
    let fewer = count(|value| value <= 0.0).min(count(|value| value >= 0.0));
    (2.0 * (fewer + 1) as f64 / (differences.len() + 1) as f64).min(1.0)
}
