//! The optimizer step of [`FastEngine`].

use super::FastEngine;
use crate::nn::engine::OptimizerConfig;
use crate::nn::fast::chunks::{Chunk, chunks};
use crate::nn::params::ParamSpec;
use kernels::adamw::{AdamWStep, ParamSlices, sum_of_squares};
use rayon::prelude::*;

impl FastEngine {
    /// One AdamW update of the trained parameters with the gradients of [`FastEngine::forward_backward`]; returns their global
    /// norm before clipping. Without clipping, dense parameters are updated in the same pass that computes the norm.
    pub(super) fn update(&mut self, learning_rate: f64) -> f64 {
        let steps = adamw_steps(&self.optimizer, learning_rate, self.updates + 1);
        let cpu = self.cpu;
        let max_norm = self.optimizer.max_grad_norm;
        let is_clipped = max_norm > 0.0;
        let FastEngine { pool, layout, word_grad, weights, first_moments, second_moments, gradients, .. } =
            &mut *self;
        let dense = layout.dense_len();
        let (weights, word_weights) = weights.split_at_mut(dense);
        let (first_moments, word_first_moments) = first_moments.split_at_mut(dense);
        let (second_moments, word_second_moments) = second_moments.split_at_mut(dense);
        let mut chunks = chunks(layout, weights, first_moments, second_moments, &mut gradients.arena);

        let norm = pool.install(|| {
            let dense_squares: Vec<f64> = chunks
                .par_iter_mut()
                .map(|chunk| {
                    let squares = sum_of_squares(cpu, chunk.gradient);
                    if !is_clipped {
                        chunk.update(cpu, steps(1.0, chunk.spec));
                    }
                    squares
                })
                .collect();
            (dense_squares.iter().sum::<f64>() + word_grad.sum_of_squares(cpu)).sqrt()
        });
        // As torch.nn.utils.clip_grad_norm_.
        let scale = if is_clipped { (max_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        pool.install(|| {
            if is_clipped {
                let update = |chunk: &mut Chunk<'_>| chunk.update(cpu, steps(scale, chunk.spec));
                chunks.par_iter_mut().for_each(update);
            }
            let words = layout.words_spec();
            if words.requires_grad {
                let params = ParamSlices {
                    weight: word_weights,
                    first_moment: word_first_moments,
                    second_moment: word_second_moments,
                };
                word_grad.update(cpu, params, steps(scale, words));
            }
        });
        self.updates += 1;
        norm
    }
}

/// The numbers of AdamW update `number` (from 1), by the factor of the gradient and the parameter.
fn adamw_steps(
    optimizer: &OptimizerConfig,
    learning_rate: f64,
    number: u64,
) -> impl Fn(f64, &ParamSpec) -> AdamWStep + Sync + use<> {
    let number = number as f64;
    let OptimizerConfig { beta1, beta2, epsilon, weight_decay, .. } = *optimizer;
    let bias_corrections = (1.0 - beta1.powf(number), (1.0 - beta2.powf(number)).sqrt());
    move |grad_scale, spec| {
        let learning_rate = learning_rate * spec.lr_scale;
        let decay = 1.0 - learning_rate * weight_decay;
        AdamWStep {
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            decay_factor: if spec.has_weight_decay { decay as f32 } else { 1.0 },
            step_size: (learning_rate / bias_corrections.0) as f32,
            bias_correction2_sqrt: bias_corrections.1 as f32,
            epsilon: epsilon as f32,
            grad_scale: grad_scale as f32,
        }
    }
}
