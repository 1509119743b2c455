//! Multi-head self-attention, one example and head at a time, over real tokens only.
//!
//! The operands of a head are copied to small matrices whose sides are padded with zeros, so that all matrix products
//! use the same register tiles. Attention probabilities are not negative, so the saved ones carry the dropout mask in
//! their sign: negative means dropped.

pub use super::attention_shape::{AttentionSpan, HeadShape, padded};

use super::attention_shape::PaddedShape;
use super::disentangled::{PositionGrads, PositionScratch, RelativePositions};
use super::math::exp;
use super::tile_gemm::{TILE_ROWS, gemm, gemm_tn};
use super::{Cpu, Fma, LANES, dispatch, sum};
use crate::dropout::{Site, attention_row, mask_row_bytes};
use crate::op_cost::OpCost;
use crate::relative_bias::RelativeBias;
use std::ops::Range;

/// The examples that attention is computed for.
#[derive(Debug, Clone, Copy)]
pub struct AttentionBatch<'a> {
    /// Number and size of the heads.
    pub heads: HeadShape,
    /// Tokens and queries of each example.
    pub examples: &'a [AttentionSpan],
    /// Dropout of the probabilities.
    pub dropout: Option<Site>,
    /// Factor of the scores.
    pub scale: f32,
    /// Added to the scores after scaling, if the model has it.
    pub bias: Option<RelativeBias<'a>>,
    /// Products with relative positions that are added to the scores before scaling, if the model has them.
    pub positions: Option<RelativePositions<'a>>,
    /// Index of each query's token in the whole batch, which numbers the dropout masks: (rows)
    pub token_indices: &'a [usize],
}

/// Projections of all tokens, without bias. H is the hidden size, heads · head size.
#[derive(Debug, Clone, Copy)]
pub struct Qkv<'a> {
    /// Queries: (rows, H)
    pub q: &'a [f32],
    /// Keys and values side by side: (tokens, 2H)
    pub kv: &'a [f32],
    /// Biases of queries, keys and values: (3H)
    pub bias: &'a [f32],
}

/// The gradients that [`Attention::backward`] computes.
#[derive(Debug)]
pub struct AttentionGrads<'a> {
    /// Of the queries, written: (rows, H)
    pub d_q: &'a mut [f32],
    /// Of keys and values, written: (tokens, 2H)
    pub d_kv: &'a mut [f32],
    /// Of the table of the bias, added to; empty without a bias: (buckets, heads)
    pub d_bias: &'a mut [f32],
    /// Of the projected embeddings of relative positions, written.
    pub d_positions: PositionGrads<'a>,
}

/// The attention kernel with its scratch memory.
#[derive(Debug, Default)]
pub struct Attention {
    scratch: Scratch,
    /// Cost of all calls.
    pub cost: OpCost,
}

/// The matrices of one head, with padded sides Q (queries), K (keys) and S (head size).
#[derive(Debug, Default)]
struct Scratch {
    /// Queries: (Q, S)
    q: Vec<f32>,
    /// Keys: (K, S)
    k: Vec<f32>,
    /// Keys or values, transposed: (S, K)
    transposed: Vec<f32>,
    /// Values: (K, S)
    v: Vec<f32>,
    /// Scores, then probabilities; in the backward pass, the gradients of both: (Q, K)
    scores: Vec<f32>,
    /// Probabilities after dropout: (Q, K)
    dropped_probs: Vec<f32>,
    /// Gradient of the context: (Q, S)
    d_context: Vec<f32>,
    /// Output of a matrix product: (max(Q, K), S)
    out: Vec<f32>,
    positions: PositionScratch,
    /// Rows of the dropout masks and their bits.
    mask_rows: Vec<u64>,
    mask_bits: Vec<u8>,
}

impl Scratch {
    /// Resizes the matrices for an example and fills them with zeros.
    fn resize(&mut self, span: &AttentionSpan, heads: HeadShape) -> PaddedShape {
        let queries = span.queries.len().next_multiple_of(TILE_ROWS);
        let (keys, head_size) = (padded(span.keys.len()), padded(heads.size));
        let matrices = [
            (&mut self.q, queries * head_size),
            (&mut self.k, keys * head_size),
            (&mut self.transposed, head_size * keys),
            (&mut self.v, keys * head_size),
            (&mut self.scores, queries * keys),
            (&mut self.dropped_probs, queries * keys),
            (&mut self.d_context, queries * head_size),
            (&mut self.out, queries.max(keys) * head_size),
        ];
        for (matrix, length) in matrices {
            matrix.clear();
            matrix.resize(length, 0.0);
        }
        PaddedShape { queries, keys, head_size }
    }
}

