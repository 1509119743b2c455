//! What a value must be, and what values must be to each other: one small function a rule.

use super::keys::{Key, Kind, list};
use super::resolve::texts;
use super::{RunSpec, key_named};
use crate::catalog::{Format, Metric, TASKS, task};
use crate::config::{by_nearness, meant};

/// Whether `text`, as typed into a form or after `--set KEY=`, is a value of `key`.
/// Empty text leaves an optional key absent. The error is a sentence without the key's name.
pub fn check_value(key: &Key, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return if key.optional() { Ok(()) } else { Err(format!("{} is expected", key.kind.expected())) };
    }
    let fits = match key.kind {
        Kind::Task => return check_task(text),
        Kind::Text if key.name == "device" => return check_device(text),
        Kind::Model | Kind::Text | Kind::Path => !text.trim().is_empty() && !text.contains('\0'),
        Kind::Integer { min, max } => text.parse().is_ok_and(|n: i64| (min..=max).contains(&n)),
        Kind::Real { min, max } => text.parse().is_ok_and(|x: f64| x.is_finite() && (min..=max).contains(&x)),
        Kind::Choice(words) => {
            let meant = meant(text, words.iter().copied()).filter(|_| !words.contains(&text));
            if let Some(word) = meant {
                let expected = key.kind.expected();
                return Err(format!("{expected} is expected, not `{text}`; did you mean `{word}`?"));
            }
            words.contains(&text)
        }
        Kind::Interval => text == "epoch" || text.parse().is_ok_and(|n: i64| n >= 1),
    };
    if fits { Ok(()) } else { Err(format!("{} is expected, not `{text}`", key.kind.expected())) }
}

fn check_task(name: &str) -> Result<(), String> {
    if task(name).is_some() {
        return Ok(());
    }
    let there = list(by_nearness(name, TASKS.iter().map(|task| task.name)).into_iter());
    if let Some(meant) = meant(name, TASKS.iter().map(|task| task.name)) {
        Err(format!("there is no task `{name}`; did you mean `{meant}`? There are {there}"))
    } else {
        Err(format!("there is no task `{name}`; there are {there}"))
    }
}

fn check_device(text: &str) -> Result<(), String> {
    let numbered = text
        .strip_prefix("cuda:")
        .is_some_and(|n| !n.is_empty() && n.len() <= 4 && n.bytes().all(|digit| digit.is_ascii_digit()));
    if numbered || matches!(text, "auto" | "cpu" | "metal") {
        Ok(())
    } else if matches!(text, "cuda" | "gpu") {
        Err(format!("a device is auto, cpu, cuda:N or metal, not `{text}`; did you mean `cuda:0`?"))
    } else {
        Err(format!("a device is auto, cpu, cuda:N or metal, not `{text}`"))
    }
}

/// Why `name` is no key, with the key that was probably meant.
pub(crate) fn unknown_key(name: &str) -> String {
    let known = super::keys().iter().map(|key| key.name);
    match super::nearest::nearest_key(name, known) {
        Some(key) => format!("unknown key `{name}`; did you mean `{key}`?"),
        None => format!("unknown key `{name}`"),
    }
}

/// A rule that a filled specification breaks: the key to change, and why.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken {
    pub(crate) key: &'static Key,
    pub(crate) message: String,
}

/// What is wrong with a specification, if anything.
type Rule = fn(&RunSpec) -> Option<String>;

/// Every rule between keys that `spec` breaks.
pub(crate) fn broken_rules(spec: &RunSpec) -> Vec<Broken> {
    let rules: [(&str, Rule); 9] = [
        ("task", custom_has_rows),
        ("data_dir", custom_has_no_folder),
        ("text_pair_column", a_second_text_has_a_first),
        ("label_column", columns_differ),
        ("warmup_steps", warmup_ends),
        ("metric_for_best_model", metric_is_of_the_task),
        ("label_smoothing_factor", classes_are_smoothed),
        ("max_tokens_per_batch", one_example_fits),
        ("repeats", seeds_are_numbers),
    ];
    let broken = rules.iter().filter_map(|(name, rule)| Some((key_named(name)?, rule(spec)?)));
    let mut broken: Vec<Broken> = broken.map(|(key, message)| Broken { key, message }).collect();
    for (key, text) in texts(spec).into_iter().filter(|(key, _)| key.task.is_some()) {
        let message = own_file_is_known(spec, key, &text);
        broken.extend(message.map(|message| Broken { key, message }));
    }
    broken
}

