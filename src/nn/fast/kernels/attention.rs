//! Attention of one example at a time, head by head, over real tokens only.
//!
//! What a head works on is copied into small rectangles whose sides are filled up with zeros, so that its
//! six products are the same few register tiles. The probabilities that are kept for the way back carry
//! in their sign whether dropout took them: they are never negative themselves.

use super::math::exp;
use super::{Cpu, Fma, LANES, Spent, dispatch, sum};
use crate::nn::dropout::{Site, row, row_bytes};
use std::ops::Range;

/// Rows of a register tile.
const TILE: usize = 4;

/// Sizes that are the same for all examples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) count: usize,
    /// Width of one head.
    pub(crate) size: usize,
    /// Longest input, which numbers the dropout masks.
    pub(crate) max_positions: usize,
}

/// One example: which rows ask, and which they see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Rows of the queries.
    pub(crate) queries: Range<usize>,
    /// Rows of the keys and values.
    pub(crate) keys: Range<usize>,
    /// Where its probabilities begin.
    pub(crate) first: usize,
}

/// All examples of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spans<'a> {
    pub(crate) heads: Heads,
    pub(crate) examples: &'a [Span],
    pub(crate) dropout: Option<Site>,
    /// Number of each query's token among all of the batch.
    pub(crate) tokens: &'a [usize],
}

/// Numbers that the probabilities of one query take.
pub(crate) fn padded(keys: usize) -> usize {
    keys.next_multiple_of(LANES)
}

/// Projections of all tokens, without bias: queries (rows, hidden), keys and values side by side
/// (tokens, 2 hidden), biases of the three (3 hidden).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projected<'a> {
    pub(crate) queries: &'a [f32],
    pub(crate) keys_values: &'a [f32],
    pub(crate) biases: &'a [f32],
}

/// Does attention, with room for one head at a time.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    scratch: Scratch,
    pub(crate) spent: Spent,
}

/// The rectangles of one head.
#[derive(Debug, Default)]
struct Scratch {
    /// (queries, size) of the queries
    q: Vec<f32>,
    /// (keys, size)
    k: Vec<f32>,
    /// (size, keys): keys or values, turned
    turned: Vec<f32>,
    /// (keys, size)
    v: Vec<f32>,
    /// (queries, keys)
    scores: Vec<f32>,
    /// (queries, keys)
    dropped: Vec<f32>,
    /// (queries, size), gradients
    d: Vec<f32>,
    /// What a product gives.
    out: Vec<f32>,
    /// The rows of dropout masks that the queries have, and their bits.
    rows: Vec<u64>,
    bits: Vec<u8>,
}

/// Sides of the rectangles of one example, filled up.
#[derive(Debug, Clone, Copy)]
struct Sides {
    queries: usize,
    keys: usize,
    size: usize,
}

impl Scratch {
    fn fit(&mut self, span: &Span, heads: Heads) -> Sides {
        let queries = span.queries.len().next_multiple_of(TILE);
        let (keys, size) = (padded(span.keys.len()), padded(heads.size));
        let rectangles = [
            (&mut self.q, queries * size),
            (&mut self.k, keys * size),
            (&mut self.turned, size * keys),
            (&mut self.v, keys * size),
            (&mut self.scores, queries * keys),
            (&mut self.dropped, queries * keys),
            (&mut self.d, queries * size),
            (&mut self.out, queries.max(keys) * size),
        ];
        for (rectangle, length) in rectangles {
            rectangle.clear();
            rectangle.resize(length, 0.0);
        }
        Sides { queries, keys, size }
    }
}

impl Spans<'_> {
    /// Additions and multiplications of one of attention's products.
    pub(crate) fn operations(&self) -> usize {
        let Heads { count, size, .. } = self.heads;
        self.examples.iter().map(|span| 2 * count * size * span.queries.len() * span.keys.len()).sum()
    }
}

impl Attention {
    /// `context` (rows, hidden) = dropout(softmax(q kᵀ / √size)) v; `kept` takes the probabilities.
    pub(crate) fn attend(
        &mut self,
        cpu: Cpu,
        spans: Spans<'_>,
        projected: Projected<'_>,
        kept: &mut [f32],
        context: &mut [f32],
    ) {
        let Attention { scratch, spent } = self;
        spent.on(2 * spans.operations(), || {
            dispatch!(cpu, attend_kernel(spans, projected, scratch, kept, context));
        });
    }

