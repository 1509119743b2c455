//! From the integer sums to the output: dequantization, bias and activation function.

use super::activations::RowScale;
use super::format::PANEL;
use super::tile::Sums;
use super::weight::Panel;
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

/// What the outputs of a panel have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    panel: Panel<'a>,
    /// f, and the bias, padded with zeros.
    activation: Option<(Activation, [f32; PANEL])>,
}

impl<'a> Columns<'a> {
    /// Those of `panel`, whose outputs from `first` on exist at most up to `width`.
    #[inline(always)]
    pub(super) fn new(panel: Panel<'a>, epilogue: Epilogue<'_>, (first, width): (usize, usize)) -> Self {
        let activation = match epilogue {
            Epilogue::Store => None,
            Epilogue::Activate { function, bias } => {
                let mut padded = [0.0; PANEL];
                padded[..width].copy_from_slice(&bias[first..][..width]);
                Some((function, padded))
            }
        };
        Columns { panel, activation }
    }

    /// Writes rows of a tile, each at most [`PANEL`] wide.
    #[inline(always)]
    pub(super) fn finish<'o, F: Fma>(
        &self,
        (sums, scales): (&Sums, &[RowScale]),
        rows: impl Iterator<Item = &'o mut [f32]>,
    ) {
        // A closure that is not inlined would be compiled without vector instructions.
        match &self.activation {
            None => self.write(
                (sums, scales),
                rows,
                #[inline(always)]
                |_, x| x,
            ),
            Some((Activation::Gelu, bias)) => self.write(
                (sums, scales),
                rows,
                #[inline(always)]
                |i, x| gelu::<F>(x + bias[i]).0,
            ),
            Some((Activation::GeluTanh, bias)) => self.write(
                (sums, scales),
                rows,
                #[inline(always)]
                |i, x| gelu_tanh::<F>(x + bias[i]).0,
            ),
            Some((Activation::Relu, bias)) => self.write(
                (sums, scales),
                rows,
                #[inline(always)]
                |i, x| if x + bias[i] > 0.0 { x + bias[i] } else { 0.0 },
            ),
        }
    }

    /// Writes `map` of each output and its value s_x s_w · (Σ x_q w_q − z Σ w_q).
    #[inline(always)]
    fn write<'o>(
        &self,
        (sums, scales): (&Sums, &[RowScale]),
        rows: impl Iterator<Item = &'o mut [f32]>,
        map: impl Fn(usize, f32) -> f32,
    ) {
        let Panel { scales: column_scales, sums: column_sums, .. } = self.panel;
        for ((sums, scale), out) in sums.iter().zip(scales).zip(rows) {
            let RowScale { scale, zero_point } = *scale;
            let mut values = [0.0; PANEL];
            for i in 0..PANEL {
                let sum = sums[i].wrapping_sub(zero_point.wrapping_mul(column_sums[i]));
                values[i] = map(i, sum as f32 * (scale * column_scales[i]));
            }
            let width = out.len();
            match out.as_mut_array::<PANEL>() {
                Some(out) => *out = values,
                None => out.copy_from_slice(&values[..width]),
            }
        }
    }
}
