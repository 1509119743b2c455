//! The interval of a proportion.

use super::distribution::normal_critical;
use super::interval::ConfidenceInterval;
use super::level::SIGNIFICANCE_LEVEL;

/// Wilson's score interval of a proportion of `trials` independent trials: the values p with
/// |p̂ − p| ≤ z·√(p(1 − p)/n). `None` without trials. As `statsmodels.stats.proportion.proportion_confint(method="wilson")`.
///
/// Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
pub fn wilson(successes: f64, trials: u64) -> Option<ConfidenceInterval> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let (share, z2) = (successes / n, normal_critical(SIGNIFICANCE_LEVEL).powi(2));
    let center = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half_width = (z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n))).max(0.0).sqrt() / (1.0 + z2 / n);
    Some(ConfidenceInterval::around(center, half_width).clamped(0.0, 1.0))
}
