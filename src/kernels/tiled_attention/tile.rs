//! Tiles of queries and keys: which pairs they have, their dropout masks and scratch memory.

use super::batch::{TiledBatch, reach};
use crate::LANES;
use crate::attention::{AttentionSpan, padded};
use crate::dropout::{attention_row, mask_row_bytes};
use std::ops::Range;

/// Queries of a tile.
pub(super) const QUERY_TILE: usize = 64;

/// Keys of a tile.
pub(super) const KEY_TILE: usize = 64;

/// The matrices of one tile, with padded sides.
#[derive(Debug, Default)]
pub(super) struct TileScratch {
    /// Scores, then probabilities: (queries, keys)
    pub(super) scores: Vec<f32>,
    /// Gradient of the probabilities, then of the scores: (queries, keys)
    pub(super) d_scores: Vec<f32>,
    /// Sum of the values, weighted by probabilities: (queries, S)
    pub(super) context: Vec<f32>,
    /// Gradients of keys and values: (keys, S) each
    pub(super) d_k: Vec<f32>,
    pub(super) d_v: Vec<f32>,
    /// Largest score of each query so far, and the sum of exponentials.
    pub(super) max: Vec<f32>,
    pub(super) sums: Vec<f32>,
    /// Rows of the dropout masks and their bits.
    pub(super) mask_rows: Vec<u64>,
    pub(super) mask_bits: Vec<u8>,
}

impl TileScratch {
    /// Resizes the buffers for the largest tile.
    pub(super) fn resize(&mut self, width: usize) {
        let matrices = [
            (&mut self.scores, QUERY_TILE * KEY_TILE),
            (&mut self.d_scores, QUERY_TILE * KEY_TILE),
            (&mut self.context, QUERY_TILE * width),
            (&mut self.d_k, KEY_TILE * width),
            (&mut self.d_v, KEY_TILE * width),
            (&mut self.max, QUERY_TILE),
            (&mut self.sums, QUERY_TILE),
        ];
        for (matrix, length) in matrices {
            matrix.resize(length, 0.0);
        }
    }

    /// Draws the dropout mask of a tile, if there is dropout.
    #[inline(always)]
    pub(super) fn draw_mask(
        &mut self,
        batch: &TiledBatch<'_>,
        span: &AttentionSpan,
        head: usize,
        pairs: &TilePairs,
    ) {
        let Some(site) = batch.dropout else { return };
        let TileScratch { mask_rows, mask_bits, .. } = self;
        let row = |query: usize| {
            attention_row(batch.token_indices[span.queries.start + query], (head, batch.heads.count))
        };
        mask_rows.clear();
        mask_rows.extend(pairs.queries.clone().map(row));
        site.keep_mask_of_keys(mask_rows, pairs.keys.clone(), batch.heads.max_positions, mask_bits);
    }
}

/// The pairs of a tile.
#[derive(Debug, Clone)]
pub(super) struct TilePairs {
    pub(super) queries: Range<usize>,
    /// They begin at a multiple of [`KEY_TILE`].
    pub(super) keys: Range<usize>,
    pub(super) window: Option<usize>,
}

impl TilePairs {
    /// Padded number of keys.
    pub(super) fn width(&self) -> usize {
        padded(self.keys.len())
    }

    /// The keys of the tile that a query of the tile attends to, counted from the first of each.
    #[inline(always)]
    pub(super) fn reach(&self, query: usize) -> Range<usize> {
        let Some(window) = self.window else { return 0..self.keys.len() };
        let reach = reach(self.queries.start + query, window, self.keys.end);
        let start = reach.start.max(self.keys.start) - self.keys.start;
        start..(reach.end.saturating_sub(self.keys.start)).max(start)
    }
}

/// The keys that any of `queries` attends to, from a multiple of [`KEY_TILE`] on.
pub(super) fn reached_keys(queries: &Range<usize>, window: Option<usize>, keys: usize) -> Range<usize> {
    let Some(window) = window else { return 0..keys };
    let start = reach(queries.start, window, keys).start;
    start / KEY_TILE * KEY_TILE..reach(queries.end - 1, window, keys).end
}

/// The queries that attend to any of `keys`, from a multiple of [`QUERY_TILE`] on.
pub(super) fn reaching_queries(keys: &Range<usize>, window: Option<usize>, queries: usize) -> Range<usize> {
    let Some(window) = window else { return 0..queries };
    // Distances are symmetric.
    let start = reach(keys.start, window, queries).start;
    let end = reach(keys.end - 1, window, queries).end;
    start / QUERY_TILE * QUERY_TILE..end
}

/// 0..length in steps of at most `step`.
pub(super) fn steps(length: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length).step_by(step).map(move |start| start..(start + step).min(length))
}

/// The bits of a row of the mask, by vectors.
#[inline(always)]
pub(super) fn mask_words(bits: &[u8], row: usize, keys: usize) -> impl Iterator<Item = u32> + '_ {
    let bytes = mask_row_bytes(keys);
    let (words, _) = bits[row * bytes..(row + 1) * bytes].as_chunks::<{ LANES / 8 }>();
    words.iter().map(|word| u32::from(u16::from_le_bytes(*word)))
}
