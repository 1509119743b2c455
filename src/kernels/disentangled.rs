//! The products with projected embeddings of relative positions that disentangled attention adds to its scores (He et al.
//! 2020, <https://arxiv.org/abs/2006.03654>).
//!
//! For an example with Q queries and K keys, q (Q, S) is multiplied by the position keys of the C relative positions that
//! occur in it, and k (K, S) by the position queries, C ≤ Q + K - 1. The score of query i and key j adds an element of
//! row i of the first product and one of row j of the second. Relative positions are *columns* in the order of their
//! distances, key minus query, so that the elements of a row are contiguous unless several distances have the same
//! column.

use super::attention_shape::{AttentionSpan, HeadShape, PaddedShape, padded};
use super::tile_gemm::{TILE_ROWS, gemm, gemm_tn};
use super::{Fma, LANES};

/// The projected embeddings of relative positions.
#[derive(Debug, Clone, Copy)]
pub struct RelativePositions<'a> {
    /// The column of each distance, key minus query; an odd number of them, that of distance 0 in the middle. Ascending from
    /// 0 without gaps.
    pub columns: &'a [u32],
    /// Position keys, which queries are multiplied by, if they are.
    pub keys: Option<ProjectedPositions<'a>>,
    /// Position queries, which keys are multiplied by, if they are.
    pub queries: Option<ProjectedPositions<'a>>,
}

/// A projection of the embeddings of relative positions.
#[derive(Debug, Clone, Copy)]
pub struct ProjectedPositions<'a> {
    /// Without bias, by column: (columns, H)
    pub rows: &'a [f32],
    /// (H)
    pub bias: &'a [f32],
}

/// The gradients of [`RelativePositions`], written; empty for a projection that is not used.
#[derive(Debug, Default)]
pub struct PositionGrads<'a> {
    /// Of the position keys: (columns, H)
    pub keys: &'a mut [f32],
    /// Of the position queries: (columns, H)
    pub queries: &'a mut [f32],
}

impl RelativePositions<'_> {
    /// Number of products that are added to a score.
    pub(crate) fn terms(&self) -> usize {
        usize::from(self.keys.is_some()) + usize::from(self.queries.is_some())
    }

    /// Number of columns.
    fn count(&self) -> usize {
        self.columns.last().map_or(0, |last| *last as usize + 1)
    }

    /// The columns of the distances between the queries and the keys of an example.
    fn of_example(&self, queries: usize, keys: usize) -> ExampleColumns<'_> {
        let middle = self.columns.len() / 2;
        let by_distance = &self.columns[middle + 1 - queries..middle + keys];
        let first = by_distance[0] as usize;
        let count = by_distance[by_distance.len() - 1] as usize + 1 - first;
        ExampleColumns { by_distance, first, count, queries, keys }
    }
}

/// The columns of the relative positions in an example.
#[derive(Debug, Clone, Copy)]
struct ExampleColumns<'a> {
    /// From that of the last query and the first key to that of the first query and the last key.
    by_distance: &'a [u32],
    first: usize,
    count: usize,
    queries: usize,
    keys: usize,
}

impl ExampleColumns<'_> {
    /// The column, counted from the first, of a query and each key.
    #[inline(always)]
    fn of_query(&self, query: usize) -> impl Iterator<Item = usize> {
        let start = self.queries - 1 - query;
        let first = self.first;
        self.by_distance[start..start + self.keys].iter().map(move |column| *column as usize - first)
    }

    /// The column of a query and the first key if those of the other keys follow it.
    #[inline(always)]
    fn contiguous(&self, query: usize) -> Option<usize> {
        (self.count == self.by_distance.len()).then(|| self.queries - 1 - query)
    }

    /// Width of the rows of a product.
    fn width(&self) -> usize {
        padded(self.count)
    }
}

/// Scratch memory for both products.
#[derive(Debug, Default)]
pub(crate) struct PositionScratch {
    keys: TermScratch,
    queries: TermScratch,
}

/// A projection of the embeddings, laid out by head, and its product with queries or keys.
#[derive(Debug, Default)]
struct TermScratch {
    /// Width of a row of `transposed`: a product may start at any column, and its padding is added behind the last one.
    width: usize,
    /// Padded width of a head.
    head_size: usize,
    /// (heads, S + 1, width); the last row of a head is not used.
    transposed: Vec<f32>,
    /// (heads, width, S)
    rows: Vec<f32>,
    /// Gradient of `rows`.
    d_rows: Vec<f32>,
    /// Product of queries or keys with the columns of an example, or its gradient: (Q or K, columns)
    product: Vec<f32>,
}

impl TermScratch {
    /// The width of `transposed` and `rows` for a number of columns.
    fn resize(&mut self, columns: usize, heads: HeadShape) {
        (self.width, self.head_size) = (padded(columns) + LANES, padded(heads.size));
    }

