//! Gradients of all parameters but the word embedding, reduced over the shards of a batch.

use super::layout::Layout;
use super::shard::Shard;
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
    /// Whether the gradients of matrices hold the sum of earlier micro-batches of the same step.
    accumulate: bool,
}

impl Gradients {
    /// Gradients for parameters of `layout`.
    pub(super) fn new(layout: &Layout, matmul: Matmul) -> Self {
        Gradients { arena: zeros(layout.dense_len(), layout.dense_len()), matmul, accumulate: false }
    }

    /// Computes the gradients of the matrices of layer `index` after its backward pass: d_W = d_yᵀ x over the rows of
    /// all shards. Threads divide the output, so the order of additions does not depend on their number.
    pub(super) fn add_layer(&mut self, layout: &Layout, index: usize, shards: &[Shard]) {
        let matrices = layout.layers[index].matrices();
        let operands: Vec<_> = shards.iter().map(|shard| shard.weight_grad_operands(index)).collect();
        let mut rest = &mut self.arena[matrices[0].0.start..];
        let gradient = |(i, (range, outputs)): (usize, (&Range<usize>, usize))| WeightGrad {
            d_w: rest.split_off_mut(..range.len()).expect("matrices of a layer are adjacent"),
            d_y: operands.iter().map(|operands| operands[i].0).collect(),
            x: operands.iter().map(|operands| operands[i].1).collect(),
            outputs,
        };
        let gradients = matrices.into_iter().enumerate().map(gradient).collect();
        self.matmul.backward_weights(gradients, self.accumulate);
    }

    /// Marks the end of a micro-batch; the gradients of the next one are added.
    pub(super) fn end_micro_batch(&mut self) {
        self.accumulate = true;
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
        self.accumulate = false;
    }
}
