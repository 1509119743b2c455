//! How much arithmetic a step is, by formula: what its result needs, whatever an engine does beside it.

use super::config::ModelConfig;
use crate::batch::Batch;

/// Multiplications and additions of the matrix products of an optimizer step on `batch`, with a head of
/// `labels` classes: 2 · m · n · k for each product of (m, k) by (k, n), once forward and twice backward.
///
/// For each of `t` tokens a layer multiplies by four matrices of (H, H) and two of (H, I); an example of `n`
/// tokens has n² scores and n² shares of values of H numbers each. Of the last layer only the first token's
/// state is looked at, so that its keys and values are needed of all tokens, all else of one an example.
pub fn step_operations(config: &ModelConfig, labels: usize, batch: &Batch) -> f64 {
    let (h, i, layers) = (config.hidden as f64, config.intermediate as f64, config.layers as f64);
    let (t, examples) = (batch.tokens() as f64, batch.len() as f64);
    let squares: usize = batch.offsets.windows(2).map(|bounds| (bounds[1] - bounds[0]).pow(2)).sum();
    let keys_values = 2.0 * h * h;
    let rest = 2.0 * h * h + 2.0 * h * i;
    let layer = t * (keys_values + rest) + 2.0 * squares as f64 * h;
    let last = t * keys_values + examples * rest + 2.0 * t * h;
    let head = examples * h * (h + labels as f64);
    3.0 * 2.0 * ((layers - 1.0) * layer + last + head)
}
