//! Rules between the values of a specification, one small function per rule.

use super::choices::Precision;
use super::key::Key;
use super::keys::{key_named, keys};
use super::kind::{ValueKind, list};
use super::lists::{ClassWeights, LabelColumns};
use super::run_spec::RunSpec;
use crate::catalog::{FileFormat, Labels, Metric, ProblemType, list_labels};
use crate::error::{Error, Result};
use crate::text::plural;
use std::collections::BTreeSet;

/// A rule that a specification violates: the key to change, and why.
#[derive(Debug, PartialEq)]
pub(crate) struct RuleViolation {
    pub(crate) key: &'static Key,
    pub(crate) message: String,
}

/// The error of a specification that violates the rule.
type Rule = fn(&RunSpec) -> Option<String>;

/// The rules, each with the key that its error is reported at.
const RULES: [(&str, Rule); 24] = [
    ("task", task_has_training_rows),
    ("task", custom_has_train_file),
    ("data_dir", custom_has_no_data_dir),
    ("text_pair_column", text_pair_column_needs_text_column),
    ("label_column", columns_are_distinct),
    ("warmup_steps", warmup_ends),
    ("metric_for_best_model", metric_belongs_to_task),
    ("label_smoothing_factor", smoothing_needs_classes),
    ("problem_type", several_columns_are_multi_label),
    ("class_weights", class_weights_need_classes),
    ("class_weights", class_weights_are_as_many_as_classes),
    ("label_column", label_columns_are_distinct),
    ("lora_alpha", lora_alpha_needs_rank),
    ("lora_target_modules", lora_target_modules_need_rank),
    ("ema_decay", averages_have_no_adapters),
    ("average_checkpoints", mean_of_checkpoints_has_no_adapters),
    ("distillation_weight", distillation_weight_needs_teacher),
    ("distillation_temperature", distillation_temperature_needs_teacher),
    ("average_checkpoints", one_average_is_enough),
    ("precision", training_supports_precision),
    ("max_tokens_per_batch", one_example_fits),
    ("repeats", seeds_are_in_range),
    ("fold", fold_needs_folds),
    ("fold", fold_exists),
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

impl RunSpec {
    /// Why the values do not fit together: sentences, each with the name of the key to change.
    pub fn violations(&self) -> Vec<(&'static str, String)> {
        violated_rules(self).into_iter().map(|violation| (violation.key.name, violation.message)).collect()
    }

    /// The specification with the problem type of its dataset, which has the labels `labels`.
    ///
    /// # Errors
    /// [`Error::Usage`] that names a key that does not apply to these labels.
    pub fn with_labels(&self, labels: &Labels) -> Result<RunSpec> {
        let mut spec = self.clone();
        if spec.task().is_custom() {
            spec.problem_type = Some(labels.problem_type());
        }
        if let Some(RuleViolation { key, message }) = violated_rules(&spec).into_iter().next() {
            return Err(Error::Usage(format!("`{}`: {message}", key.name)));
        }
        let (metric, outputs) = (spec.best_metric(), labels.outputs());
        if metric != Metric::Loss && !spec.task().reports(metric, labels.problem_type(), outputs) {
            let classes = plural(outputs, "class");
            return Err(Error::Usage(format!(
                "metric_for_best_model is {metric}, which is for two classes, but there are {classes}; use f1_macro"
            )));
        }
        match &spec.class_weights {
            Some(ClassWeights::Numbers(numbers)) if numbers.len() != outputs => {
                let (numbers, names) = (plural(numbers.len(), "number"), list_labels(&labels.names()));
                Err(Error::Usage(format!(
                    "class_weights has {numbers}, but there are {outputs} labels: {names}"
                )))
            }
            _ => Ok(spec),
        }
    }
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

fn task_has_training_rows(spec: &RunSpec) -> Option<String> {
    let cannot_train = !spec.task().is_trainable();
    cannot_train.then(|| {
        format!("task `{}` has no rows to train on; train `mnli`, whose models predict its rows", spec.task)
    })
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
    let [text, text_pair] = [&spec.text_column, &spec.text_pair_column].map(Option::as_ref);
    let is_label = |column: Option<&String>| {
        column.zip(spec.label_column.as_ref()).is_some_and(|(column, labels)| labels.names().contains(column))
    };
    let is_same_text = text.is_some() && text == text_pair;
    (is_same_text || is_label(text) || is_label(text_pair))
        .then(|| "text_column, text_pair_column and label_column must be different columns".into())
}

fn label_columns_are_distinct(spec: &RunSpec) -> Option<String> {
    let names = spec.label_column.as_ref()?.names();
    let repeated = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    repeated.map(|(_, name)| format!("the list has the column `{name}` twice"))
}

fn several_columns_are_multi_label(spec: &RunSpec) -> Option<String> {
    let is_list = matches!(spec.label_column, Some(LabelColumns::Several(_)));
    let other = spec.problem_type.filter(|of| *of != ProblemType::MultiLabelClassification)?;
    is_list.then(|| {
        format!(
            "it is {other}, but label_column is a list, which is a multi-label classification; name one column or \
             remove problem_type"
        )
    })
}

fn warmup_ends(spec: &RunSpec) -> Option<String> {
    let (warmup, steps) = (spec.warmup_steps?, spec.max_steps?);
    (warmup > steps)
        .then(|| format!("{warmup} warm-up steps are more than max_steps = {steps}; use at most {steps}"))
}

fn metric_belongs_to_task(spec: &RunSpec) -> Option<String> {
    let metric = spec.metric_for_best_model?;
    let task = spec.task();
    let known = spec.known_problem_type();
    let possible = ProblemType::ALL.into_iter().filter(|of| known.is_none_or(|known| *of == known));
    let metrics: BTreeSet<Metric> = possible.flat_map(|of| task.metrics_for_best_model(of)).collect();
    (!metrics.contains(&metric)).then(|| {
        let names = list(metrics.iter().map(|metric| metric.name()));
        format!("task `{}` has no metric `{metric}`; expected one of {names}", task.name)
    })
}

/// Transformers' Trainer fails on this in the first step.
fn smoothing_needs_classes(spec: &RunSpec) -> Option<String> {
    let kind = match spec.problem_type() {
        ProblemType::SingleLabelClassification => return None,
        ProblemType::MultiLabelClassification => "a multi-label classification",
        ProblemType::Regression => "a regression",
    };
    (spec.label_smoothing_factor > 0.0)
        .then(|| format!("task `{}` is {kind}, and label smoothing needs classes; set it to 0", spec.task))
}

fn class_weights_need_classes(spec: &RunSpec) -> Option<String> {
    let is_regression = spec.problem_type() == ProblemType::Regression;
    (is_regression && spec.class_weights.is_some())
        .then(|| format!("task `{}` is a regression, which has no classes; remove it", spec.task))
}

/// The number of classes of task `custom` depends on its files.
fn class_weights_are_as_many_as_classes(spec: &RunSpec) -> Option<String> {
    let Some(ClassWeights::Numbers(numbers)) = &spec.class_weights else { return None };
    let (found, classes) = (numbers.len(), spec.task().labels.classes());
    (!classes.is_empty() && found != classes.len()).then(|| {
        let names = list(classes.iter().map(AsRef::as_ref));
        let numbers = plural(found, "number");
        format!("the list has {numbers}, but task `{}` has the classes {names}; give one for each", spec.task)
    })
}

fn lora_alpha_needs_rank(spec: &RunSpec) -> Option<String> {
    is_without_rank(spec, spec.lora_alpha.is_some())
}

fn lora_target_modules_need_rank(spec: &RunSpec) -> Option<String> {
    is_without_rank(spec, spec.lora_target_modules.is_some())
}

fn is_without_rank(spec: &RunSpec, is_set: bool) -> Option<String> {
    (is_set && spec.lora_r.is_none()).then(|| "there are no adapters; set lora_r, or remove it".into())
}

/// The average of the product of two factors is not the product of their averages.
fn averages_have_no_adapters(spec: &RunSpec) -> Option<String> {
    is_average_of_adapters(spec, spec.ema_decay.is_some())
}

fn mean_of_checkpoints_has_no_adapters(spec: &RunSpec) -> Option<String> {
    is_average_of_adapters(spec, spec.average_checkpoints.is_some())
}

fn is_average_of_adapters(spec: &RunSpec, is_averaged: bool) -> Option<String> {
    (is_averaged && spec.lora_r.is_some())
        .then(|| "adapters cannot be averaged; remove lora_r or the average".into())
}

fn distillation_weight_needs_teacher(spec: &RunSpec) -> Option<String> {
    is_without_teacher(spec, spec.distillation_weight)
}

fn distillation_temperature_needs_teacher(spec: &RunSpec) -> Option<String> {
    is_without_teacher(spec, spec.distillation_temperature)
}

fn is_without_teacher(spec: &RunSpec, setting: Option<f64>) -> Option<String> {
    (setting.is_some() && spec.teacher.is_none())
        .then(|| "there is no teacher; set teacher, or remove it".into())
}

fn one_average_is_enough(spec: &RunSpec) -> Option<String> {
    (spec.ema_decay.is_some() && spec.average_checkpoints.is_some())
        .then(|| "ema_decay averages the weights too; remove one of the two keys".into())
}

fn training_supports_precision(spec: &RunSpec) -> Option<String> {
    (spec.precision == Precision::Int8).then(|| {
        "int8 is for inference (`--precision int8` of predict, eval and bench); train in f32 or bf16".into()
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
    let last = spec.seed.checked_add(spec.seed_count().saturating_sub(1));
    let is_in_range = last.is_some_and(|last| i64::try_from(last).is_ok());
    let name =
        if spec.seed_count() > spec.repeats { "seed + repeats * folds - 1" } else { "seed + repeats - 1" };
    (!is_in_range).then(|| format!("the last seed, {name}, is above {}", i64::MAX))
}

fn fold_needs_folds(spec: &RunSpec) -> Option<String> {
    (spec.fold.is_some() && spec.folds.is_none()).then(|| "set the number of `folds` too".into())
}

fn fold_exists(spec: &RunSpec) -> Option<String> {
    let (fold, folds) = (spec.fold?, spec.folds?);
    (fold > folds).then(|| format!("there are {}, 1 to {folds}", plural(folds, "fold")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LoraTargetModules, built_in};

    #[test]
    fn a_violation_names_the_key_to_change() {
        type Change = fn(&mut RunSpec);
        let valid = built_in("x");
        assert_eq!(violated_rules(&valid), []);
        let changes: [(&str, Change); 14] = [
            ("average_checkpoints", |spec| {
                (spec.ema_decay, spec.average_checkpoints) = (Some(0.999), Some(3));
            }),
            ("warmup_steps", |spec| (spec.warmup_steps, spec.max_steps) = (Some(11), Some(10))),
            ("metric_for_best_model", |spec| spec.metric_for_best_model = Some(Metric::F1)),
            ("label_smoothing_factor", |spec| {
                (spec.task, spec.label_smoothing_factor) = ("stsb".parse().unwrap(), 0.1);
            }),
            ("precision", |spec| spec.precision = Precision::Int8),
            ("lora_alpha", |spec| spec.lora_alpha = Some(8.0)),
            ("lora_target_modules", |spec| spec.lora_target_modules = Some(LoraTargetModules::AllLinear)),
            ("ema_decay", |spec| (spec.ema_decay, spec.lora_r) = (Some(0.9), Some(8))),
            ("distillation_weight", |spec| spec.distillation_weight = Some(0.9)),
            ("distillation_temperature", |spec| spec.distillation_temperature = Some(4.0)),
            ("max_tokens_per_batch", |spec| spec.max_tokens_per_batch = Some(100)),
            ("repeats", |spec| (spec.seed, spec.repeats) = (i64::MAX as u64, 2)),
            ("fold", |spec| spec.fold = Some(1)),
            ("fold", |spec| (spec.folds, spec.fold) = (Some(5), Some(6))),
        ];
        for (name, change) in changes {
            let mut spec = valid.clone();
            change(&mut spec);
            let violations = violated_rules(&spec);
            assert_eq!(violations.iter().map(|violation| violation.key.name).collect::<Vec<_>>(), [name]);
        }
    }

    #[test]
    fn labels_of_the_data_decide_which_keys_apply() {
        type Change = fn(&mut RunSpec);
        let error = |labels: &Labels, change: Change| {
            let mut spec = RunSpec {
                task: "custom".parse().unwrap(),
                train_file: Some("a.csv".into()),
                ..built_in("x")
            };
            change(&mut spec);
            assert_eq!(violated_rules(&spec), [], "the keys alone violate no rule");
            spec.with_labels(labels).unwrap_err().to_string()
        };
        let names = ["a", "b", "c"].map(String::from).to_vec();
        let (classes, numbers) = (Labels::from(names), Labels::Scale { low: 0.0, high: 1.0 });
        let weights = |spec: &mut RunSpec| spec.class_weights = Some(ClassWeights::Numbers(vec![1.0, 2.0]));
        assert_eq!(error(&classes, weights), "class_weights has 2 numbers, but there are 3 labels: a, b, c");
        assert!(error(&numbers, weights).contains("a regression, which has no classes"));
        let smoothing: Change = |spec| spec.label_smoothing_factor = 0.1;
        assert!(
            error(&numbers, smoothing).starts_with("`label_smoothing_factor`: task `custom` is a regression")
        );
        let f1: Change = |spec| spec.metric_for_best_model = Some(Metric::F1);
        assert!(error(&classes, f1).contains("which is for two classes, but there are 3 classes"));
        assert!(error(&numbers, f1).starts_with("`metric_for_best_model`: task `custom` has no metric `f1`"));
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
