//! A LayerNorm outside the layers, with what its backward pass needs.

use super::layout::WeightBias;
use super::model::Model;
use kernels::norm::{layer_norm_backward, layer_norm_of};

/// What the backward pass of a LayerNorm needs.
#[derive(Debug, Default)]
pub(super) struct SavedNorm {
    /// Normalized input: (rows, H)
    pub(super) xhat: Vec<f32>,
    /// 1/σ: (rows)
    pub(super) rstd: Vec<f32>,
}

impl SavedNorm {
    /// y = LayerNorm(x), (rows, H) each
    pub(super) fn forward(&mut self, model: Model<'_>, params: &WeightBias, x: &[f32], y: &mut Vec<f32>) {
        let SavedNorm { xhat, rstd } = self;
        xhat.resize(x.len(), 0.0);
        rstd.resize(x.len() / params.weight.len(), 0.0);
        y.resize(x.len(), 0.0);
        layer_norm_of(model.cpu, x, xhat, model.norm(params), rstd, y);
    }

    /// `d` (rows, H), the gradient of the output, becomes that of the input. Adds the gradients of the parameters.
    pub(super) fn backward(
        &self,
        model: Model<'_>,
        params: &WeightBias,
        d: &mut [f32],
        vector_grads: &mut [f32],
    ) {
        let grad = params.norm_grad(vector_grads);
        layer_norm_backward(model.cpu, d, &self.xhat, &self.rstd, model.slice(&params.weight), grad);
    }
}
