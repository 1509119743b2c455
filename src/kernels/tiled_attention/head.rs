//! The operands and gradients of a head, as matrices with padded sides.

use super::batch::{Rotation, TiledBatch};
use super::tile::{KEY_TILE, steps};
use crate::LANES;
use crate::attention::{AttentionSpan, Qkv, padded};
use crate::tile_gemm::TILE_ROWS;
use std::ops::Range;

/// The matrices of one head of an example, with padded sides Q (queries), K (keys) and S (head size).
#[derive(Debug, Default)]
pub(super) struct HeadScratch {
    /// Queries, rotated and divided by √head_size: (Q, S)
    pub(super) q: Vec<f32>,
    /// Keys, rotated: (K, S)
    pub(super) k: Vec<f32>,
    /// Values: (K, S)
    pub(super) v: Vec<f32>,
    /// Keys by tiles, each transposed: (S, keys of the tile)
    pub(super) k_t: Vec<f32>,
    /// Values in the same way, for the backward pass.
    pub(super) v_t: Vec<f32>,
    /// Gradient of the context: (Q, S)
    pub(super) d_context: Vec<f32>,
    /// Gradient of `q`: (Q, S)
    pub(super) d_q: Vec<f32>,
    /// Σ d_context ⊙ context of each query: (Q)
    pub(super) delta: Vec<f32>,
}

/// Sizes of a head of an example.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadSizes {
    pub(super) queries: usize,
    pub(super) keys: usize,
    /// Head size, and the same padded.
    pub(super) size: usize,
    pub(super) width: usize,
    /// Hidden size.
    pub(super) hidden: usize,
}

impl HeadSizes {
    pub(super) fn of(batch: &TiledBatch<'_>, span: &AttentionSpan) -> Self {
        let size = batch.heads.size;
        HeadSizes {
            queries: span.queries.len(),
            keys: span.keys.len(),
            size,
            width: padded(size),
            hidden: batch.heads.count * size,
        }
    }
}

impl HeadScratch {
    /// Copies the operands of a head.
    #[inline(always)]
    pub(super) fn load(
        &mut self,
        span: &AttentionSpan,
        sizes: HeadSizes,
        qkv: Qkv<'_>,
        rotation: Option<Rotation<'_>>,
        head: usize,
    ) {
        let HeadSizes { queries, keys, size, width, hidden } = sizes;
        let columns = head * size..(head + 1) * size;
        let q_rows = queries.next_multiple_of(TILE_ROWS);
        let matrices = [
            (&mut self.q, q_rows * width),
            (&mut self.k, padded(keys) * width),
            (&mut self.v, padded(keys) * width),
            (&mut self.k_t, padded(keys) * width),
        ];
        for (matrix, length) in matrices {
            matrix.clear();
            matrix.resize(length, 0.0);
        }
        let bias = |part: usize| &qkv.bias[part * hidden + columns.start..part * hidden + columns.end];
        let values = hidden + columns.start..hidden + columns.end;
        let scale = 1.0 / (size as f32).sqrt();
        let q = (&qkv.q[span.queries.start * hidden..span.queries.end * hidden], hidden, columns.clone());
        let kv = &qkv.kv[span.keys.start * 2 * hidden..span.keys.end * 2 * hidden];
        load_rows(q, bias(0), rotation, scale, &mut self.q, width);
        load_rows((kv, 2 * hidden, columns.clone()), bias(1), rotation, 1.0, &mut self.k, width);
        load_rows((kv, 2 * hidden, values), bias(2), None, 1.0, &mut self.v, width);
        transpose_tiles(&self.k, &mut self.k_t, keys, width);
    }

