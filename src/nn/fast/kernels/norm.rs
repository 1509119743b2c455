//! Dropout, residual and LayerNorm in one pass over a row, forward and backward.

use super::{Cpu, Fma, dispatch, sum};
use crate::nn::dropout::{Site, state};

/// Scale, shift and floor of a LayerNorm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm<'a> {
    /// (width)
    pub(crate) weight: &'a [f32],
    /// (width)
    pub(crate) bias: &'a [f32],
    pub(crate) eps: f64,
}

/// Dropout of rows: the masks and, for each row, its number there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask<'a> {
    pub(crate) site: Option<Site>,
    /// (rows)
    pub(crate) tokens: &'a [usize],
}

impl Mask<'_> {
    /// What row `row` is multiplied by.
    #[inline(always)]
    fn fill(&self, row: usize, out: &mut [f32]) {
        match &self.site {
            Some(site) => site.fill(state(self.tokens[row], out.len()), out),
            None => out.fill(1.0),
        }
    }
}

/// `x` (rows, width) with its mask applied, in place.
pub(crate) fn drop_rows(cpu: Cpu, x: &mut [f32], width: usize, mask: Mask<'_>) {
    if mask.site.is_some() {
        dispatch!(cpu, drop_kernel(x, width, mask));
    }
}

#[inline(always)]
fn drop_kernel<F: Fma>(x: &mut [f32], width: usize, mask: Mask<'_>) {
    let mut factors = vec![0.0; width];
    for (number, row) in x.chunks_exact_mut(width).enumerate() {
        mask.fill(number, &mut factors);
        for (x, factor) in row.iter_mut().zip(&factors) {
            *x *= factor;
        }
    }
}

/// y = γ x̂ + β, where x̂ is z with mean 0 and variance 1 in each row, and
/// z = mask ⊙ (product + bias) + residual.
///
/// `product` (rows, width) becomes x̂; `deviations` (rows) takes 1/σ.
pub(crate) fn add_norm(
    cpu: Cpu,
    product: &mut [f32],
    (bias, mask, residual): (&[f32], Mask<'_>, &[f32]),
    norm: Norm<'_>,
    deviations: &mut [f32],
    y: &mut [f32],
) {
    dispatch!(cpu, add_norm_kernel(product, bias, mask, residual, norm, deviations, y));
}

#[inline(always)]
fn add_norm_kernel<F: Fma>(
    product: &mut [f32],
    bias: &[f32],
    mask: Mask<'_>,
    residual: &[f32],
    norm: Norm<'_>,
    deviations: &mut [f32],
    y: &mut [f32],
) {
    let width = bias.len();
    let mut factors = vec![0.0; width];
    let rows = product.chunks_exact_mut(width).zip(residual.chunks_exact(width));
    let outputs = y.chunks_exact_mut(width).zip(deviations);
    for (number, ((row, residual), (y, deviation))) in rows.zip(outputs).enumerate() {
        mask.fill(number, &mut factors);
        let factors = &factors[..width];
        for i in 0..width {
            row[i] = F::fma(row[i] + bias[i], factors[i], residual[i]);
        }
        *deviation = normalize::<F>(row, norm, y);
    }
}

/// [`add_norm`] of `x` alone, without bias, mask and residual.
pub(crate) fn norm_rows(cpu: Cpu, x: &mut [f32], norm: Norm<'_>, deviations: &mut [f32], y: &mut [f32]) {
    dispatch!(cpu, norm_kernel(x, norm, deviations, y));
}

#[inline(always)]
fn norm_kernel<F: Fma>(x: &mut [f32], norm: Norm<'_>, deviations: &mut [f32], y: &mut [f32]) {
    let width = norm.weight.len();
    let rows = x.chunks_exact_mut(width).zip(y.chunks_exact_mut(width));
    for ((row, y), deviation) in rows.zip(deviations) {
        *deviation = normalize::<F>(row, norm, y);
    }
}

/// One row: it becomes x̂, `y` what is made of it; returns 1/σ.
#[inline(always)]
fn normalize<F: Fma>(row: &mut [f32], norm: Norm<'_>, y: &mut [f32]) -> f32 {
    let width = row.len();
    let share = 1.0 / width as f32;
    let mean = sum(row, row, |x, _| x) * share;
    let variance = sum(row, row, |x, _| (x - mean) * (x - mean)) * share;
    let deviation = (1.0 / (f64::from(variance) + norm.eps).sqrt()) as f32;
    let (weight, bias, y) = (&norm.weight[..width], &norm.bias[..width], &mut y[..width]);
    for i in 0..width {
        row[i] = (row[i] - mean) * deviation;
        y[i] = F::fma(row[i], weight[i], bias[i]);
    }
    deviation
}

/// Where the gradients of a LayerNorm are added to: (width) each.
pub(crate) struct NormGradient<'a> {
    pub(crate) weight: &'a mut [f32],
    pub(crate) bias: &'a mut [f32],
}