impl AttentionBatch<'_> {
    /// Number of matrix products whose sum are the scores.
    fn score_products(&self) -> usize {
        1 + self.positions.map_or(0, |positions| positions.terms())
    }

    /// FLOPs of one of attention's matrix products, without padding.
    pub fn flops(&self) -> usize {
        let HeadShape { count, size, .. } = self.heads;
        self.examples.iter().map(|span| 2 * count * size * span.queries.len() * span.keys.len()).sum()
    }
}

impl Attention {
    /// `context` (rows, H) = dropout(softmax((q kᵀ + products with relative positions) · scale + bias)) v. Saves the probabilities in `probs`.
    pub fn forward(
        &mut self,
        cpu: Cpu,
        batch: AttentionBatch<'_>,
        qkv: Qkv<'_>,
        probs: &mut [f32],
        context: &mut [f32],
    ) {
        let Attention { scratch, cost } = self;
        cost.measure((1 + batch.score_products()) * batch.flops(), || {
            dispatch!(cpu, forward_kernel(batch, qkv, scratch, probs, context));
        });
    }

    /// The backward pass: gradients of the projections and of the bias from `d_context` (rows, H).
    pub fn backward(
        &mut self,
        cpu: Cpu,
        batch: AttentionBatch<'_>,
        qkv: Qkv<'_>,
        (probs, d_context): (&[f32], &[f32]),
        grads: AttentionGrads<'_>,
    ) {
        let Attention { scratch, cost } = self;
        cost.measure(2 * (1 + batch.score_products()) * batch.flops(), || {
            dispatch!(cpu, backward_kernel(batch, qkv, scratch, probs, d_context, grads));
        });
    }
}

#[inline(always)]
fn forward_kernel<F: Fma>(
    batch: AttentionBatch<'_>,
    qkv: Qkv<'_>,
    scratch: &mut Scratch,
    probs: &mut [f32],
    context: &mut [f32],
) {
    let HeadShape { count, size, .. } = batch.heads;
    let hidden = count * size;
    let scale = batch.scale;
    if let Some(positions) = batch.positions {
        scratch.positions.start_forward(positions, batch.heads);
    }
    for span in batch.examples {
        let shape = scratch.resize(span, batch.heads);
        let keys = span.keys.len();
        let per_head = span.queries.len() * shape.keys;
        for head in 0..count {
            let columns = head * size..(head + 1) * size;
            load_head(scratch, shape, span, qkv, hidden, columns.clone());
            transpose(&scratch.k, &mut scratch.transposed, shape, keys);
            // scores = q kᵀ
            let (q, k_t) = (&scratch.q, &scratch.transposed);
            let sizes = (shape.queries, size, shape.keys);
            gemm::<F, false>(&mut scratch.scores, (q, shape.head_size), (k_t, shape.keys), sizes);
            if let Some(positions) = batch.positions {
                let Scratch { positions: products, q, k, scores, .. } = &mut *scratch;
                products.add_scores::<F>(positions, (span, shape, head, size), (q, k), scores);
            }
            draw_mask(batch, span, head, scratch);
            let start = span.probs_start + head * per_head;
            let probs = probs[start..start + per_head].chunks_exact_mut(shape.keys);
            let rows = scratch.scores.chunks_exact_mut(shape.keys).zip(probs);
            let bytes = mask_row_bytes(keys);
            for (query, (scores, probs)) in rows.enumerate() {
                match batch.bias {
                    Some(bias) => {
                        bias.add::<F>((query, keys), head, scale, scores);
                        softmax::<F>(scores, keys, 1.0);
                    }
                    None => softmax::<F>(scores, keys, scale),
                }
                match batch.dropout {
                    Some(site) => {
                        let bits = &scratch.mask_bits[query * bytes..(query + 1) * bytes];
                        dropout(site.scale, bits, scores, probs);
                    }
                    None => probs.copy_from_slice(scores),
                }
            }
            // context = probs v
            let (probs, v) = (&scratch.scores, &scratch.v);
            let sizes = (shape.queries, keys, shape.head_size);
            gemm::<F, false>(&mut scratch.out, (probs, shape.keys), (v, shape.head_size), sizes);
            copy_columns_out(&scratch.out, shape.head_size, context, span.queries.clone(), (hidden, columns));
        }
    }
}

