//! What a model is evaluated on, and how its outputs correspond to the labels there.

use crate::catalog::{
    LabelMap, LabelMatch, Labels, Metric, ProblemType, Task, list_labels, match_labels, output_of,
};
use crate::error::{Error, Result};
use crate::event::{Scores, SplitName};
use crate::spec::{RunSpec, built_in};
use crate::stats::ConfidenceInterval;
use crate::train::Predictions;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What to evaluate a model on.
#[derive(Debug, Clone, Copy)]
pub struct EvalOptions<'a> {
    /// The task; `None` for that of the model's run.
    pub task: Option<&'a str>,
    /// The split.
    pub split: SplitName,
    /// A folder with the files of the task.
    pub data_dir: Option<&'a Path>,
    /// From labels of the model to those of the task, where their names differ.
    pub label_map: &'a LabelMap,
    /// Keys of a specification that name the files of task `custom`.
    pub set: &'a [(String, String)],
    /// Which rows of the split.
    pub rows: EvalRows,
}

/// The scores of an evaluation with their 95 % intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluatedScores {
    /// The scores.
    pub scores: Scores,
    /// The interval of each score that has one, for the rows as a sample.
    pub confidence_intervals: BTreeMap<Metric, ConfidenceInterval>,
    /// The logits and targets of the rows of the split.
    pub predictions: Predictions,
}

/// Which rows of a split are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvalRows {
    /// Those that the run of the model uses, which `max_eval_samples` limits; every row if the model is not from a run, or
    /// if other data is named.
    OfRun,
    /// Every row.
    All,
}

/// The specification with the files of task `custom`; `None` if they are those of the model's own run.
///
/// # Errors
/// [`Error::Usage`] for keys without effect, or invalid ones.
pub(super) fn custom_spec(
    (own, problem_type): (Option<&RunSpec>, ProblemType),
    task: &Task,
    options: &EvalOptions<'_>,
) -> Result<Option<RunSpec>> {
    if options.set.is_empty() {
        return Ok(None);
    }
    if !task.is_custom() {
        return Err(Error::Usage("--set names the files of task custom; add --task custom".into()));
    }
    let own = own.filter(|spec| spec.task().is_custom()).cloned();
    let mut base = own.unwrap_or_else(|| built_in("eval"));
    // The labels are of the kind that the model predicts, whatever those of the files alone look like.
    base.problem_type.get_or_insert(problem_type);
    let mut set = vec![("task".to_owned(), task.name.to_owned())];
    if base.train_file.is_none() {
        let named = |key: &str| options.set.iter().find(|(name, _)| name == key);
        let (train, validation, test) = (named("train_file"), named("validation_file"), named("test_file"));
        // Otherwise a part of the test file would be held out as the validation split.
        if train.or(validation).is_none() && test.is_some() && options.split == SplitName::Validation {
            let problem = "--set test_file names the test split; add --split test, or set validation_file";
            return Err(Error::Usage(problem.into()));
        }
        // A specification requires the training file, and only one of the files is needed here.
        let file = train.or(validation).or(test);
        set.extend(file.map(|(_, file)| ("train_file".to_owned(), file.clone())));
    }
    set.extend(options.set.iter().cloned());
    base.with(&set).map(Some)
}

/// How the outputs of a model are brought into the order of labels.
pub(super) struct MatchedOutputs {
    /// Output i becomes that of index `order[i]`.
    pub(super) order: Vec<usize>,
    /// The name of each output in the new order.
    pub(super) names: Vec<String>,
    /// A note for the user.
    pub(super) note: Option<String>,
}

/// Matches the outputs of a model (its name and its labels) with the labels of a task, by name. Data of
/// task `custom` may lack some of the model's labels; then the outputs keep their order.
///
/// # Errors
/// [`Error::Usage`] for labels that do not match, with the names of both.
pub(super) fn match_outputs(
    (model, predicted): (&str, &Labels),
    task: &Task,
    labels: &Labels,
    map: &LabelMap,
) -> Result<MatchedOutputs> {
    let (outputs, expected) = (predicted.outputs(), labels.outputs());
    let model_labels = &predicted.names()[..];
    let identity = || (0..outputs).collect();
    // A model with one output that does not name its problem type may be a regression.
    if outputs == 1 && labels.scale().is_some() {
        return Ok(MatchedOutputs { order: identity(), names: model_labels.to_vec(), note: None });
    }
    if predicted.problem_type() != labels.problem_type() {
        let kind = |labels: &Labels| match labels.problem_type() {
            ProblemType::SingleLabelClassification => format!("one of {} labels", labels.outputs()),
            ProblemType::MultiLabelClassification => format!("a set of {} labels", labels.outputs()),
            ProblemType::Regression => "a number".to_string(),
        };
        let (predicts, has) = (kind(predicted), kind(labels));
        let problem = format!("{model} predicts {predicts}, but task {} has {has}", task.name);
        return Err(Error::Usage(problem));
    }
    let names = labels.names();
    if task.is_custom() && expected < outputs {
        let names = renamed((model, model_labels), &names, map)?;
        return Ok(MatchedOutputs { order: identity(), names, note: None });
    }
    let found = match_labels(model_labels, &names, map)
        .map_err(|problem| Error::Usage(format!("--label-map: {problem} (model {model})")))?;
    let note = found.note(model_labels);
    match found {
        LabelMatch::Different(reason) => Err(Error::Usage(if outputs == expected {
            format!("{model}: {reason}; name the pairs with --label-map A=B,…")
        } else {
            format!("{model} has {outputs} labels, and task {} has {expected}: {reason}", task.name)
        })),
        LabelMatch::ByName(order) | LabelMatch::Assumed { outputs: order, .. } => {
            Ok(MatchedOutputs { order, names, note })
        }
    }
}

/// The labels of a model, where those that the data has are written as in the data.
fn renamed((model, labels): (&str, &[String]), data: &[String], map: &LabelMap) -> Result<Vec<String>> {
    let source = |name: &String| {
        let mapped = map.iter().find(|(_, to)| to == name);
        mapped.map_or_else(|| name.clone(), |(from, _)| from.to_owned())
    };
    let mut names = labels.to_vec();
    let mut used = BTreeSet::new();
    for name in data {
        let output = output_of(labels, &source(name)).ok_or_else(|| {
            Error::Usage(format!(
                "the data has the label {name}, and the labels of {model} are {}; name the pairs with --label-map A=B,…",
                list_labels(labels)
            ))
        })?;
        if !used.insert(output) {
            return Err(Error::Usage(format!(
                "several labels of the data ({}) are the same label of {model} ({})",
                list_labels(data),
                list_labels(labels)
            )));
        }
        names[output].clone_from(name);
    }
    Ok(names)
}
