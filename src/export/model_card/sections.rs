//! The parts of a card after the front matter, in Markdown.

use super::facts::{CardFacts, SplitScores};
use super::markdown::{escaped, head, row};
use super::metadata::{base_model, dataset_name, hub_dataset, title};
use crate::catalog::{Metric, MetricDisplay, ProblemType};
use crate::event::{Averaging, SplitName};
use crate::format;
use crate::spec::{ValueKind, built_in, keys};
use crate::text::plural;
use std::fmt::Write;
use std::path::Path;

/// Labels that a card names.
const MAX_LABELS: usize = 50;
/// Keys whose value is in every card, also if it is the default.
const ALWAYS: [&str; 8] = [
    "model",
    "num_train_epochs",
    "per_device_train_batch_size",
    "max_seq_length",
    "learning_rate",
    "weight_decay",
    "lr_scheduler_type",
    "seed",
];

/// The name of the model, what it was made from, and what it predicts.
pub(super) fn introduction(facts: &CardFacts) -> String {
    let CardFacts { spec, labels, summary, .. } = facts;
    let from = match base_model(spec, summary.as_ref()) {
        Some(id) => format!("[{id}](https://huggingface.co/{id})"),
        None if spec.model == crate::assets::DEMO => "the small encoder that is built into glue-tui".into(),
        None => "a local model".into(),
    };
    let mut text = format!(
        "\n# {}\n\nFine-tuned from {from} on the task `{}` ({}) with glue-tui {}.\n\n",
        escaped(&spec.experiment),
        spec.task,
        escaped(&dataset_name(spec)),
        env!("CARGO_PKG_VERSION"),
    );
    match (labels.problem_type(), labels.scale()) {
        (ProblemType::Regression, scale) => {
            let scale =
                scale.map_or(String::new(), |(low, high)| format!(" on a scale from {low} to {high}"));
            writeln!(text, "The model is a regression: its single output is a number{scale}.\n").ok();
        }
        (ProblemType::MultiLabelClassification, _) => {
            text += "The model is a multi-label classification: the sigmoid of each output is the probability of its \
                     label.\n\n";
        }
        (ProblemType::SingleLabelClassification, _) => {}
    }
    if let Some(labels) = label_list(facts) {
        writeln!(text, "Labels, in the order of the outputs: {labels}.\n").ok();
    }
    text
}

/// `a, b, c`, of which the first ones are named; `None` without names.
pub(super) fn label_list(facts: &CardFacts) -> Option<String> {
    let names = facts.labels.classes();
    let mut list: Vec<String> = names.iter().take(MAX_LABELS).map(|name| escaped(name)).collect();
    if names.len() > MAX_LABELS {
        list.push(format!("and {} more", names.len() - MAX_LABELS));
    }
    (!list.is_empty()).then(|| list.join(", "))
}

/// The splits with their rows and digests.
pub(super) fn data(facts: &CardFacts) -> String {
    let spec = &facts.spec;
    let source = match hub_dataset(spec) {
        Some(hub) if hub.config.is_empty() => {
            format!("[{repo}](https://huggingface.co/datasets/{repo})", repo = hub.repo)
        }
        Some(hub) => format!(
            "[{repo}](https://huggingface.co/datasets/{repo}), configuration `{}`",
            hub.config,
            repo = hub.repo
        ),
        None => escaped(&dataset_name(spec)),
    };
    let mut text = format!("## Data\n\nSource: {source}.\n\n");
    let Some(started) = &facts.started else { return text };
    if started.data.is_empty() {
        let [train, validation, test] = started.rows;
        writeln!(text, "{train} training rows, {validation} validation rows, {test} test rows.\n").ok();
        return text;
    }
    text += &head(&["split", "rows used", "rows of the split", "SHA-256 of the texts and labels used"]);
    for (split, digest) in &started.data {
        let (rows, total) = (format::count(digest.rows), format::count(digest.total_rows));
        text += &row(&[split.name(), &rows, &total, &format!("`{}`", digest.sha256)]);
    }
    text + "\n"
}

