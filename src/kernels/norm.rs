//! Dropout, residual connection and LayerNorm in one pass over a row, forward and backward (Ba et al. 2016,
//! <https://arxiv.org/abs/1607.06450>).

use super::{Cpu, Fma, dispatch, sum};
use crate::dropout::{Site, state_offset};

/// Parameters of a LayerNorm.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm<'a> {
    /// γ: (width)
    pub weight: &'a [f32],
    /// β: (width)
    pub bias: &'a [f32],
    /// Added to the variance.
    pub eps: f64,
}

/// Dropout mask of a matrix; without a site, all factors are 1.
#[derive(Debug, Clone, Copy)]
pub struct DropoutMask<'a> {
    /// The masks of the step at this site.
    pub site: Option<Site>,
    /// Index of each row in the whole batch, which numbers the masks: (rows)
    pub row_indices: &'a [usize],
}

impl DropoutMask<'_> {
    /// Writes the factors of row `row`.
    #[inline(always)]
    pub(crate) fn fill(&self, row: usize, out: &mut [f32]) {
        match &self.site {
            Some(site) => site.fill(state_offset(self.row_indices[row], out.len()), out),
            None => out.fill(1.0),
        }
    }
}

/// `x` (rows, width) ← mask ⊙ x
pub fn apply_dropout(cpu: Cpu, x: &mut [f32], width: usize, mask: DropoutMask<'_>) {
    if mask.site.is_some() {
        dispatch!(cpu, dropout_kernel(x, width, mask));
    }
}

#[inline(always)]
fn dropout_kernel<F: Fma>(x: &mut [f32], width: usize, mask: DropoutMask<'_>) {
    let mut factors = vec![0.0; width];
    for (index, row) in x.chunks_exact_mut(width).enumerate() {
        mask.fill(index, &mut factors);
        for (x, factor) in row.iter_mut().zip(&factors) {
            *x *= factor;
        }
    }
}

