//! The embeddings of relative positions of disentangled attention: normalized once for all layers of a shard, then projected
//! by each layer.
//!
//! Only the C relative positions between tokens of the longest example are computed, in the order of their distances
//! (*columns*). H is the hidden size.

use super::layout::{PositionRanges, RelativeRanges, WeightBias};
use crate::nn::architecture::{Disentangled, RelativeNorm};
use crate::nn::config::ModelConfig;
use kernels::Cpu;
use kernels::disentangled::{PositionGrads, ProjectedPositions, RelativePositions};
use kernels::dropout::Site;
use kernels::embedding::{gather, scatter_add};
use kernels::matmul::{Matmul, WeightMatrix};
use kernels::norm::{
    DropoutMask, LayerNorm, add_column_sums, apply_dropout, layer_norm, layer_norm_backward,
};

/// The parameters that the embeddings are looked up and normalized with.
#[derive(Debug, Clone, Copy)]
pub(super) struct RelativeParams<'a> {
    pub(super) cpu: Cpu,
    pub(super) config: &'a ModelConfig,
    /// `None` without disentangled attention.
    pub(super) ranges: Option<&'a RelativeRanges>,
    /// The arena of all weights.
    pub(super) weights: &'a [f32],
}

/// What a layer projects the embeddings with.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerPositions<'a> {
    pub(super) cpu: Cpu,
    pub(super) config: &'a ModelConfig,
    pub(super) ranges: &'a PositionRanges,
    /// The arena of all weights.
    pub(super) weights: &'a [f32],
    /// Dropout of the embeddings.
    pub(super) dropout: Option<Site>,
}

impl<'a> LayerPositions<'a> {
    /// The matrix of a projection: (H, H)
    fn matrix(&self, params: &WeightBias) -> WeightMatrix<'a> {
        WeightMatrix::new(&self.weights[params.weight.clone()], self.config.hidden)
    }
}

/// The embeddings of the relative positions that occur in a shard.
#[derive(Debug, Default)]
pub(super) struct RelativeEmbeddings {
    /// The row of the table of each column: (C)
    rows: Vec<u32>,
    /// The same, which numbers the dropout masks.
    row_indices: Vec<usize>,
    /// The column of each distance, key minus query, from 1 - L to L - 1 for a longest example of L tokens.
    columns: Vec<u32>,
    /// Normalized embeddings x̂, and 1/σ; empty without a LayerNorm: (C, H) and (C)
    xhat: Vec<f32>,
    rstd: Vec<f32>,
    /// The embeddings after their LayerNorm: (C, H)
    normed: Vec<f32>,
}

/// Gradients of the backward pass.
#[derive(Debug, Default)]
pub(super) struct RelativeGrads {
    /// Of [`RelativeEmbeddings::normed`], the sum over the layers so far: (C, H)
    normed: Vec<f32>,
    /// Of the projections of a layer: (C, H) each
    keys: Vec<f32>,
    queries: Vec<f32>,
    /// Of the embeddings after the dropout of a layer: (C, H)
    dropped: Vec<f32>,
}

/// What the forward pass of a layer saves.
#[derive(Debug, Default)]
pub(super) struct RelativeTape {
    /// Embeddings after dropout: (C, H)
    dropped: Vec<f32>,
    /// Their projections, without bias; empty if the layer has no such term: (C, H) each
    keys: Vec<f32>,
    queries: Vec<f32>,
}

/// Elements of all buffers for a shard with a longest example of that many tokens.
pub(super) fn buffer_elements(config: &ModelConfig, longest: usize) -> usize {
    let Some(Disentangled { terms, norm, span, .. }) = config.disentangled else { return 0 };
    let (columns, terms) = (span.used_rows(longest).len(), terms.count());
    let matrix = columns * config.hidden;
    let norm = if norm == RelativeNorm::LayerNorm { matrix + columns } else { 0 };
    config.layers * (1 + terms) * matrix + matrix + norm + (2 + terms) * matrix
}

impl RelativeEmbeddings {
    /// Looks up and normalizes the embeddings for examples of up to `longest` tokens.
    pub(super) fn forward(&mut self, params: RelativeParams<'_>, longest: usize) {
        let RelativeParams { cpu, config, ranges, weights } = params;
        let (Some(Disentangled { span, .. }), Some(ranges)) = (config.disentangled, ranges) else { return };
        let h = config.hidden;
        self.rows = span.used_rows(longest);
        self.columns = span.columns(longest);
        self.row_indices = self.rows.iter().map(|row| *row as usize).collect();
        let len = self.rows.len() * h;
        self.normed.resize(len, 0.0);
        let table = [(&weights[ranges.table.clone()], self.rows.as_slice())];
        let Some(WeightBias { weight, bias }) = &ranges.norm else {
            gather(&table, h, &mut self.normed);
            return;
        };
        self.xhat.resize(len, 0.0);
        self.rstd.resize(self.rows.len(), 0.0);
        gather(&table, h, &mut self.xhat);
        let eps = config.layer_norm_eps;
        let norm = LayerNorm { weight: &weights[weight.clone()], bias: &weights[bias.clone()], eps };
        layer_norm(cpu, &mut self.xhat, norm, &mut self.rstd, &mut self.normed);
    }