    /// Gradients of the projections from that of `context`. Every number of `dqueries` (rows, hidden) and
    /// `dkeys_values` (tokens, 2 hidden) is written.
    pub(crate) fn attend_backward(
        &mut self,
        cpu: Cpu,
        spans: Spans<'_>,
        projected: Projected<'_>,
        (kept, dcontext): (&[f32], &[f32]),
        dqueries: &mut [f32],
        dkeys_values: &mut [f32],
    ) {
        let Attention { scratch, spent } = self;
        spent.on(4 * spans.operations(), || {
            dispatch!(
                cpu,
                backward_kernel(spans, projected, scratch, kept, dcontext, dqueries, dkeys_values)
            );
        });
    }
}

#[inline(always)]
fn attend_kernel<F: Fma>(
    spans: Spans<'_>,
    projected: Projected<'_>,
    scratch: &mut Scratch,
    kept: &mut [f32],
    context: &mut [f32],
) {
    let Heads { count, size, .. } = spans.heads;
    let hidden = count * size;
    for span in spans.examples {
        let sides = scratch.fit(span, spans.heads);
        let per_head = span.queries.len() * sides.keys;
        for head in 0..count {
            let columns = head * size..(head + 1) * size;
            copy_in(scratch, sides, span, projected, hidden, columns.clone());
            turn(&scratch.k, &mut scratch.turned, sides, span.keys.len());
            let (q, turned) = (&scratch.q, &scratch.turned);
            small::<F>(&mut scratch.scores, (q, sides.size), (turned, sides.keys), sides.queries, size);
            let first = span.first + head * per_head;
            let kept = kept[first..first + per_head].chunks_exact_mut(sides.keys);
            draw(spans, span, head, scratch);
            let bytes = row_bytes(span.keys.len());
            for (number, (scores, kept)) in scratch.scores.chunks_exact_mut(sides.keys).zip(kept).enumerate()
            {
                softmax::<F>(scores, span.keys.len(), 1.0 / (size as f32).sqrt());
                match spans.dropout {
                    Some(site) => {
                        let bits = &scratch.bits[number * bytes..(number + 1) * bytes];
                        drop_probabilities(site.kept, bits, scores, kept);
                    }
                    None => kept.copy_from_slice(scores),
                }
            }
            let (scores, v) = (&scratch.scores, &scratch.v);
            small::<F>(
                &mut scratch.out,
                (scores, sides.keys),
                (v, sides.size),
                sides.queries,
                span.keys.len(),
            );
            copy_out(&scratch.out, sides.size, context, span.queries.clone(), (hidden, columns));
        }
    }
}

#[inline(always)]
fn backward_kernel<F: Fma>(
    spans: Spans<'_>,
    projected: Projected<'_>,
    scratch: &mut Scratch,
    kept: &[f32],
    dcontext: &[f32],
    dqueries: &mut [f32],
    dkeys_values: &mut [f32],
) {
    let Heads { count, size, .. } = spans.heads;
    let hidden = count * size;
    let factor = spans.dropout.map_or(1.0, |site| site.kept);
    let scale = 1.0 / (size as f32).sqrt();
    for span in spans.examples {
        let sides = scratch.fit(span, spans.heads);
        let per_head = span.queries.len() * sides.keys;
        for head in 0..count {
            let columns = head * size..(head + 1) * size;
            copy_in(scratch, sides, span, projected, hidden, columns.clone());
            copy_rows(
                dcontext,
                hidden,
                span.queries.clone(),
                columns.clone(),
                None,
                &mut scratch.d,
                sides.size,
            );
            turn(&scratch.v, &mut scratch.turned, sides, span.keys.len());
            let (d, turned) = (&scratch.d, &scratch.turned);
            small::<F>(&mut scratch.scores, (d, sides.size), (turned, sides.keys), sides.queries, size);
            let first = span.first + head * per_head;
            for (row, kept) in kept[first..first + per_head].chunks_exact(sides.keys).enumerate() {
                let at = row * sides.keys..(row + 1) * sides.keys;
                softmax_backward(
                    &mut scratch.scores[at.clone()],
                    &mut scratch.dropped[at],
                    kept,
                    factor,
                    scale,
                );
            }
            let (scores, dropped) = (&scratch.scores, &scratch.dropped);
            let (queries, keys) = (span.queries.len(), span.keys.len());
            let (in_keys, in_values) = (columns.clone(), hidden + columns.start..hidden + columns.end);
            small_turned::<F>(
                &mut scratch.out,
                (dropped, sides.keys),
                (&scratch.d, sides.size),
                sides.keys,
                queries,
            );
            copy_out(&scratch.out, sides.size, dkeys_values, span.keys.clone(), (2 * hidden, in_values));
            small_turned::<F>(
                &mut scratch.out,
                (scores, sides.keys),
                (&scratch.q, sides.size),
                sides.keys,
                queries,
            );
            copy_out(&scratch.out, sides.size, dkeys_values, span.keys.clone(), (2 * hidden, in_keys));
            small::<F>(&mut scratch.out, (scores, sides.keys), (&scratch.k, sides.size), sides.queries, keys);
            copy_out(&scratch.out, sides.size, dqueries, span.queries.clone(), (hidden, columns));
        }
    }
}