/// A key of one task belongs to no other, and a file of it is of a kind that can be read.
fn own_file_is_known(spec: &RunSpec, key: &Key, text: &str) -> Option<String> {
    let owner = key.task?;
    if owner != spec.task {
        return Some(format!("belongs to task `{owner}`, and this one is `{}`; take it out", spec.task));
    }
    let is_unknown = key.kind == Kind::Path && Format::of(text.as_ref()).is_none();
    is_unknown.then(|| format!("`{text}` does not tell what it is; it should end in {}", Format::EXTENSIONS))
}

fn custom_has_rows(spec: &RunSpec) -> Option<String> {
    let is_empty = spec.task == "custom" && spec.train_file.is_none();
    is_empty.then(|| "task `custom` learns from a file of yours; name it by train_file".into())
}

fn custom_has_no_folder(spec: &RunSpec) -> Option<String> {
    let has_both = spec.task == "custom" && spec.data_dir.is_some();
    has_both.then(|| {
        "task `custom` names its files by train_file, validation_file and test_file; take it out".into()
    })
}

fn a_second_text_has_a_first(spec: &RunSpec) -> Option<String> {
    let is_alone = spec.text_pair_column.is_some() && spec.text_column.is_none();
    is_alone.then(|| "is the second text of a pair; name the first by text_column".into())
}

fn columns_differ(spec: &RunSpec) -> Option<String> {
    let columns = [&spec.text_column, &spec.text_pair_column, &spec.label_column].map(Option::as_ref);
    let [text, text_pair, label] = columns;
    let same = |a: Option<&String>, b: Option<&String>| a.is_some() && a == b;
    (same(text, text_pair) || same(text, label) || same(text_pair, label)).then(|| {
        "the texts and the label are columns of their own, and two of them have the same name".into()
    })
}

fn warmup_ends(spec: &RunSpec) -> Option<String> {
    let (warmup, steps) = (spec.warmup_steps?, spec.max_steps?);
    (warmup > steps).then(|| {
        format!("a warm-up of {warmup} steps does not end in max_steps = {steps}; make it {steps} at most")
    })
}

fn metric_is_of_the_task(spec: &RunSpec) -> Option<String> {
    let metric = spec.metric_for_best_model?;
    let task = task(&spec.task)?;
    let known = || task.metrics.iter().copied().chain([Metric::Loss]);
    (!known().any(|one| one == metric)).then(|| {
        let scores = list(known().map(Metric::name));
        format!("task `{}` has no score `{}`; choose one of {scores}", task.name, metric.name())
    })
}

/// Transformers' Trainer fails on it in the middle of the first step.
fn classes_are_smoothed(spec: &RunSpec) -> Option<String> {
    let is_regression = task(&spec.task)?.labels.scale().is_some();
    (is_regression && spec.label_smoothing_factor > 0.0).then(|| {
        format!(
            "task `{}` asks for a number, and only labels of classes can be smoothed; set it to 0",
            spec.task
        )
    })
}

fn one_example_fits(spec: &RunSpec) -> Option<String> {
    let tokens = spec.max_tokens_per_batch?;
    (tokens < spec.max_seq_length).then(|| {
        let length = spec.max_seq_length;
        format!("an example of max_seq_length = {length} does not fit into {tokens} tokens; allow {length} or more")
    })
}