    /// Computes the projections of a layer.
    pub(super) fn project(&self, layer: LayerPositions<'_>, matmul: &mut Matmul, tape: &mut RelativeTape) {
        let RelativeTape { dropped, keys, queries } = tape;
        dropped.clone_from(&self.normed);
        apply_dropout(layer.cpu, dropped, layer.config.hidden, self.mask(layer));
        let PositionRanges { key, query } = layer.ranges;
        for (params, projected) in [(key, keys), (query, queries)] {
            if let Some(params) = params {
                projected.resize(dropped.len(), 0.0);
                matmul.forward(projected, dropped, layer.matrix(params));
            }
        }
    }

    /// What attention reads, if the model has relative positions.
    pub(super) fn positions<'p>(
        &'p self,
        layer: LayerPositions<'p>,
        tape: &'p RelativeTape,
    ) -> Option<RelativePositions<'p>> {
        layer.config.disentangled?;
        let PositionRanges { key, query } = layer.ranges;
        let projected = |params: &'p Option<WeightBias>, rows: &'p [f32]| {
            params
                .as_ref()
                .map(|params| ProjectedPositions { rows, bias: &layer.weights[params.bias.clone()] })
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
        layer: LayerPositions<'_>,
        matmul: &mut Matmul,
        grads: &mut RelativeGrads,
        vector_grads: &mut [f32],
    ) {
        let RelativeGrads { normed, keys, queries, dropped } = grads;
        let PositionRanges { key, query } = layer.ranges;
        let mut accumulate = false;
        for (params, d) in [(key, keys), (query, queries)] {
            if let Some(params) = params {
                add_column_sums(layer.cpu, d, &mut vector_grads[params.bias.clone()]);
                matmul.backward_input(dropped, d, layer.matrix(params), accumulate);
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
    pub(super) fn backward(
        &self,
        params: RelativeParams<'_>,
        grads: &mut RelativeGrads,
        vector_grads: &mut [f32],
    ) {
        let RelativeParams { cpu, config, ranges, weights } = params;
        let Some(RelativeRanges { table, norm }) = ranges else { return };
        let (h, d) = (config.hidden, &mut grads.normed);
        if let Some(norm) = norm {
            let grad = norm.norm_grad(vector_grads);
            let weight = &weights[norm.weight.clone()];
            layer_norm_backward(cpu, d, &self.xhat, &self.rstd, weight, grad);
        }
        scatter_add(d, &self.rows, h, &mut vector_grads[table.clone()]);
    }

    /// The dropout of the embeddings in a layer.
    fn mask(&self, layer: LayerPositions<'_>) -> DropoutMask<'_> {
        DropoutMask { site: layer.dropout, row_indices: &self.row_indices }
    }

    /// Elements of the buffers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.xhat.len() + self.rstd.len() + self.normed.len()
    }
}

impl RelativeGrads {
    /// Prepares the backward pass of all layers.
    pub(super) fn start(&mut self, config: &ModelConfig, embeddings: &RelativeEmbeddings) {
        let Some(Disentangled { terms, .. }) = config.disentangled else { return };
        let len = embeddings.normed.len();
        self.normed.clear();
        self.normed.resize(len, 0.0);
        self.dropped.resize(len, 0.0);
        self.keys.resize(if terms.has_c2p() { len } else { 0 }, 0.0);
        self.queries.resize(if terms.has_p2c() { len } else { 0 }, 0.0);
    }

    /// The gradients that attention writes.
    pub(super) fn projections(&mut self) -> PositionGrads<'_> {
        PositionGrads { keys: &mut self.keys, queries: &mut self.queries }
    }

    /// The operands d_y and x of d_W = d_yᵀ x for the projections of queries and of keys, after the backward pass of the
    /// layer with that tape.
    pub(super) fn weight_grad_operands<'g>(&'g self, tape: &'g RelativeTape) -> [[&'g [f32]; 2]; 2] {
        [[&self.queries, &tape.dropped], [&self.keys, &tape.dropped]]
    }

    /// Elements of the buffers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.normed.len() + self.keys.len() + self.queries.len() + self.dropped.len()
    }
}

impl RelativeTape {
    /// Elements of the buffers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.dropped.len() + self.keys.len() + self.queries.len()
    }
}
