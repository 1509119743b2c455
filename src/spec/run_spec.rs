//! The specification of one experiment, and its defaults.

use super::choices::{EngineChoice, LoraTargetModules, LrSchedulerType, Precision, ReportTo};
use super::delimiter::Delimiter;
use super::device::DeviceSpec;
use super::encoding_label::EncodingLabel;
use super::interval::IntervalStrategy;
use super::lists::{ClassWeights, LabelColumns};
use crate::catalog::{LabelMap, Metric, ProblemType, SplitName, Task, TaskId};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The complete specification of one experiment. Fields have the names of Hugging Face's `TrainingArguments`
/// and `run_glue.py` where these have one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The experiment's name.
    pub experiment: String,
    /// Hub id, local folder, or `demo`.
    pub model: String,
    /// Hub revision.
    pub revision: String,
    /// The task: data set, labels and metrics.
    pub task: TaskId,
    /// Folder to read the task's files from instead of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Training file of task `custom`: CSV, TSV, JSON Lines or Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_file: Option<PathBuf>,
    /// Validation file of task `custom`; a tenth of the training rows when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_file: Option<PathBuf>,
    /// Test file of task `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_file: Option<PathBuf>,
    /// Column of the text, or of the first text of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// Column of the second text of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair_column: Option<String>,
    /// Column of the label, or a column for each label of a multi-label classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_column: Option<LabelColumns>,
    /// What is predicted; by the labels of the files when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<ProblemType>,
    /// What separates the cells of a text file of task `custom`; detected when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<Delimiter>,
    /// Encoding of the text files of task `custom`, by its label; detected when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<EncodingLabel>,
    /// Whether the first row of a delimited file of task `custom` names the columns; detected when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_header: Option<bool>,
    /// Whether the rows of task `custom` that are held out have the class proportions of all rows; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratify: Option<bool>,
    /// From the label names of a fine-tuned model to those of the task, where they differ.
    #[serde(default, skip_serializing_if = "LabelMap::is_empty")]
    pub label_map: LabelMap,
    /// Number of training rows to use, drawn with the seed; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_train_samples: Option<usize>,
    /// Number of rows to use of each evaluated split, drawn with the seed; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_eval_samples: Option<usize>,
    /// Number of passes over the training rows.
    pub num_train_epochs: f64,
    /// Number of optimizer steps; overrides the epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Examples per forward pass in training.
    pub per_device_train_batch_size: usize,
    /// Examples per forward pass in evaluation.
    pub per_device_eval_batch_size: usize,
    /// Batches whose gradients are accumulated for one optimizer step.
    pub gradient_accumulation_steps: usize,
    /// Inputs longer than this number of tokens are truncated.
    pub max_seq_length: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Peak learning rate of pooler and classifier; `learning_rate` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_learning_rate: Option<f64>,
    /// The learning rate of each layer as a factor of that of the layer above it; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layerwise_lr_decay: Option<f64>,
    /// Number of encoder layers, from the lowest, that are not trained, nor are the embeddings then; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_layers: Option<usize>,
    /// Whether the embeddings are not trained.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub freeze_embeddings: bool,
    /// Decoupled weight decay; biases and LayerNorm weights have none.
    pub weight_decay: f64,
    /// Decay rate of AdamW's first moment.
    pub adam_beta1: f64,
    /// Decay rate of AdamW's second moment.
    pub adam_beta2: f64,
    /// Term that AdamW adds to its denominator.
    pub adam_epsilon: f64,
    /// Gradients are clipped to this global L2 norm; 0 turns clipping off.
    pub max_grad_norm: f64,
    /// Learning-rate schedule.
    pub lr_scheduler_type: LrSchedulerType,
    /// Fraction of the steps used for warm-up.
    pub warmup_ratio: f64,
    /// Number of warm-up steps; overrides the ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// Fraction of the target probability that is spread evenly over all classes.
    pub label_smoothing_factor: f64,
    /// Weight of each class in the loss; 1 for each when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Dropout before the classification layer; the model's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier_dropout: Option<f64>,
    /// Rank of low-rank adapters; no adapters when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora_r: Option<usize>,
    /// The adapters count `lora_alpha / lora_r` times; `2 · lora_r` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora_alpha: Option<f64>,
    /// The linear layers with adapters; those of queries and values when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora_target_modules: Option<LoraTargetModules>,
    /// A fine-tuned model whose logits the loss follows too: a folder, a hub id, or a file of logits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<String>,
    /// Share of the distance to the teacher in the loss; 0.5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation_weight: Option<f64>,
    /// Divides the logits of teacher and model; 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation_temperature: Option<f64>,
    /// Decay of an exponential moving average of the weights; no such average when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// Number of the last checkpoints whose weights are averaged at the end; no such average when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_checkpoints: Option<usize>,
    /// When to evaluate the validation split.
    pub eval_steps: IntervalStrategy,
    /// When to save a checkpoint.
    pub save_steps: IntervalStrategy,
    /// How many steps one `step` event covers.
    pub logging_steps: IntervalStrategy,
    /// What the metrics are written for while the run is trained; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_to: Option<ReportTo>,
    /// The metric that selects the best weights; the task's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_for_best_model: Option<Metric>,
    /// Stop after this many evaluations in a row without improvement; off when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping_patience: Option<u64>,
    /// Whether training scores are those of a full pass over the training rows (at most 10,000) after each epoch, instead
    /// of the running mean over the steps of the epoch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub eval_on_train: bool,
    /// Seed of every random number.
    pub seed: u64,
    /// Number of runs, with the seeds `seed`, `seed + 1`, …; of cross-validations when there are `folds`.
    pub repeats: u64,
    /// Number of folds of a cross-validation; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u64>,
    /// The fold, from 1, whose rows are the validation rows; each in turn when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u64>,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// The engine.
    pub engine: EngineChoice,
    /// The device.
    pub device: DeviceSpec,
    /// Larger batches are split into micro-batches, with the same result; set by the available memory when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_per_batch: Option<usize>,
    /// Number of CPU threads; one per core when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

