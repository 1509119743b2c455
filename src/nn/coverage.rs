//! Does every tensor learn? Asked once, before the first step: candle cuts gradients without a word
//! where a fused operation has no backward pass, and the layers before it would stand still.

use super::engine::{Array, Engine, StepInput};
use super::load::listed;
use super::names::is_key_bias;
use crate::error::{Error, Result};

/// Which tensors get a true gradient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Number of tensors with a gradient that moves them.
    pub learning: usize,
    /// Number of trainable tensors.
    pub total: usize,
    /// Names of those without a gradient, or with one that is all zeros or not finite.
    pub idle: Vec<String>,
}

impl Coverage {
    /// `104/104 tensors learning`
    pub fn sentence(&self) -> String {
        format!("{}/{} tensors learning", self.learning, self.total)
    }
}

/// Examples that nearly always move every tensor.
const FEW: usize = 2;

/// Takes the gradients of `input`, changing nothing, and looks at each. Key biases may have zeros:
/// softmax does not see them, so zero is their true gradient; but they have to have one. The first examples
/// alone are asked, and all of them only if those leave a tensor idle.
pub fn check(engine: &mut dyn Engine, input: StepInput<'_>) -> Result<Coverage> {
    let few = input.batch.micro_batches(FEW, usize::MAX).swap_remove(0);
    let coverage = check_whole(engine, StepInput { batch: &few, ..input })?;
    if coverage.idle.is_empty() || few.len() == input.batch.len() {
        return Ok(coverage);
    }
    check_whole(engine, input)
}

fn check_whole(engine: &mut dyn Engine, input: StepInput<'_>) -> Result<Coverage> {
    let names: Vec<String> = engine.shapes().into_iter().map(|(name, _)| name).collect();
    let (_, gradients) = engine.gradients(input)?;
    let learns = |name: &&String| gradients.get(*name).is_some_and(|gradient| moves(name, gradient));
    let idle: Vec<String> = names.iter().filter(|name| !learns(name)).cloned().collect();
    Ok(Coverage { learning: names.len() - idle.len(), total: names.len(), idle })
}

fn moves(name: &str, gradient: &Array) -> bool {
    let finite = gradient.data.iter().all(|number| number.is_finite());
    finite && (is_key_bias(name) || gradient.data.iter().any(|number| *number != 0.0))
}

/// Refuses to go on when any tensor is idle.
pub fn require_all(coverage: &Coverage) -> Result<()> {
    if coverage.idle.is_empty() {
        return Ok(());
    }
    Err(Error::Training(format!(
        "only {}: {} get no true gradient, so training would not train the model; \
         check the weights for values that are not finite, or report this as a bug",
        coverage.sentence(),
        listed(&coverage.idle)
    )))
}
