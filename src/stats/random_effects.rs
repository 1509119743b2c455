//! The difference of two recipes with several seeds each, evaluated on the same rows. Seeds and rows are samples:
//! another training has another seed, and other texts of the same kind are other rows.
//!
//! The scores of a side vary by the seed, and both sides by the rows. With V₁ the variance of a seed's score over the
//! rows, C₂ the covariance of two seeds of a side and C₃ that of two seeds of different sides (all due to the rows),
//! the variance of the difference of the means is
//!
//! ```text
//! V = s²_A/n_A + s²_B/n_B  +  C₂_A + C₂_B − 2·C₃
//!     seeds                   rows
//! ```
//!
//! where s² is the sample variance of the scores of the seeds, which contains V₁ − C₂ already. This is the model of
//! Obuchowski and Rockette for readers (here seeds) and cases (here rows), with readers nested in modalities. The
//! interval has the half-width √(t²·V_seeds + t'²·V_rows), where t has Welch's degrees of freedom and t' those of the
//! rows. For independent normal components, its coverage is at least nominal (Banerjee), also for two or three seeds. That
//! of Satterthwaite's approximation for the sum is below nominal there.
//!
//! Sources: Obuchowski and Rockette, "Hypothesis testing of diagnostic accuracy for multiple readers and multiple
//! tests" (1995); Hillis, "A marginal-mean ANOVA approach for analyzing multireader multicase radiological imaging
//! data" (2014); Welch, "The generalization of 'Student's' problem when several different population variances are
//! involved" (1947); Banerjee, "Approximate confidence interval for linear functions of means of k populations when the
//! population variances are not equal" (1960).

use super::distribution::{normal_tail, t_critical, t_two_sided};
use super::interval::ConfidenceInterval;
use super::level::SIGNIFICANCE_LEVEL;
use super::moments::{mean, mean_column, variance};
use serde::Serialize;

/// Halvings of the interval of a p-value.
const HALVINGS: usize = 60;
/// The z-score of the smallest p-value that is resolved, about 1e-15.
const MAX_Z: f64 = 8.0;

/// The scores of the seeds of a side.
#[derive(Debug, Clone, Copy)]
pub struct SeedScores<'a> {
    /// The score of each seed.
    pub values: &'a [f64],
    /// For each seed, values whose covariance, divided by `divisor`, is that of the scores over the rows: for a score
    /// that is a mean over the rows, the value of each row; otherwise the score in each bootstrap resample, the same
    /// for all seeds.
    pub replicates: &'a [Vec<f64>],
    /// Number of rows for values of rows, 1 for resamples.
    pub divisor: f64,
}

impl SeedScores<'_> {
    fn count(&self) -> f64 {
        self.values.len() as f64
    }

    /// (V₁ − C₂)/n: the part of the variance of the mean over the rows that the n seeds do not share. 0 for one seed,
    /// where V₁ and C₂ are not identifiable separately.
    fn unshared(&self, mean: &[f64]) -> f64 {
        if self.values.len() < 2 {
            return 0.0;
        }
        let single = self.replicates.iter().map(|column| variance(column)).sum::<f64>() / self.count();
        (single - variance(mean)) / (self.count() - 1.0)
    }

    /// The interval of the mean of these scores, for seeds and rows as samples.
    pub fn interval(&self, rows: usize) -> ConfidenceInterval {
        let column = mean_column(self.replicates);
        let shared = ((variance(&column) - self.unshared(&column)) / self.divisor).max(0.0);
        let seeds = VarianceComponent {
            variance: variance(self.values) / self.count(),
            degrees_of_freedom: self.count() - 1.0,
        };
        let effects = RandomEffects {
            difference: mean(self.values),
            seeds: (self.values.len() > 1).then_some(seeds),
            rows: VarianceComponent { variance: shared, degrees_of_freedom: rows as f64 - 1.0 },
        };
        effects.interval()
    }
}

/// An estimated variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VarianceComponent {
    /// The variance.
    pub variance: f64,
    /// Its degrees of freedom.
    pub degrees_of_freedom: f64,
}

impl VarianceComponent {
    /// The square of the half-width of an interval at this level.
    fn squared_half_width(&self, level: f64) -> f64 {
        if self.variance == 0.0 {
            return 0.0;
        }
        t_critical(level, self.degrees_of_freedom).powi(2) * self.variance
    }
}

