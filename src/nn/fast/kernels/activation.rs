//! Bias and nonlinearity of the feed-forward part in one pass.

use super::math::{gelu, gelu_tanh};
use super::{Cpu, Fma, dispatch};
use crate::nn::config::Activation;

/// `out` = f(x + bias); `x` becomes the derivative there. Both are (rows, width).
pub(crate) fn activate(cpu: Cpu, kind: Activation, x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    match kind {
        Activation::Gelu => dispatch!(cpu, gelu_kernel(x, bias, out)),
        Activation::GeluTanh => dispatch!(cpu, gelu_tanh_kernel(x, bias, out)),
        Activation::Relu => dispatch!(cpu, relu_kernel(x, bias, out)),
    }
}

#[inline(always)]
fn gelu_kernel<F: Fma>(x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    rows(x, bias, out, gelu::<F>);
}

#[inline(always)]
fn gelu_tanh_kernel<F: Fma>(x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    rows(x, bias, out, gelu_tanh::<F>);
}

#[inline(always)]
fn relu_kernel<F: Fma>(x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    rows(x, bias, out, |x| if x > 0.0 { (x, 1.0) } else { (0.0, 0.0) });
}

#[inline(always)]
fn rows(x: &mut [f32], bias: &[f32], out: &mut [f32], f: impl Fn(f32) -> (f32, f32)) {
    let width = bias.len();
    for (x, out) in x.chunks_exact_mut(width).zip(out.chunks_exact_mut(width)) {
        for i in 0..width {
            (out[i], x[i]) = f(x[i] + bias[i]);
        }
    }
}

/// `d` (rows, width) times the derivatives, in place, and its column sums added to `dbias`.
pub(crate) fn activate_backward(cpu: Cpu, d: &mut [f32], derivatives: &[f32], dbias: &mut [f32]) {
    dispatch!(cpu, backward_kernel(d, derivatives, dbias));
}

#[inline(always)]
fn backward_kernel<F: Fma>(d: &mut [f32], derivatives: &[f32], dbias: &mut [f32]) {
    let width = dbias.len();
    for (d, derivatives) in d.chunks_exact_mut(width).zip(derivatives.chunks_exact(width)) {
        for i in 0..width {
            d[i] *= derivatives[i];
            dbias[i] += d[i];
        }
    }
}