/// Queries, keys and values of one head, their biases added.
#[inline(always)]
fn copy_in(
    scratch: &mut Scratch,
    sides: Sides,
    span: &Span,
    projected: Projected<'_>,
    hidden: usize,
    columns: Range<usize>,
) {
    let Projected { queries, keys_values, biases } = projected;
    let bias = |part: usize| Some(&biases[part * hidden + columns.start..part * hidden + columns.end]);
    let values = hidden + columns.start..hidden + columns.end;
    let (keys, size) = (span.keys.clone(), sides.size);
    copy_rows(queries, hidden, span.queries.clone(), columns.clone(), bias(0), &mut scratch.q, size);
    copy_rows(keys_values, 2 * hidden, keys.clone(), columns.clone(), bias(1), &mut scratch.k, size);
    copy_rows(keys_values, 2 * hidden, keys, values, bias(2), &mut scratch.v, size);
}

/// Columns of rows of `from`, `width` wide, into a rectangle.
#[inline(always)]
fn copy_rows(
    from: &[f32],
    width: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    bias: Option<&[f32]>,
    to: &mut [f32],
    size: usize,
) {
    let rows = from[rows.start * width..rows.end * width].chunks_exact(width);
    for (from, to) in rows.zip(to.chunks_exact_mut(size)) {
        let from = &from[columns.clone()];
        let to = &mut to[..from.len()];
        match bias {
            Some(bias) => {
                for ((to, from), bias) in to.iter_mut().zip(from).zip(bias) {
                    *to = from + bias;
                }
            }
            None => to.copy_from_slice(from),
        }
    }
}

/// A rectangle into columns of rows of `to`, `width` wide.
#[inline(always)]
fn copy_out(
    from: &[f32],
    size: usize,
    to: &mut [f32],
    rows: Range<usize>,
    (width, columns): (usize, Range<usize>),
) {
    let rows = to[rows.start * width..rows.end * width].chunks_exact_mut(width);
    for (to, from) in rows.zip(from.chunks_exact(size)) {
        to[columns.clone()].copy_from_slice(&from[..columns.len()]);
    }
}

/// (keys, size) → (size, keys)
#[inline(always)]
fn turn(from: &[f32], to: &mut [f32], sides: Sides, keys: usize) {
    for (key, row) in from.chunks_exact(sides.size).take(keys).enumerate() {
        for (x, column) in row.iter().zip(to.chunks_exact_mut(sides.keys)) {
            column[key] = *x;
        }
    }
}

/// Softmax of `scale` times the first `keys` numbers, zeros after them.
#[inline(always)]
fn softmax<F: Fma>(row: &mut [f32], keys: usize, scale: f32) {
    row[keys..].fill(f32::NEG_INFINITY);
    let mut largest = [f32::NEG_INFINITY; LANES];
    let (lanes, _) = row.as_chunks_mut::<LANES>();
    for x in lanes.iter() {
        for lane in 0..LANES {
            largest[lane] = largest[lane].max(x[lane]);
        }
    }
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    for x in lanes.iter_mut() {
        for lane in 0..LANES {
            x[lane] = exp::<F>((x[lane] - largest) * scale);
        }
    }
    row[keys..].fill(0.0);
    let share = 1.0 / sum(row, row, |x, _| x);
    for x in row {
        *x *= share;
    }
}

