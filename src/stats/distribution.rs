//! Quantiles and tails of the normal and of Student's t distribution.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Degrees of freedom from which the normal distribution stands for Student's t.
const NORMAL_FROM: f64 = 1e6;

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

/// The t with P(|T| > t) = `level` for `df` degrees of freedom.
pub(super) fn t_critical(level: f64, df: f64) -> f64 {
    student(df).map_or_else(|| normal_critical(level), |t| -t.inverse_cdf(level / 2.0))
}

/// P(|T| > t) for `df` degrees of freedom.
pub(super) fn t_two_sided(t: f64, df: f64) -> f64 {
    let tail = student(df).map_or_else(|| normal_tail(t.abs()), |student| student.sf(t.abs()));
    (2.0 * tail).min(1.0)
}
