//! Gradient coverage: does every parameter receive a gradient?
//!
//! Checked once before the first step, because candle drops gradients silently where a fused operation has no
//! backward pass, and the parameters before that operation would never change.

use super::architecture::is_key_bias;
use super::engine::{Array, Engine, ParamState, StepInput};
use super::error_text::list_names;
use super::lora::is_without_first_gradient;
use crate::error::{Error, Result};

/// Which parameters receive a gradient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Number of parameters with a finite gradient that is not all zeros.
    pub with_gradient: usize,
    /// Number of trainable parameters (tensors, not elements).
    pub total: usize,
    /// Names of the parameters whose gradient is missing, all zeros or not finite.
    pub without_gradient: Vec<String>,
}

impl Coverage {
    /// `104/104 parameters receive a gradient`
    pub fn summary(&self) -> String {
        format!("{}/{} parameters receive a gradient", self.with_gradient, self.total)
    }
}

/// Number of examples that is nearly always enough for a gradient of every parameter.
const FIRST_EXAMPLES: usize = 2;

/// Computes the gradients of `input` without changing the model and checks each of them. Key biases may have a
/// gradient of zeros, since softmax is invariant to them (see [`is_key_bias`]), and so may the first factor of an adapter, but it must be present. Checks
/// the first examples of the batch, and all of it only if they leave a parameter without a gradient.
pub fn check(engine: &mut dyn Engine, input: StepInput<'_>) -> Result<Coverage> {
    let first = input.batch.micro_batches(FIRST_EXAMPLES, usize::MAX).swap_remove(0);
    let coverage = check_batch(engine, StepInput { batch: &first, ..input })?;
    if coverage.without_gradient.is_empty() || first.len() == input.batch.len() {
        return Ok(coverage);
    }
    check_batch(engine, input)
}

fn check_batch(engine: &mut dyn Engine, input: StepInput<'_>) -> Result<Coverage> {
    let trained = engine.shapes_of(ParamState::FirstMoment);
    let names: Vec<String> = trained.into_iter().map(|(name, _)| name).collect();
    let (_, gradients) = engine.gradients(input)?;
    let has_gradient = |name: &&String| gradients.get(*name).is_some_and(|gradient| is_valid(name, gradient));
    let without_gradient: Vec<String> = names.iter().filter(|name| !has_gradient(name)).cloned().collect();
    Ok(Coverage { with_gradient: names.len() - without_gradient.len(), total: names.len(), without_gradient })
}

fn is_valid(name: &str, gradient: &Array) -> bool {
    let is_finite = gradient.data.iter().all(|x| x.is_finite());
    is_finite
        && (is_key_bias(name) || is_without_first_gradient(name) || gradient.data.iter().any(|x| *x != 0.0))
}

/// # Errors
/// A parameter without a gradient.
pub fn require_all(coverage: &Coverage) -> Result<()> {
    if coverage.without_gradient.is_empty() {
        return Ok(());
    }
    Err(Error::Training(format!(
        "only {}; missing, zero or not finite: {}. Training would not change them. Check the weights for values \
         that are not finite, or report this as a bug",
        coverage.summary(),
        list_names(&coverage.without_gradient)
    )))
}
