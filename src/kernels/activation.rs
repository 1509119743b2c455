//! Bias and activation function of the feed-forward network in one pass.

use super::math::{gelu, gelu_tanh};
use super::norm::DropoutMask;
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

/// `out` = mask ⊙ f(a) ⊙ g, where a and g are the halves of the rows of x + bias; these are replaced by the derivatives
/// with respect to a and g. `x` is (rows, 2 width), `bias` (2 width), `out` (rows, width).
pub fn activate_gated(
    cpu: Cpu,
    function: Activation,
    x: &mut [f32],
    (bias, mask): (&[f32], DropoutMask<'_>),
    out: &mut [f32],
) {
    match function {
        Activation::Gelu => dispatch!(cpu, gated_gelu_kernel(x, bias, mask, out)),
        Activation::GeluTanh => dispatch!(cpu, gated_gelu_tanh_kernel(x, bias, mask, out)),
        Activation::Relu => dispatch!(cpu, gated_relu_kernel(x, bias, mask, out)),
    }
}

#[inline(always)]
fn gated_gelu_kernel<F: Fma>(x: &mut [f32], bias: &[f32], mask: DropoutMask<'_>, out: &mut [f32]) {
    map_gated_rows(x, bias, mask, out, gelu::<F>);
}

#[inline(always)]
fn gated_gelu_tanh_kernel<F: Fma>(x: &mut [f32], bias: &[f32], mask: DropoutMask<'_>, out: &mut [f32]) {
    map_gated_rows(x, bias, mask, out, gelu_tanh::<F>);
}

#[inline(always)]
fn gated_relu_kernel<F: Fma>(x: &mut [f32], bias: &[f32], mask: DropoutMask<'_>, out: &mut [f32]) {
    map_gated_rows(x, bias, mask, out, |x| if x > 0.0 { (x, 1.0) } else { (0.0, 0.0) });
}

/// Applies `f`, which returns value and derivative, to the first half of each row.
#[inline(always)]
fn map_gated_rows(
    x: &mut [f32],
    bias: &[f32],
    mask: DropoutMask<'_>,
    out: &mut [f32],
    f: impl Fn(f32) -> (f32, f32),
) {
    let width = bias.len() / 2;
    let (bias_a, bias_g) = bias.split_at(width);
    let bias_g = &bias_g[..width];
    let mut factors = vec![0.0; width];
    for (row, (x, out)) in x.chunks_exact_mut(2 * width).zip(out.chunks_exact_mut(width)).enumerate() {
        mask.fill(row, &mut factors);
        let factors = &factors[..width];
        let (a, g) = x.split_at_mut(width);
        let g = &mut g[..width];
        for i in 0..width {
            let (value, derivative) = f(a[i] + bias_a[i]);
            let (gate, value) = ((g[i] + bias_g[i]) * factors[i], value * factors[i]);
            out[i] = value * (g[i] + bias_g[i]);
            (a[i], g[i]) = (derivative * gate, value);
        }
    }
}

/// The backward pass of [`activate_gated`]: `act_grad` (rows, 2 width), the derivatives, becomes the gradient of x for
/// the gradient `d` (rows, width) of its result.
pub fn activate_gated_backward(cpu: Cpu, d: &[f32], act_grad: &mut [f32], width: usize) {
    dispatch!(cpu, gated_backward_kernel(d, act_grad, width));
}

#[inline(always)]
fn gated_backward_kernel<F: Fma>(d: &[f32], act_grad: &mut [f32], width: usize) {
    for (d, x) in d.chunks_exact(width).zip(act_grad.chunks_exact_mut(2 * width)) {
        let (a, g) = x.split_at_mut(width);
        let g = &mut g[..width];
        for i in 0..width {
            a[i] *= d[i];
            g[i] *= d[i];
        }
    }
}
