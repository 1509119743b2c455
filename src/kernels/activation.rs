//! Bias and activation function of the feed-forward network in one pass.

use super::math::{gelu, gelu_tanh};
use super::{Cpu, Fma, dispatch};

/// Activation function of the feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x Φ(x), computed with the error function.
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// max(x, 0).
    Relu,
}

/// `out` = f(x + bias); `x` is replaced by the derivative f'(x + bias). `x` and `out` are (rows, width), `bias`
/// (width).
pub fn activate(cpu: Cpu, function: Activation, x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    match function {
        Activation::Gelu => dispatch!(cpu, gelu_kernel(x, bias, out)),
        Activation::GeluTanh => dispatch!(cpu, gelu_tanh_kernel(x, bias, out)),
        Activation::Relu => dispatch!(cpu, relu_kernel(x, bias, out)),
    }
}

#[inline(always)]
fn gelu_kernel<F: Fma>(x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    map_rows(x, bias, out, gelu::<F>);
}

#[inline(always)]
fn gelu_tanh_kernel<F: Fma>(x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    map_rows(x, bias, out, gelu_tanh::<F>);
}

#[inline(always)]
fn relu_kernel<F: Fma>(x: &mut [f32], bias: &[f32], out: &mut [f32]) {
    map_rows(x, bias, out, |x| if x > 0.0 { (x, 1.0) } else { (0.0, 0.0) });
}

/// Applies `f`, which returns value and derivative, to each element.
#[inline(always)]
fn map_rows(x: &mut [f32], bias: &[f32], out: &mut [f32], f: impl Fn(f32) -> (f32, f32)) {
    let width = bias.len();
    for (x, out) in x.chunks_exact_mut(width).zip(out.chunks_exact_mut(width)) {
        for i in 0..width {
            (out[i], x[i]) = f(x[i] + bias[i]);
        }
    }
}

/// The backward pass of [`activate`]: d ← d ⊙ act_grad (rows, width), and d_bias += Σ_rows d (width).
pub fn activate_backward(cpu: Cpu, d: &mut [f32], act_grad: &[f32], d_bias: &mut [f32]) {
    dispatch!(cpu, backward_kernel(d, act_grad, d_bias));
}

#[inline(always)]
fn backward_kernel<F: Fma>(d: &mut [f32], act_grad: &[f32], d_bias: &mut [f32]) {
    let width = d_bias.len();
    for (d, act_grad) in d.chunks_exact_mut(width).zip(act_grad.chunks_exact(width)) {
        for i in 0..width {
            d[i] *= act_grad[i];
            d_bias[i] += d[i];
        }
    }
}