    /// Lays out the projection for the forward pass.
    #[inline(always)]
    fn load_transposed(&mut self, projected: ProjectedPositions<'_>, columns: usize, heads: HeadShape) {
        self.resize(columns, heads);
        let per_head = (self.head_size + 1) * self.width;
        self.transposed.clear();
        self.transposed.resize(heads.count * per_head, 0.0);
        for (head, to) in self.transposed.chunks_exact_mut(per_head).enumerate() {
            let of_head = head * heads.size..(head + 1) * heads.size;
            let bias = &projected.bias[of_head.clone()];
            let rows = projected.rows.chunks_exact(projected.bias.len());
            for (column, row) in rows.enumerate() {
                let lines = to.chunks_exact_mut(self.width);
                for ((x, bias), line) in row[of_head.clone()].iter().zip(bias).zip(lines) {
                    line[column] = x + bias;
                }
            }
        }
    }

    /// Lays out the projection for the backward pass, and sets its gradient to zero.
    #[inline(always)]
    fn load_rows(&mut self, projected: ProjectedPositions<'_>, columns: usize, heads: HeadShape) {
        self.resize(columns, heads);
        let per_head = self.width * self.head_size;
        for matrix in [&mut self.rows, &mut self.d_rows] {
            matrix.clear();
            matrix.resize(heads.count * per_head, 0.0);
        }
        for (head, to) in self.rows.chunks_exact_mut(per_head).enumerate() {
            let of_head = head * heads.size..(head + 1) * heads.size;
            let bias = &projected.bias[of_head.clone()];
            let rows = projected.rows.chunks_exact(projected.bias.len());
            for (row, to) in rows.zip(to.chunks_exact_mut(self.head_size)) {
                for ((x, bias), to) in row[of_head.clone()].iter().zip(bias).zip(to) {
                    *to = x + bias;
                }
            }
        }
    }

    /// Writes the gradient, in the layout of [`ProjectedPositions::rows`].
    #[inline(always)]
    fn store_d_rows(&self, heads: HeadShape, d: &mut [f32]) {
        let hidden = heads.count * heads.size;
        let per_head = self.width * self.head_size;
        for (head, from) in self.d_rows.chunks_exact(per_head).enumerate() {
            for (row, from) in d.chunks_exact_mut(hidden).zip(from.chunks_exact(self.head_size)) {
                row[head * heads.size..(head + 1) * heads.size].copy_from_slice(&from[..heads.size]);
            }
        }
    }

    /// product (rows, columns) = x (rows, S) · positionsᵀ of a head and an example.
    #[inline(always)]
    fn multiply<F: Fma>(
        &mut self,
        x: &[f32],
        rows: usize,
        size: usize,
        head: usize,
        columns: ExampleColumns<'_>,
    ) {
        let n = columns.width();
        self.product.resize(rows * n, 0.0);
        let start = head * (self.head_size + 1) * self.width + columns.first;
        let positions = (&self.transposed[start..], self.width);
        gemm::<F, false>(&mut self.product, (x, self.head_size), positions, (rows, size, n));
    }

    /// The backward pass of [`TermScratch::multiply`] from the gradient in `product`: adds to that of `x`, `d_x`, whose first
    /// `count` rows are not padding, and to that of the positions.
    #[inline(always)]
    fn multiply_backward<F: Fma>(
        &mut self,
        (x, d_x): (&[f32], &mut [f32]),
        (rows, count): (usize, usize),
        head: usize,
        columns: ExampleColumns<'_>,
    ) {
        let (n, s) = (columns.width(), self.head_size);
        let start = (head * self.width + columns.first) * s;
        let product = (self.product.as_slice(), n);
        gemm::<F, true>(d_x, product, (&self.rows[start..], s), (rows, columns.count, s));
        let lines = columns.count.next_multiple_of(TILE_ROWS);
        gemm_tn::<F, true>(&mut self.d_rows[start..], product, (x, s), lines, count);
    }
}

impl PositionScratch {
    /// Prepares the forward pass of all examples.
    #[inline(always)]
    pub(crate) fn start_forward(&mut self, positions: RelativePositions<'_>, heads: HeadShape) {
        let columns = positions.count();
        if let Some(keys) = positions.keys {
            self.keys.load_transposed(keys, columns, heads);
        }
        if let Some(queries) = positions.queries {
            self.queries.load_transposed(queries, columns, heads);
        }
    }

