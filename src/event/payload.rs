//! The contents of the larger events.

use super::scores::Scores;
use super::usage::Usage;
use crate::catalog::{Labels, Metric, ProblemType, SplitName};
use crate::spec::RunSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The properties of a run that are known before its first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Seconds since 1970.
    pub time: f64,
    /// The filled specification.
    pub spec: RunSpec,
    /// The device as text: `cpu, 2 threads`.
    pub device: String,
    /// Number format of the matrix products: `f32`.
    pub precision: String,
    /// Optimizer steps already done; above 0 when the run is resumed.
    pub first_step: u64,
    /// Optimizer steps at the end of the run.
    pub total_steps: u64,
    /// Optimizer steps of one epoch.
    pub steps_per_epoch: u64,
    /// Names of the model's outputs: one for each class or label, or a single one for a regression.
    pub labels: Vec<String>,
    /// What is predicted, if the files of task `custom` decide that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<ProblemType>,
    /// Lowest and highest label of a regression on custom files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<(f32, f32)>,
    /// Rows of the training, validation and test split; 0 without a labeled test split.
    pub rows: [usize; 3],
    /// The rows of each split, to notice on resume that the data changed; empty in logs of version 0.1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<SplitName, SplitDigest>,
    /// Training rows that are longer than `max_seq_length`, and so truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated_train_rows: Option<u64>,
    /// Number of trainable parameters.
    pub trainable_parameters: u64,
    /// Upper bound of the memory of the training in bytes, if the engine can compute it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_memory: Option<u64>,
    /// Operations per second of matrix products alone on this machine, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_rate: Option<f64>,
}

impl Started {
    /// What is predicted.
    pub fn problem_type(&self) -> ProblemType {
        self.problem_type.unwrap_or_else(|| self.spec.problem_type())
    }

    /// The metric that selects the best weights.
    pub fn best_metric(&self) -> Metric {
        let best = || self.spec.task().best(self.problem_type());
        self.spec.metric_for_best_model.unwrap_or_else(best)
    }

    /// The labels: those of the task, or those that task `custom` read from its files.
    pub fn labels(&self) -> Labels {
        let task = self.spec.task();
        match (self.problem_type(), self.scale) {
            _ if !task.is_custom() => task.labels.clone(),
            (ProblemType::MultiLabelClassification, _) => Labels::multi_label(self.labels.clone()),
            (ProblemType::Regression, scale) => {
                let (low, high) = scale.unwrap_or((0.0, 1.0));
                Labels::Scale { low, high }
            }
            (ProblemType::SingleLabelClassification, _) => self.labels.clone().into(),
        }
    }
}

/// The rows of a split that a run uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitDigest {
    /// Number of rows that are used.
    pub rows: u64,
    /// Number of rows of the split, of which `max_train_samples` or `max_eval_samples` choose some.
    pub total_rows: u64,
    /// SHA-256 of the texts and labels of the rows that are used, in hexadecimal.
    pub sha256: String,
}

/// The optimizer steps since the previous event of this kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// Mean training loss of these steps.
    pub loss: f64,
    /// Learning rate of the last of these steps.
    pub learning_rate: f64,
    /// Global L2 norm of the last gradient before clipping.
    pub grad_norm: f64,
    /// Number of examples.
    pub examples: u64,
    /// Number of tokens.
    pub tokens: u64,
    /// Duration in seconds.
    pub seconds: f64,
    /// Usage since the previous report, about once a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Box<Usage>>,
}

/// An evaluation of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Eval {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// The split.
    pub split: SplitName,
    /// The scores.
    pub scores: Scores,
    /// Whether the weights are the best so far; only for the validation split.
    pub best: bool,
    /// Duration in seconds.
    pub seconds: f64,
}

/// A folder that has been written completely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Optimizer steps done.
    pub step: u64,
    /// Its path relative to the run directory: `checkpoints/step-000268` or `best`.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Duration in seconds.
    pub seconds: f64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All steps are done, or early stopping ended the run.
    Finished,
    /// A command stopped the run; its work is saved and it can be resumed.
    Stopped,
    /// An error ended the run.
    Failed,
}

impl Status {
    /// The status as a word.
    pub fn name(self) -> &'static str {
        match self {
            Status::Finished => "finished",
            Status::Stopped => "stopped",
            Status::Failed => "failed",
        }
    }
}
