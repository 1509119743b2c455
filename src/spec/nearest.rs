//! The key that a mistyped one most probably stands for.

use crate::config::by_nearness;

/// Names that other tools, papers and habits give to our keys.
const ALIASES: &[(&str, &str)] = &[
    ("lr", "learning_rate"),
    ("epochs", "num_train_epochs"),
    ("num_epochs", "num_train_epochs"),
    ("steps", "max_steps"),
    ("batch_size", "per_device_train_batch_size"),
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
    ("seeds", "repeats"),
    ("dtype", "precision"),
];

/// The key that `word` most probably stands for; `None` only without any key.
pub(crate) fn nearest_key<'a>(word: &str, keys: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let known: Vec<&str> = keys.collect();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, key)| *key);
    alias
        .and_then(|key| known.iter().copied().find(|known| *known == key))
        .or_else(|| by_nearness(&word, known.iter().copied()).first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::keys;

    fn key(word: &str) -> &'static str {
        nearest_key(word, keys().iter().map(|key| key.name)).unwrap()
    }

    #[test]
    fn slips_of_the_finger_find_their_key() {
        assert_eq!(key("learning_rat"), "learning_rate");
        assert_eq!(key("laerning_rate"), "learning_rate");
        assert_eq!(key("Learning-Rate"), "learning_rate");
        assert_eq!(key("max_step"), "max_steps");
        assert_eq!(key("sede"), "seed");
    }

    #[test]
    fn names_of_other_tools_find_our_key() {
        assert_eq!(key("lr"), "learning_rate");
        assert_eq!(key("batch_size"), "per_device_train_batch_size");
        for (_, name) in ALIASES {
            assert!(keys().iter().any(|key| key.name == *name), "{name}");
        }
    }
}
