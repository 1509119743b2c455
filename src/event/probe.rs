//! Predictions for probes: the texts of `probes.toml`.

use crate::probes::Probe;
use serde::{Deserialize, Serialize};

/// The prediction for a probe, made after an evaluation of the validation split. In JSON the fields of all parts
/// are in one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// The text.
    #[serde(flatten)]
    pub probe: Probe,
    /// The prediction.
    #[serde(flatten)]
    pub prediction: ProbePrediction,
}

/// The prediction for a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProbePrediction {
    /// Of a classification.
    Label {
        /// The most probable class.
        label: String,
        /// The class at the previous evaluation, if it is a different one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flipped_from: Option<String>,
        /// Probability of each class.
        probabilities: Vec<f32>,
    },
    /// Of a regression.
    Score {
        /// The predicted number.
        score: f32,
    },
}
