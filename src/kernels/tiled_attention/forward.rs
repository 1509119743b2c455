//! The forward pass: the softmax of a query is updated with each tile of keys (Milakov and Gimelshein 2018,
//! <https://arxiv.org/abs/1805.02867>).

use super::batch::TiledBatch;
use super::head::{HeadScratch, HeadSizes, store_rows};
use super::scratch::Scratch;
use super::tile::{KEY_TILE, QUERY_TILE, TilePairs, TileScratch, mask_words, reached_keys, steps};
use crate::attention::{AttentionSpan, Qkv};
use crate::math::exp;
use crate::tile_gemm::{TILE_ROWS, gemm};
use crate::{Fma, LANES, sum};
use std::ops::Range;

/// The context of some heads of an example, (queries, heads · head size), and the logarithms of their sums, (queries,
/// heads).
#[inline(always)]
pub(super) fn forward_kernel<F: Fma>(
    batch: TiledBatch<'_>,
    (span, heads): (&AttentionSpan, Range<usize>),
    qkv: Qkv<'_>,
    Scratch { head: head_scratch, tile }: &mut Scratch,
    (log_sums, context): (&mut [f32], &mut [f32]),
) {
    let sizes = HeadSizes::of(&batch, span);
    let HeadSizes { size, width, .. } = sizes;
    tile.resize(width);
    let (count, first) = (heads.len(), heads.start);
    for head in heads {
        head_scratch.load(span, sizes, qkv, batch.rotation, head);
        let column = (head - first) * size;
        for queries in steps(sizes.queries, QUERY_TILE) {
            context_tile::<F>(&batch, (span, head), sizes, queries.clone(), head_scratch, tile);
            for (row, (max, sum)) in queries.clone().zip(tile.max.iter().zip(&tile.sums)) {
                log_sums[row * count + head - first] = max + sum.ln();
            }
            let out = &mut context[queries.start * count * size..queries.end * count * size];
            store_rows(&tile.context, width, (None, 0, 1.0), out, (count * size, column..column + size));
        }
    }
}

/// Computes the context of a tile of queries, their largest scores and the sums of exponentials.
#[inline(always)]
fn context_tile<F: Fma>(
    batch: &TiledBatch<'_>,
    (span, head): (&AttentionSpan, usize),
    sizes: HeadSizes,
    queries: Range<usize>,
    head_scratch: &HeadScratch,
    tile: &mut TileScratch,
) {
    let HeadSizes { keys, size, width, .. } = sizes;
    let rows = queries.len();
    let padded_rows = rows.next_multiple_of(TILE_ROWS);
    tile.context.fill(0.0);
    tile.max.fill(f32::NEG_INFINITY);
    tile.sums.fill(0.0);
    let q = &head_scratch.q[queries.start * width..];
    let reached = reached_keys(&queries, batch.window, keys);
    for start in reached.clone().step_by(KEY_TILE) {
        let pairs = TilePairs {
            queries: queries.clone(),
            keys: start..(start + KEY_TILE).min(keys),
            window: batch.window,
        };
        let tile_width = pairs.width();
        // scores = q kᵀ
        let k_t = &head_scratch.k_t[start * width..];
        gemm::<F, false>(&mut tile.scores, (q, width), (k_t, tile_width), (padded_rows, size, tile_width));
        tile.draw_mask(batch, span, head, &pairs);
        for row in 0..rows {
            softmax_row::<F>(tile, row, &pairs, width, batch.dropout.map(|site| site.scale));
        }
        // context += probs v
        let v = &head_scratch.v[start * width..];
        let probs = (tile.scores.as_slice(), tile_width);
        gemm::<F, true>(&mut tile.context, probs, (v, width), (padded_rows, pairs.keys.len(), width));
    }
    for (row, sum) in tile.context.chunks_exact_mut(width).zip(&tile.sums).take(rows) {
        let inverse = 1.0 / sum;
        for x in row {
            *x *= inverse;
        }
    }
}

/// Replaces the scores of a query by exp(score − max), after dropout, and brings its context and sum to the new maximum.
#[inline(always)]
fn softmax_row<F: Fma>(
    tile: &mut TileScratch,
    row: usize,
    pairs: &TilePairs,
    width: usize,
    keep_scale: Option<f32>,
) {
    let tile_width = pairs.width();
    let scores = &mut tile.scores[row * tile_width..(row + 1) * tile_width];
    let reach = pairs.reach(row);
    if reach.is_empty() {
        scores.fill(0.0);
        return;
    }
    scores[..reach.start].fill(f32::NEG_INFINITY);
    scores[reach.end..].fill(f32::NEG_INFINITY);
    let mut lanes_max = [f32::NEG_INFINITY; LANES];
    let (lanes, _) = scores.as_chunks_mut::<LANES>();
    for x in lanes.iter() {
        for lane in 0..LANES {
            lanes_max[lane] = lanes_max[lane].max(x[lane]);
        }
    }
    let before = tile.max[row];
    let max = lanes_max.into_iter().fold(before, f32::max);
    for x in lanes.iter_mut() {
        for lane in 0..LANES {
            x[lane] = exp::<F>(x[lane] - max);
        }
    }
    scores[..reach.start].fill(0.0);
    scores[reach.end..].fill(0.0);
    let mut total = sum(scores, scores, |x, _| x);
    if max > before {
        let factor = exp::<F>(before - max);
        total = F::fma(tile.sums[row], factor, total);
        for x in &mut tile.context[row * width..(row + 1) * width] {
            *x *= factor;
        }
        tile.max[row] = max;
    } else {
        total += tile.sums[row];
    }
    tile.sums[row] = total;
    let Some(keep_scale) = keep_scale else { return };
    let (lanes, _) = scores.as_chunks_mut::<LANES>();
    for (x, bits) in lanes.iter_mut().zip(mask_words(&tile.mask_bits, row, pairs.keys.len())) {
        for lane in 0..LANES {
            x[lane] = if bits >> lane & 1 == 1 { x[lane] * keep_scale } else { 0.0 };
        }
    }
}
