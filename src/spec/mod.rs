//! experiments.toml → [`RunSpec`]: everything that a run is made of, and nothing else.

mod check;
mod difference;
mod file;
mod keys;
mod nearest;
mod resolve;
mod save;

pub use check::check_value;
pub use difference::{Difference, differences};
pub use keys::{ABOVE_ZERO, BELOW_ONE, Key, Kind, key_named, keys};
pub use resolve::{DEFAULT_FILE, Experiments, Origin, Value, built_in};
pub use save::{assignments, from_toml, to_toml};

use crate::catalog::{Metric, Task, task};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The filled specification of one experiment. Names are those of Hugging Face's `TrainingArguments`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The experiment's name.
    pub experiment: String,
    /// Hub id, local folder, or `demo`.
    pub model: String,
    /// Hub revision.
    pub revision: String,
    /// Name of a task of the catalog.
    pub task: String,
    /// Folder to read the task's files from, in place of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// What task `custom` learns from: CSV, TSV, JSON lines or Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_file: Option<PathBuf>,
    /// What task `custom` is validated on; a tenth of the training rows when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_file: Option<PathBuf>,
    /// What task `custom` is tested on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_file: Option<PathBuf>,
    /// The column of the text, or of the first of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// The column of the second text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair_column: Option<String>,
    /// The column of the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Take only so many training rows, drawn with the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_train_samples: Option<usize>,
    /// Take only so many rows of each scored split, drawn with the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_eval_samples: Option<usize>,
    /// Passes over the training rows.
    pub num_train_epochs: f64,
    /// Number of optimizer steps; wins over the epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Examples a forward pass takes in training.
    pub per_device_train_batch_size: usize,
    /// Examples a forward pass takes in scoring.
    pub per_device_eval_batch_size: usize,
    /// Batches whose gradients make one optimizer step.
    pub gradient_accumulation_steps: usize,
    /// Longer inputs are cut to so many tokens.
    pub max_seq_length: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay, not on biases and LayerNorm.
    pub weight_decay: f64,
    /// AdamW's decay of the first moment.
    pub adam_beta1: f64,
    /// AdamW's decay of the second moment.
    pub adam_beta2: f64,
    /// AdamW's divisor floor.
    pub adam_epsilon: f64,
    /// Gradients are scaled down to this global L2 norm; 0 is off.
    pub max_grad_norm: f64,
    /// Course of the learning rate.
    pub lr_scheduler_type: Schedule,
    /// Share of the steps that warm up.
    pub warmup_ratio: f64,
    /// Number of steps that warm up; wins over the ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// Share of the target spread evenly over all classes.
    pub label_smoothing_factor: f64,
    /// Dropout before the last layer; the model's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier_dropout: Option<f64>,
    /// When to score the validation split.
    pub eval_steps: Interval,
    /// When to write a checkpoint.
    pub save_steps: Interval,
    /// When the steps since the last `step` event are told.
    pub logging_steps: Interval,
    /// The score that chooses the best weights; the task's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_for_best_model: Option<Metric>,
    /// Stop after so many evaluations without a better score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping_patience: Option<u64>,
    /// Key of all randomness.
    pub seed: u64,
    /// Number of runs, with seeds `seed`, `seed + 1`, ….
    pub repeats: u64,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Which engine trains.
    pub engine: EngineChoice,
    /// `auto`, `cpu`, `cuda:N` or `metal`.
    pub device: String,
    /// A larger batch is done in parts with the same result; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_per_batch: Option<usize>,
    /// Threads of the CPU; all cores when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

/// Course of the learning rate over the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Falls in a line to zero.
    Linear,
    /// Falls along half a cosine to zero.
    Cosine,
    /// Stays; no warm-up.
    Constant,
    /// Stays after the warm-up.
    ConstantWithWarmup,
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// At the end of each epoch.
    Epoch,
    /// Each so many steps.
    Steps(u64),
}

/// Number format of the matrix products; weights and moments are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// What is best on the device.
    Auto,
    /// 32 bits.
    F32,
    /// 32 bits, of which products look at 19, on NVIDIA GPUs.
    Tf32,
    /// 16 bits with the exponent of f32.
    Bf16,
}

/// Which engine trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineChoice {
    /// What is best on the device.
    Auto,
    /// Candle's autograd over composed operations.
    Plain,
    /// Written by hand for the device.
    Fast,
}

impl RunSpec {
    /// The task's row in the catalog. Specifications are checked when they are read, so it is there.
    pub fn task(&self) -> &'static Task {
        task(&self.task).expect("a checked specification names a task of the catalog")
    }

    /// Whether an example is two texts. Of task `custom` the columns tell it, once they are filled in.
    pub fn is_pair(&self) -> bool {
        self.task().pair || self.text_pair_column.is_some()
    }

    /// The score that chooses the best weights.
    pub fn best_metric(&self) -> Metric {
        self.metric_for_best_model.unwrap_or(self.task().best)
    }
}

impl Serialize for Interval {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Interval::Epoch => serializer.serialize_str("epoch"),
            Interval::Steps(steps) => serializer.serialize_u64(*steps),
        }
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Interval;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of steps from 1, or \"epoch\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Interval, E> {
                if text == "epoch" {
                    Ok(Interval::Epoch)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }
            fn visit_u64<E: serde::de::Error>(self, steps: u64) -> Result<Interval, E> {
                if steps > 0 {
                    Ok(Interval::Steps(steps))
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Unsigned(steps), &self))
                }
            }
            fn visit_i64<E: serde::de::Error>(self, steps: i64) -> Result<Interval, E> {
                u64::try_from(steps)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(steps), &self))
                    .and_then(|steps| self.visit_u64(steps))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
