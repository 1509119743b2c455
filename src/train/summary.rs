//! The result of a training: `summary.json`.

use super::best::Best;
use super::checkpoint::LoopState;
use super::plan::Plan;
use super::setup::Setup;
use crate::catalog::Labels;
use crate::error::Error;
use crate::event::{Change, Diagnosis, Scores, SplitName, Stage, Status};
use crate::spec::RunSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The result of one training.
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
    /// The commit that the hub id was resolved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_commit: Option<String>,
    /// The device as text: `cpu, 2 threads`.
    pub device: String,
    /// Number format of the matrix products.
    pub precision: String,
    /// The seed.
    pub seed: u64,
    /// The fold whose rows are the validation rows, of a cross-validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u64>,
    /// Optimizer steps done.
    pub steps: u64,
    /// Epochs done, with a fraction.
    pub epochs: f64,
    /// Seconds of the optimizer steps, without evaluations and saving.
    pub train_seconds: f64,
    /// Seconds of evaluations.
    #[serde(default)]
    pub scoring_seconds: f64,
    /// Training examples per second of optimizer steps.
    pub examples_per_second: f64,
    /// Training tokens per second of optimizer steps.
    pub tokens_per_second: f64,
    /// Fraction of the total time by stage, evaluations and saving included.
    #[serde(default)]
    pub stages: BTreeMap<Stage, f64>,
    /// Fraction of the computed tokens of the steps that is padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<f64>,
    /// GFLOP/s of the matrix products of the steps, padding excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gflops: Option<f64>,
    /// GFLOP/s of matrix products alone on this machine, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_gflops: Option<f64>,
    /// Seconds from the start to the first step, without the evaluation before it.
    #[serde(default)]
    pub setup_seconds: f64,
    /// Seconds of tokenization, which are part of the setup.
    #[serde(default)]
    pub tokenize_seconds: f64,
    /// Scores before any training by split.
    pub before: BTreeMap<SplitName, Scores>,
    /// The best evaluation; absent if there was none after a step.
    pub best: Option<Best>,
    /// Scores of the training rows: the running mean over the steps of the last epoch, or of a full pass with
    /// `eval_on_train`.
    pub train: Option<Scores>,
    /// Final scores on the validation split.
    pub validation: Option<Scores>,
    /// Final scores of averaged weights on the validation split, if the training averages weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_validation: Option<Scores>,
    /// Final scores on the test split, if it has labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Scores>,
    /// Names of the outputs, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The class, or the labels, that the model predicts for every validation row although the rows differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant_prediction: Option<String>,
    /// The problems of the training at its end, and what to try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
    /// Number of trainable parameters.
    pub trainable_parameters: u64,
    /// Changes of the settings during the run, which are not in the specification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The error of a failed run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why the scheduler of its sweep has paused a stopped run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<String>,
}

impl Summary {
    /// The summary of a training of `spec` that ended at `state`.
    pub(super) fn of(status: Status, spec: &RunSpec, setup: Setup, plan: &Plan, state: LoopState) -> Self {
        let LoopState { step, best, before, mut latest, examples, tokens, changes, usage, .. } = state;
        let LoopState { train_seconds, scoring_seconds, average_validation, .. } = state;
        let validation = latest.remove(&SplitName::Validation);
        let rate = |count: u64| if train_seconds > 0.0 { count as f64 / train_seconds } else { 0.0 };
        Summary {
            status,
            experiment: spec.experiment.clone(),
            task: spec.task.to_string(),
            model: spec.model.clone(),
            model_commit: setup.folder.commit,
            device: setup.built.device,
            precision: setup.built.precision,
            seed: spec.seed,
            fold: spec.fold,
            steps: step,
            epochs: plan.epoch(step),
            train_seconds,
            scoring_seconds,
            examples_per_second: rate(examples),
            tokens_per_second: rate(tokens),
            stages: usage.shares(),
            padding: usage.padding(),
            gflops: usage.operations_per_second().map(|rate| rate / 1e9),
            product_gflops: setup.product_rate.map(|rate| rate / 1e9),
            setup_seconds: 0.0,
            tokenize_seconds: setup.tokenize_seconds,
            before,
            best,
            train: latest.remove(&SplitName::Train),
            constant_prediction: validation
                .as_ref()
                .and_then(|scores| constant_prediction(scores, &setup.labels)),
            validation,
            average_validation,
            test: latest.remove(&SplitName::Test),
            labels: setup.labels.names(),
            diagnoses: Vec::new(),
            trainable_parameters: setup.built.trainable_parameters,
            changes,
            error: None,
            pause_reason: None,
        }
    }

    /// The summary of a training of `spec` that failed with `error`.
    pub fn failed(spec: &RunSpec, error: &Error) -> Self {
        Summary {
            status: Status::Failed,
            experiment: spec.experiment.clone(),
            task: spec.task.to_string(),
            model: spec.model.clone(),
            model_commit: None,
            device: spec.device.to_string(),
            precision: String::new(),
            seed: spec.seed,
            fold: spec.fold,
            steps: 0,
            epochs: 0.0,
            train_seconds: 0.0,
            scoring_seconds: 0.0,
            examples_per_second: 0.0,
            tokens_per_second: 0.0,
            stages: BTreeMap::new(),
            padding: None,
            gflops: None,
            product_gflops: None,
            setup_seconds: 0.0,
            tokenize_seconds: 0.0,
            before: BTreeMap::new(),
            best: None,
            train: None,
            validation: None,
            average_validation: None,
            test: None,
            labels: Vec::new(),
            constant_prediction: None,
            diagnoses: Vec::new(),
            trainable_parameters: 0,
            changes: Vec::new(),
            error: Some(error.to_string()),
            pause_reason: None,
        }
    }
}

/// What a model predicts for every example although the targets vary: `bulk`, `a, b` or `no label`.
fn constant_prediction(scores: &Scores, labels: &Labels) -> Option<String> {
    let predicted = scores.constant_prediction()?;
    let names: Vec<&str> =
        predicted.iter().filter_map(|label| labels.classes().get(*label)).map(AsRef::as_ref).collect();
    Some(if names.is_empty() { "no label".into() } else { names.join(", ") })
}
