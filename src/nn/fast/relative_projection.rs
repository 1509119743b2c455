//! Computes the embeddings of relative positions, their projections in a layer, and the backward pass of both.

use super::layer::Layer;
use super::layout::{PositionRanges, RelativeRanges, WeightBias};
use super::model::Model;
use super::relative_embeddings::{RelativeEmbeddings, RelativeGrads, RelativeTape};
use crate::nn::architecture::{Disentangled, DropoutSite};
use kernels::disentangled::{ProjectedPositions, RelativePositions};
use kernels::dropout;
use kernels::embedding::{gather, scatter_add};
use kernels::matmul::{Matmul, WeightMatrix};
use kernels::norm::{DropoutMask, add_column_sums, apply_dropout, layer_norm, layer_norm_backward};

impl RelativeEmbeddings {
    /// Looks up and normalizes the embeddings for examples of up to `longest` tokens.
    pub(super) fn forward(&mut self, model: Model<'_>, longest: usize) {
        let (Some(Disentangled { span, .. }), Some(ranges)) =
            (model.config.disentangled, &model.layout.relative_embeddings)
        else {
            return;
        };
        let h = model.config.hidden;
        self.rows = span.used_rows(longest);
        self.columns = span.columns(longest);
        self.row_indices = self.rows.iter().map(|row| *row as usize).collect();
        let len = self.rows.len() * h;
        self.normed.resize(len, 0.0);
        let table = [(model.slice(&ranges.table), self.rows.as_slice())];
        let Some(norm) = &ranges.norm else {
            gather(&table, h, &mut self.normed);
            return;
        };
        self.xhat.resize(len, 0.0);
        self.rstd.resize(self.rows.len(), 0.0);
        gather(&table, h, &mut self.xhat);
        layer_norm(model.cpu, &mut self.xhat, model.norm(norm), &mut self.rstd, &mut self.normed);
    }

    /// Computes the projections of a layer.
    pub(super) fn project(&self, layer: &Layer<'_>, matmul: &mut Matmul, tape: &mut RelativeTape) {
        let RelativeTape { dropped, keys, queries } = tape;
        dropped.clone_from(&self.normed);
        apply_dropout(layer.cpu, dropped, layer.config.hidden, self.mask(layer));
        let PositionRanges { key, query } = &layer.params.positions;
        for (params, projected) in [(key, keys), (query, queries)] {
            if let Some(params) = params {
                projected.resize(dropped.len(), 0.0);
                matmul.forward(projected, dropped, matrix(layer, params));
            }
        }
    }

    /// What attention reads, if the model has relative positions.
    pub(super) fn positions<'p>(
        &'p self,
        layer: &'p Layer<'_>,
        tape: &'p RelativeTape,
    ) -> Option<RelativePositions<'p>> {
        layer.config.disentangled?;
        let PositionRanges { key, query } = &layer.params.positions;
        let projected = |params: &'p Option<WeightBias>, rows: &'p [f32]| {
            params.as_ref().map(|params| ProjectedPositions { rows, bias: layer.slice(&params.bias) })
        };
        Some(RelativePositions {
            columns: &self.columns,
            keys: projected(key, &tape.keys),
            queries: projected(query, &tape.queries),
        })
    }

    /// The backward pass of [`RelativeEmbeddings::project`], from the gradients of the projections. Adds to the gradients of
    /// biases; [`RelativeGrads::weight_grad_operands`] gives the operands of those of the matrices.
    pub(super) fn project_backward(
        &self,
        layer: &Layer<'_>,
        matmul: &mut Matmul,
        grads: &mut RelativeGrads,
        vector_grads: &mut [f32],
    ) {
        let RelativeGrads { normed, keys, queries, dropped } = grads;
        let PositionRanges { key, query } = &layer.params.positions;
        let mut accumulate = false;
        for (params, d) in [(key, keys), (query, queries)] {
            if let Some(params) = params {
                add_column_sums(layer.cpu, d, &mut vector_grads[params.bias.clone()]);
                matmul.backward_input(dropped, d, matrix(layer, params), accumulate);
                accumulate = true;
            }
        }
        apply_dropout(layer.cpu, dropped, layer.config.hidden, self.mask(layer));
        for (sum, d) in normed.iter_mut().zip(dropped) {
            *sum += *d;
        }
    }

    /// The backward pass of [`RelativeEmbeddings::forward`], after that of all layers: adds to the gradients of the embedding
    /// and of its LayerNorm.
    pub(super) fn backward(&self, model: Model<'_>, grads: &mut RelativeGrads, vector_grads: &mut [f32]) {
        let Some(RelativeRanges { table, norm }) = &model.layout.relative_embeddings else { return };
        let (h, d) = (model.config.hidden, &mut grads.normed);
        if let Some(norm) = norm {
            let grad = norm.norm_grad(vector_grads);
            layer_norm_backward(model.cpu, d, &self.xhat, &self.rstd, model.slice(&norm.weight), grad);
        }
        scatter_add(d, &self.rows, h, &mut vector_grads[table.clone()]);
    }

    /// The dropout of the embeddings in a layer.
    fn mask(&self, layer: &Layer<'_>) -> DropoutMask<'_> {
        let number = dropout::relative_embeddings(layer.config.layers, layer.index);
        let site = layer.site((number, DropoutSite::RelativeEmbeddings));
        DropoutMask { site, row_indices: &self.row_indices }
    }
}

impl RelativeGrads {
    /// Prepares the backward pass of all layers.
    pub(super) fn start(&mut self, model: Model<'_>, embeddings: &RelativeEmbeddings) {
        let Some(Disentangled { terms, .. }) = model.config.disentangled else { return };
        let len = embeddings.normed.len();
        self.normed.clear();
        self.normed.resize(len, 0.0);
        self.dropped.resize(len, 0.0);
        self.keys.resize(if terms.has_c2p() { len } else { 0 }, 0.0);
        self.queries.resize(if terms.has_p2c() { len } else { 0 }, 0.0);
    }
}

/// The matrix of a projection: (H, H)
fn matrix<'w>(layer: &'w Layer<'_>, params: &WeightBias) -> WeightMatrix<'w> {
    WeightMatrix::new(layer.slice(&params.weight), layer.config.hidden)
}
