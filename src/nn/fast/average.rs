//! [`Average`]: the exponential moving average of the weights.

use kernels::Cpu;
use kernels::adamw::update_average;
use kernels::huge_pages::zeros;
use rayon::prelude::*;

/// Weights that one task averages.
const CHUNK: usize = 1 << 14;

/// The exponential moving average of the weights.
pub(super) struct Average {
    /// 1 − decay
    one_minus_decay: f32,
    /// An arena like that of the weights.
    pub(super) values: Vec<f32>,
}

impl Average {
    /// An average of zeros for an arena of `length` elements.
    pub(super) fn new(decay: f64, length: usize) -> Self {
        Average { one_minus_decay: (1.0 - decay) as f32, values: zeros(length, length) }
    }

    /// Moves the average towards the weights, in the current thread pool.
    pub(super) fn update(&mut self, cpu: Cpu, weights: &[f32]) {
        let chunks = self.values.par_chunks_mut(CHUNK).zip(weights.par_chunks(CHUNK));
        chunks.for_each(|(average, weights)| update_average(cpu, average, weights, self.one_minus_decay));
    }

    /// Its memory.
    pub(super) fn bytes(&self) -> u64 {
        size_of_val(self.values.as_slice()) as u64
    }
}