/// y = γ ⊙ x̂ + β with z = mask ⊙ (x + bias) + residual and x̂ = (z − mean(z)) / σ, σ = √(var(z) + eps), by row.
///
/// `x` (rows, width) is replaced by x̂; `rstd` (rows) receives 1/σ, `y` (rows, width) the output.
pub fn dropout_add_norm(
    cpu: Cpu,
    x: &mut [f32],
    (bias, mask, residual): (&[f32], DropoutMask<'_>, &[f32]),
    norm: LayerNorm<'_>,
    rstd: &mut [f32],
    y: &mut [f32],
) {
    dispatch!(cpu, dropout_add_norm_kernel(x, bias, mask, residual, norm, rstd, y));
}

#[inline(always)]
fn dropout_add_norm_kernel<F: Fma>(
    x: &mut [f32],
    bias: &[f32],
    mask: DropoutMask<'_>,
    residual: &[f32],
    norm: LayerNorm<'_>,
    rstd: &mut [f32],
    y: &mut [f32],
) {
    let width = bias.len();
    let mut factors = vec![0.0; width];
    let rows = x.chunks_exact_mut(width).zip(residual.chunks_exact(width));
    let outputs = y.chunks_exact_mut(width).zip(rstd);
    for (index, ((row, residual), (y, rstd))) in rows.zip(outputs).enumerate() {
        mask.fill(index, &mut factors);
        let factors = &factors[..width];
        for i in 0..width {
            row[i] = F::fma(row[i] + bias[i], factors[i], residual[i]);
        }
        *rstd = normalize_row::<F>(row, norm, y);
    }
}

/// y = γ ⊙ x̂ + β; like [`dropout_add_norm`] with z = x.
pub fn layer_norm(cpu: Cpu, x: &mut [f32], norm: LayerNorm<'_>, rstd: &mut [f32], y: &mut [f32]) {
    dispatch!(cpu, layer_norm_kernel(x, norm, rstd, y));
}

#[inline(always)]
fn layer_norm_kernel<F: Fma>(x: &mut [f32], norm: LayerNorm<'_>, rstd: &mut [f32], y: &mut [f32]) {
    let width = norm.weight.len();
    let rows = x.chunks_exact_mut(width).zip(y.chunks_exact_mut(width));
    for ((row, y), rstd) in rows.zip(rstd) {
        *rstd = normalize_row::<F>(row, norm, y);
    }
}

/// y = γ ⊙ x̂ + β; like [`layer_norm`], with x̂ written to `xhat` and `x` unchanged.
pub fn layer_norm_of(
    cpu: Cpu,
    x: &[f32],
    xhat: &mut [f32],
    norm: LayerNorm<'_>,
    rstd: &mut [f32],
    y: &mut [f32],
) {
    xhat.copy_from_slice(x);
    layer_norm(cpu, xhat, norm, rstd, y);
}

/// `sum` (rows, width) += mask ⊙ (x + bias)
pub fn dropout_add(cpu: Cpu, x: &[f32], (bias, mask): (&[f32], DropoutMask<'_>), sum: &mut [f32]) {
    dispatch!(cpu, dropout_add_kernel(x, bias, mask, sum));
}

#[inline(always)]
fn dropout_add_kernel<F: Fma>(x: &[f32], bias: &[f32], mask: DropoutMask<'_>, sum: &mut [f32]) {
    let width = bias.len();
    let mut factors = vec![0.0; width];
    for (index, (x, sum)) in x.chunks_exact(width).zip(sum.chunks_exact_mut(width)).enumerate() {
        mask.fill(index, &mut factors);
        let factors = &factors[..width];
        for i in 0..width {
            sum[i] = F::fma(x[i] + bias[i], factors[i], sum[i]);
        }
    }
}

/// Normalizes one row: `row` becomes x̂, `y` receives γ ⊙ x̂ + β. Returns 1/σ.
#[inline(always)]
fn normalize_row<F: Fma>(row: &mut [f32], norm: LayerNorm<'_>, y: &mut [f32]) -> f32 {
    let width = row.len();
    let inverse_width = 1.0 / width as f32;
    let mean = sum(row, row, |x, _| x) * inverse_width;
    let variance = sum(row, row, |x, _| (x - mean) * (x - mean)) * inverse_width;
    let rstd = (1.0 / (f64::from(variance) + norm.eps).sqrt()) as f32;
    let (weight, bias, y) = (&norm.weight[..width], &norm.bias[..width], &mut y[..width]);
    for i in 0..width {
        row[i] = (row[i] - mean) * rstd;
        y[i] = F::fma(row[i], weight[i], bias[i]);
    }
    rstd
}

/// Gradients of the parameters of a LayerNorm: (width) each.
pub struct LayerNormGrad<'a> {
    /// Gradient of γ.
    pub weight: &'a mut [f32],
    /// Gradient of β.
    pub bias: &'a mut [f32],
}

/// The backward pass of the normalization: replaces d_y (rows, width) by d_z, the gradient of its input. With
/// d_x̂ = d_y ⊙ γ: d_z = (d_x̂ − mean(d_x̂) − x̂ mean(d_x̂ ⊙ x̂)) / σ. Adds d_γ = Σ_rows d_y ⊙ x̂ and d_β = Σ_rows d_y to
/// `grad`.
pub fn layer_norm_backward(
    cpu: Cpu,
    d_y: &mut [f32],
    xhat: &[f32],
    rstd: &[f32],
    weight: &[f32],
    grad: LayerNormGrad<'_>,
) {
    let LayerNormGrad { weight: d_weight, bias: d_bias } = grad;
    dispatch!(cpu, layer_norm_backward_kernel(d_y, xhat, rstd, weight, d_weight, d_bias));
}

#[inline(always)]
fn layer_norm_backward_kernel<F: Fma>(
    d_y: &mut [f32],
    xhat: &[f32],
    rstd: &[f32],
    weight: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let width = weight.len();
    let (d_weight, d_bias) = (&mut d_weight[..width], &mut d_bias[..width]);
    let inverse_width = 1.0 / width as f32;
    let rows = d_y.chunks_exact_mut(width).zip(xhat.chunks_exact(width));
    for ((d, xhat), rstd) in rows.zip(rstd) {
        for i in 0..width {
            d_weight[i] = F::fma(d[i], xhat[i], d_weight[i]);
            d_bias[i] += d[i];
            d[i] *= weight[i];
        }
        let mean = sum(d, d, |d, _| d) * inverse_width;
        let mean_d_xhat = sum(d, xhat, |d, x| d * x) * inverse_width;
        for i in 0..width {
            d[i] = (d[i] - F::fma(xhat[i], mean_d_xhat, mean)) * rstd;
        }
    }
}

/// The backward pass of dropout and bias in [`dropout_add_norm`]: `d_x` (rows, width) = mask ⊙ d_z, and
/// d_bias += Σ_rows d_x (width).
pub fn dropout_bias_backward(
    cpu: Cpu,
    d_z: &[f32],
    mask: DropoutMask<'_>,
    d_x: &mut [f32],
    d_bias: &mut [f32],
) {
    dispatch!(cpu, dropout_bias_backward_kernel(d_z, mask, d_x, d_bias));
}

#[inline(always)]
fn dropout_bias_backward_kernel<F: Fma>(
    d_z: &[f32],
    mask: DropoutMask<'_>,
    d_x: &mut [f32],
    d_bias: &mut [f32],
) {
    let width = d_bias.len();
    let mut factors = vec![0.0; width];
    let rows = d_z.chunks_exact(width).zip(d_x.chunks_exact_mut(width));
    for (index, (d_z, d_x)) in rows.enumerate() {
        mask.fill(index, &mut factors);
        let factors = &factors[..width];
        for i in 0..width {
            d_x[i] = d_z[i] * factors[i];
            d_bias[i] += d_x[i];
        }
    }
}

/// `sums` (width) += Σ_rows x for `x` (rows, width): the gradient of a bias.
pub fn add_column_sums(cpu: Cpu, x: &[f32], sums: &mut [f32]) {
    dispatch!(cpu, column_sums_kernel(x, sums));
}

#[inline(always)]
fn column_sums_kernel<F: Fma>(x: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    for row in x.chunks_exact(width) {
        for i in 0..width {
            sums[i] += row[i];
        }
    }
}
