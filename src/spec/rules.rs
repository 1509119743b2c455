//! Rules between the values of a specification, one small function per rule.

use super::key::Key;
use super::keys::{key_named, keys};
use super::kind::{ValueKind, list};
use super::run_spec::RunSpec;
use crate::catalog::{FileFormat, Metric};

/// A rule that a specification violates: the key to change, and why.
#[derive(Debug, PartialEq)]
pub(crate) struct RuleViolation {
    pub(crate) key: &'static Key,
    pub(crate) message: String,
}

/// The error of a specification that violates the rule.
type Rule = fn(&RunSpec) -> Option<String>;

/// The rules, each with the key that its error is reported at.
const RULES: [(&str, Rule); 9] = [
    ("task", custom_has_train_file),
    ("data_dir", custom_has_no_data_dir),
    ("text_pair_column", text_pair_column_needs_text_column),
    ("label_column", columns_are_distinct),
    ("warmup_steps", warmup_ends),
    ("metric_for_best_model", metric_belongs_to_task),
    ("label_smoothing_factor", smoothing_needs_classes),
    ("max_tokens_per_batch", one_example_fits),
    ("repeats", seeds_are_in_range),
];

/// Every rule that `spec` violates.
pub(crate) fn violated_rules(spec: &RunSpec) -> Vec<RuleViolation> {
    let between_keys = RULES.iter().filter_map(|(name, rule)| {
        let (key, message) = (key_named(name)?, rule(spec)?);
        Some(RuleViolation { key, message })
    });
    let of_one_task = keys().iter().filter_map(|key| {
        let message = task_key_is_valid(spec, key)?;
        Some(RuleViolation { key, message })
    });
    between_keys.chain(of_one_task).collect()
}

/// A key of one task is absent for every other task, and its files are not of a format that is not read.
fn task_key_is_valid(spec: &RunSpec, key: &Key) -> Option<String> {
    let (owner, text) = (key.task?, key.get(spec)?);
    if owner != spec.task.name() {
        return Some(format!(
            "only task `{owner}` uses this key, and the task is `{}`; remove it",
            spec.task
        ));
    }
    let what = FileFormat::unsupported(text.as_ref()).filter(|_| key.kind == ValueKind::Path)?;
    Some(format!("`{text}` is {what}"))
}

fn custom_has_train_file(spec: &RunSpec) -> Option<String> {
    let is_missing = spec.task().is_custom() && spec.train_file.is_none();
    is_missing.then(|| "task `custom` requires train_file".into())
}

fn custom_has_no_data_dir(spec: &RunSpec) -> Option<String> {
    let has_both = spec.task().is_custom() && spec.data_dir.is_some();
    has_both.then(|| {
        "task `custom` reads train_file, validation_file and test_file, not data_dir; remove it".into()
    })
}

fn text_pair_column_needs_text_column(spec: &RunSpec) -> Option<String> {
    let is_alone = spec.text_pair_column.is_some() && spec.text_column.is_none();
    is_alone.then(|| "names the second text of a pair; name the first one with text_column".into())
}

fn columns_are_distinct(spec: &RunSpec) -> Option<String> {
    let columns = [&spec.text_column, &spec.text_pair_column, &spec.label_column].map(Option::as_ref);
    let [text, text_pair, label] = columns;
    let is_same = |a: Option<&String>, b: Option<&String>| a.is_some() && a == b;
    (is_same(text, text_pair) || is_same(text, label) || is_same(text_pair, label))
        .then(|| "text_column, text_pair_column and label_column must be different columns".into())
}

fn warmup_ends(spec: &RunSpec) -> Option<String> {
    let (warmup, steps) = (spec.warmup_steps?, spec.max_steps?);
    (warmup > steps)
        .then(|| format!("{warmup} warm-up steps are more than max_steps = {steps}; use at most {steps}"))
}

