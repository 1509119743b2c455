//! Tests of the table of keys.

use super::*;
use crate::spec::built_in;
use proptest::prelude::*;

#[test]
fn defaults_are_those_of_the_built_in_specification() {
    let mut spec = built_in("x");
    for key in keys() {
        assert_eq!(key.set(&mut spec, key.default), Ok(()), "{}", key.name);
    }
    assert_eq!(spec, built_in("x"));
}

#[test]
fn every_key_has_help_and_either_a_default_or_a_meaning_of_absence() {
    for key in keys() {
        assert_eq!(key.is_optional(), !key.absent.is_empty(), "{}", key.name);
        assert_eq!(key.is_optional(), key.get(&built_in("x")).is_none(), "{}", key.name);
        assert!(key.help.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn names_are_unique_and_groups_are_contiguous() {
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

fn nearest(word: &str) -> &'static str {
    nearest_key(word).unwrap()
}

#[test]
fn misspelled_keys_have_a_suggestion() {
    assert_eq!(nearest("learning_rat"), "learning_rate");
    assert_eq!(nearest("laerning_rate"), "learning_rate");
    assert_eq!(nearest("Learning-Rate"), "learning_rate");
    assert_eq!(nearest("max_step"), "max_steps");
    assert_eq!(nearest("sede"), "seed");
}

#[test]
fn names_of_other_tools_have_a_suggestion() {
    assert_eq!(nearest("lr"), "learning_rate");
    assert_eq!(nearest("batch_size"), "per_device_train_batch_size");
    for (alias, name) in ALIASES {
        assert!(key_named(name).is_some() && key_named(alias).is_none(), "{alias}");
    }
}

fn error(key: &str, text: &str) -> String {
    key_named(key).unwrap().check(text).unwrap_err()
}

fn is_valid(key: &str, text: &str) -> bool {
    key_named(key).unwrap().check(text).is_ok()
}

#[test]
fn numbers_outside_their_range_are_errors() {
    assert_eq!(error("learning_rate", "0"), "expected a number above 0 and at most 1, found `0`");
    assert_eq!(error("warmup_ratio", "1.5"), "expected a number from 0 to 1, found `1.5`");
    assert_eq!(error("adam_beta1", "1"), "expected a number of at least 0 and below 1, found `1`");
    assert_eq!(error("max_steps", "0"), "expected a whole number of at least 1, found `0`");
    assert_eq!(error("max_seq_length", "4"), "expected a whole number from 5 to 8192, found `4`");
    for text in ["NaN", "inf", "-inf", "1e999", "two", "-1"] {
        assert!(!is_valid("max_grad_norm", text), "{text}");
    }
    assert!(is_valid("learning_rate", "2e-5") && is_valid("max_grad_norm", "0"));
    assert!(!is_valid("max_steps", "9223372036854775808"));
}

#[test]
fn words_outside_their_list_are_errors() {
    assert_eq!(
        error("lr_scheduler_type", "linaer"),
        "expected one of linear, cosine, constant, constant_with_warmup, found `linaer`; \
         did you mean `linear`?"
    );
    assert_eq!(
        error("eval_steps", "epochs"),
        "expected a number of steps of at least 1, or epoch, found `epochs`"
    );
    assert!(is_valid("eval_steps", "epoch") && is_valid("eval_steps", "100"));
    assert!(error("task", "sst-2").contains("did you mean `sst2`?"));
    assert!(error("task", "imdb").starts_with("unknown task `imdb`; the tasks are "));
    assert!(error("device", "cuda").contains("did you mean `cuda:0`?"));
}

#[test]
fn only_optional_keys_may_be_empty() {
    assert!(is_valid("max_steps", "") && is_valid("data_dir", ""));
    assert_eq!(error("seed", ""), "expected a whole number of at least 0, found nothing");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        for key in keys() {
            let _ = key.check(&text);
        }
        let _ = unknown_key(&text);
    }
}
