//! Floating-point operations of a training step, by formula: what the result needs, whatever extra work an engine
//! does.

use super::architecture::Pooling;
use super::config::ModelConfig;
use crate::batch::Batch;
use kernels::tiled_attention::pairs;

/// FLOPs of the matrix products of an optimizer step on `batch` with a head of `labels` classes.
///
/// A product of (m, k) and (k, n) takes 2 · m · k · n FLOPs: once in the forward pass, twice in the backward
/// pass. For each of T tokens a layer multiplies by four matrices of (H, H), one of (U, H) and one of (H, I), where U is I
/// or, with gates, 2 I. An example of n tokens has n² attention scores, or those within a window, and each is multiplied
/// by a value vector; both take H multiply-adds per query and key. If only the first token's state of the last layer is
/// used, that layer needs keys and values of all tokens and everything else for one token per example. Embeddings of
/// another width than H are multiplied by a matrix. Disentangled attention has another product of H multiply-adds per query
/// and key for each of its terms, and projects the embeddings of the relative positions of the longest example.
pub fn step_flops(config: &ModelConfig, labels: usize, batch: &Batch) -> f64 {
    let (h, i) = (config.hidden as f64, config.intermediate as f64);
    let up = config.architecture.layer_structure.up_width(config.intermediate) as f64;
    let (t, examples) = (batch.tokens() as f64, batch.len() as f64);
    let terms = config.disentangled.map_or(0, |relative| relative.terms.count()) as f64;
    let positions = config.disentangled.map_or(0, |relative| relative.span.used_rows(batch.longest()).len());
    let relative = terms * positions as f64 * h * h;
    let keys_values = 2.0 * h * h;
    let rest = 2.0 * h * h + up * h + i * h;
    let layer = |index: usize| {
        let window = config.layer_attention(index).window;
        let is_first_only = index + 1 == config.layers && config.pooling == Pooling::FirstToken;
        let pairs = |bounds: &[usize]| {
            let keys = bounds[1] - bounds[0];
            pairs(if is_first_only { 1 } else { keys }, keys, window)
        };
        let pairs: usize = batch.offsets.windows(2).map(pairs).sum();
        let rows = if is_first_only { examples } else { t };
        t * keys_values + rows * rest + (2.0 + terms) * pairs as f64 * h + relative
    };
    let layers: f64 = (0..config.layers).map(layer).sum();
    let head = examples * h * (h + labels as f64);
    let has_projection = config.names().projection.is_some();
    let projection = if has_projection { t * config.embedding_size as f64 * h } else { 0.0 };
    3.0 * 2.0 * (projection + layers + head)
}