    /// Adds the products to the scores (Q, K) of a head of an example, from its queries q (Q, S) and keys k (K, S), all of
    /// them padded.
    #[inline(always)]
    pub(crate) fn add_scores<F: Fma>(
        &mut self,
        positions: RelativePositions<'_>,
        (span, shape, head, size): (&AttentionSpan, PaddedShape, usize, usize),
        (q, k): (&[f32], &[f32]),
        scores: &mut [f32],
    ) {
        let (queries, keys) = (span.queries.len(), span.keys.len());
        let columns = positions.of_example(queries, keys);
        let n = columns.width();
        if positions.keys.is_some() {
            self.keys.multiply::<F>(q, shape.queries, size, head, columns);
            let rows = scores.chunks_exact_mut(shape.keys).zip(self.keys.product.chunks_exact(n));
            for (query, (scores, products)) in rows.take(queries).enumerate() {
                let scores = &mut scores[..keys];
                match columns.contiguous(query) {
                    Some(start) => add_assign(scores, &products[start..start + keys]),
                    None => {
                        for (score, column) in scores.iter_mut().zip(columns.of_query(query)) {
                            *score += products[column];
                        }
                    }
                }
            }
        }
        if positions.queries.is_some() {
            self.queries.multiply::<F>(k, shape.keys, size, head, columns);
            for (query, scores) in scores.chunks_exact_mut(shape.keys).take(queries).enumerate() {
                let products = self.queries.product.chunks_exact(n);
                for ((score, column), products) in
                    scores.iter_mut().zip(columns.of_query(query)).zip(products)
                {
                    *score += products[column];
                }
            }
        }
    }

    /// Prepares the backward pass of all examples.
    #[inline(always)]
    pub(crate) fn start_backward(&mut self, positions: RelativePositions<'_>, heads: HeadShape) {
        let columns = positions.count();
        if let Some(keys) = positions.keys {
            self.keys.load_rows(keys, columns, heads);
        }
        if let Some(queries) = positions.queries {
            self.queries.load_rows(queries, columns, heads);
        }
    }

    /// From the gradient of the scores (Q, K) of a head of an example, before scaling: adds to that of its queries, `d_q`
    /// (Q, S).
    #[inline(always)]
    pub(crate) fn add_d_q<F: Fma>(
        &mut self,
        positions: RelativePositions<'_>,
        (span, shape, head): (&AttentionSpan, PaddedShape, usize),
        (d_scores, q): (&[f32], &[f32]),
        d_q: &mut [f32],
    ) {
        if positions.keys.is_none() {
            return;
        }
        let (queries, keys) = (span.queries.len(), span.keys.len());
        let columns = positions.of_example(queries, keys);
        let n = columns.width();
        self.keys.product.clear();
        self.keys.product.resize(shape.queries * n, 0.0);
        let rows = d_scores.chunks_exact(shape.keys).zip(self.keys.product.chunks_exact_mut(n));
        for (query, (d, products)) in rows.take(queries).enumerate() {
            let d = &d[..keys];
            match columns.contiguous(query) {
                Some(start) => products[start..start + keys].copy_from_slice(d),
                None => {
                    for (d, column) in d.iter().zip(columns.of_query(query)) {
                        products[column] += d;
                    }
                }
            }
        }
        self.keys.multiply_backward::<F>((q, d_q), (shape.queries, queries), head, columns);
    }

    /// As [`PositionScratch::add_d_q`], for the keys: `d_k` (K, S)
    #[inline(always)]
    pub(crate) fn add_d_k<F: Fma>(
        &mut self,
        positions: RelativePositions<'_>,
        (span, shape, head): (&AttentionSpan, PaddedShape, usize),
        (d_scores, k): (&[f32], &[f32]),
        d_k: &mut [f32],
    ) {
        if positions.queries.is_none() {
            return;
        }
        let (queries, keys) = (span.queries.len(), span.keys.len());
        let columns = positions.of_example(queries, keys);
        let n = columns.width();
        self.queries.product.clear();
        self.queries.product.resize(shape.keys * n, 0.0);
        for (query, d) in d_scores.chunks_exact(shape.keys).take(queries).enumerate() {
            let products = self.queries.product.chunks_exact_mut(n);
            for ((d, column), products) in d.iter().zip(columns.of_query(query)).zip(products) {
                products[column] += d;
            }
        }
        self.queries.multiply_backward::<F>((k, d_k), (shape.keys, keys), head, columns);
    }

    /// Writes the gradients of the projections after the backward pass of all examples.
    #[inline(always)]
    pub(crate) fn finish_backward(
        &self,
        positions: RelativePositions<'_>,
        heads: HeadShape,
        PositionGrads { keys, queries }: PositionGrads<'_>,
    ) {
        if positions.keys.is_some() {
            self.keys.store_d_rows(heads, keys);
        }
        if positions.queries.is_some() {
            self.queries.store_d_rows(heads, queries);
        }
    }
}

#[inline(always)]
fn add_assign(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
