//! The keys of experiments.toml as one table: the parser, the checks, the form and the help all use it.

mod table;

use super::key::Key;
use crate::config::{closest_match, ranked_by_similarity};
use table::KEYS;

/// Every key, in the order in which files and forms show them.
pub fn keys() -> &'static [Key] {
    KEYS
}

/// The key of that name.
pub fn key_named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The error for a name that is not a key, with the nearest key.
pub(crate) fn unknown_key(name: &str) -> String {
    match nearest_key(name) {
        Some(key) => format!("unknown key `{name}`; did you mean `{key}`?"),
        None => format!("unknown key `{name}`"),
    }
}

/// Names that other tools and papers use for our keys.
const ALIASES: &[(&str, &str)] = &[
    ("lr", "learning_rate"),
    ("epochs", "num_train_epochs"),
    ("num_epochs", "num_train_epochs"),
    ("steps", "max_steps"),
    ("batch_size", "per_device_train_batch_size"),
    ("batch", "per_device_train_batch_size"),
    ("train_batch_size", "per_device_train_batch_size"),
    ("eval_batch_size", "per_device_eval_batch_size"),
    ("max_length", "max_seq_length"),
    ("max_len", "max_seq_length"),
    ("model_name_or_path", "model"),
    ("model_name", "model"),
    ("model_revision", "revision"),
    ("task_name", "task"),
    ("dataset", "task"),
    ("scheduler", "lr_scheduler_type"),
    ("lr_scheduler", "lr_scheduler_type"),
    ("warmup", "warmup_ratio"),
    ("dropout", "classifier_dropout"),
    ("label_smoothing", "label_smoothing_factor"),
    ("patience", "early_stopping_patience"),
    ("grad_clip", "max_grad_norm"),
    ("clip", "max_grad_norm"),
    ("eps", "adam_epsilon"),
    ("decay", "weight_decay"),
    ("layer_decay", "layerwise_lr_decay"),
    ("llrd", "layerwise_lr_decay"),
    ("head_lr", "head_learning_rate"),
    ("teacher_model", "teacher"),
    ("temperature", "distillation_temperature"),
    ("accumulation", "gradient_accumulation_steps"),
    ("seeds", "repeats"),
    ("n_splits", "folds"),
    ("k_fold", "folds"),
    ("cross_validation", "folds"),
    ("ema", "ema_decay"),
    ("swa", "average_checkpoints"),
    ("dtype", "precision"),
];

/// Names that other tools and papers use for the key `name`.
pub fn key_aliases(name: &str) -> impl Iterator<Item = &'static str> {
    ALIASES.iter().filter(move |(_, key)| *key == name).map(|(alias, _)| *alias)
}

/// The key that another tool calls `word`.
fn key_of_alias(word: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, key)| *key)
}

/// The key that another tool calls `word`, or else the key whose name is so similar that `word` is probably a typo of it.
pub(crate) fn similar_key(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    key_of_alias(&word).or_else(|| closest_match(&word, KEYS.iter().map(|key| key.name)))
}

/// The key of that name, or the key that other tools and papers call so, such as `lr`.
pub fn key_called(word: &str) -> Option<&'static Key> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    key_named(key_of_alias(&word).unwrap_or(&word))
}

/// The key that another tool calls `word`, or else the key with the most similar name.
fn nearest_key(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    key_of_alias(&word)
        .or_else(|| ranked_by_similarity(&word, KEYS.iter().map(|key| key.name)).first().copied())
}

#[cfg(test)]
mod tests;
