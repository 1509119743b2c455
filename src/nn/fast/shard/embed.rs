//! The embeddings of a shard, forward and backward.

use super::Shard;
use crate::batch::Batch;
use crate::nn::architecture::DropoutSite;
use crate::nn::config::ModelConfig;
use crate::nn::fast::model::Model;
use crate::nn::positions::{padding_position, positions};
use kernels::dropout::{self, Dropout};
use kernels::embedding::{gather, interpolate, scatter_add};
use kernels::matmul::WeightMatrix;
use kernels::norm::{DropoutMask, apply_dropout, layer_norm, layer_norm_backward};
use std::time::Instant;

impl Shard {
    /// The input of the first layer (T, H) = dropout(LayerNorm(word + segment + position)) Wpᵀ + bp, or
    /// dropout(LayerNorm((word + segment + position) Wpᵀ)), with interpolated words if `interpolation` is given. Without a
    /// projection, E is H and the product is left out.
    pub(super) fn embed(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        interpolation: Option<(&[u32], &[f32])>,
        dropout: Option<Dropout>,
    ) {
        let start = Instant::now();
        let (config, cpu) = (model.config, model.cpu);
        let (t, width) = (batch.tokens(), config.embedding_size);
        let state = self.state(0);
        let norm_width = model.layout.embedding_norm.weight.len();
        self.embedding_xhat.resize(t * norm_width, 0.0);
        self.embedding_rstd.resize(t, 0.0);
        let [embedded, _] = &mut self.projected;
        let positions = positions(config, batch);
        let xhat = &mut self.embedding_xhat; // normalized in place below
        let projection = model.layout.projection_before_norm.as_ref();
        let sum = if projection.is_some() { &mut *embedded } else { &mut *xhat };
        sum.resize(t * width, 0.0);
        gather(&model.embedding_tables(batch, &positions), width, sum);
        if let Some(interpolation) = interpolation {
            interpolate(model.slice(&model.layout.words), &batch.ids, interpolation, width, sum);
        }
        if let Some(projection) = projection {
            self.f32_gemm.forward(xhat, embedded, WeightMatrix::new(model.slice(projection), width));
        }
        let has_projection = model.layout.projection.is_some();
        let x = if has_projection { embedded } else { &mut self.hidden_states[state] };
        x.resize(t * norm_width, 0.0);
        layer_norm(cpu, xhat, model.norm(&model.layout.embedding_norm), &mut self.embedding_rstd, x);
        let tokens: Vec<usize> = (batch.first_token..batch.first_token + t).collect();
        apply_dropout(cpu, x, norm_width, embedding_mask(config, dropout, &tokens));
        if let Some(projection) = &model.layout.projection {
            let [embedded, _] = &self.projected;
            model.linear(&mut self.f32_gemm, embedded, projection, &mut self.hidden_states[state]);
        }
        self.costs.embedding.add_time_since(start);
    }

    /// The backward pass of [`Shard::embed`]: from the gradient of the first layer's input to that of the word
    /// embeddings, see [`Shard::word_grads`]. Adds the gradients of projection and LayerNorm and of the other embeddings.
    pub(in crate::nn::fast) fn embed_backward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
    ) {
        let start = Instant::now();
        let (config, layout, cpu) = (model.config, model.layout, model.cpu);
        let (t, width) = (batch.tokens(), config.embedding_size);
        let Shard { workspace, f32_gemm, projected: [embedded, d_embedded], vector_grads, .. } = self;
        let d_x = &mut workspace.grads.ping_pong[0][..t * config.hidden];
        let (d, d_before_norm) = match (&layout.projection, &layout.projection_before_norm) {
            (Some(projection), _) => {
                d_embedded.resize(t * width, 0.0);
                model.linear_backward(f32_gemm, (embedded, d_x), projection, vector_grads, d_embedded);
                (&mut d_embedded[..], None)
            }
            (None, Some(projection)) => {
                d_embedded.resize(t * width, 0.0);
                (d_x, Some((projection, &mut d_embedded[..])))
            }
            (None, None) => (d_x, None),
        };
        let tokens: Vec<usize> = (batch.first_token..batch.first_token + t).collect();
        let scale = model.slice(&layout.embedding_norm.weight);
        apply_dropout(cpu, d, scale.len(), embedding_mask(config, dropout, &tokens));
        let grad = layout.embedding_norm.norm_grad(vector_grads);
        layer_norm_backward(cpu, d, &self.embedding_xhat, &self.embedding_rstd, scale, grad);
        let d = match d_before_norm {
            Some((projection, d_embedded)) => {
                model.product_backward(f32_gemm, (embedded, d), projection, vector_grads, d_embedded);
                d_embedded
            }
            None => d,
        };
        if let Some(range) = &layout.positions {
            let d_positions = &mut vector_grads[range.clone()];
            scatter_add(d, &positions(config, batch), width, d_positions);
            if let Some(padding) = padding_position(config) {
                d_positions[padding as usize * width..][..width].fill(0.0);
            }
        }
        if let Some(segments) = &layout.segments {
            scatter_add(d, &batch.type_ids, width, &mut vector_grads[segments.clone()]);
        }
        self.costs.embedding.add_time_since(start);
    }
}

fn embedding_mask<'t>(
    config: &ModelConfig,
    dropout: Option<Dropout>,
    tokens: &'t [usize],
) -> DropoutMask<'t> {
    let rate = config.dropout_rate(DropoutSite::Embeddings);
    let site = dropout.and_then(|dropout| dropout.site(dropout::EMBEDDINGS, rate));
    DropoutMask { site, row_indices: tokens }
}
