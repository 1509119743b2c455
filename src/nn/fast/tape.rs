//! Activations that the forward pass saves for the backward pass.
//!
//! Buffers grow to the largest batch and are not shrunk; each element is written before it is read.

use super::relative_embeddings::RelativeTape;
use super::row_selection::RowSelection;

/// Activations of one layer. Shapes as in [`super::layer`].
#[derive(Debug, Default)]
pub(super) struct LayerTape {
    /// Rows of the input that the layer computes an output for, if not all: (R, H)
    pub(super) x_cls: Vec<f32>,
    /// Queries, without bias: (R, H)
    pub(super) q: Vec<f32>,
    /// Keys and values, without bias: (T, 2H)
    pub(super) kv: Vec<f32>,
    /// Attention probabilities; the sign marks those that dropout removed. Layout as in
    /// [`AttentionSpan`](kernels::attention::AttentionSpan).
    pub(super) attn_probs: Vec<f32>,
    /// Attention output before its projection: (R, H)
    pub(super) context: Vec<f32>,
    /// Normalized input x̂ of the attention LayerNorm. The backward pass replaces it by the gradient of the
    /// attention projection: (R, H)
    pub(super) ln1_xhat: Vec<f32>,
    /// 1/σ of the attention LayerNorm: (R)
    pub(super) ln1_rstd: Vec<f32>,
    /// Output of the attention LayerNorm: (R, H)
    pub(super) ln1_out: Vec<f32>,
    /// Derivative of the activation function: (R, I)
    pub(super) act_grad: Vec<f32>,
    /// Output of the activation function: (R, I)
    pub(super) ffn_act: Vec<f32>,
    /// Normalized input x̂ of the output LayerNorm. The backward pass replaces it by the gradient of the second
    /// feed-forward layer: (R, H)
    pub(super) ln2_xhat: Vec<f32>,
    /// 1/σ of the output LayerNorm: (R)
    pub(super) ln2_rstd: Vec<f32>,
    pub(super) relative: RelativeTape,
}

impl LayerTape {
    /// Elements of each buffer for `rows` of `t` tokens, in the order of [`LayerTape::buffers`].
    pub(super) fn lengths(rows: &RowSelection, (t, h, i): (usize, usize, usize)) -> [usize; 12] {
        let r = rows.len();
        let x_cls = if rows.selected.is_some() { r * h } else { 0 };
        [x_cls, r * h, t * 2 * h, rows.attn_probs_len, r * h, r * h, r, r * h, r * i, r * i, r * h, r]
    }

    /// Resizes the buffers; `sizes` are (T, H, I).
    pub(super) fn resize(&mut self, rows: &RowSelection, sizes: (usize, usize, usize)) {
        for (buffer, length) in self.buffers().into_iter().zip(Self::lengths(rows, sizes)) {
            buffer.resize(length, 0.0);
        }
    }

    /// In the order of [`LayerTape::lengths`].
    pub(super) fn buffers(&mut self) -> [&mut Vec<f32>; 12] {
        [
            &mut self.x_cls,
            &mut self.q,
            &mut self.kv,
            &mut self.attn_probs,
            &mut self.context,
            &mut self.ln1_xhat,
            &mut self.ln1_rstd,
            &mut self.ln1_out,
            &mut self.act_grad,
            &mut self.ffn_act,
            &mut self.ln2_xhat,
            &mut self.ln2_rstd,
        ]
    }
}
