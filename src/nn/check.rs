//! What no engine can work on, refused before it begins.

use super::config::ModelConfig;
use super::engine::{Interpolation, Weights};
use super::names::ParamSpec;
use crate::batch::{Batch, Label};
use crate::error::{Error, Result};

/// Refuses what the model has no row for.
pub(crate) fn check_batch(config: &ModelConfig, batch: &Batch) -> Result<()> {
    let problem = if let Some(id) = batch.ids.iter().find(|id| **id as usize >= config.vocab_size) {
        format!(
            "token id {id} is outside its vocabulary of {}; the tokenizer is not its own",
            config.vocab_size
        )
    } else if batch.longest() > config.max_positions {
        let (longest, most) = (batch.longest(), config.max_positions);
        format!(
            "an input of {longest} tokens is longer than its {most}; set max_seq_length to {most} or less"
        )
    } else if let Some(segment) =
        batch.type_ids.iter().find(|id| config.type_vocab > 0 && **id as usize >= config.type_vocab)
    {
        format!("segment {segment} is outside its {} segments", config.type_vocab)
    } else if batch.offsets.windows(2).any(|bounds| bounds[0] == bounds[1]) {
        "an input has no token".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::model(&config.model, problem))
}

/// Refuses mixed words that the model has no row for, and a class that it does not have.
pub(crate) fn check_mix(
    config: &ModelConfig,
    classes: usize,
    mix: &Interpolation<'_>,
    class: usize,
) -> Result<()> {
    check_batch(config, mix.batch)?;
    let tokens = mix.batch.tokens();
    let problem = if let Some(id) = mix.others.iter().find(|id| **id as usize >= config.vocab_size) {
        format!("token id {id} is outside its vocabulary of {}", config.vocab_size)
    } else if class >= classes {
        format!("class {class} is outside its {classes}")
    } else if mix.others.len() != tokens || mix.shares.len() != tokens {
        let (others, shares) = (mix.others.len(), mix.shares.len());
        format!("{tokens} tokens are mixed with {others} words in {shares} shares")
    } else {
        return Ok(());
    };
    Err(Error::model(&config.model, problem))
}

/// Refuses a batch that a model with so many outputs cannot learn from: one output alone tells a number, several
/// tell classes apart.
pub(crate) fn check_labels(outputs: usize, batch: &Batch) -> Result<()> {
    let problem = if batch.is_empty() {
        "a training step got no example".to_owned()
    } else if batch.labels.len() != batch.len() {
        "a training step got an example without a label".to_owned()
    } else if let Some(problem) = batch.labels.iter().find_map(|label| misfit(outputs, *label)) {
        problem
    } else {
        return Ok(());
    };
    Err(Error::Training(problem))
}

/// What is wrong with a label.
fn misfit(outputs: usize, label: Label) -> Option<String> {
    match label {
        Label::Class(class) if outputs == 1 => {
            Some(format!("label {class} is a class, and a model of one output learns numbers"))
        }
        Label::Class(class) if class as usize >= outputs => {
            Some(format!("label {class} is outside the {outputs} classes"))
        }
        Label::Value(value) if outputs > 1 => {
            Some(format!("label {value} is a number, and a model of {outputs} outputs learns classes"))
        }
        Label::Value(value) if !value.is_finite() => Some(format!("label {value} is no number to learn")),
        _ => None,
    }
}

/// Refuses weights that are not those of `slots`, by name and shape.
pub(crate) fn check_weights<'s>(
    model: &str,
    slots: &(impl Iterator<Item = &'s ParamSpec> + Clone),
    weights: &Weights,
) -> Result<()> {
    let wrong = |problem| Err(Error::model(model, problem));
    for ParamSpec { name, shape, .. } in slots.clone() {
        match weights.get(name) {
            None => return wrong(format!("tensor {name} is missing from the weights put back")),
            Some(array) if array.shape != *shape => {
                let found = &array.shape;
                return wrong(format!("tensor {name} has shape {found:?}, and {shape:?} is expected"));
            }
            Some(_) => {}
        }
    }
    match weights.keys().find(|name| !slots.clone().any(|slot| slot.name == **name)) {
        Some(name) => wrong(format!("tensor {name} is none of the model's")),
        None => Ok(()),
    }
}
