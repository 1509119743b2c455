//! AdamW as `torch.optim.AdamW`, one pass over weight, gradient and both moments.

use super::{Cpu, Fma, dispatch, sum};

/// Numbers of one update that are the same for a range of weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update {
    /// 1 - beta1
    pub(crate) first_gain: f32,
    /// beta2
    pub(crate) second_keep: f32,
    /// 1 - beta2
    pub(crate) second_gain: f32,
    /// 1 - learning rate · weight decay, or 1 where no decay applies.
    pub(crate) decay: f32,
    /// learning rate / (1 - beta1ⁿ)
    pub(crate) step: f32,
    /// √(1 - beta2ⁿ)
    pub(crate) root: f32,
    /// What the divisor is at least.
    pub(crate) epsilon: f32,
    /// What gradients are multiplied by to clip them.
    pub(crate) scale: f32,
}

/// Weights with their moments: (n) each.
pub(crate) struct Moving<'a> {
    pub(crate) weight: &'a mut [f32],
    pub(crate) first: &'a mut [f32],
    pub(crate) second: &'a mut [f32],
}

/// m ← m + (1 - beta1)(g - m), v ← beta2 v + (1 - beta2) g², w ← decay w - step m / (√v / root + epsilon)
pub(crate) fn adamw(cpu: Cpu, moving: Moving<'_>, gradient: &[f32], update: Update) {
    let Moving { weight, first, second } = moving;
    dispatch!(cpu, adamw_kernel(weight, first, second, gradient, update));
}

#[inline(always)]
fn adamw_kernel<F: Fma>(
    weight: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    gradient: &[f32],
    update: Update,
) {
    let n = gradient.len();
    let (weight, first, second) = (&mut weight[..n], &mut first[..n], &mut second[..n]);
    let Update { first_gain, second_keep, second_gain, decay, step, root, epsilon, scale } = update;
    for i in 0..n {
        let g = gradient[i] * scale;
        let m = F::fma(first_gain, g - first[i], first[i]);
        let v = F::fma(second_keep, second[i], second_gain * g * g);
        first[i] = m;
        second[i] = v;
        weight[i] = decay * weight[i] - step * (m / (v.sqrt() / root + epsilon));
    }
}

/// Sum of squares.
pub(crate) fn sum_of_squares(cpu: Cpu, x: &[f32]) -> f64 {
    dispatch!(cpu, squares_kernel(x))
}

#[inline(always)]
fn squares_kernel<F: Fma>(x: &[f32]) -> f64 {
    // Short pieces in f32, their sums in f64.
    x.chunks(1024).map(|piece| f64::from(sum(piece, piece, |a, b| a * b))).sum()
}

/// `total` += `x`
pub(crate) fn add(cpu: Cpu, total: &mut [f32], x: &[f32]) {
    dispatch!(cpu, add_kernel(total, x));
}

#[inline(always)]
fn add_kernel<F: Fma>(total: &mut [f32], x: &[f32]) {
    for (total, x) in total.iter_mut().zip(x) {
        *total += x;
    }
}
