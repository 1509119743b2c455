//! Predictions for probes: the texts of `probes.toml`.

use crate::catalog::joined;
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
    /// Of a single-label classification.
    Label {
        /// The most probable class.
        label: String,
        /// The class at the previous evaluation, if it is a different one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flipped_from: Option<String>,
        /// Probability of each class.
        probabilities: Vec<f32>,
    },
    /// Of a multi-label classification.
    Labels {
        /// The labels that apply.
        labels: Vec<String>,
        /// Those at the previous evaluation, if they are different ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flipped_from: Option<Vec<String>>,
        /// Probability of each label.
        probabilities: Vec<f32>,
    },
    /// Of a regression.
    Score {
        /// The predicted number.
        score: f32,
    },
}

impl ProbePrediction {
    /// The label, or the labels as `a, b`; `None` of a regression.
    pub fn label(&self) -> Option<String> {
        match self {
            ProbePrediction::Label { label, .. } => Some(label.clone()),
            ProbePrediction::Labels { labels, .. } => Some(joined(labels)),
            ProbePrediction::Score { .. } => None,
        }
    }

    /// The label or labels at the previous evaluation, if they are different ones.
    pub fn flipped_from(&self) -> Option<String> {
        match self {
            ProbePrediction::Label { flipped_from, .. } => flipped_from.clone(),
            ProbePrediction::Labels { flipped_from, .. } => flipped_from.as_deref().map(joined),
            ProbePrediction::Score { .. } => None,
        }
    }

    /// Probability of each class or label; empty of a regression.
    pub fn probabilities(&self) -> &[f32] {
        match self {
            ProbePrediction::Label { probabilities, .. } | ProbePrediction::Labels { probabilities, .. } => {
                probabilities
            }
            ProbePrediction::Score { .. } => &[],
        }
    }
}
