//! The [`Workspace`]: activations, gradients of activations and the tape, in one arena of device memory.
//!
//! Each buffer has the size of the largest bucket so far. A smaller bucket uses its beginning, so that an address
//! always holds the same kind of data. Shapes: T tokens, E examples, R rows of a layer's output (E in the last layer,
//! else T), H hidden size, I intermediate size, U = I or, with gates, 2 I, W width of the embeddings.

use super::arena::ArenaAllocator;
use super::device::DeviceSlice;
use super::input::{Bucket, Input};
use super::ops::Rows;
use super::tensor::{MAX_PARTIAL_ROWS, MixedTensor, SavedNorm};
use crate::nn::architecture::{DropoutSite, NormPosition, Pooling};
use crate::nn::config::ModelConfig;
use crate::nn::relative_positions::RELATIVE_BUCKETS;

/// What a workspace is large enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkspaceSize {
    pub(super) bucket: Bucket,
    /// Whether there is a backward pass. Without one, layers share their buffers.
    pub(super) is_training: bool,
}

/// The tape of one layer: what its forward pass saves for the backward pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tape {
    /// The input's rows of first tokens, in a last layer of first tokens only: (E, H)
    pub(super) x_cls: MixedTensor,
    /// With pre-norm, the LayerNorm before attention, if the layer has it, with R = T, and its output: (T, H)
    pub(super) attn_norm: SavedNorm,
    pub(super) attn_in: MixedTensor,
    /// The rows of first tokens of that, in a last layer of first tokens only: (E, H)
    pub(super) attn_in_cls: MixedTensor,
    /// Queries, keys and values without bias, or rotated with bias: (T, 3 H); in a last layer of first tokens keys and
    /// values only: (T, 2 H)
    pub(super) qkv: DeviceSlice<f32>,
    /// Queries of first tokens, in a last layer of first tokens only: (E, H)
    pub(super) q_cls: DeviceSlice<f32>,
    /// Log-sum-exp of the attention scores: (R, heads)
    pub(super) lse: DeviceSlice<f32>,
    /// Output of attention, before the output projection: (R, H)
    pub(super) context: MixedTensor,
    /// The LayerNorm after attention, with post-norm.
    pub(super) ln1: SavedNorm,
    /// Input of the feed-forward network, the output of a LayerNorm: (R, H)
    pub(super) ln1_out: MixedTensor,
    /// Derivative of the activation function, or of the product with gates by both factors: (R, U)
    pub(super) act_grad: DeviceSlice<f32>,
    /// Output of the activation function and gates: (R, I)
    pub(super) ffn_act: MixedTensor,
    /// The LayerNorm after the feed-forward network, or before it with pre-norm.
    pub(super) ln2: SavedNorm,
}

impl Tape {
    /// The tape of a layer with `t` input rows and `r` output rows, which are those of `rows`.
    fn new(
        arena: &mut ArenaAllocator,
        (t, r): (usize, usize),
        config: &ModelConfig,
        (rows, has_attn_norm): (Rows, bool),
    ) -> Self {
        let (h, i) = (config.hidden, config.intermediate);
        let structure = config.architecture.layer_structure;
        let is_post_norm = structure.norm_position == NormPosition::Post;
        let cls = if rows == Rows::First { r * h } else { 0 };
        let attn_t = if has_attn_norm { t } else { 0 };
        Tape {
            x_cls: arena.mixed(cls),
            attn_norm: arena.saved_norm(attn_t, h),
            attn_in: arena.mixed(attn_t * h),
            attn_in_cls: arena.mixed(if has_attn_norm { cls } else { 0 }),
            qkv: arena.f32(t * h * if rows == Rows::First { 2 } else { 3 }),
            q_cls: arena.f32(cls),
            lse: arena.f32(r * config.heads),
            context: arena.mixed(r * h),
            ln1: arena.saved_norm(if is_post_norm { r } else { 0 }, h),
            ln1_out: arena.mixed(r * h),
            act_grad: arena.f32(r * structure.up_width(i)),
            ffn_act: arena.gemm_only(r * i),
            ln2: arena.saved_norm(r, h),
        }
    }
}

