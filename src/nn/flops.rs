//! Floating-point operations of a training step, by formula: what the result needs, whatever extra work an engine
//! does.

use super::config::ModelConfig;
use crate::batch::Batch;

/// FLOPs of the matrix products of an optimizer step on `batch` with a head of `labels` classes.
///
/// A product of (m, k) and (k, n) takes 2 · m · k · n FLOPs: once in the forward pass, twice in the backward
/// pass. For each of T tokens a layer multiplies by four matrices of (H, H) and two of (H, I). An example of n
/// tokens has n² attention scores, and each is multiplied by a value vector; both take H multiply-adds per query
/// and key. Only the first token's state of the last layer is used, so that layer needs keys and values of all
/// tokens and everything else for one token per example. Embeddings of another width than H are multiplied by a matrix.
/// Disentangled attention has another product of H multiply-adds per query and key for each of its terms, and
/// projects the embeddings of the relative positions of the longest example.
pub fn step_flops(config: &ModelConfig, labels: usize, batch: &Batch) -> f64 {
    let (h, i, layers) = (config.hidden as f64, config.intermediate as f64, config.layers as f64);
    let (t, examples) = (batch.tokens() as f64, batch.len() as f64);
    let squares: usize = batch.offsets.windows(2).map(|bounds| (bounds[1] - bounds[0]).pow(2)).sum();
    let terms = config.disentangled.map_or(0, |relative| relative.terms.count()) as f64;
    let positions = config.disentangled.map_or(0, |relative| relative.span.used_rows(batch.longest()).len());
    let relative = terms * positions as f64 * h * h;
    let keys_values = 2.0 * h * h;
    let rest = 2.0 * h * h + 2.0 * h * i;
    let layer = t * (keys_values + rest) + (2.0 + terms) * squares as f64 * h + relative;
    let last = t * keys_values + examples * rest + (2.0 + terms) * t * h + relative;
    let head = examples * h * (h + labels as f64);
    let has_projection = config.names().projection.is_some();
    let projection = if has_projection { t * config.embedding_size as f64 * h } else { 0.0 };
    3.0 * 2.0 * (projection + (layers - 1.0) * layer + last + head)
}