/// From the gradient of y to that of z, in place: dz = (dx̂ − mean(dx̂) − x̂ mean(dx̂ x̂)) / σ with
/// dx̂ = dy γ. Adds those of γ and β.
pub(crate) fn norm_backward(
    cpu: Cpu,
    dy: &mut [f32],
    normed: &[f32],
    deviations: &[f32],
    weight: &[f32],
    gradient: NormGradient<'_>,
) {
    let NormGradient { weight: dweight, bias: dbias } = gradient;
    dispatch!(cpu, norm_backward_kernel(dy, normed, deviations, weight, dweight, dbias));
}

#[inline(always)]
fn norm_backward_kernel<F: Fma>(
    dy: &mut [f32],
    normed: &[f32],
    deviations: &[f32],
    weight: &[f32],
    dweight: &mut [f32],
    dbias: &mut [f32],
) {
    let width = weight.len();
    let (dweight, dbias) = (&mut dweight[..width], &mut dbias[..width]);
    let share = 1.0 / width as f32;
    let rows = dy.chunks_exact_mut(width).zip(normed.chunks_exact(width));
    for ((dy, normed), deviation) in rows.zip(deviations) {
        for i in 0..width {
            dweight[i] = F::fma(dy[i], normed[i], dweight[i]);
            dbias[i] += dy[i];
            dy[i] *= weight[i];
        }
        let mean = sum(dy, dy, |d, _| d) * share;
        let along = sum(dy, normed, |d, x| d * x) * share;
        for i in 0..width {
            dy[i] = (dy[i] - F::fma(normed[i], along, mean)) * deviation;
        }
    }
}

/// The gradient of the product inside [`add_norm`]: `out` = mask ⊙ dz, and its column sums added to the
/// gradient of the bias.
pub(crate) fn masked_gradient(cpu: Cpu, dz: &[f32], mask: Mask<'_>, out: &mut [f32], dbias: &mut [f32]) {
    dispatch!(cpu, masked_kernel(dz, mask, out, dbias));
}

#[inline(always)]
fn masked_kernel<F: Fma>(dz: &[f32], mask: Mask<'_>, out: &mut [f32], dbias: &mut [f32]) {
    let width = dbias.len();
    let mut factors = vec![0.0; width];
    let rows = dz.chunks_exact(width).zip(out.chunks_exact_mut(width));
    for (number, (dz, out)) in rows.enumerate() {
        mask.fill(number, &mut factors);
        let factors = &factors[..width];
        for i in 0..width {
            out[i] = dz[i] * factors[i];
            dbias[i] += out[i];
        }
    }
}

/// Column sums of `x` (rows, width) added to `sums` (width): the gradient of a bias.
pub(crate) fn add_columns(cpu: Cpu, x: &[f32], sums: &mut [f32]) {
    dispatch!(cpu, columns_kernel(x, sums));
}

#[inline(always)]
fn columns_kernel<F: Fma>(x: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    for row in x.chunks_exact(width) {
        for i in 0..width {
            sums[i] += row[i];
        }
    }
}
