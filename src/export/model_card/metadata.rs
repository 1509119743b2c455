//! The front matter of a card: the metadata that the hub reads and validates.

use super::facts::{CardFacts, SplitScores};
use super::yaml::{number, quoted};
use crate::catalog::{HubDataset, Metric, ProblemType, TaskSource};
use crate::event::SplitName;
use crate::spec::RunSpec;
use crate::train::Summary;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// The type of the task on the hub.
const TASK_TYPE: &str = "text-classification";
/// The name of the type of a dataset that is not on the hub.
const CUSTOM: &str = "custom";

/// The front matter. Language and license are not known, so they are left out.
pub(super) fn front_matter(facts: &CardFacts, library: &str) -> String {
    let CardFacts { spec, labels, summary, .. } = facts;
    let mut yaml = format!("---\nlibrary_name: {library}\npipeline_tag: {TASK_TYPE}\n");
    if let Some(id) = base_model(spec, summary.as_ref()) {
        writeln!(yaml, "base_model: {}", quoted(id)).ok();
    }
    let datasets = hub_dataset(spec).map(|hub| hub.repo);
    let metrics = spec.task().metrics(labels.problem_type()).iter();
    let metrics: BTreeSet<&str> = metrics.filter_map(|metric| hub_metric(*metric)).collect();
    let kind = match labels.problem_type() {
        ProblemType::Regression => "regression",
        _ => TASK_TYPE,
    };
    let lists: [(&str, Vec<&str>); 3] = [
        ("datasets", datasets.into_iter().collect()),
        ("metrics", metrics.into_iter().collect()),
        ("tags", vec!["glue-tui", kind]),
    ];
    for (key, values) in lists {
        if !values.is_empty() {
            writeln!(yaml, "{key}:").ok();
            for value in values {
                writeln!(yaml, "- {}", quoted(value)).ok();
            }
        }
    }
    yaml + &model_index(facts) + "---\n"
}

/// The scores of the best weights, as the hub's `model-index`.
fn model_index(facts: &CardFacts) -> String {
    let results: String = facts.scores.iter().map(|scores| result(facts, scores)).collect();
    if results.is_empty() {
        return results;
    }
    format!("model-index:\n- name: {}\n  results:\n{results}", quoted(&facts.spec.experiment))
}

/// The scores of one split. The schema has no field for an interval, so that it is in the arguments of the metric.
fn result(facts: &CardFacts, scores: &SplitScores) -> String {
    let spec = &facts.spec;
    // A metric that is taken from another split is in the result of that split.
    let values = scores.values().filter(|(metric, _)| metric.source().is_none());
    let metrics: String = values
        .map(|(metric, value)| {
            let mut yaml = format!(
                "    - type: {}\n      value: {}\n      name: {}\n",
                quoted(hub_metric(metric).unwrap_or(metric.name())),
                number(value),
                quoted(title(metric))
            );
            if let Some(interval) = scores.intervals.get(&metric) {
                let (low, high) = (number(interval.low), number(interval.high));
                yaml += "      args:\n        confidence_level: 0.95\n";
                writeln!(yaml, "        confidence_interval: [{low}, {high}]").ok();
            }
            yaml
        })
        .collect();
    let mut yaml = format!("  - task:\n      type: {TASK_TYPE}\n      name: \"Text Classification\"\n");
    writeln!(yaml, "    dataset:\n      name: {}", quoted(&dataset_name(spec))).ok();
    if let Some(hub) = hub_dataset(spec) {
        writeln!(yaml, "      type: {}", quoted(hub.repo)).ok();
        if !hub.config.is_empty() {
            writeln!(yaml, "      config: {}", quoted(hub.config)).ok();
        }
        writeln!(yaml, "      split: {}", quoted(hub_split(spec, scores.split))).ok();
    } else {
        let kind = if spec.task().is_custom() { CUSTOM } else { spec.task.name() };
        writeln!(yaml, "      type: {}\n      split: {}", quoted(kind), quoted(scores.split.name())).ok();
    }
    yaml + "    metrics:\n" + &metrics
}

/// The dataset on the hub that the rows are from; `None` for rows of other files.
pub(super) fn hub_dataset(spec: &RunSpec) -> Option<&'static HubDataset> {
    match &spec.task().source {
        TaskSource::Files { hub, .. } if spec.data_dir.is_none() => Some(hub),
        _ => None,
    }
}

/// The name of a split on the hub, where each split may have several.
fn hub_split(spec: &RunSpec, split: SplitName) -> &'static str {
    let stems = spec.task().split(split).map_or(&[][..], |split| split.hub_stems);
    stems.first().copied().unwrap_or(split.name())
}

/// The name of the dataset: that of the file for custom files.
pub(super) fn dataset_name(spec: &RunSpec) -> String {
    let file = spec.train_file.as_deref().filter(|_| spec.task().is_custom());
    let name = file.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| spec.task().title.to_string())
}

/// The title of a metric in a card, which has scores of several splits.
pub(super) fn title(metric: Metric) -> &'static str {
    if metric == Metric::Loss { "Loss" } else { metric.title() }
}

/// The id on the hub of the model that the run started from; `None` for a local folder and the embedded model.
pub(super) fn base_model<'s>(spec: &'s RunSpec, summary: Option<&Summary>) -> Option<&'s str> {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.len() <= 96
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let (owner, name) = spec.model.split_once('/')?;
    // A model from the hub has a commit. A relative path can look like an id.
    let is_from_hub = match summary {
        Some(summary) => summary.model_commit.is_some(),
        None => !Path::new(&spec.model).exists(),
    };
    (is_part(owner) && is_part(name) && is_from_hub).then_some(&spec.model)
}

/// The name of a metric on the hub.
fn hub_metric(metric: Metric) -> Option<&'static str> {
    match metric {
        Metric::Accuracy => Some("accuracy"),
        Metric::F1 | Metric::F1Macro | Metric::F1Micro => Some("f1"),
        Metric::ExactMatch => Some("exact_match"),
        Metric::Mae => Some("mae"),
        Metric::MatthewsCorrelation => Some("matthews_correlation"),
        Metric::Pearson => Some("pearsonr"),
        Metric::Spearman => Some("spearmanr"),
        _ => None,
    }
}
