//! Confidence intervals.

use super::distribution::{normal_critical, t_critical};
use super::level::SIGNIFICANCE_LEVEL;
use serde::Serialize;

/// A confidence interval at 95 %, with the names of SciPy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ConfidenceInterval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl ConfidenceInterval {
    /// `center` plus and minus `half_width`.
    pub fn around(center: f64, half_width: f64) -> Self {
        ConfidenceInterval { low: center - half_width, high: center + half_width }
    }

    /// The part of it in `low..=high`.
    pub fn clamped(self, low: f64, high: f64) -> Self {
        ConfidenceInterval { low: self.low.clamp(low, high), high: self.high.clamp(low, high) }
    }

    /// Whether 0 is in it.
    pub fn contains_zero(&self) -> bool {
        self.low <= 0.0 && self.high >= 0.0
    }

    /// Half of its width.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// The interval of the mean of the scores of `count` trainings of a cross-validation with `folds` folds and the standard
/// deviation `sd`: the half-width is t·√(1/n + 1/(k − 1))·sd, with n − 1 degrees of freedom, where 1/(k − 1) is the ratio
/// of the rows of a fold to those of the others and stands for what the models share because their training rows overlap
/// (Nadeau and Bengio 2003, "Inference for the Generalization Error"). `None` for fewer than two trainings or folds.
pub fn cross_validation_interval(mean: f64, sd: f64, count: u64, folds: u64) -> Option<ConfidenceInterval> {
    if count < 2 || folds < 2 || !sd.is_finite() {
        return None;
    }
    let overlap = 1.0 / (folds - 1) as f64;
    let error = (1.0 / count as f64 + overlap).sqrt() * sd;
    Some(ConfidenceInterval::around(mean, t_critical(SIGNIFICANCE_LEVEL, (count - 1) as f64) * error))
}

/// `value ± z·error`, for an estimate with a normal distribution.
pub fn normal_interval(value: f64, error: f64) -> ConfidenceInterval {
    ConfidenceInterval::around(value, normal_critical(SIGNIFICANCE_LEVEL) * error)
}

/// The interval of the mean of `count` seeds with the standard deviation `sd`, each evaluated on the same sample of
/// rows: the half-width is √(t²·sd²/n + h²), where h is `row_half_width`, half of the width of the interval of one seed
/// over the rows, and t has n − 1 degrees of freedom. It is at least as wide as the interval of
/// `RandomEffects`, which needs the predictions: h² counts the part of the variance over the
/// rows that is not shared by the seeds too. `None` for fewer than two seeds.
pub fn mean_interval(mean: f64, sd: f64, count: u64, row_half_width: f64) -> Option<ConfidenceInterval> {
    if count < 2 || !sd.is_finite() {
        return None;
    }
    let seeds = t_critical(SIGNIFICANCE_LEVEL, (count - 1) as f64) * sd / (count as f64).sqrt();
    Some(ConfidenceInterval::around(mean, seeds.hypot(row_half_width)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_of_a_cross_validation_is_corrected_for_shared_rows() {
        // t at 97.5 % with 9 degrees of freedom is 2.262157.
        let interval = cross_validation_interval(0.8, 0.03, 10, 10).unwrap();
        let expected = 2.262_157 * (0.1 + 1.0 / 9.0_f64).sqrt() * 0.03;
        assert!((interval.half_width() - expected).abs() < 1e-7, "{interval:?}");
        assert_eq!(cross_validation_interval(0.8, 0.0, 1, 5), None);
    }
}
