//! The gradient of the word embedding, of which a batch touches few rows.

use super::shard::Shard;
use crate::batch::Batch;
use kernels::Cpu;
use kernels::adamw::{AdamWStep, ParamSlices, adamw, sum_of_squares};
use rayon::prelude::*;

/// Rows of the word embedding that one task processes.
const BLOCK_ROWS: usize = 256;

/// The gradient of the word embedding, with the set of rows that have one.
#[derive(Debug)]
pub(super) struct SparseEmbeddingGrad {
    width: usize,
    /// The word whose row gets no gradient.
    padding_id: Option<u32>,
    /// (vocabulary, E); rows that are not touched are zero.
    pub(super) sums: Vec<f32>,
    /// Rows that have a gradient in this step: (vocabulary)
    is_touched: Vec<bool>,
    /// Rows that have had a gradient in any step. The moments of other rows are zero: (vocabulary)
    pub(super) has_moments: Vec<bool>,
}

impl SparseEmbeddingGrad {
    /// The gradient of an embedding of shape (`rows`, `width`).
    pub(super) fn new((rows, width): (usize, usize), padding_id: Option<u32>) -> Self {
        let (sums, flags) = (vec![0.0; rows * width], vec![false; rows]);
        SparseEmbeddingGrad { width, padding_id, sums, is_touched: flags.clone(), has_moments: flags }
    }

    /// Adds the gradients of the word embeddings of all shards, in the order of the batch. `batches` are the parts
    /// of the batch that the shards processed.
    pub(super) fn add(&mut self, batches: &[Batch], shards: &[Shard]) {
        let width = self.width;
        // (word id, shard, token), sorted, so that the additions to a row have a fixed order.
        let mut occurrences: Vec<(u32, usize, usize)> = Vec::new();
        for (shard, batch) in batches.iter().enumerate() {
            let ids = batch.ids.iter().enumerate().filter(|(_, id)| Some(**id) != self.padding_id);
            occurrences.extend(ids.map(|(token, id)| (*id, shard, token)));
        }
        occurrences.sort_unstable();
        for (id, ..) in &occurrences {
            self.is_touched[*id as usize] = true;
            self.has_moments[*id as usize] = true;
        }
        self.sums.par_chunks_mut(BLOCK_ROWS * width).enumerate().for_each(|(block, sums)| {
            let first = (block * BLOCK_ROWS) as u32;
            let from = occurrences.partition_point(|(id, ..)| *id < first);
            let to = occurrences.partition_point(|(id, ..)| *id < first + BLOCK_ROWS as u32);
            for (id, shard, token) in &occurrences[from..to] {
                let row = (id - first) as usize * width;
                let gradient = &shards[*shard].word_grads()[token * width..(token + 1) * width];
                for (sum, x) in sums[row..row + width].iter_mut().zip(gradient) {
                    *sum += x;
                }
            }
        });
    }

    pub(super) fn sum_of_squares(&self, cpu: Cpu) -> f64 {
        let blocks =
            self.sums.par_chunks(BLOCK_ROWS * self.width).zip(self.is_touched.par_chunks(BLOCK_ROWS));
        let squares: Vec<f64> = blocks
            .map(|(sums, is_touched)| {
                let rows = sums.chunks_exact(self.width).zip(is_touched);
                rows.filter(|(_, touched)| **touched).map(|(row, _)| sum_of_squares(cpu, row)).sum()
            })
            .collect();
        squares.iter().sum()
    }

    /// AdamW update of the word embedding; resets the gradient to zero. Rows without moments are only multiplied by
    /// the weight decay, which is what AdamW does when gradient and moments are zero.
    pub(super) fn update(&mut self, cpu: Cpu, params: ParamSlices<'_>, step: AdamWStep) {
        let width = self.width;
        let ParamSlices { weight, first_moment, second_moment } = params;
        let moments = first_moment
            .par_chunks_mut(BLOCK_ROWS * width)
            .zip(second_moment.par_chunks_mut(BLOCK_ROWS * width));
        let flags = self.is_touched.par_chunks_mut(BLOCK_ROWS).zip(self.has_moments.par_chunks(BLOCK_ROWS));
        let blocks =
            weight.par_chunks_mut(BLOCK_ROWS * width).zip(self.sums.par_chunks_mut(BLOCK_ROWS * width));
        blocks.zip(moments).zip(flags).for_each(
            |(((weight, sums), (first_moment, second_moment)), (is_touched, has_moments))| {
                for row in 0..has_moments.len() {
                    let range = row * width..(row + 1) * width;
                    if !has_moments[row] {
                        if step.decay_factor != 1.0 {
                            weight[range].iter_mut().for_each(|x| *x *= step.decay_factor);
                        }
                        continue;
                    }
                    let params = ParamSlices {
                        weight: &mut weight[range.clone()],
                        first_moment: &mut first_moment[range.clone()],
                        second_moment: &mut second_moment[range.clone()],
                    };
                    adamw(cpu, params, &sums[range.clone()], step);
                    if std::mem::take(&mut is_touched[row]) {
                        sums[range].fill(0.0);
                    }
                }
            },
        );
    }

    /// Takes the whole gradient, (vocabulary, E), and resets it to zero.
    pub(super) fn take(&mut self) -> Vec<f32> {
        self.is_touched.fill(false);
        let zeros = vec![0.0; self.sums.len()];
        std::mem::replace(&mut self.sums, zeros)
    }

    /// Finds the rows with moments after a state was restored.
    pub(super) fn find_moments(&mut self, first_moments: &[f32], second_moments: &[f32]) {
        let moments = first_moments.chunks_exact(self.width).zip(second_moments.chunks_exact(self.width));
        for (has_moments, (first, second)) in self.has_moments.iter_mut().zip(moments) {
            *has_moments = first.iter().chain(second).any(|x| *x != 0.0);
        }
    }
}
