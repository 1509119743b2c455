//! Validation of the inputs of an engine.

use super::config::ModelConfig;
use super::engine::{Distillation, EngineState, Interpolation, Weights};
use super::lora::is_adapter;
use super::params::ParamSpec;
use crate::batch::{Batch, Label};
use crate::error::{Error, Result};
use crate::text::plural;

/// # Errors
/// A token id, a position or a segment that the model has no embedding for; an example without tokens.
pub(crate) fn check_batch(config: &ModelConfig, batch: &Batch) -> Result<()> {
    let problem = if let Some(id) = batch.ids.iter().find(|id| **id as usize >= config.vocab_size) {
        format!(
            "token id {id} is outside the vocabulary of {}; the tokenizer does not belong to this model",
            config.vocab_size
        )
    } else if batch.longest() > config.max_tokens() {
        let (longest, max) = (batch.longest(), config.max_tokens());
        format!(
            "an input has {longest} tokens, more than the maximum of {max}; set max_seq_length to {max} or less"
        )
    } else if let Some(segment) =
        batch.type_ids.iter().find(|id| config.type_vocab > 0 && **id as usize >= config.type_vocab)
    {
        format!("segment {segment} is out of range: the model has {} segments", config.type_vocab)
    } else if batch.offsets.windows(2).any(|bounds| bounds[0] == bounds[1]) {
        "an input has no tokens".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::model(&config.model, problem))
}

/// # Errors
/// Those of [`check_batch`]; a baseline token id or a class that the model does not have; arrays of other lengths
/// than the number of tokens.
pub(crate) fn check_interpolation(
    config: &ModelConfig,
    classes: usize,
    input: &Interpolation<'_>,
    class: usize,
) -> Result<()> {
    check_batch(config, input.batch)?;
    let tokens = input.batch.tokens();
    let (baseline_ids, alphas) = (input.baseline_ids.len(), input.alphas.len());
    let problem = if let Some(id) = input.baseline_ids.iter().find(|id| **id as usize >= config.vocab_size) {
        format!("token id {id} is outside the vocabulary of {}", config.vocab_size)
    } else if class >= classes {
        format!("class {class} is out of range: the model has {classes} classes")
    } else if baseline_ids != tokens || alphas != tokens {
        format!("the input has {tokens} tokens but {baseline_ids} baseline ids and {alphas} alphas")
    } else {
        return Ok(());
    };
    Err(Error::model(&config.model, problem))
}

/// # Errors
/// A batch that a model with that many outputs cannot be trained on: labels of different kinds, or labels that do not
/// fit the outputs. Numbers need one output and classes several.
pub(crate) fn check_labels(outputs: usize, batch: &Batch) -> Result<()> {
    let kind = |label: &Label| std::mem::discriminant(label);
    let problem = if batch.is_empty() {
        "a training step has no examples".to_owned()
    } else if batch.labels.len() != batch.len() {
        "a training step has an example without a label".to_owned()
    } else if batch.labels.windows(2).any(|pair| kind(&pair[0]) != kind(&pair[1])) {
        "a training step has labels of different kinds".to_owned()
    } else if let Some(problem) = batch.labels.iter().find_map(|label| label_error(outputs, label)) {
        problem
    } else {
        return Ok(());
    };
    Err(Error::Training(problem))
}

/// # Errors
/// Names or shapes of a state that differ from those of the parameters and adapters `specs`.
pub(crate) fn check_state<'s>(
    model: &str,
    specs: &(impl Iterator<Item = &'s ParamSpec> + Clone),
    state: &EngineState,
    has_average: bool,
) -> Result<()> {
    let [of_model, adapters] =
        [false, true].map(|wanted| specs.clone().filter(move |spec| is_adapter(&spec.name) == wanted));
    check_weights(model, &of_model, &state.weights)?;
    check_weights(model, &adapters, &state.adapters)?;
    let trained = specs.clone().filter(|spec| spec.requires_grad);
    for moments in [&state.first_moments, &state.second_moments] {
        check_weights(model, &trained, moments)?;
    }
    if has_average { check_weights(model, specs, &state.average) } else { Ok(()) }
}

/// # Errors
/// A batch without logits of a teacher for all outputs, if there is a distance to it in the loss.
pub(crate) fn check_teacher(outputs: usize, batch: &Batch, distillation: Option<Distillation>) -> Result<()> {
    if distillation.is_none() || batch.teacher_logits.len() == batch.len() * outputs {
        return Ok(());
    }
    Err(Error::Training("a training step has no logits of the teacher".into()))
}

/// Why a label does not fit the outputs, if it does not.
fn label_error(outputs: usize, label: &Label) -> Option<String> {
    match label {
        Label::Class(class) if outputs == 1 => {
            Some(format!("label {class} is a class, but a model with one output needs numbers"))
        }
        Label::Class(class) if *class as usize >= outputs => {
            Some(format!("label {class} is out of range: the model has {outputs} classes"))
        }
        Label::Set(indices) => {
            let index = indices.iter().find(|index| **index as usize >= outputs)?;
            Some(format!("label {index} is out of range: the model has {}", plural(outputs, "label")))
        }
        Label::Value(value) if outputs > 1 => {
            Some(format!("label {value} is a number, but a model with {outputs} outputs needs classes"))
        }
        Label::Value(value) if !value.is_finite() => Some(format!("label {value} is not a finite number")),
        Label::Class(_) | Label::Value(_) => None,
    }
}

/// # Errors
/// Weights whose names or shapes differ from `specs`.
pub(crate) fn check_weights<'s>(
    model: &str,
    specs: &(impl Iterator<Item = &'s ParamSpec> + Clone),
    weights: &Weights,
) -> Result<()> {
    let wrong = |problem| Err(Error::model(model, problem));
    for ParamSpec { name, shape, .. } in specs.clone() {
        match weights.get(name) {
            None => return wrong(format!("tensor {name} is missing")),
            Some(array) if array.shape != *shape => {
                let found = &array.shape;
                return wrong(format!("tensor {name} has shape {found:?}; expected {shape:?}"));
            }
            Some(_) => {}
        }
    }
    match weights.keys().find(|name| !specs.clone().any(|spec| spec.name == **name)) {
        Some(name) => wrong(format!("the model has no tensor {name}")),
        None => Ok(()),
    }
}