fn metric_belongs_to_task(spec: &RunSpec) -> Option<String> {
    let metric = spec.metric_for_best_model?;
    let task = spec.task();
    let metrics = || task.metrics.iter().copied().chain([Metric::Loss]);
    (!metrics().any(|other| other == metric)).then(|| {
        let names = list(metrics().map(Metric::name));
        format!("task `{}` has no metric `{metric}`; expected one of {names}", task.name)
    })
}

/// Transformers' Trainer fails on this in the first step.
fn smoothing_needs_classes(spec: &RunSpec) -> Option<String> {
    let is_regression = spec.task().labels.scale().is_some();
    (is_regression && spec.label_smoothing_factor > 0.0).then(|| {
        format!("task `{}` is a regression, and label smoothing needs classes; set it to 0", spec.task)
    })
}

fn one_example_fits(spec: &RunSpec) -> Option<String> {
    let (tokens, length) = (spec.max_tokens_per_batch?, spec.max_seq_length);
    (tokens < length).then(|| {
        format!("an example of max_seq_length = {length} tokens does not fit; use at least {length}")
    })
}

/// TOML integers are signed, so a larger seed could not be written.
fn seeds_are_in_range(spec: &RunSpec) -> Option<String> {
    let last = spec.seed.checked_add(spec.repeats.saturating_sub(1));
    let is_in_range = last.is_some_and(|last| i64::try_from(last).is_ok());
    (!is_in_range).then(|| format!("the last seed, seed + repeats - 1, is above {}", i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn a_violation_names_the_key_to_change() {
        type Change = fn(&mut RunSpec);
        let valid = built_in("x");
        assert_eq!(violated_rules(&valid), []);
        let changes: [(&str, Change); 5] = [
            ("warmup_steps", |spec| (spec.warmup_steps, spec.max_steps) = (Some(11), Some(10))),
            ("metric_for_best_model", |spec| spec.metric_for_best_model = Some(Metric::F1)),
            ("label_smoothing_factor", |spec| {
                (spec.task, spec.label_smoothing_factor) = ("stsb".parse().unwrap(), 0.1);
            }),
            ("max_tokens_per_batch", |spec| spec.max_tokens_per_batch = Some(100)),
            ("repeats", |spec| (spec.seed, spec.repeats) = (i64::MAX as u64, 2)),
        ];
        for (name, change) in changes {
            let mut spec = valid.clone();
            change(&mut spec);
            let violations = violated_rules(&spec);
            assert_eq!(violations.iter().map(|violation| violation.key.name).collect::<Vec<_>>(), [name]);
        }
    }

    #[test]
    fn task_custom_requires_a_file_and_other_tasks_refuse_it() {
        let violations = |change: &dyn Fn(&mut RunSpec)| {
            let mut spec = RunSpec {
                task: "custom".parse().unwrap(),
                train_file: Some("a.csv".into()),
                ..built_in("x")
            };
            change(&mut spec);
            let found = violated_rules(&spec).into_iter();
            found.map(|violation| (violation.key.name, violation.message)).collect::<Vec<_>>()
        };
        assert_eq!(violations(&|_| {}), []);
        assert_eq!(
            violations(&|spec| spec.train_file = None),
            [("task", "task `custom` requires train_file".to_owned())]
        );
        assert_eq!(
            violations(&|spec| spec.task = "sst2".parse().unwrap()),
            [(
                "train_file",
                "only task `custom` uses this key, and the task is `sst2`; remove it".to_owned()
            )]
        );
        let found = violations(&|spec| spec.test_file = Some("a.xlsx".into()));
        assert!(found[0].0 == "test_file" && found[0].1.contains("save the sheet as CSV"), "{found:?}");
        assert_eq!(violations(&|spec| spec.data_dir = Some(".".into()))[0].0, "data_dir");
        assert_eq!(violations(&|spec| spec.text_pair_column = Some("b".into()))[0].0, "text_pair_column");
        let same_columns = |spec: &mut RunSpec| {
            (spec.text_column, spec.label_column) = (Some("a".into()), Some("a".into()));
        };
        assert_eq!(violations(&same_columns)[0].0, "label_column");
    }
}
