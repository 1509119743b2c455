//! The analysis of one evaluation: hardest rows, confusion matrix with the rows of each cell, or residuals.

use super::calibration::Calibration;
use crate::catalog::{Labels, Task};
use crate::event::Scores;
use crate::train::Predictions;

/// The analysis of one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorAnalysis {
    /// Its scores.
    pub scores: Scores,
    /// All rows, the highest loss first; of a multi-label classification first those whose set is predicted wrongly.
    pub hardest: Vec<usize>,
    /// The part that depends on the kind of labels.
    pub detail: Detail,
}

/// The part of an analysis that depends on the kind of labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Of a single-label classification.
    Classes(Box<Classes>),
    /// Of a multi-label classification, which has only scores.
    MultiLabel,
    /// Of a regression: the residuals by target, lowest first.
    Scale(Vec<ResidualBin>),
}

/// Confusion matrix and calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    /// `cells[target][predicted]`: the rows in that cell, the highest loss first.
    pub cells: Vec<Vec<Vec<usize>>>,
    /// Confidence against accuracy.
    pub calibration: Calibration,
}

impl ErrorAnalysis {
    /// Analyzes the predictions of one evaluation of `task`, for a model with these labels.
    pub fn of(predictions: &Predictions, task: &Task, labels: &Labels) -> Self {
        let losses: Vec<f64> = (0..predictions.len()).map(|row| predictions.loss(row)).collect();
        let mut hardest: Vec<usize> = (0..predictions.len()).collect();
        hardest.sort_by(|a, b| losses[*b].total_cmp(&losses[*a]));
        let detail = match labels {
            Labels::Classes(_) => Detail::Classes(Box::new(Classes::of(predictions, &hardest))),
            Labels::MultiLabel(_) => {
                hardest.sort_by_cached_key(|row| !predictions.is_wrong(*row));
                Detail::MultiLabel
            }
            Labels::Scale { .. } => Detail::Scale(residual_bins(predictions, labels)),
        };
        ErrorAnalysis { scores: predictions.scores(task), hardest, detail }
    }
}

impl Classes {
    fn of(predictions: &Predictions, hardest: &[usize]) -> Self {
        let mut cells = vec![vec![Vec::new(); predictions.classes()]; predictions.classes()];
        for row in hardest {
            cells[predictions.target(*row)][predictions.predicted(*row)].push(*row);
        }
        Classes { cells, calibration: Calibration::of(predictions) }
    }
}

/// The residuals of the rows whose target is in one interval of a scale.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ResidualBin {
    /// Lower bound.
    pub from: f64,
    /// Upper bound; included only in the last interval.
    pub to: f64,
    /// Number of rows.
    pub rows: usize,
    /// Mean of prediction minus target; 0 without rows.
    pub bias: f64,
    /// Root mean squared error; 0 without rows.
    pub rmse: f64,
}

/// The residuals by interval of the scale.
fn residual_bins(predictions: &Predictions, scale: &Labels) -> Vec<ResidualBin> {
    let empty_bin =
        |(from, to): (f32, f32)| ResidualBin { from: from.into(), to: to.into(), ..ResidualBin::default() };
    let mut bins: Vec<ResidualBin> = scale.intervals().into_iter().map(empty_bin).collect();
    for (row, label) in predictions.targets().iter().enumerate() {
        let Some(bin) = scale.bins(label).first().and_then(|bin| bins.get_mut(*bin)) else { continue };
        let residual = predictions.predicted_value(row) - predictions.target_value(row);
        bin.rows += 1;
        bin.bias += residual;
        bin.rmse += residual * residual;
    }
    for bin in bins.iter_mut().filter(|bin| bin.rows > 0) {
        bin.bias /= bin.rows as f64;
        bin.rmse = (bin.rmse / bin.rows as f64).sqrt();
    }
    bins
}