/// The specification of an experiment that sets no key.
pub fn built_in(experiment: &str) -> RunSpec {
    RunSpec {
        experiment: experiment.into(),
        model: "demo".into(),
        revision: "main".into(),
        task: TaskId::default(),
        data_dir: None,
        train_file: None,
        validation_file: None,
        test_file: None,
        text_column: None,
        text_pair_column: None,
        label_column: None,
        problem_type: None,
        delimiter: None,
        encoding: None,
        has_header: None,
        stratify: None,
        label_map: LabelMap::default(),
        max_train_samples: None,
        max_eval_samples: None,
        num_train_epochs: 3.0,
        max_steps: None,
        per_device_train_batch_size: 32,
        per_device_eval_batch_size: 64,
        gradient_accumulation_steps: 1,
        max_seq_length: 128,
        learning_rate: 2e-5,
        head_learning_rate: None,
        layerwise_lr_decay: None,
        freeze_layers: None,
        freeze_embeddings: false,
        weight_decay: 0.01,
        adam_beta1: 0.9,
        adam_beta2: 0.999,
        adam_epsilon: 1e-8,
        max_grad_norm: 1.0,
        lr_scheduler_type: LrSchedulerType::Linear,
        warmup_ratio: 0.06,
        warmup_steps: None,
        label_smoothing_factor: 0.0,
        class_weights: None,
        classifier_dropout: None,
        lora_r: None,
        lora_alpha: None,
        lora_target_modules: None,
        teacher: None,
        distillation_weight: None,
        distillation_temperature: None,
        ema_decay: None,
        average_checkpoints: None,
        eval_steps: IntervalStrategy::Epoch,
        save_steps: IntervalStrategy::Epoch,
        logging_steps: IntervalStrategy::Steps(1),
        report_to: None,
        metric_for_best_model: None,
        early_stopping_patience: None,
        eval_on_train: false,
        seed: 42,
        repeats: 1,
        folds: None,
        fold: None,
        precision: Precision::Auto,
        engine: EngineChoice::Auto,
        device: DeviceSpec::Auto,
        max_tokens_per_batch: None,
        threads: None,
    }
}

