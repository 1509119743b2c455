//! What a training comes to, as `summary.json` holds it.

use crate::catalog::Metric;
use crate::error::Error;
use crate::event::{Change, Scores, SplitName, Status};
use crate::spec::RunSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The outcome of one training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How it ended.
    pub status: Status,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the task.
    pub task: String,
    /// Hub id, folder, or `demo`.
    pub model: String,
    /// The commit that a hub id stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_commit: Option<String>,
    /// The device, in words.
    pub device: String,
    /// Number format of the matrix products.
    pub precision: String,
    /// Key of all randomness.
    pub seed: u64,
    /// Optimizer steps done.
    pub steps: u64,
    /// Epochs done, with a fraction.
    pub epochs: f64,
    /// Seconds of the optimizer steps; scoring and saving are not in it.
    pub train_seconds: f64,
    /// Seconds of scoring.
    #[serde(default)]
    pub scoring_seconds: f64,
    /// Examples trained on in each of these seconds.
    pub examples_per_second: f64,
    /// Tokens trained on in each of these seconds.
    pub tokens_per_second: f64,
    /// Scores before any training, by split.
    pub before: BTreeMap<SplitName, Scores>,
    /// The best validation score; absent when nothing was scored after a step.
    pub best: Option<Best>,
    /// Final scores on (at most 10,000) training rows.
    pub train: Option<Scores>,
    /// Final scores on the validation split.
    pub validation: Option<Scores>,
    /// Final scores on the test split, where it is labelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Scores>,
    /// Numbers that training changes.
    pub trainable_parameters: u64,
    /// What was changed on the way, which the specification does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Why it failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Summary {
    /// The summary of a training of `spec` that could not go on because of `error`.
    pub fn failed(spec: &RunSpec, error: &Error) -> Self {
        Summary {
            status: Status::Failed,
            experiment: spec.experiment.clone(),
            task: spec.task.clone(),
            model: spec.model.clone(),
            model_commit: None,
            device: spec.device.clone(),
            precision: String::new(),
            seed: spec.seed,
            steps: 0,
            epochs: 0.0,
            train_seconds: 0.0,
            scoring_seconds: 0.0,
            examples_per_second: 0.0,
            tokens_per_second: 0.0,
            before: BTreeMap::new(),
            best: None,
            train: None,
            validation: None,
            test: None,
            trainable_parameters: 0,
            changes: Vec::new(),
            error: Some(error.to_string()),
        }
    }
}

/// The evaluation that chose the weights in `best/`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Optimizer steps done.
    pub step: u64,
    /// The score that chose.
    pub metric: Metric,
    /// Its value on the validation split.
    pub value: f64,
    /// The same score on the test split with the same weights, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
}