/// Every setting that differs from its default, the changes during the run, the hardware and the time.
pub(super) fn recipe(facts: &CardFacts) -> String {
    let (spec, defaults) = (&facts.spec, built_in(""));
    let mut text = "## Recipe\n\n".to_string() + &head(&["setting", "value"]);
    for key in keys() {
        let value = key.get(spec);
        if value == key.get(&defaults) && !ALWAYS.contains(&key.name) {
            continue;
        }
        let value = match (key.name, value) {
            // The folders of a machine do not belong in a public file.
            (_, Some(path)) if matches!(key.kind, ValueKind::Path) => file_name(&path),
            ("model", Some(path)) if Path::new(&path).is_absolute() => file_name(&path),
            ("seed", Some(_)) if facts.summary.is_some() => {
                facts.summary.as_ref().map_or(String::new(), |summary| summary.seed.to_string())
            }
            (_, value) => value.unwrap_or_default(),
        };
        text += &row(&[&format!("`{}`", key.name), &escaped(&value)]);
    }
    text += "\nEvery other setting has the default of glue-tui.\n\n";
    let Some(summary) = &facts.summary else { return text };
    for change in &summary.changes {
        writeln!(text, "- changed during the run: {} after step {}", change.command, change.step).ok();
    }
    if !summary.changes.is_empty() {
        text += "\n";
    }
    let examples = summary.examples_per_second;
    writeln!(
        text,
        "Trained on {} in {}: {} in {} ({examples:.1} examples per second), {}.\n",
        escaped(&summary.device),
        escaped(&summary.precision),
        plural(summary.steps, "step"),
        format::duration(summary.train_seconds),
        plural(summary.trainable_parameters, "trainable parameter"),
    )
    .ok();
    text
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_string(), |name| name.to_string_lossy().into_owned())
}

/// The scores of the best weights with their intervals, and those of each label.
pub(super) fn scores(facts: &CardFacts) -> String {
    let mut text = "## Scores\n\n".to_string();
    if facts.scores.is_empty() {
        return text + "The run has no evaluation of these weights.\n\n";
    }
    if let Some(best) = facts.summary.as_ref().and_then(|summary| summary.best) {
        let metric = best.metric.name();
        let averaging = Averaging::suffix(best.averaging);
        writeln!(text, "Validation {metric}: {:.4} (step {}{averaging}).\n", best.value, best.step).ok();
    }
    text += &head(&["split", "metric", "score", "95 % interval"]);
    for scores in &facts.scores {
        for (metric, value) in scores.values() {
            let interval = scores.intervals.get(&metric);
            let interval = interval.map_or(String::new(), |interval| {
                format!("{} to {}", shown(metric, interval.low), shown(metric, interval.high))
            });
            text += &row(&[scores.split.name(), title(metric), &shown(metric, value), &interval]);
        }
    }
    text += "\nThe intervals are for the rows as a sample";
    if let Some(all) = &facts.repeats
        && all.repeats.count > 1
    {
        let metric = all.best_seed.best.map_or(Metric::Loss, |best| best.metric);
        let (mean, sd) = (shown(metric, all.repeats.mean), shown(metric, all.repeats.sd));
        write!(
            text,
            "; the weights are those of the best of {} by validation {}, whose mean is {mean} with a standard deviation of \
             {sd}",
            plural(all.repeats.count, all.unit()),
            metric.name()
        )
        .ok();
    }
    text += ".\n\n";
    text + &facts.of_split(SplitName::Validation).map_or(String::new(), |scores| per_class(facts, scores))
}

/// A table of the scores of each label.
fn per_class(facts: &CardFacts, scores: &SplitScores) -> String {
    let classes = &scores.scores.per_class;
    if classes.is_empty() {
        return String::new();
    }
    let mut text = "Each label on the validation split:\n\n".to_string()
        + &head(&["label", "precision", "recall", "F1"]);
    for (index, class) in classes.iter().enumerate().take(MAX_LABELS) {
        let percent =
            [class.precision, class.recall, class.f1].map(|value| format!("{:.2} %", 100.0 * value));
        text += &row(&[&escaped(&facts.label(index)), &percent[0], &percent[1], &percent[2]]);
    }
    text + "\n"
}

/// A score as text.
pub(super) fn shown(metric: Metric, value: f64) -> String {
    match metric.display() {
        MetricDisplay::Percent => format!("{:.2} %", 100.0 * value),
        MetricDisplay::Coefficient | MetricDisplay::Loss => format!("{value:.4}"),
    }
}

/// The charts, which are files beside the card.
pub(super) fn curves(names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut text = "## Curves\n\n".to_string();
    for name in names {
        writeln!(text, "![{} of the training]({name})\n", name.trim_end_matches(".svg")).ok();
    }
    text
}
