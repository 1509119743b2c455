//! AdamW as in `torch.optim.AdamW` (Loshchilov and Hutter 2017, <https://arxiv.org/abs/1711.05101>), in one pass over
//! weights, gradients and moments.

use super::{Cpu, Fma, dispatch, sum};

/// Parameters of update n, the same for a range of weights.
#[derive(Debug, Clone, Copy)]
pub struct AdamWStep {
    /// 1 − β₁
    pub one_minus_beta1: f32,
    /// β₂
    pub beta2: f32,
    /// 1 − β₂
    pub one_minus_beta2: f32,
    /// 1 − learning rate · weight decay; 1 without weight decay.
    pub decay_factor: f32,
    /// learning rate / (1 − β₁ⁿ)
    pub step_size: f32,
    /// √(1 − β₂ⁿ)
    pub bias_correction2_sqrt: f32,
    /// Added to the denominator.
    pub epsilon: f32,
    /// Factor of the gradients that clips their global norm.
    pub grad_scale: f32,
}

/// Weights with their moments: (n) each.
pub struct ParamSlices<'a> {
    /// The weights w.
    pub weight: &'a mut [f32],
    /// The moving average m of the gradients.
    pub first_moment: &'a mut [f32],
    /// The moving average v of the squared gradients.
    pub second_moment: &'a mut [f32],
}

/// With g = grad_scale · gradient:
/// m ← m + (1 − β₁)(g − m), v ← β₂ v + (1 − β₂) g²,
/// w ← decay_factor · w − step_size · m / (√v / bias_correction2_sqrt + ε)
pub fn adamw(cpu: Cpu, params: ParamSlices<'_>, gradient: &[f32], step: AdamWStep) {
    let ParamSlices { weight, first_moment, second_moment } = params;
    dispatch!(cpu, adamw_kernel(weight, first_moment, second_moment, gradient, step));
}

#[inline(always)]
fn adamw_kernel<F: Fma>(w: &mut [f32], m: &mut [f32], v: &mut [f32], gradient: &[f32], step: AdamWStep) {
    let n = gradient.len();
    let (w, m, v) = (&mut w[..n], &mut m[..n], &mut v[..n]);
    let AdamWStep { one_minus_beta1, beta2, one_minus_beta2, decay_factor, step_size, .. } = step;
    let AdamWStep { bias_correction2_sqrt, epsilon, grad_scale, .. } = step;
    for i in 0..n {
        let g = gradient[i] * grad_scale;
        let first = F::fma(one_minus_beta1, g - m[i], m[i]);
        let second = F::fma(beta2, v[i], one_minus_beta2 * g * g);
        m[i] = first;
        v[i] = second;
        w[i] = decay_factor * w[i] - step_size * (first / (second.sqrt() / bias_correction2_sqrt + epsilon));
    }
}

/// The exponential moving average of the weights: average ← average + `one_minus_decay` (weights − average). As
/// `torch.optim.swa_utils.get_ema_multi_avg_fn`, with a fused multiplication where the machine has one.
pub fn update_average(cpu: Cpu, average: &mut [f32], weights: &[f32], one_minus_decay: f32) {
    dispatch!(cpu, average_kernel(average, weights, one_minus_decay));
}

#[inline(always)]
fn average_kernel<F: Fma>(average: &mut [f32], weights: &[f32], one_minus_decay: f32) {
    for (average, weight) in average.iter_mut().zip(weights) {
        *average = F::fma(one_minus_decay, weight - *average, *average);
    }
}

/// Σ x²
pub fn sum_of_squares(cpu: Cpu, x: &[f32]) -> f64 {
    dispatch!(cpu, squares_kernel(x))
}

#[inline(always)]
fn squares_kernel<F: Fma>(x: &[f32]) -> f64 {
    // Sums of short pieces in f32, the total in f64.
    x.chunks(1024).map(|piece| f64::from(sum(piece, piece, |a, b| a * b))).sum()
}

/// `total` += `x`
pub fn add_assign(cpu: Cpu, total: &mut [f32], x: &[f32]) {
    dispatch!(cpu, add_kernel(total, x));
}

#[inline(always)]
fn add_kernel<F: Fma>(total: &mut [f32], x: &[f32]) {
    for (total, x) in total.iter_mut().zip(x) {
        *total += x;
    }
}
