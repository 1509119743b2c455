//! The embeddings of relative positions of disentangled attention: normalized once for all layers of a shard, then projected
//! by each layer. [`relative_projection`](super::relative_projection) computes them.
//!
//! Only the C relative positions between tokens of the longest example are computed, in the order of their distances
//! (*columns*). H is the hidden size.

use crate::nn::architecture::{Disentangled, RelativeNorm};
use crate::nn::config::ModelConfig;
use kernels::disentangled::PositionGrads;

/// The embeddings of the relative positions that occur in a shard.
#[derive(Debug, Default)]
pub(super) struct RelativeEmbeddings {
    /// The row of the table of each column: (C)
    pub(super) rows: Vec<u32>,
    /// The same, which numbers the dropout masks.
    pub(super) row_indices: Vec<usize>,
    /// The column of each distance, key minus query, from 1 - L to L - 1 for a longest example of L tokens.
    pub(super) columns: Vec<u32>,
    /// Normalized embeddings x̂, and 1/σ; empty without a LayerNorm: (C, H) and (C)
    pub(super) xhat: Vec<f32>,
    pub(super) rstd: Vec<f32>,
    /// The embeddings after their LayerNorm: (C, H)
    pub(super) normed: Vec<f32>,
}

/// Gradients of the backward pass.
#[derive(Debug, Default)]
pub(super) struct RelativeGrads {
    /// Of [`RelativeEmbeddings::normed`], the sum over the layers so far: (C, H)
    pub(super) normed: Vec<f32>,
    /// Of the projections of a layer: (C, H) each
    pub(super) keys: Vec<f32>,
    pub(super) queries: Vec<f32>,
    /// Of the embeddings after the dropout of a layer: (C, H)
    pub(super) dropped: Vec<f32>,
}

/// What the forward pass of a layer saves.
#[derive(Debug, Default)]
pub(super) struct RelativeTape {
    /// Embeddings after dropout: (C, H)
    pub(super) dropped: Vec<f32>,
    /// Their projections, without bias; empty if the layer has no such term: (C, H) each
    pub(super) keys: Vec<f32>,
    pub(super) queries: Vec<f32>,
}

/// Elements of all buffers for a shard with a longest example of that many tokens, when `layers` layers save what they
/// computed.
pub(super) fn buffer_elements(config: &ModelConfig, layers: usize, longest: usize) -> usize {
    let Some(Disentangled { terms, norm, span, .. }) = config.disentangled else { return 0 };
    let (columns, terms) = (span.used_rows(longest).len(), terms.count());
    let matrix = columns * config.hidden;
    let norm = if norm == RelativeNorm::LayerNorm { matrix + columns } else { 0 };
    layers * (1 + terms) * matrix + matrix + norm + (2 + terms) * matrix
}

impl RelativeEmbeddings {
    /// Elements of the buffers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.xhat.len() + self.rstd.len() + self.normed.len()
    }
}

impl RelativeGrads {
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