/// Draws which probabilities of a head are kept, where any are dropped.
#[inline(always)]
fn draw(spans: Spans<'_>, span: &Span, head: usize, scratch: &mut Scratch) {
    let Some(site) = spans.dropout else { return };
    let Heads { count, max_positions, .. } = spans.heads;
    let Scratch { rows, bits, .. } = scratch;
    rows.clear();
    rows.extend(span.queries.clone().map(|query| row(spans.tokens[query], (head, count))));
    site.keep(rows, span.keys.len(), max_positions, bits);
}

/// `row` becomes what goes on; `kept` the probabilities, negative where they were dropped.
#[inline(always)]
fn drop_probabilities(factor: f32, bits: &[u8], row: &mut [f32], kept: &mut [f32]) {
    let (row, _) = row.as_chunks_mut::<LANES>();
    let (kept, _) = kept.as_chunks_mut::<LANES>();
    let (bits, _) = bits.as_chunks::<{ LANES / 8 }>();
    for ((row, kept), bits) in row.iter_mut().zip(kept).zip(bits) {
        let bits = u32::from(u16::from_le_bytes(*bits));
        for lane in 0..LANES {
            let is_kept = bits >> lane & 1 == 1;
            kept[lane] = if is_kept { row[lane] } else { -row[lane] };
            row[lane] = if is_kept { row[lane] * factor } else { 0.0 };
        }
    }
}

/// From the gradient of the dropped probabilities to that of the scores before scaling, in `d`:
/// dS = P (dP − Σ dP P) · scale; `dropped` takes the dropped probabilities.
#[inline(always)]
fn softmax_backward(d: &mut [f32], dropped: &mut [f32], kept: &[f32], factor: f32, scale: f32) {
    let width = kept.len();
    let (d, dropped) = (&mut d[..width], &mut dropped[..width]);
    for i in 0..width {
        let is_kept = kept[i] > 0.0;
        d[i] = if is_kept { d[i] * factor } else { 0.0 };
        dropped[i] = if is_kept { kept[i] * factor } else { 0.0 };
    }
    // Where a probability was dropped its gradient is zero, so its sign does not matter.
    let along = sum(d, kept, |d, p| d * p);
    for i in 0..width {
        d[i] = kept[i].abs() * (d[i] - along) * scale;
    }
}

/// out (m, n) = a (m, k) · b (k, n), with m a multiple of [`TILE`] and n, the width of `b`, of [`LANES`].
#[inline(always)]
fn small<F: Fma>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    let a = &a[..m * a_width];
    for (a, out) in a.chunks_exact(TILE * a_width).zip(out.chunks_exact_mut(TILE * n)) {
        let rows: [&[f32]; TILE] = std::array::from_fn(|row| &a[row * a_width..row * a_width + k]);
        for column in (0..n).step_by(LANES) {
            let mut tile = [[0.0f32; LANES]; TILE];
            for (i, b) in b.chunks_exact(n).take(k).enumerate() {
                let b = &b[column..column + LANES];
                for row in 0..TILE {
                    let a = rows[row][i];
                    for lane in 0..LANES {
                        tile[row][lane] = F::fma(a, b[lane], tile[row][lane]);
                    }
                }
            }
            for row in 0..TILE {
                out[row * n + column..row * n + column + LANES].copy_from_slice(&tile[row]);
            }
        }
    }
}

/// out (m, n) = aᵀ · b for a (k, m) and b (k, n).
#[inline(always)]
fn small_turned<F: Fma>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    for (number, out) in out[..m * n].chunks_exact_mut(TILE * n).enumerate() {
        for column in (0..n).step_by(LANES) {
            let mut tile = [[0.0f32; LANES]; TILE];
            for (a, b) in a.chunks_exact(a_width).zip(b.chunks_exact(n)).take(k) {
                let a = &a[number * TILE..(number + 1) * TILE];
                let b = &b[column..column + LANES];
                for row in 0..TILE {
                    for lane in 0..LANES {
                        tile[row][lane] = F::fma(a[row], b[lane], tile[row][lane]);
                    }
                }
            }
            for row in 0..TILE {
                out[row * n + column..row * n + column + LANES].copy_from_slice(&tile[row]);
            }
        }
    }
}