    /// Copies the gradient of the context, computes `delta`, and transposes the values.
    #[inline(always)]
    pub(super) fn load_gradient(
        &mut self,
        span: &AttentionSpan,
        sizes: HeadSizes,
        [context, d_context]: [&[f32]; 2],
        head: usize,
    ) {
        let HeadSizes { queries, keys, size, width, hidden } = sizes;
        let columns = head * size..(head + 1) * size;
        let q_rows = queries.next_multiple_of(TILE_ROWS);
        for (matrix, length) in [
            (&mut self.v_t, padded(keys) * width),
            (&mut self.d_context, q_rows * width),
            (&mut self.d_q, q_rows * width),
            (&mut self.delta, q_rows),
        ] {
            matrix.clear();
            matrix.resize(length, 0.0);
        }
        transpose_tiles(&self.v, &mut self.v_t, keys, width);
        let rows = span.queries.start * hidden..span.queries.end * hidden;
        let pairs = context[rows.clone()].chunks_exact(hidden).zip(d_context[rows].chunks_exact(hidden));
        let to = self.d_context.chunks_exact_mut(width).zip(&mut self.delta);
        for ((context, d), (to, delta)) in pairs.zip(to) {
            let (context, d) = (&context[columns.clone()], &d[columns.clone()]);
            to[..d.len()].copy_from_slice(d);
            *delta = crate::sum(context, d, |a, b| a * b);
        }
    }
}

/// Copies `columns` of all rows of a matrix of width `width`, adds `bias`, rotates and scales.
#[inline(always)]
fn load_rows(
    (from, width, columns): (&[f32], usize, Range<usize>),
    bias: &[f32],
    rotation: Option<Rotation<'_>>,
    scale: f32,
    to: &mut [f32],
    to_width: usize,
) {
    let size = columns.len();
    for (position, (from, to)) in from.chunks_exact(width).zip(to.chunks_exact_mut(to_width)).enumerate() {
        let (from, to) = (&from[columns.clone()], &mut to[..size]);
        for ((to, from), bias) in to.iter_mut().zip(from).zip(bias) {
            *to = (from + bias) * scale;
        }
        if let Some(rotation) = rotation {
            rotate::<false>(to, rotation, position);
        }
    }
}

/// The backward pass of [`load_rows`]: writes `columns` of all rows of a matrix of width `width`, the first of which is
/// at position `first`.
#[inline(always)]
pub(super) fn store_rows(
    from: &[f32],
    from_width: usize,
    (rotation, first, scale): (Option<Rotation<'_>>, usize, f32),
    to: &mut [f32],
    (width, columns): (usize, Range<usize>),
) {
    let size = columns.len();
    for (row, (from, to)) in from.chunks_exact(from_width).zip(to.chunks_exact_mut(width)).enumerate() {
        let to = &mut to[columns.clone()];
        for (to, from) in to.iter_mut().zip(&from[..size]) {
            *to = from * scale;
        }
        if let Some(rotation) = rotation {
            rotate::<true>(to, rotation, first + row);
        }
    }
}

/// Rotates the halves (a, b) of a row to (a cos − b sin, b cos + a sin), or back by the same angles if `INVERSE`.
#[inline(always)]
fn rotate<const INVERSE: bool>(row: &mut [f32], Rotation { cos, sin }: Rotation<'_>, position: usize) {
    let turn = |a: &mut f32, b: &mut f32, cos: f32, sin: f32| {
        let sin = if INVERSE { -sin } else { sin };
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    };
    let half = row.len() / 2;
    let angles = position * half..(position + 1) * half;
    let (a, b) = row.split_at_mut(half);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks_mut::<LANES>(), b.as_chunks_mut::<LANES>());
    let (cos, cos_rest) = cos[angles.clone()].as_chunks::<LANES>();
    let (sin, sin_rest) = sin[angles].as_chunks::<LANES>();
    for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
        for lane in 0..LANES {
            turn(&mut a[lane], &mut b[lane], cos[lane], sin[lane]);
        }
    }
    for (((a, b), cos), sin) in a_rest.iter_mut().zip(b_rest).zip(cos_rest).zip(sin_rest) {
        turn(a, b, *cos, *sin);
    }
}

/// (K, S) → tiles of (S, keys of the tile)
#[inline(always)]
fn transpose_tiles(from: &[f32], to: &mut [f32], keys: usize, width: usize) {
    for tile in steps(keys, KEY_TILE) {
        let tile_width = padded(tile.len());
        let start = tile.start * width;
        let to = &mut to[start..start + tile_width * width];
        for (key, row) in from[start..].chunks_exact(width).take(tile.len()).enumerate() {
            for (x, column) in row.iter().zip(to.chunks_exact_mut(tile_width)) {
                column[key] = *x;
            }
        }
    }
}