/// All buffers of a forward and backward pass.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    /// The memory of [`Input`].
    pub(super) input: DeviceSlice<u32>,
    /// The LayerNorm of the embeddings, with R = T and their width.
    pub(super) embedding_norm: SavedNorm,
    /// Input of the projection of the embeddings, if there is one: (T, W)
    pub(super) embedded: DeviceSlice<f32>,
    /// Its gradient: (T, W)
    pub(super) d_embedded: DeviceSlice<f32>,
    /// Inputs of the layers, (T, H) each, and the output of the last layer, (R, H).
    hidden_states: Vec<MixedTensor>,
    tapes: Vec<Tape>,
    /// With pre-norm, what is added to the residual stream, before dropout: (T, H)
    pub(super) branch: DeviceSlice<f32>,
    /// The LayerNorm after the last layer, if there is one, and its output: (R, H)
    pub(super) final_norm: SavedNorm,
    pub(super) normalized: DeviceSlice<f32>,
    /// Input of the pooler, if it is not an output of the last layer: (E, H)
    pub(super) pooler_input: DeviceSlice<f32>,
    /// Its gradient, if tokens are averaged: (E, H)
    pub(super) d_pooler_input: DeviceSlice<f32>,
    /// The LayerNorm after the pooler's activation function, if there is one: R = E.
    pub(super) pooler_norm: SavedNorm,
    /// Derivative of the pooler's activation function: (E, H)
    pub(super) pooled: DeviceSlice<f32>,
    /// Output of the pooler, after dropout: (E, H)
    pub(super) pooled_dropout: DeviceSlice<f32>,
    /// (E, classes)
    pub(super) logits: DeviceSlice<f32>,
    /// (E, classes)
    pub(super) dlogits: DeviceSlice<f32>,
    /// (E, H)
    pub(super) dpooled: DeviceSlice<f32>,
    /// Gradients of a layer's output and input, which are exchanged after the last layer: (T, H) each
    pub(super) grad_ping_pong: [DeviceSlice<f32>; 2],
    /// Gradient of the output of a linear layer, before dropout and residual: (T, H)
    pub(super) dh: MixedTensor,
    /// With gates, the gradient of their output: (T, I)
    pub(super) d_ffn: DeviceSlice<f32>,
    /// Gradient of the input of the activation function and gates; without gates, before that of its output: (T, U)
    pub(super) di: MixedTensor,
    /// Gradient of the attention's output; before that, with pre-norm, of the input of the feed-forward network: (T, H)
    pub(super) dcontext: DeviceSlice<f32>,
    /// (T, 3 H)
    pub(super) dqkv: MixedTensor,
    /// Of the last layer: (E, H)
    pub(super) dq_cls: MixedTensor,
    /// Row sums of context ⊙ dcontext: (T, heads)
    pub(super) delta: DeviceSlice<f32>,
    /// Parts of the gradient of relative positions, if the model has them, as in [`RelativeBias`](super::ops::RelativeBias).
    pub(super) bias_sums: DeviceSlice<f32>,
    /// (blocks, [`partial_stride`])
    pub(super) partial_sums: DeviceSlice<f32>,
}

/// The rows that the last layer outputs: those that the head reads.
pub(super) fn last_rows(config: &ModelConfig) -> Rows {
    match config.pooling {
        Pooling::FirstToken => Rows::First,
        Pooling::Mean => Rows::All,
    }
}

/// Columns of the partial sums: enough for all vector parameters of a layer, the embeddings or the classifier.
pub(super) fn partial_stride(config: &ModelConfig, classes: usize) -> usize {
    let up = config.architecture.layer_structure.up_width(config.intermediate);
    let layer = 9 * config.hidden + up;
    // Sums for biases that the model does not have go to columns after the others.
    let unused = if config.without_bias.is_empty() { 0 } else { up.max(3 * config.hidden) };
    let embeddings = config.type_vocab.max(2) * config.embedding_size;
    (layer + unused).max(embeddings).max(classes)
}

