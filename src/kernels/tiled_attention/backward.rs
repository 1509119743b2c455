//! The backward pass: the scores of each tile are computed again.

use super::batch::{SavedAttention, TiledBatch};
use super::head::{HeadScratch, HeadSizes, store_rows};
use super::scratch::Scratch;
use super::tile::{KEY_TILE, QUERY_TILE, TilePairs, TileScratch, mask_words, reaching_queries, steps};
use crate::attention::{AttentionSpan, Qkv};
use crate::math::exp;
use crate::tile_gemm::{TILE_ROWS, gemm, gemm_tn};
use crate::{Fma, LANES};
use std::ops::Range;

/// The gradients of some heads of an example: of queries, (queries, heads · head size), and of keys and values side by
/// side, (keys, 2 · heads · head size).
#[inline(always)]
pub(super) fn backward_kernel<F: Fma>(
    batch: TiledBatch<'_>,
    (span, heads): (&AttentionSpan, Range<usize>),
    qkv: Qkv<'_>,
    Scratch { head: head_scratch, tile }: &mut Scratch,
    saved: SavedAttention<'_>,
    (d_q, d_kv): (&mut [f32], &mut [f32]),
) {
    let sizes = HeadSizes::of(&batch, span);
    let HeadSizes { size, width, .. } = sizes;
    tile.resize(width);
    let scale = 1.0 / (size as f32).sqrt();
    let (first, out_width) = (heads.start, heads.len() * size);
    for head in heads {
        head_scratch.load(span, sizes, qkv, batch.rotation, head);
        head_scratch.load_gradient(span, sizes, [saved.context, saved.d_context], head);
        let columns = (head - first) * size..(head - first + 1) * size;
        let values = out_width + columns.start..out_width + columns.end;
        for keys in steps(sizes.keys, KEY_TILE) {
            tile.d_k.fill(0.0);
            tile.d_v.fill(0.0);
            for start in reaching_queries(&keys, batch.window, sizes.queries).step_by(QUERY_TILE) {
                let queries = start..(start + QUERY_TILE).min(sizes.queries);
                let pairs = TilePairs { queries, keys: keys.clone(), window: batch.window };
                tile_gradients::<F>(
                    &batch,
                    (span, head),
                    sizes,
                    &pairs,
                    head_scratch,
                    (tile, saved.log_sums),
                );
            }
            let out = &mut d_kv[keys.start * 2 * out_width..keys.end * 2 * out_width];
            let rotation = (batch.rotation, keys.start, 1.0);
            store_rows(&tile.d_k, width, rotation, out, (2 * out_width, columns.clone()));
            store_rows(&tile.d_v, width, (None, 0, 1.0), out, (2 * out_width, values.clone()));
        }
        store_rows(&head_scratch.d_q, width, (batch.rotation, 0, scale), d_q, (out_width, columns));
    }
}

/// Adds the gradients of the pairs of a tile to those of queries, keys and values.
#[inline(always)]
fn tile_gradients<F: Fma>(
    batch: &TiledBatch<'_>,
    (span, head): (&AttentionSpan, usize),
    sizes: HeadSizes,
    pairs: &TilePairs,
    head_scratch: &mut HeadScratch,
    (tile, log_sums): (&mut TileScratch, &[f32]),
) {
    let HeadSizes { size, width, .. } = sizes;
    let (rows, keys, tile_width) = (pairs.queries.len(), pairs.keys.len(), pairs.width());
    let padded_rows = rows.next_multiple_of(TILE_ROWS);
    let (first_query, first_key) = (pairs.queries.start * width, pairs.keys.start * width);
    let HeadScratch { q, k, k_t, v_t, d_context, d_q, delta, .. } = head_scratch;
    let (q, d_context) = (&q[first_query..], &d_context[first_query..]);
    // scores = q kᵀ, d_probs = d_context vᵀ
    let (k_t, v_t) = (&k_t[first_key..], &v_t[first_key..]);
    let sizes = (padded_rows, size, tile_width);
    gemm::<F, false>(&mut tile.scores, (q, width), (k_t, tile_width), sizes);
    gemm::<F, false>(&mut tile.d_scores, (d_context, width), (v_t, tile_width), sizes);
    tile.draw_mask(batch, span, head, pairs);
    for row in 0..rows {
        let query = pairs.queries.start + row;
        let log_sum = log_sums[(span.queries.start + query) * batch.heads.count + head];
        let keep_scale = batch.dropout.map(|site| site.scale);
        row_gradients::<F>(tile, row, pairs, (log_sum, delta[query]), keep_scale);
    }
    // Rows beyond the last query are not read: products over queries end there, and their outputs are not used.
    let (probs, d_scores) = ((tile.scores.as_slice(), tile_width), (tile.d_scores.as_slice(), tile_width));
    gemm_tn::<F, true>(&mut tile.d_v, probs, (d_context, width), tile_width, rows); //    d_v += probsᵀ d_context
    gemm_tn::<F, true>(&mut tile.d_k, d_scores, (q, width), tile_width, rows); //         d_k += d_scoresᵀ q
    let (k, d_q) = (&k[first_key..], &mut d_q[first_query..]);
    gemm::<F, true>(d_q, d_scores, (k, width), (padded_rows, keys, width)); //            d_q += d_scores k
}

/// From the scores of a query and the gradient of its probabilities after dropout to these probabilities and the gradient
/// of the scores: P = exp(S − log_sum), dS = P ⊙ (dP − delta).
#[inline(always)]
fn row_gradients<F: Fma>(
    tile: &mut TileScratch,
    row: usize,
    pairs: &TilePairs,
    (log_sum, delta): (f32, f32),
    keep_scale: Option<f32>,
) {
    let range = row * pairs.width()..(row + 1) * pairs.width();
    let (probs, d) = (&mut tile.scores[range.clone()], &mut tile.d_scores[range]);
    let (prob_lanes, _) = probs.as_chunks_mut::<LANES>();
    let (d_lanes, _) = d.as_chunks_mut::<LANES>();
    match keep_scale {
        None => {
            for (p, d) in prob_lanes.iter_mut().zip(d_lanes) {
                for lane in 0..LANES {
                    p[lane] = exp::<F>(p[lane] - log_sum);
                    d[lane] = p[lane] * (d[lane] - delta);
                }
            }
        }
        Some(keep_scale) => {
            let words = mask_words(&tile.mask_bits, row, pairs.keys.len());
            for ((p, d), bits) in prob_lanes.iter_mut().zip(d_lanes).zip(words) {
                for lane in 0..LANES {
                    let factor = if bits >> lane & 1 == 1 { keep_scale } else { 0.0 };
                    let prob = exp::<F>(p[lane] - log_sum);
                    d[lane] = prob * (d[lane] * factor - delta);
                    p[lane] = prob * factor;
                }
            }
        }
    }
    let reach = pairs.reach(row);
    for x in [probs, d] {
        x[..reach.start].fill(0.0);
        x[reach.end..].fill(0.0);
    }
}