fn seeds_are_numbers(spec: &RunSpec) -> Option<String> {
    (i64::MAX as u64 - spec.seed < spec.repeats - 1)
        .then(|| "the last seed, seed + repeats - 1, is larger than any seed may be".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;
    use proptest::prelude::*;

    fn refused(key: &str, text: &str) -> String {
        check_value(key_named(key).unwrap(), text).unwrap_err()
    }

    fn taken(key: &str, text: &str) -> bool {
        check_value(key_named(key).unwrap(), text).is_ok()
    }

    #[test]
    fn numbers_stay_in_their_range() {
        assert_eq!(refused("learning_rate", "0"), "a number above 0 and at most 1 is expected, not `0`");
        assert_eq!(refused("warmup_ratio", "1.5"), "a number from 0 to 1 is expected, not `1.5`");
        assert_eq!(refused("adam_beta1", "1"), "a number from 0 to below 1 is expected, not `1`");
        assert_eq!(refused("max_steps", "0"), "a whole number from 1 is expected, not `0`");
        assert_eq!(refused("max_seq_length", "4"), "a whole number from 5 to 8192 is expected, not `4`");
        for text in ["NaN", "inf", "-inf", "1e999", "two", "-1"] {
            assert!(!taken("max_grad_norm", text), "{text}");
        }
        assert!(taken("learning_rate", "2e-5") && taken("max_grad_norm", "0"));
        assert!(!taken("max_steps", "9223372036854775808"));
    }

    #[test]
    fn words_are_of_the_list() {
        assert_eq!(
            refused("lr_scheduler_type", "linaer"),
            "one of linear, cosine, constant, constant_with_warmup is expected, not `linaer`; \
             did you mean `linear`?"
        );
        assert_eq!(
            refused("eval_steps", "epochs"),
            "a number of steps from 1, or epoch, is expected, not `epochs`"
        );
        assert!(taken("eval_steps", "epoch") && taken("eval_steps", "100") && !taken("eval_steps", "0"));
    }

    #[test]
    fn tasks_are_those_of_the_catalog() {
        assert!(refused("task", "sst-2").contains("did you mean `sst2`?"));
        assert!(refused("task", "imdb").starts_with("there is no task `imdb`; there are "));
    }

    #[test]
    fn devices_have_a_form() {
        assert!(["auto", "cpu", "metal", "cuda:0", "cuda:12"].iter().all(|text| taken("device", text)));
        assert!(refused("device", "cuda").contains("did you mean `cuda:0`?"));
        assert!(!taken("device", "cuda:") && !taken("device", "cuda:-1") && !taken("device", "tpu"));
    }

    #[test]
    fn only_optional_keys_may_be_empty() {
        assert!(taken("max_steps", "") && taken("data_dir", ""));
        assert_eq!(refused("seed", ""), "a whole number from 0 is expected");
    }

    #[test]
    fn rules_between_keys_hold_by_default_and_name_the_key_they_are_about() {
        type Change = fn(&mut RunSpec);
        let good = built_in("x");
        assert_eq!(broken_rules(&good), []);
        let changes: [(&str, Change); 5] = [
            ("warmup_steps", |spec| (spec.warmup_steps, spec.max_steps) = (Some(11), Some(10))),
            ("metric_for_best_model", |spec| spec.metric_for_best_model = Some(Metric::F1)),
            ("label_smoothing_factor", |spec| {
                (spec.task, spec.label_smoothing_factor) = ("stsb".into(), 0.1);
            }),
            ("max_tokens_per_batch", |spec| spec.max_tokens_per_batch = Some(100)),
            ("repeats", |spec| (spec.seed, spec.repeats) = (i64::MAX as u64, 2)),
        ];
        for (name, change) in changes {
            let mut spec = good.clone();
            change(&mut spec);
            let broken = broken_rules(&spec);
            assert_eq!(broken.iter().map(|rule| rule.key.name).collect::<Vec<_>>(), [name]);
        }
    }

    #[test]
    fn task_custom_needs_a_file_and_other_tasks_take_none() {
        let broken = |change: &dyn Fn(&mut RunSpec)| {
            let mut spec =
                RunSpec { task: "custom".into(), train_file: Some("a.csv".into()), ..built_in("x") };
            change(&mut spec);
            broken_rules(&spec).into_iter().map(|rule| (rule.key.name, rule.message)).collect::<Vec<_>>()
        };
        assert_eq!(broken(&|_| {}), []);
        let [(key, message)] = &broken(&|spec| spec.train_file = None)[..] else { panic!() };
        assert_eq!(*key, "task");
        assert!(message.contains("name it by train_file"), "{message}");
        let [(key, message)] = &broken(&|spec| spec.task = "sst2".into())[..] else { panic!() };
        assert_eq!(
            (*key, &message[..]),
            ("train_file", "belongs to task `custom`, and this one is `sst2`; take it out")
        );
        let [(key, message)] = &broken(&|spec| spec.test_file = Some("a.xlsx".into()))[..] else { panic!() };
        assert!(*key == "test_file" && message.contains("should end in .csv"), "{message}");
        assert_eq!(broken(&|spec| spec.data_dir = Some(".".into()))[0].0, "data_dir");
        assert_eq!(broken(&|spec| spec.text_pair_column = Some("b".into()))[0].0, "text_pair_column");
        let same = |spec: &mut RunSpec| {
            (spec.text_column, spec.label_column) = (Some("a".into()), Some("a".into()));
        };
        assert_eq!(broken(&same)[0].0, "label_column");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            for key in crate::spec::keys() {
                let _ = check_value(key, &text);
            }
            let _ = unknown_key(&text);
        }
    }
}
