//! What the forward pass leaves for the way back, and what the way back needs.
//!
//! Buffers grow to the largest batch and stay; every number in use is written before it is read.

use super::kernels::attention::Scratch;
use super::rows::Rows;

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
    /// x̂ after attention: (R, H)
    pub(super) attention_normed: Vec<f32>,
    /// 1/σ: (R)
    pub(super) attention_deviations: Vec<f32>,
    /// Between the two parts of the layer: (R, H)
    pub(super) middle: Vec<f32>,
    /// Derivative of the nonlinearity: (R, I)
    pub(super) derivatives: Vec<f32>,
    /// (R, I)
    pub(super) inner: Vec<f32>,
    /// x̂ of the output: (R, H)
    pub(super) output_normed: Vec<f32>,
    /// 1/σ: (R)
    pub(super) output_deviations: Vec<f32>,
    pub(super) scratch: Scratch,
}

impl LayerTape {
    /// Makes room for `rows` of `t` tokens.
    pub(super) fn fit(&mut self, rows: &Rows, (t, h, i): (usize, usize, usize)) {
        let r = rows.len();
        let buffers = [
            (&mut self.queries, r * h),
            (&mut self.keys_values, t * 2 * h),
            (&mut self.kept, rows.probabilities),
            (&mut self.context, r * h),
            (&mut self.attention_normed, r * h),
            (&mut self.attention_deviations, r),
            (&mut self.middle, r * h),
            (&mut self.derivatives, r * i),
            (&mut self.inner, r * i),
            (&mut self.output_normed, r * h),
            (&mut self.output_deviations, r),
        ];
        for (buffer, length) in buffers {
            buffer.resize(length, 0.0);
        }
    }
}

/// Gradients of the weights, and buffers that layers use one after the other.
#[derive(Debug, Default)]
pub(super) struct Gradients {
    /// Of all tensors but the word embedding.
    pub(super) arena: Vec<f32>,
    /// Whether matrices hold a sum that goes on, rather than numbers of a step before.
    pub(super) is_added: bool,
    /// (T, H)
    pub(super) states: Vec<f32>,
    /// (T, I)
    pub(super) inner: Vec<f32>,
    /// (T, H)
    pub(super) queries: Vec<f32>,
    /// (T, 2H)
    pub(super) keys_values: Vec<f32>,
    /// The gradient on its way down: (T, H), twice.
    pub(super) down: [Vec<f32>; 2],
}

impl Gradients {
    /// Makes room for `t` tokens.
    pub(super) fn fit(&mut self, (t, h, i): (usize, usize, usize)) {
        let [one, other] = &mut self.down;
        let buffers = [
            (&mut self.states, t * h),
            (&mut self.inner, t * i),
            (&mut self.queries, t * h),
            (&mut self.keys_values, t * 2 * h),
            (one, t * h),
            (other, t * h),
        ];
        for (buffer, length) in buffers {
            buffer.resize(length, 0.0);
        }
    }
}
