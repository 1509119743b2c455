//! From the output of the last layer to the input of the pooler: the final LayerNorm, if the model has one, and pooling.
//!
//! Shapes: R rows of the last layer, which are the first tokens or all tokens of the E examples, H hidden size.

use super::model::Model;
use super::saved_norm::SavedNorm;
use crate::batch::Batch;
use crate::nn::architecture::Pooling;
use crate::nn::config::ModelConfig;

/// What the backward pass needs.
#[derive(Debug, Default)]
pub(super) struct PoolState {
    norm: SavedNorm,
    /// Output of the final LayerNorm: (R, H)
    normalized: Vec<f32>,
}

impl PoolState {
    /// Elements of each buffer for `r` rows, in the order of [`PoolState::buffers`].
    pub(super) fn lengths(config: &ModelConfig, r: usize) -> [usize; 3] {
        let has_norm = config.names().final_norm.is_some();
        if has_norm { [r * config.hidden, r, r * config.hidden] } else { [0; 3] }
    }

    /// In the order of [`PoolState::lengths`].
    #[cfg(test)]
    pub(super) fn buffers(&self) -> [&Vec<f32>; 3] {
        [&self.norm.xhat, &self.norm.rstd, &self.normalized]
    }

    /// `x` (R, H) → `pooled` (E, H)
    pub(super) fn forward(&mut self, model: Model<'_>, batch: &Batch, x: &[f32], pooled: &mut Vec<f32>) {
        let PoolState { norm, normalized } = self;
        let states = match &model.layout.final_norm {
            Some(params) => {
                norm.forward(model, params, x, normalized);
                normalized
            }
            None => x,
        };
        pooled.clear();
        match model.config.pooling {
            Pooling::FirstToken => pooled.extend_from_slice(states),
            Pooling::Mean => {
                let h = model.config.hidden;
                pooled.resize(batch.len() * h, 0.0);
                for (pooled, bounds) in pooled.chunks_exact_mut(h).zip(batch.offsets.windows(2)) {
                    for state in states[bounds[0] * h..bounds[1] * h].chunks_exact(h) {
                        pooled.iter_mut().zip(state).for_each(|(sum, x)| *sum += x);
                    }
                    let share = 1.0 / (bounds[1] - bounds[0]) as f32;
                    for sum in pooled {
                        *sum *= share;
                    }
                }
            }
        }
    }

    /// The backward pass: from the gradient of `pooled` in the first rows of `d` to that of `x` (R, H) in `d`. Adds the
    /// gradients of the LayerNorm.
    pub(super) fn backward(&self, model: Model<'_>, batch: &Batch, d: &mut [f32], vector_grads: &mut [f32]) {
        if model.config.pooling == Pooling::Mean {
            let h = model.config.hidden;
            let d_pooled = d[..batch.len() * h].to_vec();
            for (d_pooled, bounds) in d_pooled.chunks_exact(h).zip(batch.offsets.windows(2)) {
                let share = 1.0 / (bounds[1] - bounds[0]) as f32;
                for d in d[bounds[0] * h..bounds[1] * h].chunks_exact_mut(h) {
                    d.iter_mut().zip(d_pooled).for_each(|(d, d_pooled)| *d = d_pooled * share);
                }
            }
        }
        if let Some(params) = &model.layout.final_norm {
            self.norm.backward(model, params, d, vector_grads);
        }
    }
}
