//! The keys of experiments.toml as one table: it drives reading, checking, the form and the help.

use crate::catalog::{Metric, TASKS};

/// One key of experiments.toml.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Its name in the file, that of Hugging Face's `TrainingArguments` where it has one.
    pub name: &'static str,
    /// The heading that it stands under in a form.
    pub group: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// The built-in value as it would be typed; empty when the key is absent by default.
    pub default: &'static str,
    /// What absence means, for a key without a default; empty otherwise.
    pub absent: &'static str,
    /// The only task that it means something to, if it is not for all.
    pub task: Option<&'static str>,
    /// One sentence that explains it.
    pub help: &'static str,
}

/// Which values a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A hub id, a folder, or `demo`.
    Model,
    /// A task of the catalog.
    Task,
    /// Any text.
    Text,
    /// A file or folder.
    Path,
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A finite number.
    Real {
        /// Smallest value; [`ABOVE_ZERO`] stands for "above 0".
        min: f64,
        /// Largest value; [`BELOW_ONE`] stands for "below 1".
        max: f64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A number of steps from 1, or `epoch`.
    Interval,
}

/// The smallest positive number, as the lower end of a range that 0 is not in.
pub const ABOVE_ZERO: f64 = f64::MIN_POSITIVE;
/// The largest number below 1, as the upper end of a range that 1 is not in.
pub const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;

/// A count from `min`; the upper end only keeps slips of the finger from reaching the machine.
const fn count(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}

const fn real(min: f64, max: f64) -> Kind {
    Kind::Real { min, max }
}

