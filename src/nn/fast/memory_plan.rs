//! Memory that training needs, computed from the sizes of the buffers.

use super::layer_sizes::LayerSizes;
use super::layout::Layout;
use super::pooling::PoolState;
use super::relative_embeddings;
use super::row_selection::RowSelection;
use super::tape::LayerTape;
use super::workspace::GradBuffers;
use crate::batch::Batch;
use crate::nn::config::ModelConfig;
use crate::nn::engine::MemoryPlan;
use crate::nn::engine_config::MicroBatchLimits;
use crate::nn::param_groups::FrozenPrefix;

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
        let shards = micro_batch.split_by_tokens(shards);
        shards.iter().map(|shard| activations(config, layout.frozen, shard)).sum()
    };
    let trained = layout.trained_len();
    MemoryPlan {
        weights: bytes(layout.len()),
        moments: bytes(2 * trained),
        average: 0,
        gradients: bytes(trained + layout.adapted_len() + shards * layout.vectors_len()),
        activations: bytes(micro_batches.iter().map(elements).max().unwrap_or(0)),
    }
}

/// Elements of the buffers for the forward and backward pass of a shard. The frozen layers use those of the first one that is
/// trained.
fn activations(config: &ModelConfig, frozen: FrozenPrefix, shard: &Batch) -> usize {
    let (t, h, frozen_layers) = (shard.tokens(), config.hidden, frozen.layers());
    let rows = RowSelection::of_layers(config, shard);
    let tape = |index: usize| {
        let rows = &rows[usize::from(index + 1 == config.layers)];
        LayerTape::lengths(rows, t, LayerSizes::of(config, index))
    };
    let larger = |a: [usize; 14], b: [usize; 14]| std::array::from_fn(|buffer| a[buffer].max(b[buffer]));
    let first = (0..config.layers.min(frozen_layers + 1)).map(tape).reduce(larger);
    let others = (frozen_layers + 1..config.layers).map(tape);
    let tapes = first.into_iter().chain(others).flatten().sum::<usize>();
    let saved_layers = (config.layers - frozen_layers).max(1);
    // x̂ and 1/σ of the embeddings, the embeddings before their projection and, unless they are frozen, their gradient, and
    // the input of each layer.
    let width = config.embedding_size;
    let copies = if frozen == FrozenPrefix::Nothing { 2 } else { 1 };
    let projected = if config.names().projection.is_some() { copies * t * width } else { 0 };
    let norm_width = if config.projects_before_norm() { h } else { width };
    let states = t * (norm_width + 1) + projected + saved_layers * t * h;
    let relative = relative_embeddings::buffer_elements(config, saved_layers, shard.longest());
    let grads = GradBuffers::lengths(t, LayerSizes::of(config, 0)).iter().sum::<usize>();
    tapes + states + relative + grads + PoolState::lengths(config, rows[1].len()).iter().sum::<usize>()
}
