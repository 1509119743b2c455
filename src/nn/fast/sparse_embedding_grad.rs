//! The gradient of the word embedding, of which a batch has a few rows.

use super::kernels::Cpu;
use super::kernels::adamw::{Moving, Update, adamw, sum_of_squares};
use super::shard::Shard;
use crate::batch::Batch;
use rayon::prelude::*;

/// Rows of the word embedding that one task works on.
const ROWS: usize = 256;

/// The gradient of the word embedding, row by row.
#[derive(Debug)]
pub(super) struct SparseEmbeddingGrad {
    width: usize,
    /// (vocabulary, H); zeros but for rows that were touched.
    pub(super) sums: Vec<f32>,
    /// Rows that this step has a gradient for.
    is_touched: Vec<bool>,
    /// Rows that any step had one for: the moments of the others are zero.
    pub(super) is_seen: Vec<bool>,
}

impl SparseEmbeddingGrad {
    /// Of a table of so many rows.
    pub(super) fn new(rows: usize, width: usize) -> Self {
        let sums = vec![0.0; rows * width];
        SparseEmbeddingGrad { width, sums, is_touched: vec![false; rows], is_seen: vec![false; rows] }
    }

    /// Adds the gradients of embedded words that the shards have, in the order of the batch.
    pub(super) fn add(&mut self, shares: &[Batch], shards: &[Shard]) {
        let width = self.width;
        let mut occurrences: Vec<(u32, usize, usize)> = Vec::new();
        for (shard, share) in shares.iter().enumerate() {
            occurrences.extend(share.ids.iter().enumerate().map(|(token, id)| (*id, shard, token)));
        }
        occurrences.sort_unstable();
        for (id, ..) in &occurrences {
            self.is_touched[*id as usize] = true;
            self.is_seen[*id as usize] = true;
        }
        self.sums.par_chunks_mut(ROWS * width).enumerate().for_each(|(block, sums)| {
            let first = (block * ROWS) as u32;
            let from = occurrences.partition_point(|(id, ..)| *id < first);
            let to = occurrences.partition_point(|(id, ..)| *id < first + ROWS as u32);
            for (id, shard, token) in &occurrences[from..to] {
                let row = (id - first) as usize * width;
                let gradient = &shards[*shard].word_gradients()[token * width..(token + 1) * width];
                for (sum, x) in sums[row..row + width].iter_mut().zip(gradient) {
                    *sum += x;
                }
            }
        });
    }

    pub(super) fn sum_of_squares(&self, cpu: Cpu) -> f64 {
        let blocks = self.sums.par_chunks(ROWS * self.width).zip(self.is_touched.par_chunks(ROWS));
        let squares: Vec<f64> = blocks
            .map(|(sums, is_touched)| {
                let rows = sums.chunks_exact(self.width).zip(is_touched);
                rows.filter(|(_, touched)| **touched).map(|(row, _)| sum_of_squares(cpu, row)).sum()
            })
            .collect();
        squares.iter().sum()
    }

    /// AdamW, and zeros for the next step. A row that never had a gradient would only decay.
    pub(super) fn update(&mut self, cpu: Cpu, moving: Moving<'_>, update: Update) {
        let width = self.width;
        let Moving { weight, first, second } = moving;
        let moments = first.par_chunks_mut(ROWS * width).zip(second.par_chunks_mut(ROWS * width));
        let rows = self.is_touched.par_chunks_mut(ROWS).zip(self.is_seen.par_chunks(ROWS));
        let blocks = weight.par_chunks_mut(ROWS * width).zip(self.sums.par_chunks_mut(ROWS * width));
        blocks.zip(moments).zip(rows).for_each(
            |(((weight, sums), (first, second)), (is_touched, is_seen))| {
                for row in 0..is_seen.len() {
                    let at = row * width..(row + 1) * width;
                    if !is_seen[row] {
                        if update.decay != 1.0 {
                            weight[at].iter_mut().for_each(|x| *x *= update.decay);
                        }
                        continue;
                    }
                    let moving = Moving {
                        weight: &mut weight[at.clone()],
                        first: &mut first[at.clone()],
                        second: &mut second[at.clone()],
                    };
                    adamw(cpu, moving, &sums[at.clone()], update);
                    if std::mem::take(&mut is_touched[row]) {
                        sums[at].fill(0.0);
                    }
                }
            },
        );
    }

    /// The whole gradient, and zeros for the next step.
    pub(super) fn take(&mut self) -> Vec<f32> {
        self.is_touched.fill(false);
        let zeros = vec![0.0; self.sums.len()];
        std::mem::replace(&mut self.sums, zeros)
    }

    /// Finds the rows with moments.
    pub(super) fn look(&mut self, first: &[f32], second: &[f32]) {
        let moments = first.chunks_exact(self.width).zip(second.chunks_exact(self.width));
        for (seen, (first, second)) in self.is_seen.iter_mut().zip(moments) {
            *seen = first.iter().chain(second).any(|x| *x != 0.0);
        }
    }
}