const fn key(
    group: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Key {
    Key { name, group, kind, default, absent: "", task: None, help }
}

const fn optional(
    group: &'static str,
    name: &'static str,
    kind: Kind,
    absent: &'static str,
    help: &'static str,
) -> Key {
    Key { name, group, kind, default: "", absent, task: None, help }
}

/// A key of the files that task `custom` learns from.
const fn own(name: &'static str, kind: Kind, absent: &'static str, help: &'static str) -> Key {
    Key { task: Some("custom"), ..optional("data", name, kind, absent, help) }
}

static KEYS: &[Key] = &[
    key(
        "model",
        "model",
        Kind::Model,
        "demo",
        "The pretrained encoder to start from: a hub id, a local folder, or demo, which the program carries.",
    ),
    key("model", "revision", Kind::Text, "main", "Branch, tag or commit of the model on the hub."),
    key(
        "data",
        "task",
        Kind::Task,
        "demo",
        "What is learned: the data set, its labels and the scores it is judged by.",
    ),
    optional(
        "data",
        "data_dir",
        Kind::Path,
        "the hub; demo: built in",
        "Folder to read the task's files from in place of the hub: GLUE TSV, Parquet, or treebank trees.",
    ),
    own(
        "train_file",
        Kind::Path,
        "needed",
        "Task custom: what to learn from, CSV, TSV, JSON lines or Parquet by its extension.",
    ),
    own(
        "validation_file",
        Kind::Path,
        "a tenth of train_file",
        "Task custom: what chooses the best weights; without it the same rows are held out for every seed.",
    ),
    own("test_file", Kind::Path, "none", "Task custom: rows for the final score."),
    own(
        "text_column",
        Kind::Text,
        "sentence, text, or the only one",
        "Task custom: the column of the text, or of the first of two.",
    ),
    own(
        "text_pair_column",
        Kind::Text,
        "none, or sentence2",
        "Task custom: the column of the second text, for pairs.",
    ),
    own(
        "label_column",
        Kind::Text,
        "label",
        "Task custom: the column of the label, words or whole numbers; the classes are those of train_file.",
    ),
    optional(
        "data",
        "max_train_samples",
        count(1, i64::MAX),
        "all",
        "Train on only so many rows, drawn with the seed.",
    ),
    optional(
        "data",
        "max_eval_samples",
        count(1, i64::MAX),
        "all",
        "Score only so many rows of each split, drawn with the seed.",
    ),
    key(
        "training",
        "num_train_epochs",
        real(ABOVE_ZERO, 100_000.0),
        "3",
        "Passes over the training rows; a fraction ends in the middle of one.",
    ),
    optional(
        "training",
        "max_steps",
        count(1, i64::MAX),
        "by epochs",
        "Number of optimizer steps; it wins over num_train_epochs.",
    ),
    key(
        "training",
        "per_device_train_batch_size",
        count(1, 65_536),
        "32",
        "Examples that one forward pass takes in training.",
    ),
    key(
        "training",
        "per_device_eval_batch_size",
        count(1, 65_536),
        "64",
        "Examples that one forward pass takes in scoring; it changes speed, not scores.",
    ),
    key(
        "training",
        "gradient_accumulation_steps",
        count(1, 65_536),
        "1",
        "Batches whose gradients make one optimizer step: the batch is so many times larger.",
    ),
    key(
        "training",
        "max_seq_length",
        count(5, 8_192),
        "128",
        "Longer inputs are cut to so many tokens, the special ones included.",
    ),
    key(
        "optimizer",
        "learning_rate",
        real(ABOVE_ZERO, 1.0),
        "2e-5",
        "Peak learning rate of AdamW, the first thing to try other values of.",
    ),
    key(
        "optimizer",
        "weight_decay",
        real(0.0, 1.0),
        "0.01",
        "Decoupled weight decay; biases and LayerNorm are spared.",
    ),
    key("optimizer", "adam_beta1", real(0.0, BELOW_ONE), "0.9", "AdamW's memory of the mean gradient."),
    key(
        "optimizer",
        "adam_beta2",
        real(0.0, BELOW_ONE),
        "0.999",
        "AdamW's memory of the mean squared gradient.",
    ),
    key(
        "optimizer",
        "adam_epsilon",
        real(ABOVE_ZERO, 1.0),
        "1e-8",
        "What AdamW adds to its divisor so that it is never 0.",
    ),
    key(
        "optimizer",
        "max_grad_norm",
        real(0.0, f64::MAX),
        "1.0",
        "Gradients are scaled down to this global L2 norm; 0 turns clipping off.",
    ),
    key(
        "schedule",
        "lr_scheduler_type",
        Kind::Choice(&["linear", "cosine", "constant", "constant_with_warmup"]),
        "linear",
        "Course of the learning rate after the warm-up; constant has no warm-up.",
    ),
    key(
        "schedule",
        "warmup_ratio",
        real(0.0, 1.0),
        "0.06",
        "Share of the steps in which the learning rate rises from 0.",
    ),
    optional(
        "schedule",
        "warmup_steps",
        count(0, i64::MAX),
        "by warmup_ratio",
        "Number of steps in which the learning rate rises from 0; it wins over warmup_ratio.",
    ),
    key(
        "regularisation",
        "label_smoothing_factor",
        real(0.0, BELOW_ONE),
        "0",
        "Share of the target that is spread evenly over all classes.",
    ),
    optional(
        "regularisation",
        "classifier_dropout",
        real(0.0, BELOW_ONE),
        "the model's",
        "Dropout before the last layer.",
    ),
    key(
        "evaluation",
        "eval_steps",
        Kind::Interval,
        "epoch",
        "When the validation split is scored: each so many steps, or epoch.",
    ),
    key(
        "evaluation",
        "save_steps",
        Kind::Interval,
        "epoch",
        "When a checkpoint is written: each so many steps, or epoch.",
    ),
    key(
        "evaluation",
        "logging_steps",
        Kind::Interval,
        "1",
        "Steps that one line of the log, and one point of the curves, stands for; or epoch.",
    ),
    optional(
        "evaluation",
        "metric_for_best_model",
        Kind::Choice(Metric::NAMES),
        "the task's",
        "The validation score that chooses the best weights.",
    ),
    optional(
        "evaluation",
        "early_stopping_patience",
        count(1, i64::MAX),
        "off",
        "Stop after so many evaluations without a better score.",
    ),
    key(
        "repeats",
        "seed",
        count(0, i64::MAX),
        "42",
        "Key of all randomness: on the CPU the same seed gives the same weights, bit for bit.",
    ),
    key(
        "repeats",
        "repeats",
        count(1, 10_000),
        "1",
        "Number of runs, with seeds seed, seed + 1, …, reported each and as mean ± sd.",
    ),
    key(
        "machine",
        "precision",
        Kind::Choice(&["auto", "f32", "tf32", "bf16"]),
        "auto",
        "Number format of the layers' matrix products: f32, bf16, or tf32 on NVIDIA GPUs; auto is f32.",
    ),
    key(
        "machine",
        "engine",
        Kind::Choice(&["auto", "plain", "fast"]),
        "auto",
        "What computes: plain is candle's autograd on any device, fast is written by hand.",
    ),
    key("machine", "device", Kind::Text, "auto", "Where to train: auto, cpu, cuda:N or metal."),
    optional(
        "machine",
        "max_tokens_per_batch",
        count(1, i64::MAX),
        "what memory allows",
        "A larger batch is done in parts, with the same result in less memory.",
    ),
    optional("machine", "threads", count(1, 4_096), "all cores", "Threads of the CPU."),
];

/// Every key, in the order in which files and forms show them.
pub fn keys() -> &'static [Key] {
    KEYS
}

