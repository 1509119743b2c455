//! The levels of intervals and tests.

/// The confidence level of every interval.
pub const CONFIDENCE_LEVEL: f64 = 0.95;
/// The significance level of every test.
pub const SIGNIFICANCE_LEVEL: f64 = 1.0 - CONFIDENCE_LEVEL;
