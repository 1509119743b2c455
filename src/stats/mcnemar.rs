//! McNemar's test: do two classifiers have the same accuracy on the same rows?

use super::distribution::normal_critical;
use super::interval::ConfidenceInterval;
use super::level::SIGNIFICANCE_LEVEL;
use serde::Serialize;
use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// McNemar's exact test of two classifiers on the same rows.
///
/// Rows that both have right, or both wrong, say nothing about a difference. If the accuracies are the same, each of
/// the other n rows is one that A has right with probability 1/2.
///
/// Sources: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages"
/// (1947); Dietterich, "Approximate statistical tests for comparing supervised classification learning algorithms"
/// (1998).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct McNemar {
    /// Rows that only A has right.
    pub only_a: u64,
    /// Rows that only B has right.
    pub only_b: u64,
    /// All rows.
    pub rows: u64,
}

impl McNemar {
    /// The counts of rows, where each is whether A and B have it right.
    pub fn of(rows: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = McNemar { only_a: 0, only_b: 0, rows: 0 };
        for (a, b) in rows {
            counts.rows += 1;
            counts.only_a += u64::from(a && !b);
            counts.only_b += u64::from(b && !a);
        }
        counts
    }

    /// The two-sided p-value of the binomial test: 2·P(X ≤ min(b, c)) for X of b + c trials with probability 1/2, at
    /// most 1. As `statsmodels.stats.contingency_tables.mcnemar(exact=True)`. It is exact for any number of rows, so
    /// the chi-squared approximation is not needed for many.
    pub fn p_value(&self) -> f64 {
        let n = self.only_a + self.only_b;
        let fewer = self.only_a.min(self.only_b);
        Binomial::new(0.5, n).map_or(1.0, |binomial| (2.0 * binomial.cdf(fewer)).min(1.0))
    }

    /// The interval of the difference of the accuracies, A − B: at each end the wider of two.
    ///
    /// - The interval of Bonett and Price, an adjusted Wald interval that holds for small and large differences: with
    ///   p₁ = (b + 1)/(R + 2) and p₂ = (c + 1)/(R + 2), it is p₁ − p₂ ± z·√((p₁ + p₂ − (p₁ − p₂)²)/(R + 2)).
    /// - The interval of Clopper and Pearson for the probability that A has a row right on which they differ, for the n rows on which
    ///   they do. It excludes 0 exactly if the test rejects, so that the interval and the p-value never contradict each other.
    ///
    /// Source: Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    /// paired data" (2012), recommended by Fagerland, Lydersen and Laake (2014).
    pub fn interval(&self) -> ConfidenceInterval {
        let (adjusted, exact) = (self.bonett_price(), self.clopper_pearson());
        ConfidenceInterval { low: adjusted.low.min(exact.low), high: adjusted.high.max(exact.high) }
    }

    pub(super) fn bonett_price(&self) -> ConfidenceInterval {
        let rows = (self.rows + 2) as f64;
        let (a, b) = ((self.only_a + 1) as f64 / rows, (self.only_b + 1) as f64 / rows);
        let error = ((a + b - (a - b).powi(2)) / rows).max(0.0).sqrt();
        let half_width = normal_critical(SIGNIFICANCE_LEVEL) * error;
        ConfidenceInterval::around(a - b, half_width).clamped(-1.0, 1.0)
    }

    /// (2π − 1)·n/R for the ends of the interval of π, as `scipy.stats.binomtest(b, n).proportion_ci()`.
    pub(super) fn clopper_pearson(&self) -> ConfidenceInterval {
        let (a, b) = (self.only_a as f64, self.only_b as f64);
        let tail = SIGNIFICANCE_LEVEL / 2.0;
        let quantile = |p, shape_a, shape_b| Beta::new(shape_a, shape_b).ok().map(|beta| beta.inverse_cdf(p));
        let low = quantile(tail, a, b + 1.0).unwrap_or(0.0);
        let high = quantile(1.0 - tail, a + 1.0, b).unwrap_or(1.0);
        let scale = (a + b) / (self.rows.max(1) as f64);
        let difference = |probability: f64| (2.0 * probability - 1.0) * scale;
        ConfidenceInterval { low: difference(low), high: difference(high) }
    }
}
