//! Dynamic quantization of activations.

use super::format::{WORD, rounded};
use crate::{Cpu, Fma, LANES, dispatch};

/// A range of values below this is quantized as zeros: the division by it could overflow.
const SMALLEST_RANGE: f32 = 1e-30;

/// How a row is quantized: x ≈ scale · (x_q − zero_point).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct RowScale {
    /// NaN if the row has a value that is not finite.
    pub(super) scale: f32,
    pub(super) zero_point: i32,
}

/// The rows of a matrix, quantized asymmetrically, each with its own scale. The memory is reused.
#[derive(Debug, Default)]
pub struct QuantizedRows {
    /// (rows, words, 4)
    values: Vec<u8>,
    scales: Vec<RowScale>,
    inputs: usize,
}

impl QuantizedRows {
    /// Quantizes `x` (rows, inputs). A value that is not finite makes the products of its row NaN.
    pub fn quantize(&mut self, cpu: Cpu, x: &[f32], inputs: usize) {
        let rows = x.len() / inputs;
        assert_eq!(x.len(), rows * inputs, "a matrix with {inputs} columns");
        let length = inputs.next_multiple_of(WORD);
        if length != inputs {
            // The padding is not written below.
            self.values.clear();
        }
        self.inputs = inputs;
        self.values.resize(rows * length, 0);
        self.scales.resize(rows, RowScale::default());
        let QuantizedRows { values, scales, .. } = self;
        dispatch!(cpu, quantize_kernel(x, inputs, values, scales));
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Length of a row.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The words of the rows from `row` on.
    pub(super) fn words(&self, row: usize) -> &[[u8; WORD]] {
        let words = self.inputs.div_ceil(WORD);
        &self.values.as_chunks().0[row * words..]
    }

    pub(super) fn scales(&self) -> &[RowScale] {
        &self.scales
    }

    /// The quantized elements of a row.
    #[cfg(test)]
    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.words(row).as_flattened()[..self.inputs]
    }
}

#[inline(always)]
fn quantize_kernel<F: Fma>(x: &[f32], inputs: usize, values: &mut [u8], scales: &mut [RowScale]) {
    let length = inputs.next_multiple_of(WORD);
    let rows = x.chunks_exact(inputs).zip(values.chunks_exact_mut(length));
    for ((x, values), scale) in rows.zip(scales) {
        *scale = quantize_row(x, &mut values[..inputs]);
    }
}

#[inline(always)]
fn quantize_row(x: &[f32], values: &mut [u8]) -> RowScale {
    let (low, high, not_finite) = range(x);
    let range = high - low;
    let (scale, inverse) =
        if range < SMALLEST_RANGE { (0.0, 0.0) } else { (range * (1.0 / 255.0), 255.0 / range) };
    let zero_point = rounded(-low * inverse).clamp(0, 255);
    for (x, value) in x.iter().zip(values) {
        *value = rounded(x * inverse).wrapping_add(zero_point).clamp(0, 255) as u8;
    }
    RowScale { scale: scale + not_finite, zero_point }
}

/// The smallest and the largest value, at most and at least 0, so that 0 is quantized exactly; and 0, or NaN if a value is not
/// finite.
#[inline(always)]
fn range(x: &[f32]) -> (f32, f32, f32) {
    let (mut low, mut high, mut not_finite) = ([0.0f32; LANES], [0.0f32; LANES], [0.0f32; LANES]);
    let (chunks, rest) = x.as_chunks::<LANES>();
    for x in chunks {
        for lane in 0..LANES {
            // As in `vminps`, without the rules of `f32::min` for NaN.
            low[lane] = if x[lane] < low[lane] { x[lane] } else { low[lane] };
            high[lane] = if x[lane] > high[lane] { x[lane] } else { high[lane] };
            not_finite[lane] += 0.0 * x[lane];
        }
    }
    for (lane, x) in rest.iter().enumerate() {
        low[lane] = low[lane].min(*x);
        high[lane] = high[lane].max(*x);
        not_finite[lane] += 0.0 * x;
    }
    (low.into_iter().fold(0.0, f32::min), high.into_iter().fold(0.0, f32::max), not_finite.iter().sum())
}
