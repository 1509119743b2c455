//! Which rows of a batch each layer works on.

use super::kernels::attention::{Span, padded};
use crate::batch::Batch;

/// The rows that a layer turns out. All but the last make a state for every token; of the last, only that
/// of each example's first token is looked at, so only those are made: the rest would be computed for
/// nothing, and their gradients are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// For each example, its queries among the rows and its keys among the tokens.
    pub(super) spans: Vec<Span>,
    /// For each row, the number of its token in the batch that this one may be a part of.
    pub(super) tokens: Vec<usize>,
    /// The tokens here that have a row, unless all have.
    pub(super) picked: Option<Vec<usize>>,
    /// Numbers that the probabilities of all examples take.
    pub(super) probabilities: usize,
}

impl Rows {
    /// A row for every token.
    pub(super) fn all(batch: &Batch, heads: usize) -> Self {
        let tokens = (0..batch.tokens()).map(|token| batch.first_token + token).collect();
        let (spans, probabilities) = spans(batch, heads, |_, keys| keys);
        Rows { spans, tokens, picked: None, probabilities }
    }

    /// A row for each example's first token.
    pub(super) fn first(batch: &Batch, heads: usize) -> Self {
        let picked: Vec<usize> = batch.offsets[..batch.len()].to_vec();
        let tokens = picked.iter().map(|token| batch.first_token + token).collect();
        let (spans, probabilities) = spans(batch, heads, |example, _| example..example + 1);
        Rows { spans, tokens, picked: Some(picked), probabilities }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

fn spans(
    batch: &Batch,
    heads: usize,
    queries: impl Fn(usize, std::ops::Range<usize>) -> std::ops::Range<usize>,
) -> (Vec<Span>, usize) {
    let mut first = 0;
    let span = |(example, bounds): (usize, &[usize])| {
        let keys = bounds[0]..bounds[1];
        let queries = queries(example, keys.clone());
        let span = Span { queries, keys, first };
        first += heads * span.queries.len() * padded(span.keys.len());
        span
    };
    let spans = batch.offsets.windows(2).enumerate().map(span).collect();
    (spans, first)
}
