//! Scratch buffers and kernels with state that all layers of a shard share.
//!
//! Shapes as in [`super::layer`]. Buffers grow to the largest batch and are not shrunk; each element is written
//! before it is read.

use super::layer_sizes::LayerSizes;
use super::relative_embeddings::{RelativeEmbeddings, RelativeGrads};
use crate::nn::encoder_layer::{Buffer, Matrix};
use kernels::attention::Attention;
use kernels::matmul::Matmul;
use kernels::op_cost::OpCost;
use kernels::tiled_attention::TiledAttention;

/// Kernels with state, and buffers of the backward pass.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) matmul: Matmul,
    pub(super) attention: Attention,
    pub(super) tiled_attention: TiledAttention,
    pub(super) grads: GradBuffers,
    pub(super) relative: RelativeEmbeddings,
    pub(super) relative_grads: RelativeGrads,
    /// Matrices of the layer whose backward pass was the last one, each with the buffers d_y and x of its gradient d_yᵀ x.
    pub(super) weight_grads: Vec<(Matrix, [Buffer; 2])>,
}

/// The beginnings of [`GradBuffers`] that a layer uses.
#[derive(Default)]
pub(super) struct GradSlices<'g> {
    /// (R, H)
    pub(super) d_context: &'g mut [f32],
    /// (R, I)
    pub(super) d_ffn: &'g mut [f32],
    /// (R, H)
    pub(super) d_q: &'g mut [f32],
    /// (T, 2H)
    pub(super) d_kv: &'g mut [f32],
    /// (R, H)
    pub(super) d: &'g mut [f32],
    /// (T, H)
    pub(super) d_x: &'g mut [f32],
    /// (R, H) each
    pub(super) branches: [&'g mut [f32]; 2],
    /// (R, H)
    pub(super) d_ln1_out: &'g mut [f32],
}

/// Buffers of the backward pass. The last two are empty unless the model has pre-norm.
#[derive(Debug, Default)]
pub(super) struct GradBuffers {
    /// Gradient of the attention context: (T, H)
    pub(super) d_context: Vec<f32>,
    /// Gradient of the output of the activation function, then of its input: (T, I)
    pub(super) d_ffn: Vec<f32>,
    /// Gradient of the queries: (T, H)
    pub(super) d_q: Vec<f32>,
    /// Gradient of keys and values: (T, 2H)
    pub(super) d_kv: Vec<f32>,
    /// Gradient of a layer's output and of its input, swapped after each layer: (T, H) each.
    pub(super) ping_pong: [Vec<f32>; 2],
    /// Outputs of attention and feed-forward network before they are added to the residual stream, in the forward pass
    /// too, and their gradients: (T, H) each
    pub(super) branches: [Vec<f32>; 2],
    /// Gradient of the input of the feed-forward network: (T, H)
    pub(super) d_ln1_out: Vec<f32>,
}

impl Workspace {
    pub(super) fn new(matmul: Matmul) -> Self {
        Workspace {
            matmul,
            attention: Attention::default(),
            tiled_attention: TiledAttention::default(),
            grads: GradBuffers::default(),
            relative: RelativeEmbeddings::default(),
            relative_grads: RelativeGrads::default(),
            weight_grads: Vec::new(),
        }
    }
}

impl Workspace {
    /// Cost of attention of either kind.
    pub(super) fn attention_cost(&self) -> OpCost {
        let (all, tiled) = (self.attention.cost, self.tiled_attention.cost);
        OpCost { seconds: all.seconds + tiled.seconds, flops: all.flops + tiled.flops }
    }
}

impl GradBuffers {
    /// Elements of each buffer for `t` tokens, in the order of [`GradBuffers::buffers`].
    pub(super) fn lengths(t: usize, sizes: LayerSizes) -> [usize; 9] {
        let (h, i) = (sizes.hidden, sizes.intermediate);
        let pre_norm = if sizes.is_pre_norm() { t * h } else { 0 };
        [t * h, t * i, t * h, t * 2 * h, t * h, t * h, pre_norm, pre_norm, pre_norm]
    }

    /// Resizes the buffers for the backward pass.
    pub(super) fn resize(&mut self, t: usize, sizes: LayerSizes) {
        for (buffer, length) in self.buffers().into_iter().zip(Self::lengths(t, sizes)) {
            buffer.resize(length, 0.0);
        }
    }

    /// Resizes the buffers that the forward pass uses, and returns them for a layer with `r` rows.
    pub(super) fn forward_slices(&mut self, r: usize, sizes: LayerSizes) -> GradSlices<'_> {
        let length = if sizes.is_pre_norm() { r * sizes.hidden } else { 0 };
        let branches = self.branches.each_mut().map(|branch| {
            branch.resize(branch.len().max(length), 0.0);
            &mut branch[..length]
        });
        GradSlices { branches, ..GradSlices::default() }
    }

    /// The buffers of a layer with `r` of `t` rows.
    pub(super) fn slices(&mut self, (t, r): (usize, usize), sizes: LayerSizes) -> GradSlices<'_> {
        let (h, i) = (sizes.hidden, sizes.intermediate);
        let pre_norm = if sizes.is_pre_norm() { r * h } else { 0 };
        let GradBuffers { d_context, d_ffn, d_q, d_kv, ping_pong: [d, d_x], branches, d_ln1_out } = self;
        GradSlices {
            d_context: &mut d_context[..r * h],
            d_ffn: &mut d_ffn[..r * i],
            d_q: &mut d_q[..r * h],
            d_kv: &mut d_kv[..t * 2 * h],
            d: &mut d[..r * h],
            d_x: &mut d_x[..t * h],
            branches: branches.each_mut().map(|branch| &mut branch[..pre_norm]),
            d_ln1_out: &mut d_ln1_out[..pre_norm],
        }
    }

    /// In the order of [`GradBuffers::lengths`].
    pub(super) fn buffers(&mut self) -> [&mut Vec<f32>; 9] {
        let GradBuffers { d_context, d_ffn, d_q, d_kv, ping_pong: [d, d_x], branches, d_ln1_out } = self;
        let [proj, ffn_out] = branches;
        [d_context, d_ffn, d_q, d_kv, d, d_x, proj, ffn_out, d_ln1_out]
    }
}
