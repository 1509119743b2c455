//! The table of the keys.

use crate::catalog::{Metric, ProblemType};
use crate::spec::choices::{EngineChoice, LoraTargetModules, LrSchedulerType, Precision, ReportTo};
use crate::spec::key::{Key, field};
use crate::spec::kind::{ABOVE_ZERO, BELOW_ONE, ValueKind};

/// A count of at least `min`; the upper end only catches typing errors.
const fn count(min: i64, max: i64) -> ValueKind {
    ValueKind::Integer { min, max }
}

const fn real(min: f64, max: f64) -> ValueKind {
    ValueKind::Real { min, max }
}

/// A key of the files of task `custom`.
const fn custom(
    field: crate::spec::key::Field,
    kind: ValueKind,
    absent: &'static str,
    help: &'static str,
) -> Key {
    Key::optional("data", field, kind, absent, help).of_task("custom")
}

/// Every key, in the order in which files and forms show them.
pub(super) static KEYS: &[Key] = &[
    Key::required(
        "model",
        field!(model),
        ValueKind::Model,
        "demo",
        "The pretrained encoder to fine-tune: a hub id, a local folder, or demo, which is built in.",
    ),
    Key::required(
        "model",
        field!(revision),
        ValueKind::Text,
        "main",
        "Branch, tag or commit of the model on the hub.",
    )
    .without_effect_on_speed(),
    Key::required(
        "data",
        field!(task),
        ValueKind::Task,
        "demo",
        "The task: the data set, its labels and the metrics.",
    ),
    Key::optional(
        "data",
        field!(data_dir),
        ValueKind::Path,
        "the hub; demo: built in",
        "Folder to read the task's files from instead of the hub: GLUE TSV, Parquet, or treebank trees.",
    )
    .outside_recipe(),
    custom(
        field!(train_file),
        ValueKind::Path,
        "required",
        "Task custom: the training file: CSV, TSV, JSON Lines, a JSON array or Parquet, also compressed as .gz or .zst.",
    ),
    custom(
        field!(validation_file),
        ValueKind::Path,
        "a tenth of train_file",
        "Task custom: the file that selects the best weights; by default the same rows are held out for every seed.",
    ),
    custom(field!(test_file), ValueKind::Path, "none", "Task custom: the file for the final scores."),
    custom(
        field!(text_column),
        ValueKind::Text,
        "sentence, text, or the only one",
        "Task custom: the column of the text, or of the first text of a pair.",
    ),
    custom(
        field!(text_pair_column),
        ValueKind::Text,
        "none, or sentence2",
        "Task custom: the column of the second text of a pair.",
    ),
    custom(
        field!(label_column),
        ValueKind::Columns,
        "label",
        "Task custom: the column of the label, or a list of columns with 0 or 1 for each label of a multi-label \
         classification.",
    ),
    custom(
        field!(problem_type),
        ValueKind::Choice(ProblemType::NAMES),
        "from the labels",
        "Task custom: whether a row has one class, any number of labels, or a number.",
    ),
    custom(
        field!(delimiter),
        ValueKind::Text,
        "detected",
        "Task custom: what separates the cells of a text file, such as , or ; or tab.",
    ),
    custom(
        field!(encoding),
        ValueKind::Text,
        "detected",
        "Task custom: the encoding of the text files, such as utf-8, windows-1252 or shift_jis.",
    ),
    custom(
        field!(has_header),
        ValueKind::Boolean,
        "detected",
        "Task custom: whether the first row names the columns; otherwise they are column1, column2, ….",
    ),
    custom(
        field!(stratify),
        ValueKind::Boolean,
        "true",
        "Task custom: whether the held-out rows have the class proportions of all rows.",
    ),
    Key::optional(
        "data",
        field!(label_map),
        ValueKind::LabelMap,
        "labels match by name",
        "For a model that is already fine-tuned: its label names and those of the task that they stand for, where they differ.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "data",
        field!(max_train_samples),
        count(1, i64::MAX),
        "all",
        "Number of training rows to use, drawn at random with the seed.",
    ),
    Key::optional(
        "data",
        field!(max_eval_samples),
        count(1, i64::MAX),
        "all",
        "Number of rows of each split to evaluate, drawn at random with the seed.",
    ),
    Key::required(
        "training",
        field!(num_train_epochs),
        real(ABOVE_ZERO, 100_000.0),
        "3",
        "Number of passes over the training rows; a fraction stops within an epoch.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "training",
        field!(max_steps),
        count(1, i64::MAX),
        "from num_train_epochs",
        "Number of optimizer steps; overrides num_train_epochs.",
    )
    .without_effect_on_speed(),
    Key::required(
        "training",
        field!(per_device_train_batch_size),
        count(1, 65_536),
        "32",
        "Number of examples per forward pass in training.",
    ),
    Key::required(
        "training",
        field!(per_device_eval_batch_size),
        count(1, 65_536),
        "64",
        "Number of examples per forward pass in evaluation; affects speed, not scores.",
    )
    .outside_recipe(),
    Key::required(
        "training",
        field!(gradient_accumulation_steps),
        count(1, 65_536),
        "1",
        "Number of batches whose gradients are accumulated for one optimizer step.",
    ),
    Key::required(
        "training",
        field!(max_seq_length),
        count(5, 8_192),
        "128",
        "Inputs longer than this number of tokens, special tokens included, are truncated.",
    ),
    Key::required(
        "optimizer",
        field!(learning_rate),
        real(ABOVE_ZERO, 1.0),
        "2e-5",
        "Peak learning rate of AdamW; the first hyperparameter to tune.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "optimizer",
        field!(head_learning_rate),
        real(ABOVE_ZERO, 1.0),
        "learning_rate",
        "Peak learning rate of pooler and classifier; a higher one helps when few rows train a new head.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "optimizer",
        field!(layerwise_lr_decay),
        real(ABOVE_ZERO, 1.0),
        "1",
        "The learning rate of each layer as a factor of that of the layer above it, such as 0.9; helps on small data, \
         where lower layers should keep what they know.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "optimizer",
        field!(freeze_layers),
        count(0, 10_000),
        "0",
        "Number of encoder layers, from the lowest, that keep their pretrained weights together with the embeddings; \
         saves time and memory, and helps on very small data.",
    ),
    Key::required(
        "optimizer",
        field!(freeze_embeddings),
        ValueKind::Boolean,
        "false",
        "The embeddings keep their pretrained weights; saves memory, most of all with a large vocabulary.",
    ),
    Key::required(
        "optimizer",
        field!(weight_decay),
        real(0.0, 1.0),
        "0.01",
        "Decoupled weight decay; biases and LayerNorm weights have none.",
    )
    .without_effect_on_speed(),
    Key::required(
        "optimizer",
        field!(adam_beta1),
        real(0.0, BELOW_ONE),
        "0.9",
        "AdamW's beta1, the decay rate of the mean gradient.",
    )
    .without_effect_on_speed(),
    Key::required(
        "optimizer",
        field!(adam_beta2),
        real(0.0, BELOW_ONE),
        "0.999",
        "AdamW's beta2, the decay rate of the mean squared gradient.",
    )
    .without_effect_on_speed(),
    Key::required(
        "optimizer",
        field!(adam_epsilon),
        real(ABOVE_ZERO, 1.0),
        "1e-8",
        "AdamW's epsilon, added to the denominator for numerical stability.",
    )
    .without_effect_on_speed(),
    Key::required(
        "optimizer",
        field!(max_grad_norm),
        real(0.0, f64::MAX),
        "1.0",
        "Gradients are clipped to this global L2 norm; 0 turns clipping off.",
    )
    .without_effect_on_speed(),
    Key::required(
        "schedule",
        field!(lr_scheduler_type),
        ValueKind::Choice(LrSchedulerType::NAMES),
        "linear",
        "Learning-rate schedule: linear or cosine decay to zero, or constant; constant has no warm-up.",
    )
    .without_effect_on_speed(),
    Key::required(
        "schedule",
        field!(warmup_ratio),
        real(0.0, 1.0),
        "0.06",
        "Fraction of the steps in which the learning rate rises linearly from 0.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "schedule",
        field!(warmup_steps),
        count(0, i64::MAX),
        "from warmup_ratio",
        "Number of steps in which the learning rate rises linearly from 0; overrides warmup_ratio.",
    )
    .without_effect_on_speed(),
    Key::required(
        "regularization",
        field!(label_smoothing_factor),
        real(0.0, BELOW_ONE),
        "0",
        "Fraction of the target probability that is spread evenly over all classes.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "regularization",
        field!(class_weights),
        ValueKind::ClassWeights,
        "1 for each class",
        "Weight of each class in the loss: balanced, or a list of numbers; of a multi-label classification the weight \
         of the rows that a label applies to.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "regularization",
        field!(classifier_dropout),
        real(0.0, BELOW_ONE),
        "the model's",
        "Dropout before the classification layer.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "lora",
        field!(lora_r),
        count(1, 4_096),
        "off",
        "Rank of low-rank adapters, such as 8: they and the head are trained in place of all weights; saves memory, and \
         needs a higher learning rate.",
    ),
    Key::optional(
        "lora",
        field!(lora_alpha),
        real(ABOVE_ZERO, 100_000.0),
        "twice lora_r",
        "The adapters count lora_alpha / lora_r times.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "lora",
        field!(lora_target_modules),
        ValueKind::Choice(LoraTargetModules::NAMES),
        "query-value",
        "The linear layers with adapters: query-value, or all-linear for all of the encoder layers.",
    ),
    Key::optional(
        "distillation",
        field!(teacher),
        ValueKind::Text,
        "none",
        "A fine-tuned model whose logits the loss follows too, usually a larger one: a run's folder, a model folder, a hub \
         id, or a .safetensors file with its logits.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "distillation",
        field!(distillation_weight),
        real(0.0, 1.0),
        "0.5",
        "Share of the distance to the teacher in the loss; the labels have the rest.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "distillation",
        field!(distillation_temperature),
        real(ABOVE_ZERO, 1_000.0),
        "2",
        "Divides the logits of teacher and model; a higher one passes on more of what the teacher holds possible.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "averaging",
        field!(ema_decay),
        real(0.0, BELOW_ONE),
        "off",
        "Decay of an exponential moving average of the weights, such as 0.999; best/ gets the better of average and weights.",
    ),
    Key::optional(
        "averaging",
        field!(average_checkpoints),
        count(2, 1_000),
        "off",
        "Average the weights of the last N checkpoints at the end; best/ gets the average if it is better.",
    )
    .without_effect_on_speed(),
    Key::required(
        "evaluation",
        field!(eval_steps),
        ValueKind::Interval,
        "epoch",
        "Evaluate the validation split every N steps, or every epoch.",
    ),
    Key::required(
        "evaluation",
        field!(save_steps),
        ValueKind::Interval,
        "epoch",
        "Save a checkpoint every N steps, or every epoch.",
    )
    .outside_recipe(),
    Key::required(
        "evaluation",
        field!(logging_steps),
        ValueKind::Interval,
        "1",
        "Log the training loss every N steps, or every epoch; one logged value is one point of the charts.",
    )
    .without_effect_on_speed()
    .outside_recipe(),
    Key::optional(
        "evaluation",
        field!(report_to),
        ValueKind::Choice(ReportTo::NAMES),
        "none",
        "Write the metrics to event files while training: tensorboard, or none.",
    )
    .without_effect_on_speed()
    .outside_recipe(),
    Key::optional(
        "evaluation",
        field!(metric_for_best_model),
        ValueKind::Choice(Metric::NAMES),
        "the task's",
        "The validation metric that selects the best weights.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "evaluation",
        field!(early_stopping_patience),
        count(1, i64::MAX),
        "off",
        "Stop after N evaluations in a row without improvement.",
    )
    .without_effect_on_speed(),
    Key::required(
        "evaluation",
        field!(eval_on_train),
        ValueKind::Boolean,
        "false",
        "Score the training rows in a pass of their own after each epoch, instead of in their training steps.",
    )
    .without_effect_on_speed()
    .outside_recipe(),
    Key::required(
        "repeats",
        field!(seed),
        count(0, i64::MAX),
        "42",
        "Seed of every random number: on the CPU the same seed gives the same weights, bit for bit.",
    )
    .without_effect_on_speed()
    .outside_recipe(),
    Key::required(
        "repeats",
        field!(repeats),
        count(1, 10_000),
        "1",
        "Number of runs, with the seeds seed, seed + 1, …; results are reported per seed and as mean ± sd.",
    )
    .without_effect_on_speed()
    .outside_recipe(),
    Key::optional(
        "repeats",
        field!(folds),
        count(2, 1_000),
        "off",
        "Cross-validation: each of N parts of the training rows is predicted by a model of the others; for small data and label errors.",
    )
    .without_effect_on_speed(),
    Key::optional(
        "repeats",
        field!(fold),
        count(1, 1_000),
        "each in turn",
        "Train one fold of a cross-validation only: the one whose rows are the validation rows.",
    )
    .without_effect_on_speed()
    .outside_recipe(),
    Key::required(
        "machine",
        field!(precision),
        ValueKind::Choice(Precision::TRAINING_NAMES),
        "auto",
        "Number format of the matrix products: f32, bf16, or tf32 on NVIDIA GPUs; auto is f32.",
    )
    .outside_recipe(),
    Key::required(
        "machine",
        field!(engine),
        ValueKind::Choice(EngineChoice::NAMES),
        "auto",
        "The engine: plain (candle's autograd, on any device) or fast (hand-written kernels).",
    )
    .outside_recipe(),
    Key::required(
        "machine",
        field!(device),
        ValueKind::Device,
        "auto",
        "The device to train on: auto, cpu, cuda:N or metal.",
    )
    .outside_recipe(),
    Key::optional(
        "machine",
        field!(max_tokens_per_batch),
        count(1, i64::MAX),
        "limited by memory",
        "Larger batches are split into micro-batches: the same result with less memory.",
    )
    .outside_recipe(),
    Key::optional("machine", field!(threads), count(1, 4_096), "all cores", "Number of CPU threads.")
        .outside_recipe(),
];