impl Workspace {
    /// A workspace from the address `base` on, and its size in bytes.
    pub(super) fn new(
        config: &ModelConfig,
        classes: usize,
        is_bf16: bool,
        size: WorkspaceSize,
        base: u64,
    ) -> (Self, usize) {
        let WorkspaceSize { bucket, is_training } = size;
        let Bucket { tokens: t, examples: e, .. } = bucket;
        let (h, i, heads, layers) = (config.hidden, config.intermediate, config.heads, config.layers);
        let mut arena = ArenaAllocator::new(base, is_bf16);
        let input = arena.u32(Input::len(bucket));
        let embedding_norm = arena.saved_norm(t, config.embedding_size);
        let projected = if config.names().projection.is_some() { config.embedding_size } else { 0 };
        let embedded = arena.f32(t * projected);
        let inner_layers = if is_training { layers - 1 } else { (layers - 1).min(1) };
        let layer_inputs = if is_training { layers } else { layers.min(2) };
        let mut hidden_states: Vec<MixedTensor> = (0..layer_inputs).map(|_| arena.mixed(t * h)).collect();
        let last_rows = last_rows(config);
        let r = if last_rows == Rows::First { e } else { t };
        hidden_states.push(arena.mixed(r * h));
        let norm_of = |layer: usize| config.has_norm_before_attention(layer);
        // In inference, the layers with one tape may differ in the norm.
        let has_norm = |layer: usize| if is_training { norm_of(layer) } else { (0..layers).any(norm_of) };
        let mut tapes: Vec<Tape> = (0..inner_layers)
            .map(|layer| Tape::new(&mut arena, (t, t), config, (Rows::All, has_norm(layer))))
            .collect();
        tapes.push(Tape::new(&mut arena, (t, r), config, (last_rows, norm_of(layers - 1))));
        let names = config.names();
        let is_pre_norm = config.architecture.layer_structure.norm_position == NormPosition::Pre;
        let branch = arena.f32(if is_pre_norm { t * h } else { 0 });
        let final_rows = if names.final_norm.is_some() { r } else { 0 };
        let (final_norm, normalized) = (arena.saved_norm(final_rows, h), arena.f32(final_rows * h));
        let has_mean = config.pooling == Pooling::Mean;
        let pooler_norm = arena.saved_norm(if names.pooler_norm.is_some() { e } else { 0 }, h);
        let has_pooler_dropout = is_training && config.dropout_rate(DropoutSite::Pooler) > 0.0;
        let pooler_input = arena.f32(if has_pooler_dropout || has_mean { e * h } else { 0 });
        let (pooled, pooled_dropout) = (arena.f32(e * h), arena.f32(e * h));
        let (logits, dlogits) = (arena.f32(e * classes), arena.f32(e * classes));
        // Without a backward pass, the buffers that follow are empty.
        let (t, e) = if is_training { (t, e) } else { (0, 0) };
        let has_bias = is_training && config.names().relative_bias.is_some();
        let up = config.architecture.layer_structure.up_width(i);
        let partial_rows = if is_training { MAX_PARTIAL_ROWS } else { 0 };
        let workspace = Workspace {
            input,
            embedding_norm,
            embedded,
            d_embedded: arena.f32(t * projected),
            hidden_states,
            tapes,
            branch,
            final_norm,
            normalized,
            pooler_input,
            d_pooler_input: arena.f32(if has_mean { e * h } else { 0 }),
            pooler_norm,
            pooled,
            pooled_dropout,
            logits,
            dlogits,
            dpooled: arena.f32(e * h),
            grad_ping_pong: [arena.f32(t * h), arena.f32(t * h)],
            dh: arena.gemm_only(t * h),
            d_ffn: arena.f32(if up > i { t * i } else { 0 }),
            di: arena.mixed(t * up),
            dcontext: arena.f32(t * h),
            dqkv: arena.mixed(t * 3 * h),
            dq_cls: arena.mixed(e * h),
            delta: arena.f32(t * heads),
            bias_sums: arena.f32(if has_bias { bucket.tiles() * RELATIVE_BUCKETS * heads } else { 0 }),
            partial_sums: arena.f32(partial_rows * partial_stride(config, classes)),
        };
        (workspace, arena.bytes())
    }

    /// The tape of `layer` of a model with `layers` layers.
    pub(super) fn tape(&self, layer: usize, layers: usize) -> &Tape {
        let last = self.tapes.len() - 1;
        &self.tapes[if layer + 1 == layers { last } else { layer.min(last - 1) }]
    }

    /// The input of `layer`, or the output of the last layer if `layer` is `layers`.
    pub(super) fn hidden_state(&self, layer: usize, layers: usize) -> MixedTensor {
        let last = self.hidden_states.len() - 1;
        self.hidden_states[if layer == layers {
            last
        } else if last == layers {
            layer
        } else {
            // Inference alternates between two buffers.
            layer % last
        }]
    }
}
