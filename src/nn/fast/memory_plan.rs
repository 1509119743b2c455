//! Memory that training needs, computed from the sizes of the buffers.

use super::layout::Layout;
use super::relative_embeddings;
use super::row_selection::RowSelection;
use super::tape::LayerTape;
use super::workspace::GradBuffers;
use crate::batch::Batch;
use crate::nn::config::ModelConfig;
use crate::nn::engine::MemoryPlan;
use crate::nn::engine_config::MicroBatchLimits;

/// Bytes of an f32.
const F32_BYTES: u64 = 4;

/// Memory for training on `batch` with `shards` shards.
pub(super) fn memory_plan(
    config: &ModelConfig,
    layout: &Layout,
    shards: usize,
    batch: &Batch,
    limits: MicroBatchLimits,
) -> MemoryPlan {
    let bytes = |elements: usize| elements as u64 * F32_BYTES;
    let micro_batches = batch.micro_batches(limits.max_examples, limits.max_tokens);
    let elements = |micro_batch: &Batch| {
        micro_batch.split_by_tokens(shards).iter().map(|shard| activations(config, shard)).sum()
    };
    MemoryPlan {
        weights: bytes(layout.len()),
        moments: bytes(2 * layout.len()),
        gradients: bytes(layout.len() + shards * layout.vectors_len()),
        activations: bytes(micro_batches.iter().map(elements).max().unwrap_or(0)),
    }
}

/// Elements of the buffers for the forward and backward pass of a shard.
fn activations(config: &ModelConfig, shard: &Batch) -> usize {
    let (t, h, i) = (shard.tokens(), config.hidden, config.intermediate);
    let tape = |rows: &RowSelection| LayerTape::lengths(rows, (t, h, i)).iter().sum::<usize>();
    let other_layers = config.layers.saturating_sub(1);
    let tapes = other_layers * tape(&RowSelection::all(shard, config.heads))
        + tape(&RowSelection::first_tokens(shard, config.heads));
    // x̂ and 1/σ of the embeddings, the embeddings before their projection and their gradient, and the input of each layer.
    let width = config.embedding_size;
    let projected = if config.names().projection.is_some() { 2 * t * width } else { 0 };
    let norm_width = if config.projects_before_norm() { h } else { width };
    let states = t * (norm_width + 1) + projected + config.layers * t * h;
    let relative = relative_embeddings::buffer_elements(config, shard.longest());
    tapes + states + relative + GradBuffers::lengths((t, h, i)).iter().sum::<usize>()
}
