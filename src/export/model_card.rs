//! The model card, `README.md`: metadata for the hub as YAML, the hyperparameters and the score.

use crate::catalog::{Labels, Metric, ProblemType, TaskSource};
use crate::spec::RunSpec;
use crate::text::plural;
use crate::train::Summary;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// The model card of a run whose model predicts `labels`.
pub(super) fn model_card(spec: &RunSpec, labels: &Labels, summary: Option<&Summary>) -> String {
    let base = base_model(spec, summary);
    let mut card = metadata(spec, labels.problem_type(), base);
    let from = match base {
        Some(id) => format!("[{id}](https://huggingface.co/{id})"),
        None if spec.model == crate::assets::DEMO => "the small encoder that is built into glue-tui".into(),
        None => "a local model".into(),
    };
    let _ = writeln!(
        card,
        "\n# {}\n\nFine-tuned from {from} on the task `{}` with glue-tui.\n",
        spec.experiment, spec.task
    );
    if let Some((low, high)) = labels.scale() {
        let _ = writeln!(
            card,
            "The model is a regression: its single output is a number on a scale from {low} to {high}.\n"
        );
    }
    if labels.problem_type() == ProblemType::MultiLabelClassification {
        card += "The model is a multi-label classification: the sigmoid of each output is the probability of its \
                 label.\n\n";
    }
    if let Some(best) = summary.and_then(|summary| summary.best) {
        let _ =
            writeln!(card, "Validation {}: {:.4} (step {}).\n", best.metric.name(), best.value, best.step);
    }
    let _ = writeln!(
        card,
        "| hyperparameter | value |\n| --- | --- |\n| learning rate | {} |\n| batch size | {} |\n| epochs | {} |\n\
         | weight decay | {} |\n| maximum sequence length | {} |\n| seed | {} |",
        spec.learning_rate,
        spec.per_device_train_batch_size * spec.gradient_accumulation_steps,
        spec.num_train_epochs,
        spec.weight_decay,
        plural(spec.max_seq_length as u64, "token"),
        summary.map_or(spec.seed, |summary| summary.seed),
    );
    card
}

/// The front matter, which the hub validates.
fn metadata(spec: &RunSpec, problem_type: ProblemType, base: Option<&str>) -> String {
    let mut yaml = "---\nlibrary_name: transformers\npipeline_tag: text-classification\n".to_owned();
    if let Some(id) = base {
        let _ = writeln!(yaml, "base_model: {}", quoted(id));
    }
    let task = spec.task();
    let dataset = match &task.source {
        TaskSource::Files { hub, .. } => vec![hub.repo],
        _ => Vec::new(),
    };
    let metrics: Vec<&str> =
        task.metrics(problem_type).iter().filter_map(|metric| hub_metric(*metric)).collect();
    let metrics: Vec<&str> = metrics.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let kind = match problem_type {
        ProblemType::Regression => "regression",
        _ => "text-classification",
    };
    for (key, values) in [("datasets", dataset), ("metrics", metrics), ("tags", vec!["glue-tui", kind])] {
        if !values.is_empty() {
            let _ = writeln!(yaml, "{key}:");
            for value in values {
                let _ = writeln!(yaml, "- {}", quoted(value));
            }
        }
    }
    yaml + "---\n"
}

/// The id on the hub of the model that the run started from; `None` for a local folder and the embedded model.
fn base_model<'s>(spec: &'s RunSpec, summary: Option<&Summary>) -> Option<&'s str> {
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

/// A string of YAML in double quotes.
fn quoted(text: &str) -> String {
    let mut yaml = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => yaml.extend(['\\', c]),
            // Control characters, and the line separators that YAML breaks lines at.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(yaml, "\\u{:04X}", u32::from(c));
            }
            c => yaml.push(c),
        }
    }
    yaml.push('"');
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    fn front_matter(card: &str) -> &str {
        card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0
    }

    #[test]
    fn base_model_is_an_id_of_the_hub_or_absent() {
        let card = |model: &str| {
            let spec = RunSpec { model: model.into(), task: "mrpc".parse().unwrap(), ..built_in("x") };
            model_card(&spec, &spec.task().labels, None)
        };
        assert_eq!(
            front_matter(&card("distilbert/distilbert-base-uncased")),
            "library_name: transformers\npipeline_tag: text-classification\n\
             base_model: \"distilbert/distilbert-base-uncased\"\ndatasets:\n- \"nyu-mll/glue\"\nmetrics:\n\
             - \"accuracy\"\n- \"f1\"\ntags:\n- \"glue-tui\"\n- \"text-classification\""
        );
        for local in [
            "/home/me/minilm",
            "./a/b",
            "../a",
            "demo",
            "minilm",
            "C:\\m",
            "a: b/c",
            "a/b/c",
            "a/b # c",
            "-/x",
            "src/nn",
        ] {
            let card = card(local);
            assert!(!card.contains("base_model"), "{card}");
            assert!(local == "demo" || !card.contains(&format!("from {local}")), "{card}");
        }
    }

    #[test]
    fn strings_of_yaml_are_on_one_line() {
        assert_eq!(quoted("a: \"b\" #\\\n\u{85}é"), "\"a: \\\"b\\\" #\\\\\\u000A\\u0085é\"");
    }
}
