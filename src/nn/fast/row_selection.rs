//! The rows of a batch that each layer computes.

use crate::batch::Batch;
use crate::nn::architecture::Pooling;
use crate::nn::config::ModelConfig;
use kernels::attention::{AttentionSpan, padded};
use std::ops::Range;

/// The rows that a layer outputs. All layers but the last output a state for every token. If the head uses only the
/// state of each example's first token, the last layer outputs only those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowSelection {
    /// For each example, its queries (rows of the output) and its keys (tokens).
    pub(super) spans: Vec<AttentionSpan>,
    /// For each row, the index of its token in the whole batch, which numbers the dropout masks: (rows)
    pub(super) token_indices: Vec<usize>,
    /// The tokens that have a row; `None` if all have.
    pub(super) selected: Option<Vec<usize>>,
    /// Number of elements that attention saves for the backward pass.
    pub(super) saved_attention_len: usize,
}

/// Whether attention is computed in tiles, which save no probabilities.
pub(super) fn is_tiled(config: &ModelConfig) -> bool {
    !config.layer_attentions.is_plain()
}

impl RowSelection {
    /// The rows of all layers but the last, and those of the last.
    pub(super) fn of_layers(config: &ModelConfig, batch: &Batch) -> [Self; 2] {
        let last = if Self::has_first_tokens_only(config) {
            Self::first_tokens(config, batch)
        } else {
            Self::all(config, batch)
        };
        [Self::all(config, batch), last]
    }

    /// Whether the last layer outputs a row for each example's first token only.
    pub(super) fn has_first_tokens_only(config: &ModelConfig) -> bool {
        config.pooling == Pooling::FirstToken
    }

    /// A row for every token.
    pub(super) fn all(config: &ModelConfig, batch: &Batch) -> Self {
        let token_indices = (0..batch.tokens()).map(|token| batch.first_token + token).collect();
        Self::new(config, token_indices, spans(batch, config.heads, |_, keys| keys), None)
    }

    /// A row for each example's first token.
    fn first_tokens(config: &ModelConfig, batch: &Batch) -> Self {
        let selected: Vec<usize> = batch.offsets[..batch.len()].to_vec();
        let token_indices = selected.iter().map(|token| batch.first_token + token).collect();
        let spans = spans(batch, config.heads, |example, _| example..example + 1);
        Self::new(config, token_indices, spans, Some(selected))
    }

    fn new(
        config: &ModelConfig,
        token_indices: Vec<usize>,
        (spans, attn_probs_len): (Vec<AttentionSpan>, usize),
        selected: Option<Vec<usize>>,
    ) -> Self {
        let saved_attention_len =
            if is_tiled(config) { token_indices.len() * config.heads } else { attn_probs_len };
        RowSelection { spans, token_indices, selected, saved_attention_len }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.token_indices.len()
    }

    /// Adds `x` (R, H) to the selected rows of `sum` (T, H).
    pub(super) fn add(&self, x: &[f32], h: usize, sum: &mut [f32]) {
        let add = |sum: &mut [f32], x: &[f32]| sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        match &self.selected {
            None => add(sum, x),
            Some(tokens) => {
                for (token, x) in tokens.iter().zip(x.chunks_exact(h)) {
                    add(&mut sum[token * h..(token + 1) * h], x);
                }
            }
        }
    }

    /// Copies the selected rows of `x` (T, H) to `selected_rows` (R, H), and returns `x` itself if all are selected.
    pub(super) fn gather<'x>(&self, x: &'x [f32], h: usize, selected_rows: &'x mut [f32]) -> &'x [f32] {
        let Some(tokens) = &self.selected else { return x };
        for (token, row) in tokens.iter().zip(selected_rows.chunks_exact_mut(h)) {
            row.copy_from_slice(&x[token * h..(token + 1) * h]);
        }
        selected_rows
    }

    /// The backward pass of [`RowSelection::gather`]: `d` (R, H) to `dx` (T, H), with zeros for the other tokens.
    pub(super) fn scatter(&self, d: &[f32], h: usize, dx: &mut [f32]) {
        let Some(tokens) = &self.selected else {
            dx.copy_from_slice(d);
            return;
        };
        dx.fill(0.0);
        for (token, d) in tokens.iter().zip(d.chunks_exact(h)) {
            dx[token * h..(token + 1) * h].copy_from_slice(d);
        }
    }
}

/// The spans of all examples, and the number of their attention probabilities. `queries` maps an example and its
/// tokens to its rows.
fn spans(
    batch: &Batch,
    heads: usize,
    queries: impl Fn(usize, Range<usize>) -> Range<usize>,
) -> (Vec<AttentionSpan>, usize) {
    let mut probs_start = 0;
    let span = |(example, bounds): (usize, &[usize])| {
        let keys = bounds[0]..bounds[1];
        let queries = queries(example, keys.clone());
        let span = AttentionSpan { queries, keys, probs_start };
        probs_start += heads * span.queries.len() * padded(span.keys.len());
        span
    };
    let spans = batch.offsets.windows(2).enumerate().map(span).collect();
    (spans, probs_start)
}
