//! Activations that the forward pass saves for the backward pass.
//!
//! Buffers grow to the largest batch and are not shrunk; each element is written before it is read.

use super::layer_sizes::LayerSizes;
use super::relative_embeddings::RelativeTape;
use super::row_selection::RowSelection;

/// Activations of one layer. Shapes as in [`super::layer`].
#[derive(Debug, Default)]
pub(super) struct LayerTape {
    /// Rows of the input that the layer computes an output for, if not all: (R, H)
    pub(super) x_cls: Vec<f32>,
    /// Output of the LayerNorm before attention, if the layer has one: (T, H)
    pub(super) attn_in: Vec<f32>,
    /// Its rows that the layer computes an output for, if not all: (R, H)
    pub(super) attn_in_cls: Vec<f32>,
    /// Queries, without bias: (R, H)
    pub(super) q: Vec<f32>,
    /// Keys and values, without bias: (T, 2H)
    pub(super) kv: Vec<f32>,
    /// Attention probabilities; the sign marks those that dropout removed. Layout as in
    /// [`AttentionSpan`](kernels::attention::AttentionSpan). Attention in tiles saves only the logarithm of the sum of
    /// exponentials of each query: (R, heads)
    pub(super) attn_probs: Vec<f32>,
    /// Attention output before its projection: (R, H)
    pub(super) context: Vec<f32>,
    /// Normalized input x̂ of the attention LayerNorm. If it follows attention, the backward pass replaces it by the
    /// gradient of the attention projection: (R, H), or (T, H) before attention
    pub(super) ln1_xhat: Vec<f32>,
    /// 1/σ of the attention LayerNorm: (R), or (T) before attention
    pub(super) ln1_rstd: Vec<f32>,
    /// Input of the feed-forward network: (R, H)
    pub(super) ln1_out: Vec<f32>,
    /// Derivative of the activation function and of the gates: (R, U)
    pub(super) act_grad: Vec<f32>,
    /// Output of the activation function: (R, I)
    pub(super) ffn_act: Vec<f32>,
    /// Normalized input x̂ of the output LayerNorm. If it follows the feed-forward network, the backward pass replaces it
    /// by the gradient of the second feed-forward layer: (R, H)
    pub(super) ln2_xhat: Vec<f32>,
    /// 1/σ of the output LayerNorm: (R)
    pub(super) ln2_rstd: Vec<f32>,
    pub(super) relative: RelativeTape,
}

impl LayerTape {
    /// Elements of each buffer for `rows` of `t` tokens, in the order of [`LayerTape::buffers`].
    pub(super) fn lengths(rows: &RowSelection, t: usize, sizes: LayerSizes) -> [usize; 14] {
        let (h, i, r) = (sizes.hidden, sizes.intermediate, rows.len());
        let selected = if rows.selected.is_some() { r * h } else { 0 };
        let (attn_in, attn_in_cls) = if sizes.has_norm_before_attention { (t * h, selected) } else { (0, 0) };
        // Rows of the attention norm.
        let n = match (sizes.is_pre_norm(), sizes.has_norm_before_attention) {
            (false, _) => r,
            (true, true) => t,
            (true, false) => 0,
        };
        let (kv, saved, up) = (t * 2 * h, rows.saved_attention_len, r * sizes.structure.up_width(i));
        [selected, attn_in, attn_in_cls, r * h, kv, saved, r * h, n * h, n, r * h, up, r * i, r * h, r]
    }

    /// Resizes the buffers for `rows` of `t` tokens.
    pub(super) fn resize(&mut self, rows: &RowSelection, t: usize, sizes: LayerSizes) {
        for (buffer, length) in self.buffers().into_iter().zip(Self::lengths(rows, t, sizes)) {
            buffer.resize(length, 0.0);
        }
    }

    /// In the order of [`LayerTape::lengths`].
    pub(super) fn buffers(&mut self) -> [&mut Vec<f32>; 14] {
        [
            &mut self.x_cls,
            &mut self.attn_in,
            &mut self.attn_in_cls,
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
