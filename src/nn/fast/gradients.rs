//! Gradients of all parameters but the word embedding, reduced over the shards of a batch.

use super::layout::{Layout, PositionRanges, WeightBias};
use super::model::Model;
use super::shard::Shard;
use crate::nn::architecture::{Disentangled, PositionProjection};
use kernels::Cpu;
use kernels::adamw::add_assign;
use kernels::huge_pages::zeros;
use kernels::matmul::{Matmul, WeightGrad};
use rayon::prelude::*;
use std::ops::Range;

/// Elements of the vector gradients that one task adds up.
const CHUNK: usize = 1 << 14;

/// An arena of gradients without the word embedding.
#[derive(Debug)]
pub(super) struct Gradients {
    pub(super) arena: Vec<f32>,
    pub(super) matmul: Matmul,
    /// For each parameter set of the layers, whether the gradients of its matrices hold a sum of the same step: that of
    /// earlier micro-batches, or of layers with the same parameters.
    has_sum: Vec<bool>,
}

impl Gradients {
    /// Gradients for parameters of `layout`.
    pub(super) fn new(layout: &Layout, matmul: Matmul) -> Self {
        let arena = zeros(layout.dense_len(), layout.dense_len());
        Gradients { arena, matmul, has_sum: vec![false; layout.layers.len()] }
    }

    /// Adds the gradients of the matrices of layer `index` after its backward pass: d_W += d_yᵀ x over the rows of all
    /// shards. Threads divide the output, so the order of additions does not depend on their number.
    pub(super) fn add_layer(&mut self, model: Model<'_>, index: usize, shards: &mut [Shard]) {
        let set = model.config.sharing.parameter_set(index);
        let matrices = model.layout.layers[set].matrices();
        let operands: Vec<_> =
            shards.iter_mut().map(|shard| shard.weight_grad_operands(model, index)).collect();
        let mut rest = &mut self.arena[matrices[0].0.start..];
        let gradient = |(i, (range, outputs)): (usize, (&Range<usize>, usize))| {
            let d_w = rest.split_off_mut(..range.len()).expect("matrices of a layer are adjacent");
            model.layout.has_gradient(range).then(|| WeightGrad {
                d_w,
                d_y: operands.iter().map(|operands| operands[i][0]).collect(),
                x: operands.iter().map(|operands| operands[i][1]).collect(),
                outputs,
            })
        };
        let gradients = matrices.into_iter().enumerate().filter_map(gradient).collect();
        let accumulate = std::mem::replace(&mut self.has_sum[set], true);
        self.matmul.backward_weights(gradients, accumulate);
        if let Some(Disentangled { projection, .. }) = model.config.disentangled {
            let accumulate = accumulate || projection == PositionProjection::Shared;
            self.add_positions(model, index, accumulate, shards);
        }
    }

    /// As [`Gradients::add_layer`], for the projections of relative positions. Those of queries and keys have a gradient of
    /// the tokens already.
    fn add_positions(&mut self, model: Model<'_>, index: usize, accumulate: bool, shards: &[Shard]) {
        let set = model.config.sharing.parameter_set(index);
        let PositionRanges { key, query } = &model.layout.layers[set].positions;
        let operands: Vec<_> =
            shards.iter().map(|shard| shard.position_weight_grad_operands(index)).collect();
        let (mut rest, mut start) = (&mut *self.arena, 0);
        let mut gradients = Vec::new();
        // In the order of the arena.
        for (projection, params) in [query, key].into_iter().enumerate() {
            let Some(WeightBias { weight, bias }) = params else { continue };
            let (_, from_weight) = rest.split_at_mut(weight.start - start);
            let d_w;
            (d_w, rest) = from_weight.split_at_mut(weight.len());
            start = weight.end;
            if !model.layout.has_gradient(weight) {
                continue;
            }
            gradients.push(WeightGrad {
                d_w,
                d_y: operands.iter().map(|operands| operands[projection][0]).collect(),
                x: operands.iter().map(|operands| operands[projection][1]).collect(),
                outputs: bias.len(),
            });
        }
        self.matmul.backward_weights(gradients, accumulate);
    }

    /// Ends a step: adds the vector gradients of all shards, in their order.
    pub(super) fn finish_step(&mut self, cpu: Cpu, layout: &Layout, shards: &[Shard]) {
        let vector_grads = self.arena[..layout.vectors_len()].par_chunks_mut(CHUNK).enumerate();
        vector_grads.for_each(|(chunk, sums)| {
            sums.fill(0.0);
            for shard in shards {
                add_assign(cpu, sums, &shard.vector_grads[chunk * CHUNK..][..sums.len()]);
            }
        });
        self.has_sum.fill(false);
    }
}
