//! Quantiles and tails of the normal and of Student's t distribution.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Degrees of freedom from which the normal distribution is used in place of Student's t.
const NORMAL_FROM: f64 = 1e6;

/// The smallest level for which the quantile of statrs is used.
const MIN_LEVEL: f64 = 1e-3;
/// The logarithm of the largest critical value that is not infinite.
const MAX_LOG_T: f64 = 100.0;
/// Halvings of the interval of the logarithm of a critical value.
const HALVINGS: usize = 60;

/// P(Z > z) of the standard normal distribution.
pub(super) fn normal_tail(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// The z with P(|Z| > z) = `level`.
pub(super) fn normal_critical(level: f64) -> f64 {
    -Normal::standard().inverse_cdf(level / 2.0)
}

/// The density of the normal distribution with mean 0 and this standard deviation.
pub(super) fn normal_density(x: f64, sd: f64) -> f64 {
    (-0.5 * (x / sd).powi(2)).exp() / (sd * (2.0 * std::f64::consts::PI).sqrt())
}

/// Student's t, or `None` for the normal distribution.
fn student(df: f64) -> Option<StudentsT> {
    if df < NORMAL_FROM { StudentsT::new(0.0, 1.0, df).ok() } else { None }
}

/// The t with P(|T| > t) = `level` for `df` degrees of freedom; infinite for a level of 0.
pub fn t_critical(level: f64, df: f64) -> f64 {
    let Some(student) = student(df) else { return normal_critical(level) };
    if level >= MIN_LEVEL {
        return -student.inverse_cdf(level / 2.0);
    }
    // The quantile of statrs is wrong far in the tail, where its distribution function is not.
    let (mut low, mut high) = (0.0, MAX_LOG_T);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if 2.0 * student.sf(middle.exp()) > level { low = middle } else { high = middle }
    }
    if high < MAX_LOG_T { high.exp() } else { f64::INFINITY }
}

/// P(|T| > t) for `df` degrees of freedom.
pub(super) fn t_two_sided(t: f64, df: f64) -> f64 {
    let tail = student(df).map_or_else(|| normal_tail(t.abs()), |student| student.sf(t.abs()));
    (2.0 * tail).min(1.0)
}