/// The key of that name.
pub fn key_named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// Whether the key may be left empty.
    pub fn optional(&self) -> bool {
        self.default.is_empty()
    }

    /// The words a value can be chosen from, for a key that takes no others.
    pub fn choices(&self) -> Option<Vec<&'static str>> {
        match self.kind {
            Kind::Choice(words) => Some(words.to_vec()),
            Kind::Task => Some(TASKS.iter().map(|task| task.name).collect()),
            _ => None,
        }
    }
}

impl Kind {
    /// What is expected, as a noun phrase: `a number above 0`.
    pub fn expected(&self) -> String {
        match self {
            Kind::Model => "a hub id, a folder, or demo".into(),
            Kind::Task => format!("one of {}", list(TASKS.iter().map(|task| task.name))),
            Kind::Text => "text".into(),
            Kind::Path => "a file or folder".into(),
            Kind::Integer { min, max: i64::MAX } => format!("a whole number from {min}"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Real { min, max } => format!("a number {}", range(*min, *max)),
            Kind::Choice(words) => format!("one of {}", list(words.iter().copied())),
            Kind::Interval => "a number of steps from 1, or epoch,".into(),
        }
    }
}

fn range(min: f64, max: f64) -> String {
    match (min == ABOVE_ZERO, max) {
        (true, f64::MAX) => "above 0".into(),
        (true, _) => format!("above 0 and at most {max}"),
        (false, f64::MAX) => format!("from {min}"),
        (false, BELOW_ONE) => format!("from {min} to below 1"),
        (false, _) => format!("from {min} to {max}"),
    }
}

/// `a, b, c`.
pub(crate) fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::check_value;

    #[test]
    fn every_default_is_a_value_and_every_key_explains_itself() {
        for key in keys() {
            assert_eq!(check_value(key, key.default), Ok(()), "{}", key.name);
            assert_eq!(key.optional(), !key.absent.is_empty(), "{}", key.name);
            assert!(key.help.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn names_are_unique_and_groups_stand_together() {
        let names: Vec<_> = keys().iter().map(|key| key.name).collect();
        let mut groups: Vec<_> = keys().iter().map(|key| key.group).collect();
        groups.dedup();
        for list in [names, groups] {
            let mut unique = list.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), list.len(), "{list:?}");
        }
    }

    #[test]
    fn metrics_are_those_of_the_catalog() {}
}
