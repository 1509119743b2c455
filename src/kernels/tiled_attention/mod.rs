//! Multi-head self-attention in tiles of queries and keys, without the matrix of all scores: memory is linear in the
//! number of tokens (Dao et al. 2022, <https://arxiv.org/abs/2205.14135>). With a window, so is time.
//!
//! The forward pass saves the logarithm of the sum of exponentials of each query; the backward pass computes the scores
//! again. Queries and keys may have rotary positions. Operands of a head are copied to matrices whose sides are padded
//! with zeros, as in [`crate::attention`].

mod backward;
mod batch;
mod forward;
mod head;
mod scratch;
mod tile;

pub use batch::{Rotation, SavedAttention, TiledBatch, pairs};

use super::{Cpu, dispatch};
use crate::attention::{HeadShape, Qkv};
use crate::op_cost::OpCost;
use backward::backward_kernel;
use forward::forward_kernel;
use rayon::prelude::*;
use scratch::Scratch;
use std::ops::Range;

/// The kernel with its scratch memory.
#[derive(Debug)]
pub struct TiledAttention {
    /// Of each thread.
    scratch: Vec<Scratch>,
    /// Number of threads that share the heads of an example.
    pub threads: usize,
    /// Cost of all calls; what the backward pass computes again is not counted.
    pub cost: OpCost,
}

impl Default for TiledAttention {
    fn default() -> Self {
        TiledAttention { scratch: Vec::new(), threads: 1, cost: OpCost::default() }
    }
}

impl TiledAttention {
    /// `context` (rows, H) = dropout(softmax(q kᵀ / √head_size)) v. Writes `log_sums` (rows, heads).
    pub fn forward(
        &mut self,
        cpu: Cpu,
        batch: TiledBatch<'_>,
        qkv: Qkv<'_>,
        log_sums: &mut [f32],
        context: &mut [f32],
    ) {
        let HeadShape { count, size, .. } = batch.heads;
        let TiledAttention { scratch, threads, cost } = self;
        cost.measure(2 * batch.flops(), || {
            for span in batch.examples {
                let rows = span.queries.clone();
                let log_sums = &mut log_sums[rows.start * count..rows.end * count];
                let context = &mut context[rows.start * count * size..rows.end * count * size];
                let outputs = [
                    Output { data: log_sums, columns: 1, blocks: 1 },
                    Output { data: context, columns: size, blocks: 1 },
                ];
                for_heads(scratch, *threads, count, outputs, |heads, scratch, [log_sums, context]| {
                    let out = (log_sums, context);
                    dispatch!(cpu, forward_kernel(batch, (span, heads), qkv, scratch, out));
                });
            }
        });
    }

    /// The backward pass: writes the gradients of queries, (rows, H), and of keys and values, (tokens, 2H).
    pub fn backward(
        &mut self,
        cpu: Cpu,
        batch: TiledBatch<'_>,
        qkv: Qkv<'_>,
        saved: SavedAttention<'_>,
        (d_q, d_kv): (&mut [f32], &mut [f32]),
    ) {
        let HeadShape { count, size, .. } = batch.heads;
        let hidden = count * size;
        let TiledAttention { scratch, threads, cost } = self;
        cost.measure(4 * batch.flops(), || {
            for span in batch.examples {
                let d_q = &mut d_q[span.queries.start * hidden..span.queries.end * hidden];
                let d_kv = &mut d_kv[span.keys.start * 2 * hidden..span.keys.end * 2 * hidden];
                let outputs = [
                    Output { data: d_q, columns: size, blocks: 1 },
                    Output { data: d_kv, columns: size, blocks: 2 },
                ];
                for_heads(scratch, *threads, count, outputs, |heads, scratch, [d_q, d_kv]| {
                    dispatch!(cpu, backward_kernel(batch, (span, heads), qkv, scratch, saved, (d_q, d_kv)));
                });
            }
        });
    }
}

/// A matrix with `blocks` blocks of columns side by side, each with `columns` columns for each head.
struct Output<'a> {
    data: &'a mut [f32],
    columns: usize,
    blocks: usize,
}

impl Output<'_> {
    /// Copies the columns of `heads` of `count` heads from a matrix that has only these.
    fn copy_heads(&mut self, heads: &Range<usize>, count: usize, from: &[f32]) {
        let Output { data, columns, blocks } = self;
        let (width, from_width) = (count * *columns, heads.len() * *columns);
        for (to, from) in data.chunks_exact_mut(*blocks * width).zip(from.chunks_exact(*blocks * from_width))
        {
            for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(from_width)) {
                to[heads.start * *columns..][..from_width].copy_from_slice(from);
            }
        }
    }
}

/// Calls `kernel` with parts of `0..count` heads and matrices for their outputs. With several threads, each has a part and
/// writes to matrices of its own, whose columns are then copied; the result is the same.
fn for_heads<const N: usize>(
    scratch: &mut Vec<Scratch>,
    threads: usize,
    count: usize,
    mut outputs: [Output<'_>; N],
    kernel: impl Fn(Range<usize>, &mut Scratch, [&mut [f32]; N]) + Sync,
) {
    let parts = threads.clamp(1, count);
    scratch.resize_with(scratch.len().max(parts), Scratch::default);
    if parts == 1 {
        return kernel(0..count, &mut scratch[0], outputs.map(|output| output.data));
    }
    let per_part = count.div_ceil(parts);
    let lengths = outputs.each_ref().map(|output| output.data.len() / count);
    let parts: Vec<(Range<usize>, [Vec<f32>; N])> = scratch
        .par_iter_mut()
        .zip((0..count).into_par_iter().step_by(per_part))
        .map(|(scratch, first)| {
            let heads = first..(first + per_part).min(count);
            let mut own = lengths.map(|per_head| vec![0.0; per_head * heads.len()]);
            kernel(heads.clone(), scratch, own.each_mut().map(|own| &mut own[..]));
            (heads, own)
        })
        .collect();
    for (heads, own) in &parts {
        for (output, own) in outputs.iter_mut().zip(own) {
            output.copy_heads(heads, count, own);
        }
    }
}
#[cfg(test)]
mod tests;
