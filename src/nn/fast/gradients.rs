//! The gradients of all tensors but the word embedding, which the shares of a batch make together.

use super::kernels::Cpu;
use super::kernels::adamw::add;
use super::kernels::huge_pages::zeros;
use super::kernels::product::{Products, WeightGradient};
use super::layout::Layout;
use super::shard::Shard;
use rayon::prelude::*;

/// Numbers of the small tensors that one task adds up.
const CHUNK: usize = 1 << 14;

/// An arena of gradients without that of the word embedding.
#[derive(Debug)]
pub(super) struct Gradients {
    pub(super) arena: Vec<f32>,
    pub(super) products: Products,
    /// Whether matrices hold a sum that goes on, rather than numbers of a step before.
    is_added: bool,
}

impl Gradients {
    /// For tensors of this layout.
    pub(super) fn new(layout: &Layout, products: Products) -> Self {
        Gradients { arena: zeros(layout.dense(), layout.dense()), products, is_added: false }
    }

    /// Those of a layer's matrices, after the shards went back through it: dW = dᵀ · x, where the rows of d
    /// and x are those of all shards. Threads share what comes out, so no sum depends on their number.
    pub(super) fn add_layer(&mut self, layout: &Layout, number: usize, shards: &[Shard]) {
        let matrices = layout.layers[number].matrices();
        let factors: Vec<_> = shards.iter().map(|shard| shard.factors(number)).collect();
        let mut rest = &mut self.arena[matrices[0].0.start..];
        let gradient = |(i, (place, outs)): (usize, (&std::ops::Range<usize>, usize))| WeightGradient {
            dw: rest.split_off_mut(..place.len()).expect("matrices of a layer are neighbours"),
            d: factors.iter().map(|factors| factors[i].0).collect(),
            x: factors.iter().map(|factors| factors[i].1).collect(),
            outs,
        };
        let gradients = matrices.into_iter().enumerate().map(gradient).collect();
        self.products.weights(gradients, self.is_added);
    }

    /// After a part of a step, which another may follow.
    pub(super) fn go_on(&mut self) {
        self.is_added = true;
    }

    /// After a step's last part: the small tensors' of all shards, in their order.
    pub(super) fn finish(&mut self, cpu: Cpu, layout: &Layout, shards: &[Shard]) {
        let small = self.arena[..layout.small()].par_chunks_mut(CHUNK).enumerate();
        small.for_each(|(number, sums)| {
            sums.fill(0.0);
            for shard in shards {
                add(cpu, sums, &shard.small[number * CHUNK..][..sums.len()]);
            }
        });
        self.is_added = false;
    }
}
