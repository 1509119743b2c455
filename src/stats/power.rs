//! How many further seeds would detect a difference.

use super::distribution::{normal_critical, t_critical};
use super::level::SIGNIFICANCE_LEVEL;
use super::moments::variance;
use super::random_effects::{RandomEffects, seed_variance};
use serde::Serialize;

/// The power at which a difference counts as detectable.
pub const POWER: f64 = 0.8;
/// No more further seeds than this are considered.
const MAX_FURTHER: u64 = 200;

/// Whether further seeds would detect a difference with the power [`POWER`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FurtherSeeds {
    /// So many on each side; 0 if the present seeds are enough.
    Count(u64),
    /// No number of seeds, because the rows are too few: about so many rows are needed, with as many seeds as one
    /// likes.
    TooFewRows(u64),
    /// More than is practical.
    TooMany,
    /// Unknown, because the variance over the seeds is: there is one seed on each side.
    Unknown,
}

impl RandomEffects {
    /// The number of further seeds on each side with which a difference of the size `difference` is significant with
    /// probability [`POWER`]: the fewest with δ ≥ h + z·√V, where h is the half-width of the interval with these seeds,
    /// z the quantile of the power, and the variances of the seeds `a` and `b` (their scores) and of the rows are taken
    /// to stay the same.
    ///
    /// Source: Hillis, Obuchowski and Berbaum, "Power estimation for multireader ROC methods: an updated and unified
    /// approach" (2011). For one component it is close to `statsmodels.stats.power.TTestIndPower`.
    pub fn further_seeds(&self, a: &[f64], b: &[f64], difference: f64) -> FurtherSeeds {
        let Some(now) = self.seeds else { return FurtherSeeds::Unknown };
        let quantile = normal_critical(2.0 * (1.0 - POWER));
        let needed = normal_critical(SIGNIFICANCE_LEVEL) + quantile;
        let row_limit = needed.powi(2) * self.rows.variance;
        if row_limit >= difference.powi(2) {
            let rows = (self.rows.degrees_of_freedom + 1.0) * row_limit / difference.powi(2);
            return FurtherSeeds::TooFewRows(rows.ceil() as u64);
        }
        let is_enough = |further: u64| {
            let count = |values: &[f64]| values.len() + further as usize;
            // Both variances are known here, or one is taken for both as now.
            let [of_a, of_b] = if a.len() < 2 || b.len() < 2 {
                let common = now.variance / (1.0 / a.len() as f64 + 1.0 / b.len() as f64);
                [common, common]
            } else {
                [variance(a), variance(b)]
            };
            let seeds = seed_variance((of_a, count(a)), (of_b, count(b)));
            let then = RandomEffects { seeds, ..*self };
            let error = then.standard_error();
            let spread =
                seeds.map_or(quantile, |seeds| t_critical(2.0 * (1.0 - POWER), seeds.degrees_of_freedom));
            then.half_width(SIGNIFICANCE_LEVEL) + spread * error <= difference
        };
        (0..=MAX_FURTHER)
            .find(|further| is_enough(*further))
            .map_or(FurtherSeeds::TooMany, FurtherSeeds::Count)
    }
}
