//! Calibration of the probabilities: confidence against accuracy.

use crate::catalog::ProblemType;
use crate::train::Predictions;

/// Number of confidence bins of equal width.
pub const BINS: usize = 10;

/// Confidence against accuracy, after Guo et al. 2017, "On Calibration of Modern Neural Networks".
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Rows by the probability p of their predicted class: bin m has those with m/10 < p ≤ (m+1)/10. Of a multi-label
    /// classification, each label of each row counts, with its probability.
    pub bins: [Bin; BINS],
    /// Expected calibration error: Σ n_m/n · |accuracy_m − confidence_m|.
    pub error: f64,
}

/// Rows with similar confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Number of rows.
    pub rows: usize,
    /// Fraction with a correct prediction; 0 without rows.
    pub accuracy: f64,
    /// Mean probability of the predicted class; 0 without rows.
    pub confidence: f64,
}

impl Calibration {
    /// The calibration of all rows; without rows for a regression.
    pub fn of(predictions: &Predictions) -> Self {
        let rows = 0..predictions.len();
        match predictions.problem_type() {
            ProblemType::SingleLabelClassification => Self::of_events(rows.map(|row| {
                let predicted = predictions.predicted(row);
                (predictions.probability(row, predicted), predicted == predictions.target(row))
            })),
            ProblemType::MultiLabelClassification => Self::of_events(rows.flat_map(|row| {
                let target = predictions.targets()[row].indices();
                let label =
                    move |label| (predictions.probability(row, label), target.contains(&(label as u32)));
                (0..predictions.outputs()).map(label)
            })),
            ProblemType::Regression => Self::of_events(std::iter::empty()),
        }
    }

    /// The calibration of the probabilities of events, each of which came true or not.
    fn of_events(events: impl Iterator<Item = (f64, bool)>) -> Self {
        let mut bins = [Bin::default(); BINS];
        for (confidence, is_true) in events {
            let index = (confidence * BINS as f64).ceil() as usize;
            let bin = &mut bins[index.clamp(1, BINS) - 1];
            bin.rows += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(is_true));
        }
        let all = bins.iter().map(|bin| bin.rows).sum::<usize>().max(1) as f64;
        let mut error = 0.0;
        for bin in bins.iter_mut().filter(|bin| bin.rows > 0) {
            let rows = bin.rows as f64;
            bin.confidence /= rows;
            bin.accuracy /= rows;
            error += rows / all * (bin.accuracy - bin.confidence).abs();
        }
        Calibration { bins, error }
    }
}
