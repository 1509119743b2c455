//! What becomes of the trained head of a model: kept, with its outputs in the order of the task's labels, or replaced.

use super::config::ModelConfig;
use crate::catalog::{LabelMap, LabelMatch, match_labels};
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
/// whose name does not matter. Returns a note for the log, too.
///
/// # Errors
/// [`Error::Usage`] if the labels differ in spite of `label_map`.
pub(super) fn head_for(
    config: &ModelConfig,
    outputs: usize,
    task: &[String],
    label_map: Option<&LabelMap>,
) -> Result<(Head, Option<String>)> {
    let is_new = |reason: String| {
        let note = format!("the classification head is newly initialized: {reason}");
        Ok((Head::Replace, Some(note)))
    };
    let Some(label_map) = label_map else {
        return Ok((if outputs == task.len() { Head::Keep } else { Head::Replace }, None));
    };
    match (outputs, task.len()) {
        (1, 1) => return Ok((Head::Keep, None)),
        (1, labels) => {
            return is_new(format!(
                "that of the model has a single output, and the task has {labels} labels"
            ));
        }
        (outputs, 1) => {
            return is_new(format!("that of the model has {outputs} outputs, and the task is a regression"));
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
