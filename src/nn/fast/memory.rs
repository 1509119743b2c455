//! How much memory training takes, from the sizes of the buffers themselves.

use super::layout::Layout;
use super::row_selection::Rows;
use super::tape::LayerTape;
use super::work::Work;
use crate::batch::Batch;
use crate::nn::Limits;
use crate::nn::config::ModelConfig;
use crate::nn::engine::MemoryPlan;

/// Bytes of a number.
const NUMBER: u64 = 4;

/// What training on `batch` takes on so many shards.
pub(super) fn plan(
    config: &ModelConfig,
    layout: &Layout,
    shards: usize,
    batch: &Batch,
    limits: Limits,
) -> MemoryPlan {
    let bytes = |numbers: usize| numbers as u64 * NUMBER;
    let parts = batch.micro_batches(limits.examples, limits.tokens);
    let part =
        |part: &Batch| part.split_by_tokens(shards).iter().map(|share| activations(config, share)).sum();
    MemoryPlan {
        weights: bytes(layout.length()),
        moments: bytes(2 * layout.length()),
        gradients: bytes(layout.length() + shards * layout.small()),
        activations: bytes(parts.iter().map(part).max().unwrap_or(0)),
    }
}

/// Numbers that a share leaves on its way forward and needs on its way back.
fn activations(config: &ModelConfig, share: &Batch) -> usize {
    let (t, h, i) = (share.tokens(), config.hidden, config.intermediate);
    let tape = |rows: &Rows| LayerTape::lengths(rows, (t, h, i)).iter().sum::<usize>();
    let inner_layers = config.layers.saturating_sub(1);
    let tapes =
        inner_layers * tape(&Rows::all(share, config.heads)) + tape(&Rows::first(share, config.heads));
    // The embeddings' own norm, and the input of each layer.
    let states = t * (h + 1) + config.layers * t * h;
    tapes + states + Work::lengths((t, h, i)).iter().sum::<usize>()
}
