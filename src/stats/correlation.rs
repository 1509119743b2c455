//! Intervals of correlation coefficients by Fisher's transformation z = artanh(r), which is close to normal.

use super::interval::{ConfidenceInterval, normal_interval};

/// The interval of a Pearson correlation `r` of `rows` pairs, with the standard error 1/√(n − 3) of z. `None` for fewer
/// than four pairs. As `scipy.stats.pearsonr(…).confidence_interval()`.
///
/// Source: Fisher, "On the probable error of a coefficient of correlation deduced from a small sample" (1921).
pub fn pearson_interval(r: f64, rows: u64) -> Option<ConfidenceInterval> {
    of_transformed(r, 1.0, rows)
}

/// The interval of a Spearman correlation `r` of `rows` pairs, with the standard error √((1 + r²/2)/(n − 3)) of z.
/// `None` for fewer than four pairs.
///
/// Source: Bonett and Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations"
/// (2000).
pub fn spearman_interval(r: f64, rows: u64) -> Option<ConfidenceInterval> {
    of_transformed(r, 1.0 + r * r / 2.0, rows)
}

fn of_transformed(r: f64, numerator: f64, rows: u64) -> Option<ConfidenceInterval> {
    if rows < 4 || !r.is_finite() {
        return None;
    }
    // artanh(±1) is infinite, and the interval then a point.
    let transformed = normal_interval(r.clamp(-1.0, 1.0).atanh(), (numerator / (rows - 3) as f64).sqrt());
    Some(ConfidenceInterval { low: transformed.low.tanh(), high: transformed.high.tanh() })
}
