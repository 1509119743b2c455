//! From the integer sums to the output: dequantization, bias and activation function.

use super::activations::RowScale;
use super::weight::Panel;
use super::{PANEL, tile::Sums};
use crate::Fma;
use crate::activation::Activation;
use crate::math::{gelu, gelu_tanh};

/// What becomes of y = x Wᵀ before it is written.
#[derive(Debug, Clone, Copy)]
pub enum Epilogue<'a> {
    /// y
    Store,
    /// f(y + bias), with the bias (outputs).
    Activate {
        /// f
        function: Activation,
        /// Added first.
        bias: &'a [f32],
    },
}

/// Writes rows of a tile to `out`, each at `stride` after the one before and at most [`PANEL`] wide. `column` is the first
/// output of the panel.
#[inline(always)]
pub(super) fn finish<'o, F: Fma>(
    (sums, scales): (&Sums, &[RowScale]),
    panel: Panel<'_>,
    (epilogue, column): (Epilogue<'_>, usize),
    rows: impl Iterator<Item = &'o mut [f32]>,
) {
    for ((sums, scale), out) in sums.iter().zip(scales).zip(rows) {
        let mut values = dequantized(sums, *scale, panel);
        let out_len = out.len();
        if let Epilogue::Activate { function, bias } = epilogue {
            let bias = &bias[column..][..out_len];
            for (value, bias) in values.iter_mut().zip(bias) {
                *value += bias;
            }
            activate::<F>(function, &mut values);
        }
        match out.as_mut_array::<PANEL>() {
            Some(out) => *out = values,
            None => out.copy_from_slice(&values[..out_len]),
        }
    }
}

/// s_x s_w · (Σ x_q w_q − z Σ w_q)
#[inline(always)]
fn dequantized(sums: &[i32; PANEL], row: RowScale, panel: Panel<'_>) -> [f32; PANEL] {
    let mut values = [0.0; PANEL];
    for i in 0..PANEL {
        let sum = sums[i].wrapping_sub(row.zero_point.wrapping_mul(panel.sums[i]));
        values[i] = sum as f32 * (row.scale * panel.scales[i]);
    }
    values
}

#[inline(always)]
fn activate<F: Fma>(function: Activation, values: &mut [f32; PANEL]) {
    match function {
        Activation::Gelu => values.iter_mut().for_each(|x| *x = gelu::<F>(*x).0),
        Activation::GeluTanh => values.iter_mut().for_each(|x| *x = gelu_tanh::<F>(*x).0),
        Activation::Relu => values.iter_mut().for_each(|x| *x = if *x > 0.0 { *x } else { 0.0 }),
    }
}