/// The difference of the mean scores of two sides, and its variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RandomEffects {
    /// The mean score of A minus that of B.
    #[serde(skip)]
    pub difference: f64,
    /// The variance due to the seeds; `None` for one seed each, where it is unknown and the result holds for these two
    /// models only.
    pub seeds: Option<VarianceComponent>,
    /// The variance due to the rows.
    pub rows: VarianceComponent,
}

impl RandomEffects {
    /// From the scores of both sides on the same `rows` rows, with at least one seed each.
    pub fn of(a: SeedScores<'_>, b: SeedScores<'_>, rows: usize) -> Self {
        let (mean_a, mean_b) = (mean_column(a.replicates), mean_column(b.replicates));
        let differences: Vec<f64> = mean_a.iter().zip(&mean_b).map(|(a, b)| a - b).collect();
        let shared = variance(&differences) - a.unshared(&mean_a) - b.unshared(&mean_b);
        RandomEffects {
            difference: mean(a.values) - mean(b.values),
            seeds: seed_variance((variance(a.values), a.values.len()), (variance(b.values), b.values.len())),
            rows: VarianceComponent {
                variance: (shared / a.divisor).max(0.0),
                degrees_of_freedom: rows as f64 - 1.0,
            },
        }
    }

    /// The standard error of the difference.
    pub fn standard_error(&self) -> f64 {
        (self.seeds.map_or(0.0, |seeds| seeds.variance) + self.rows.variance).sqrt()
    }

    /// Half of the width of the interval at this significance level.
    pub fn half_width(&self, level: f64) -> f64 {
        let seeds = self.seeds.map_or(0.0, |seeds| seeds.squared_half_width(level));
        (seeds + self.rows.squared_half_width(level)).sqrt()
    }

    /// The interval of the difference.
    pub fn interval(&self) -> ConfidenceInterval {
        ConfidenceInterval::around(self.difference, self.half_width(SIGNIFICANCE_LEVEL))
    }

    /// The p-value of the hypothesis that the recipes have the same score: the level whose interval ends at 0.
    pub fn p_value(&self) -> f64 {
        let difference = self.difference.abs();
        let seeds = self.seeds.filter(|seeds| seeds.variance > 0.0);
        let single = match (seeds, self.rows.variance > 0.0) {
            (None, false) => return if difference == 0.0 { 1.0 } else { 0.0 },
            (Some(seeds), false) => Some(seeds),
            (None, true) => Some(self.rows),
            (Some(_), true) => None,
        };
        if let Some(component) = single {
            return t_two_sided(difference / component.variance.sqrt(), component.degrees_of_freedom);
        }
        let level = |z: f64| (2.0 * normal_tail(z)).min(1.0);
        let (mut low, mut high) = (0.0, MAX_Z);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.half_width(level(middle)) < difference { low = middle } else { high = middle }
        }
        level(f64::midpoint(low, high))
    }
}

/// The variance of a difference of means due to the seeds, from the sample variance and the number of seeds of each
/// side, with Welch's degrees of freedom. A side with one seed is taken to vary as the other one does. `None` for one
/// seed each.
pub(super) fn seed_variance(a: (f64, usize), b: (f64, usize)) -> Option<VarianceComponent> {
    let ((variance_a, count_a), (variance_b, count_b)) = (a, b);
    let (n_a, n_b) = (count_a as f64, count_b as f64);
    let (variance_a, variance_b) = match (count_a, count_b) {
        (0 | 1, 0 | 1) => return None,
        (0 | 1, _) => (variance_b, variance_b),
        (_, 0 | 1) => (variance_a, variance_a),
        _ => (variance_a, variance_b),
    };
    let (part_a, part_b) = (variance_a / n_a, variance_b / n_b);
    let total = part_a + part_b;
    let pooled = n_a + n_b - 2.0;
    let degrees_of_freedom = if count_a < 2 || count_b < 2 || total == 0.0 {
        pooled
    } else {
        total.powi(2) / (part_a.powi(2) / (n_a - 1.0) + part_b.powi(2) / (n_b - 1.0))
    };
    Some(VarianceComponent { variance: total, degrees_of_freedom })
}
