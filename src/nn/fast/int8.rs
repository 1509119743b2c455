//! The matrices of the encoder layers as int8, for inference: see [`kernels::int8`].
//!
//! These are the matrices of queries, keys, values, the output of the attention, and the feed-forward network. Embeddings and
//! their projection, attention, LayerNorm, residual connections and the head stay f32.

use super::layout::{LayerRanges, Layout};
use crate::error::{Error, Result};
use crate::nn::config::ModelConfig;
use kernels::int8::{MAX_INPUTS, QuantizedMatrix};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// Most tokens of a shard. Activations of more would not stay in the cache, whose bandwidth limits int8 sooner than f32.
pub(super) const MAX_TOKENS: usize = 256;

/// The quantized matrices of all layers.
#[derive(Debug, Default)]
pub(super) struct QuantizedWeights {
    /// By the start of their range in the arena. Layers may share a matrix.
    matrices: BTreeMap<usize, QuantizedMatrix>,
}

impl QuantizedWeights {
    /// Quantizes the matrices of the layers in an arena.
    pub(super) fn new(layout: &Layout, weights: &[f32]) -> Self {
        let matrices: Vec<_> = layout.layers.iter().flat_map(LayerRanges::matrices).collect();
        let quantize = |(range, outputs): (&Range<usize>, usize)| {
            (range.start, QuantizedMatrix::new(&weights[range.clone()], range.len() / outputs))
        };
        QuantizedWeights { matrices: matrices.into_par_iter().map(quantize).collect() }
    }

    /// The matrix that has that range in the arena.
    pub(super) fn matrix(&self, range: &Range<usize>) -> &QuantizedMatrix {
        self.matrices.get(&range.start).expect("a matrix of a layer")
    }
}

/// Checks that sums over the inputs of each matrix fit in an i32.
///
/// # Errors
/// [`Error::Model`] for a model with too many inputs.
pub(super) fn check_supported(config: &ModelConfig) -> Result<()> {
    let inputs = config.hidden.max(config.intermediate);
    if inputs <= MAX_INPUTS {
        return Ok(());
    }
    let problem = format!(
        "has a matrix with {inputs} inputs, and int8 supports at most {MAX_INPUTS}; use precision f32"
    );
    Err(Error::model(&config.model, problem))
}
