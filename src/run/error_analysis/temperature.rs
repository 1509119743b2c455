//! Temperature scaling: logits are divided by one number, so that probabilities agree with frequencies (Guo et al. 2017, "On
//! Calibration of Modern Neural Networks", <https://arxiv.org/abs/1706.04599>).

use super::calibration::Calibration;
use crate::train::Predictions;
use serde::Serialize;

/// The temperatures among which [`TemperatureScaling::fit`] searches.
const LOWEST: f64 = 0.02;
const HIGHEST: f64 = 50.0;
/// Steps of the search, each of which leaves 62 % of the interval.
const STEPS: usize = 50;

/// A temperature, and what it changes on the rows of some predictions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TemperatureScaling {
    /// The number that logits are divided by.
    pub temperature: f64,
    /// The mean loss of the rows, their negative log-likelihood.
    pub loss: BeforeAfter,
    /// Expected calibration error.
    pub calibration_error: BeforeAfter,
}

/// A number without and with a change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BeforeAfter {
    /// Without it.
    pub before: f64,
    /// With it.
    pub after: f64,
}

impl TemperatureScaling {
    /// What a temperature changes.
    pub fn of(predictions: &Predictions, temperature: f64) -> Self {
        let scaled = predictions.scaled(temperature);
        let compare = |f: fn(&Predictions) -> f64| BeforeAfter { before: f(predictions), after: f(&scaled) };
        TemperatureScaling {
            temperature,
            loss: compare(mean_loss),
            calibration_error: compare(|predictions| Calibration::of(predictions).error),
        }
    }

    /// The temperature with the lowest loss. `None` where the rows determine none: there are none, they are of a
    /// regression, or the loss is lowest at the end of the interval, as when every prediction is right.
    pub fn fit(predictions: &Predictions) -> Option<Self> {
        if predictions.is_empty() || predictions.is_regression() {
            return None;
        }
        let loss = |logarithm: f64| mean_loss(&predictions.scaled(logarithm.exp()));
        // The loss is convex in the inverse of the temperature, so it has one minimum.
        let found = minimum(&loss, (LOWEST.ln(), HIGHEST.ln()));
        let is_inside = (LOWEST.ln() + 0.01..HIGHEST.ln() - 0.01).contains(&found);
        is_inside.then(|| TemperatureScaling::of(predictions, found.exp()))
    }
}

fn mean_loss(predictions: &Predictions) -> f64 {
    let rows = 0..predictions.len();
    rows.map(|row| predictions.loss(row)).sum::<f64>() / predictions.len().max(1) as f64
}

/// The minimum of a function with one minimum, by golden-section search.
fn minimum(f: &impl Fn(f64) -> f64, (mut low, mut high): (f64, f64)) -> f64 {
    let share = (5f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - share * (high - low), low + share * (high - low));
    let (mut f_a, mut f_b) = (f(a), f(b));
    for _ in 0..STEPS {
        if f_a <= f_b {
            (high, b, f_b) = (b, a, f_a);
            a = high - share * (high - low);
            f_a = f(a);
        } else {
            (low, a, f_a) = (a, b, f_b);
            b = low + share * (high - low);
            f_b = f(b);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::catalog::ProblemType;

    /// 1,000 rows whose positive class has the probability 0.8, with logits that say `confidence` times as much.
    fn overconfident(confidence: f32) -> Predictions {
        let mut predictions = Predictions::new(ProblemType::SingleLabelClassification, 1000, 2);
        for row in 0..1000 {
            let label = u32::from(row % 5 != 0);
            predictions.set(row, &[0.0, confidence * 4f32.ln()], Label::Class(label));
        }
        predictions
    }

    #[test]
    fn fitted_temperature_is_the_overconfidence() {
        for confidence in [0.25, 1.0, 3.0] {
            let found = TemperatureScaling::fit(&overconfident(confidence)).expect("a temperature");
            assert!((found.temperature / f64::from(confidence) - 1.0).abs() < 1e-3, "{found:?}");
            assert!(found.calibration_error.after < 1e-3, "{found:?}");
            assert!(found.loss.after <= found.loss.before, "{found:?}");
            // −0.8 ln 0.8 − 0.2 ln 0.2
            assert!((found.loss.after - 0.500_402_4).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn temperature_of_labels_is_fitted_by_their_sigmoids() {
        let mut predictions = Predictions::new(ProblemType::MultiLabelClassification, 1000, 1);
        for row in 0..1000 {
            let label = Label::set((row % 5 != 0).then_some(0));
            predictions.set(row, &[2.0 * 4f32.ln()], label);
        }
        let found = TemperatureScaling::fit(&predictions).expect("a temperature");
        assert!((found.temperature - 2.0).abs() < 1e-3 && found.calibration_error.after < 1e-3, "{found:?}");
    }

    #[test]
    fn rows_that_determine_no_temperature_have_none() {
        let mut right = Predictions::new(ProblemType::SingleLabelClassification, 2, 2);
        right.set(0, &[1.0, 0.0], Label::Class(0));
        right.set(1, &[0.0, 1.0], Label::Class(1));
        assert_eq!(TemperatureScaling::fit(&right), None);
        let numbers = Predictions::new(ProblemType::Regression, 2, 1);
        assert_eq!(TemperatureScaling::fit(&numbers), None);
        assert_eq!(
            TemperatureScaling::fit(&Predictions::new(ProblemType::SingleLabelClassification, 0, 2)),
            None
        );
    }
}