#[inline(always)]
fn backward_kernel<F: Fma>(
    batch: AttentionBatch<'_>,
    qkv: Qkv<'_>,
    scratch: &mut Scratch,
    probs: &[f32],
    d_context: &[f32],
    AttentionGrads { d_q, d_kv, d_bias, d_positions }: AttentionGrads<'_>,
) {
    let HeadShape { count, size, .. } = batch.heads;
    let hidden = count * size;
    let keep_scale = batch.dropout.map_or(1.0, |site| site.scale);
    let scale = batch.scale;
    if let Some(positions) = batch.positions {
        scratch.positions.start_backward(positions, batch.heads);
    }
    // A bias is added to the scores after scaling.
    let (softmax_scale, bias) = (if batch.bias.is_some() { 1.0 } else { scale }, batch.bias);
    for span in batch.examples {
        let shape = scratch.resize(span, batch.heads);
        let per_head = span.queries.len() * shape.keys;
        for head in 0..count {
            let columns = head * size..(head + 1) * size;
            load_head(scratch, shape, span, qkv, hidden, columns.clone());
            copy_columns_in(
                d_context,
                hidden,
                span.queries.clone(),
                columns.clone(),
                None,
                &mut scratch.d_context,
                shape.head_size,
            );
            let start = span.probs_start + head * per_head;
            d_scores::<F>(
                scratch,
                shape,
                (span.keys.len(), size),
                &probs[start..start + per_head],
                (keep_scale, softmax_scale),
            );
            let (queries, keys) = (span.queries.len(), span.keys.len());
            if let Some(bias) = bias {
                let rows = scratch.scores.chunks_exact_mut(shape.keys).take(queries);
                for (query, d) in rows.enumerate() {
                    bias.add_backward((query, keys), head, scale, d, d_bias);
                }
            }
            let (k_columns, v_columns) = (columns.clone(), hidden + columns.start..hidden + columns.end);
            let Scratch { q, k, scores: d_scores, dropped_probs, d_context, out, positions, .. } =
                &mut *scratch;
            // d_v = dropped_probsᵀ d_context
            gemm_tn::<F, false>(
                out,
                (dropped_probs, shape.keys),
                (d_context, shape.head_size),
                shape.keys,
                queries,
            );
            copy_columns_out(out, shape.head_size, d_kv, span.keys.clone(), (2 * hidden, v_columns));
            // d_k = d_scoresᵀ q
            gemm_tn::<F, false>(out, (d_scores, shape.keys), (q, shape.head_size), shape.keys, queries);
            if let Some(relative) = batch.positions {
                positions.add_d_k::<F>(relative, (span, shape, head), (d_scores, k), out);
            }
            copy_columns_out(out, shape.head_size, d_kv, span.keys.clone(), (2 * hidden, k_columns));
            // d_q = d_scores k
            let sizes = (shape.queries, keys, shape.head_size);
            gemm::<F, false>(out, (d_scores, shape.keys), (k, shape.head_size), sizes);
            if let Some(relative) = batch.positions {
                positions.add_d_q::<F>(relative, (span, shape, head), (d_scores, q), out);
            }
            copy_columns_out(out, shape.head_size, d_q, span.queries.clone(), (hidden, columns));
        }
    }
    if let Some(relative) = batch.positions {
        scratch.positions.finish_backward(relative, batch.heads, d_positions);
    }
}

/// From `d_context` to the gradient of the scores before scaling by `scale`, in `scratch.scores`. Writes the probabilities after
/// dropout to `scratch.dropped_probs`.
#[inline(always)]
fn d_scores<F: Fma>(
    scratch: &mut Scratch,
    shape: PaddedShape,
    (keys, size): (usize, usize),
    probs: &[f32],
    (keep_scale, scale): (f32, f32),
) {
    transpose(&scratch.v, &mut scratch.transposed, shape, keys);
    // d_dropped_probs = d_context vᵀ
    let (d_context, v_t) = (&scratch.d_context, &scratch.transposed);
    let sizes = (shape.queries, size, shape.keys);
    gemm::<F, false>(&mut scratch.scores, (d_context, shape.head_size), (v_t, shape.keys), sizes);
    for (query, probs) in probs.chunks_exact(shape.keys).enumerate() {
        let row = query * shape.keys..(query + 1) * shape.keys;
        let (d, dropped) = (&mut scratch.scores[row.clone()], &mut scratch.dropped_probs[row]);
        softmax_backward(d, dropped, probs, keep_scale, scale);
    }
}

/// Copies queries, keys and values of a head to the scratch matrices and adds their biases.
#[inline(always)]
fn load_head(
    scratch: &mut Scratch,
    shape: PaddedShape,
    span: &AttentionSpan,
    qkv: Qkv<'_>,
    hidden: usize,
    columns: Range<usize>,
) {
    let Qkv { q, kv, bias } = qkv;
    let bias = |part: usize| Some(&bias[part * hidden + columns.start..part * hidden + columns.end]);
    let values = hidden + columns.start..hidden + columns.end;
    let (keys, size) = (span.keys.clone(), shape.head_size);
    copy_columns_in(q, hidden, span.queries.clone(), columns.clone(), bias(0), &mut scratch.q, size);
    copy_columns_in(kv, 2 * hidden, keys.clone(), columns.clone(), bias(1), &mut scratch.k, size);
    copy_columns_in(kv, 2 * hidden, keys, values, bias(2), &mut scratch.v, size);
}

