//! The best evaluation of a training.

use crate::catalog::Metric;
use crate::event::Averaging;
use serde::{Deserialize, Serialize};

/// The evaluation that selected the weights in `best/`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Optimizer steps done.
    pub step: u64,
    /// The metric for the best model.
    pub metric: Metric,
    /// Its value on the validation split.
    pub value: f64,
    /// Its value on the test split with the same weights, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
    /// How the weights were averaged, if the best ones are averaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
}
