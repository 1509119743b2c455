//! What becomes of the trained head of a model: kept, with its outputs in the order of the task's labels, or replaced.

use super::config::ModelConfig;
use crate::catalog::{LabelMap, LabelMatch, ProblemType, match_labels};
use crate::error::{Error, Result};

/// The use of the classification head in the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Head {
    /// As it is.
    Keep,
    /// Label i has the row of output `outputs[i]`.
    Permute(Vec<usize>),
    /// Newly initialized.
    Replace,
}

/// Decides about a head with `outputs` outputs for the labels `task`, by their names. A regression has one output,
/// whose name does not matter. Without `label_map`, only the number of outputs matters. Returns a note for the log, too.
///
/// # Errors
/// [`Error::Usage`] if the labels differ in spite of `label_map`.
pub(super) fn head_for(
    config: &ModelConfig,
    outputs: usize,
    (task, problem_type): (&[String], ProblemType),
    label_map: Option<&LabelMap>,
) -> Result<(Head, Option<String>)> {
    let is_new = |reason: String| {
        let note = format!("the classification head is newly initialized: {reason}");
        Ok((Head::Replace, Some(note)))
    };
    let Some(label_map) = label_map else {
        return Ok((if outputs == task.len() { Head::Keep } else { Head::Replace }, None));
    };
    if let Some(class) = config.other_head() {
        return is_new(format!("that of the model is for another purpose ({class})"));
    }
    match (problem_type, outputs) {
        (ProblemType::Regression, 1) => return Ok((Head::Keep, None)),
        (ProblemType::Regression, _) => {
            return is_new(format!("that of the model has {outputs} outputs, and the task is a regression"));
        }
        (_, 1) if task.len() > 1 => {
            let labels = task.len();
            return is_new(format!(
                "that of the model has a single output, and the task has {labels} labels"
            ));
        }
        _ => {}
    }
    let names = match config.id2label.for_outputs(outputs) {
        Ok(names) => names,
        Err(problem) if label_map.is_empty() => return is_new(format!("config.json: {problem}")),
        Err(problem) => return Err(Error::model(&config.model, format!("config.json: {problem}"))),
    };
    let found = match_labels(&names, task, label_map)
        .map_err(|problem| Error::Usage(format!("label_map: {problem} (model {})", config.model)))?;
    let note = found.note(&names);
    match found {
        LabelMatch::Different(reason) => is_new(reason),
        LabelMatch::ByName(order) | LabelMatch::Assumed { outputs: order, .. } => {
            let is_same = order.iter().enumerate().all(|(label, output)| label == *output);
            Ok((if is_same { Head::Keep } else { Head::Permute(order) }, note))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(keys: &str, outputs: usize, task: &[&str]) -> (Head, Option<String>) {
        let problem_type = match task {
            ["LABEL_0"] => ProblemType::Regression,
            [_] => ProblemType::MultiLabelClassification,
            _ => ProblemType::SingleLabelClassification,
        };
        let sizes = r#""model_type": "bert", "vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 6, "type_vocab_size": 2"#;
        let config = ModelConfig::parse("m", format!("{{{sizes}, {keys}}}").as_bytes()).unwrap();
        let task: Vec<String> = task.iter().map(ToString::to_string).collect();
        head_for(&config, outputs, (&task, problem_type), Some(&LabelMap::default())).unwrap()
    }

    #[test]
    fn head_is_kept_permuted_or_replaced() {
        let names = r#""id2label": {"0": "pos", "1": "neg"}"#;
        assert_eq!(head(names, 2, &["pos", "neg"]), (Head::Keep, None));
        let (permuted, note) = head(names, 2, &["negative", "positive"]);
        assert!(permuted == Head::Permute(vec![1, 0]) && note.unwrap().contains("by name"));
        let (kept, note) = head(r#""num_labels": 2"#, 2, &["a", "b"]);
        assert!(kept == Head::Keep && note.unwrap().contains("by position"));
        assert_eq!(head(r#""num_labels": 1"#, 1, &["LABEL_0"]), (Head::Keep, None), "a regression");
        let one = r#""id2label": {"0": "spam"}"#;
        assert_eq!(head(one, 1, &["Spam"]), (Head::Keep, None), "a set of one label");
        for (keys, outputs, task, reason) in [
            (one, 1, &["fraud"][..], "labels are spam, and those of the task are fraud"),
            (names, 2, &["fraud"], "labels are pos, neg"),
            (names, 2, &["a", "b"], "labels are pos, neg"),
            (names, 3, &["pos", "neg", "c"], "id2label is for 2 labels"),
            (r#""num_labels": 1"#, 1, &["a", "b"], "a single output"),
            (names, 2, &["LABEL_0"], "the task is a regression"),
            (
                r#""num_labels": 2, "architectures": ["BertForTokenClassification"]"#,
                2,
                &["a", "b"],
                "another purpose",
            ),
        ] {
            let (head, note) = head(keys, outputs, task);
            assert_eq!(head, Head::Replace, "{keys}");
            assert!(note.as_ref().unwrap().contains(reason), "{note:?}");
        }
    }
}
