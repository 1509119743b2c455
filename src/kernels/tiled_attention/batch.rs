//! The operands of attention in tiles, and how many pairs of tokens they have.

use crate::attention::{AttentionSpan, HeadShape};
use crate::dropout::Site;
use std::ops::Range;

/// cos and sin of the angles by which the halves of a head are rotated against each other: (positions, head size / 2)
/// each.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// Cosines.
    pub cos: &'a [f32],
    /// Sines.
    pub sin: &'a [f32],
}

/// The examples that attention is computed for.
#[derive(Debug, Clone, Copy)]
pub struct TiledBatch<'a> {
    /// Number and size of the heads.
    pub heads: HeadShape,
    /// Tokens and queries of each example; the queries are those of its first tokens.
    pub examples: &'a [AttentionSpan],
    /// Largest distance between query and key; `None` without a limit.
    pub window: Option<usize>,
    /// Rotary positions of queries and keys.
    pub rotation: Option<Rotation<'a>>,
    /// Dropout of the probabilities.
    pub dropout: Option<Site>,
    /// Index of each query's token in the whole batch, which numbers the dropout masks: (rows)
    pub token_indices: &'a [usize],
}

/// What the backward pass reads, beside the operands of the forward pass.
#[derive(Debug, Clone, Copy)]
pub struct SavedAttention<'a> {
    /// ln Σ exp(score) of each query: (rows, heads)
    pub log_sums: &'a [f32],
    /// Result of the forward pass: (rows, H)
    pub context: &'a [f32],
    /// Its gradient: (rows, H)
    pub d_context: &'a [f32],
}

impl TiledBatch<'_> {
    /// FLOPs of one of attention's matrix products, without padding and pairs outside the window.
    pub fn flops(&self) -> usize {
        let HeadShape { count, size, .. } = self.heads;
        let pairs = |span: &AttentionSpan| pairs(span.queries.len(), span.keys.len(), self.window);
        2 * count * size * self.examples.iter().map(pairs).sum::<usize>()
    }
}

/// Number of pairs of the first `queries` tokens and all `keys` tokens of an example with a distance of at most `window`.
pub fn pairs(queries: usize, keys: usize, window: Option<usize>) -> usize {
    match window {
        None => queries * keys,
        Some(window) => (0..queries).map(|query| reach(query, window, keys).len()).sum(),
    }
}

/// The keys of the `keys` first ones that a query attends to.
#[inline(always)]
pub(super) fn reach(query: usize, window: usize, keys: usize) -> Range<usize> {
    let end = query.saturating_add(window).saturating_add(1).min(keys);
    query.saturating_sub(window).min(end)..end
}
