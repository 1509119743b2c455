//! What the forward pass leaves for the way back.
//!
//! Buffers grow to the largest batch and stay; every number in use is written before it is read.

use super::row_selection::Rows;

/// Of one layer. Shapes as in [`super::layer`].
#[derive(Debug, Default)]
pub(super) struct LayerTape {
    /// (R, H), where the layer turns out only some rows.
    pub(super) picked: Vec<f32>,
    /// (R, H), without bias.
    pub(super) queries: Vec<f32>,
    /// (T, 2H), without bias.
    pub(super) keys_values: Vec<f32>,
    /// Attention probabilities.
    pub(super) kept: Vec<f32>,
    /// (R, H)
    pub(super) context: Vec<f32>,
    /// x̂ after attention; on the way back, the gradient of attention's last product: (R, H)
    pub(super) attention_normed: Vec<f32>,
    /// 1/σ: (R)
    pub(super) attention_deviations: Vec<f32>,
    /// Between the two parts of the layer: (R, H)
    pub(super) middle: Vec<f32>,
    /// Derivative of the nonlinearity: (R, I)
    pub(super) derivatives: Vec<f32>,
    /// (R, I)
    pub(super) inner: Vec<f32>,
    /// x̂ of the output; on the way back, the gradient of the layer's last product: (R, H)
    pub(super) output_normed: Vec<f32>,
    /// 1/σ: (R)
    pub(super) output_deviations: Vec<f32>,
}

impl LayerTape {
    /// Numbers of each buffer for `rows` of `t` tokens, in the order of [`LayerTape::fit`].
    pub(super) fn lengths(rows: &Rows, (t, h, i): (usize, usize, usize)) -> [usize; 12] {
        let r = rows.len();
        let picked = if rows.picked.is_some() { r * h } else { 0 };
        [picked, r * h, t * 2 * h, rows.probabilities, r * h, r * h, r, r * h, r * i, r * i, r * h, r]
    }

    /// Makes room for `rows` of `t` tokens.
    pub(super) fn fit(&mut self, rows: &Rows, sizes: (usize, usize, usize)) {
        for (buffer, length) in self.buffers().into_iter().zip(Self::lengths(rows, sizes)) {
            buffer.resize(length, 0.0);
        }
    }

    /// In the order of [`LayerTape::lengths`].
    pub(super) fn buffers(&mut self) -> [&mut Vec<f32>; 12] {
        [
            &mut self.picked,
            &mut self.queries,
            &mut self.keys_values,
            &mut self.kept,
            &mut self.context,
            &mut self.attention_normed,
            &mut self.attention_deviations,
            &mut self.middle,
            &mut self.derivatives,
            &mut self.inner,
            &mut self.output_normed,
            &mut self.output_deviations,
        ]
    }
}
