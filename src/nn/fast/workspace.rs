//! Scratch buffers and kernels with state that all layers of a shard share.
//!
//! Shapes as in [`super::layer`]. Buffers grow to the largest batch and are not shrunk; each element is written
//! before it is read.

use super::relative_embeddings::{RelativeEmbeddings, RelativeGrads};
use crate::nn::encoder_layer::{Buffer, Matrix};
use kernels::attention::Attention;
use kernels::matmul::Matmul;

/// Kernels with state, and buffers of the backward pass.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) matmul: Matmul,
    pub(super) attention: Attention,
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
}

/// Buffers of the backward pass.
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
}

impl Workspace {
    pub(super) fn new(matmul: Matmul) -> Self {
        Workspace {
            matmul,
            attention: Attention::default(),
            grads: GradBuffers::default(),
            relative: RelativeEmbeddings::default(),
            relative_grads: RelativeGrads::default(),
            weight_grads: Vec::new(),
        }
    }
}

impl GradBuffers {
    /// Elements of each buffer for `t` tokens, in the order of [`GradBuffers::buffers`].
    pub(super) fn lengths((t, h, i): (usize, usize, usize)) -> [usize; 6] {
        [t * h, t * i, t * h, t * 2 * h, t * h, t * h]
    }

    /// Resizes the buffers for the backward pass; `sizes` are (T, H, I).
    pub(super) fn resize(&mut self, sizes: (usize, usize, usize)) {
        for (buffer, length) in self.buffers().into_iter().zip(Self::lengths(sizes)) {
            buffer.resize(length, 0.0);
        }
    }

    /// The buffers of a layer with `r` of `t` rows.
    pub(super) fn slices(&mut self, (t, r): (usize, usize), (h, i): (usize, usize)) -> GradSlices<'_> {
        let GradBuffers { d_context, d_ffn, d_q, d_kv, ping_pong: [d, d_x] } = self;
        GradSlices {
            d_context: &mut d_context[..r * h],
            d_ffn: &mut d_ffn[..r * i],
            d_q: &mut d_q[..r * h],
            d_kv: &mut d_kv[..t * 2 * h],
            d: &mut d[..r * h],
            d_x: &mut d_x[..t * h],
        }
    }

    /// In the order of [`GradBuffers::lengths`].
    pub(super) fn buffers(&mut self) -> [&mut Vec<f32>; 6] {
        let GradBuffers { d_context, d_ffn, d_q, d_kv, ping_pong: [d, d_x] } = self;
        [d_context, d_ffn, d_q, d_kv, d, d_x]
    }
}