impl RunSpec {
    /// The task.
    pub fn task(&self) -> &'static Task {
        self.task.task()
    }

    /// Whether an example is two texts. For task `custom` this depends on the columns, so they must be set.
    pub fn is_pair(&self) -> bool {
        self.task().pair || self.text_pair_column.is_some()
    }

    /// What the model predicts, if the files of task `custom` do not have to be read for that.
    pub fn known_problem_type(&self) -> Option<ProblemType> {
        match (self.task().is_custom(), &self.label_column) {
            (false, _) => Some(self.task().labels.problem_type()),
            (true, Some(LabelColumns::Several(_))) => Some(ProblemType::MultiLabelClassification),
            (true, _) => self.problem_type,
        }
    }

    /// What the model predicts: classes if that depends on files that are not read yet.
    pub fn problem_type(&self) -> ProblemType {
        self.known_problem_type().unwrap_or(ProblemType::SingleLabelClassification)
    }

    /// Number of rows of a split to use; all when absent.
    pub fn max_samples(&self, split: SplitName) -> Option<usize> {
        if split == SplitName::Train { self.max_train_samples } else { self.max_eval_samples }
    }

    /// The number of folds that are trained in turn; none for a single fold, and without a cross-validation.
    pub fn cross_validation_folds(&self) -> Option<u64> {
        self.folds.filter(|_| self.fold.is_none())
    }

    /// The number of trainings, each with a seed of its own: of each fold of each repeat.
    pub fn seed_count(&self) -> u64 {
        self.repeats.max(1).saturating_mul(self.cross_validation_folds().unwrap_or(1))
    }

    /// The specification of one of [`RunSpec::seed_count`] trainings, from 0: the folds of the first repeat, then those of
    /// the second.
    pub fn of_seed(&self, index: u64) -> RunSpec {
        let fold = self.folds.map(|folds| self.fold.unwrap_or(index % folds.max(1) + 1));
        RunSpec { seed: self.seed + index, repeats: 1, fold, ..self.clone() }
    }

    /// The number of folds and the fold, from 1, whose rows are the validation rows: the first one of a run that trains
    /// all.
    pub fn validation_fold(&self) -> Option<(u64, u64)> {
        self.folds.map(|folds| (folds, self.fold.unwrap_or(1)))
    }

    /// What the trainings of [`RunSpec::seed_count`] are called: `fold` if each has another fold, otherwise `seed`.
    pub fn seed_unit(&self) -> &'static str {
        if self.cross_validation_folds().is_some() && self.repeats <= 1 { "fold" } else { "seed" }
    }

    /// The seed of the choice of rows. All folds are of the same rows.
    pub fn sample_seed(&self) -> u64 {
        if self.folds.is_some() { 0 } else { self.seed }
    }

    /// The official metrics of the task, in the order in which they are shown.
    pub fn metrics(&self) -> &'static [Metric] {
        self.task().metrics(self.problem_type())
    }

    /// The metric that selects the best weights.
    pub fn best_metric(&self) -> Metric {
        self.metric_for_best_model.unwrap_or_else(|| self.task().best(self.problem_type()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_are_deserialization_errors_that_name_the_value() {
        let read = |key: &str, value: &str| {
            let mut object = serde_json::to_value(built_in("a")).unwrap();
            object[key] = value.into();
            serde_json::from_value::<RunSpec>(object).map_err(|error| error.to_string())
        };
        assert_eq!(read("task", "sst2").unwrap().task().name, "sst2");
        for (key, value) in [("task", "imdb"), ("device", "tpu"), ("engine", "slow"), ("precision", "f64")] {
            let error = read(key, value).unwrap_err();
            assert!(error.contains(&format!("`{value}`")), "{error}");
        }
    }
}