/// Copies `columns` of `rows` of a matrix of width `width` to a matrix of width `to_width`, and adds `bias`.
#[inline(always)]
fn copy_columns_in(
    from: &[f32],
    width: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    bias: Option<&[f32]>,
    to: &mut [f32],
    to_width: usize,
) {
    let rows = from[rows.start * width..rows.end * width].chunks_exact(width);
    for (from, to) in rows.zip(to.chunks_exact_mut(to_width)) {
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

/// Copies a matrix of width `from_width` to `columns` of `rows` of a matrix of width `width`.
#[inline(always)]
fn copy_columns_out(
    from: &[f32],
    from_width: usize,
    to: &mut [f32],
    rows: Range<usize>,
    (width, columns): (usize, Range<usize>),
) {
    let rows = to[rows.start * width..rows.end * width].chunks_exact_mut(width);
    for (to, from) in rows.zip(from.chunks_exact(from_width)) {
        to[columns.clone()].copy_from_slice(&from[..columns.len()]);
    }
}

/// (keys, head size) → (head size, keys)
#[inline(always)]
fn transpose(from: &[f32], to: &mut [f32], shape: PaddedShape, keys: usize) {
    for (key, row) in from.chunks_exact(shape.head_size).take(keys).enumerate() {
        for (x, column) in row.iter().zip(to.chunks_exact_mut(shape.keys)) {
            column[key] = *x;
        }
    }
}

/// Replaces the first `keys` scores of a row by softmax(scale · scores), and the padding by zeros.
#[inline(always)]
fn softmax<F: Fma>(row: &mut [f32], keys: usize, scale: f32) {
    row[keys..].fill(f32::NEG_INFINITY);
    let mut max = [f32::NEG_INFINITY; LANES];
    let (lanes, _) = row.as_chunks_mut::<LANES>();
    for x in lanes.iter() {
        for lane in 0..LANES {
            max[lane] = max[lane].max(x[lane]);
        }
    }
    let max = max.into_iter().fold(f32::NEG_INFINITY, f32::max);
    for x in lanes.iter_mut() {
        for lane in 0..LANES {
            x[lane] = exp::<F>((x[lane] - max) * scale);
        }
    }
    row[keys..].fill(0.0);
    let inverse_sum = 1.0 / sum(row, row, |x, _| x);
    for x in row {
        *x *= inverse_sum;
    }
}

/// Draws the dropout mask of a head, if there is dropout.
#[inline(always)]
fn draw_mask(batch: AttentionBatch<'_>, span: &AttentionSpan, head: usize, scratch: &mut Scratch) {
    let Some(site) = batch.dropout else { return };
    let HeadShape { count, max_positions, .. } = batch.heads;
    let Scratch { mask_rows, mask_bits, .. } = scratch;
    let row = |query: usize| attention_row(batch.token_indices[query], (head, count));
    mask_rows.clear();
    mask_rows.extend(span.queries.clone().map(row));
    site.keep_mask(mask_rows, span.keys.len(), max_positions, mask_bits);
}

/// Applies dropout to a row of probabilities in place. `probs` receives the original probabilities, negated where
/// they were dropped.
#[inline(always)]
fn dropout(keep_scale: f32, bits: &[u8], row: &mut [f32], probs: &mut [f32]) {
    let (row, _) = row.as_chunks_mut::<LANES>();
    let (probs, _) = probs.as_chunks_mut::<LANES>();
    let (bits, _) = bits.as_chunks::<{ LANES / 8 }>();
    for ((row, probs), bits) in row.iter_mut().zip(probs).zip(bits) {
        let bits = u32::from(u16::from_le_bytes(*bits));
        for lane in 0..LANES {
            let is_kept = bits >> lane & 1 == 1;
            probs[lane] = if is_kept { row[lane] } else { -row[lane] };
            row[lane] = if is_kept { row[lane] * keep_scale } else { 0.0 };
        }
    }
}

/// The backward pass of softmax and dropout for one row. `d` holds the gradient of the probabilities after dropout
/// and receives that of the scores before scaling, dS = P ⊙ (dP − Σ dP ⊙ P) · scale. `dropped` receives the
/// probabilities after dropout.
#[inline(always)]
fn softmax_backward(d: &mut [f32], dropped: &mut [f32], probs: &[f32], keep_scale: f32, scale: f32) {
    let width = probs.len();
    let (d, dropped) = (&mut d[..width], &mut dropped[..width]);
    for i in 0..width {
        let is_kept = probs[i] > 0.0;
        d[i] = if is_kept { d[i] * keep_scale } else { 0.0 };
        dropped[i] = if is_kept { probs[i] * keep_scale } else { 0.0 };
    }
    // The sign of a dropped probability does not matter here, because its gradient is zero.
    let dot = sum(d, probs, |d, p| d * p);
    for i in 0..width {
        d[i] = probs[i].abs() * (d[i] - dot) * scale;
    }
}
