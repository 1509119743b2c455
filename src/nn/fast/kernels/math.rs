//! Functions of one number without branches, so that loops over them become vectors.

use super::Fma;

/// eˣ to a relative 2e-7; below -87 it is the smallest that a normal number can be.
///
/// Range reduction and coefficients: Moshier, Cephes library, `expf`.
#[inline(always)]
pub(crate) fn exp<F: Fma>(x: f32) -> f32 {
    // Adding and subtracting it leaves the nearest whole number, also in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.3, 88.3);
    let shifted = F::fma(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let r = F::fma(whole, -LN2_LOW, F::fma(whole, -LN2_HIGH, x));
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = F::fma(p, r, coefficient);
    }
    let value = F::fma(p, r * r, r) + 1.0;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    value * f32::from_bits(power)
}

/// x Φ(x) and its derivative Φ(x) + x φ(x).
///
/// Φ comes from the error function of Abramowitz and Stegun, 7.1.26, to 1e-7; its exponential is that of
/// φ, so one serves both.
#[inline(always)]
pub(crate) fn gelu<F: Fma>(x: f32) -> (f32, f32) {
    const DENSITY_AT_0: f32 = 0.398_942_3;
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let bell = exp::<F>(-z * z);
    let t = 1.0 / F::fma(0.327_591_1, z, 1.0);
    let mut p = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        p = F::fma(p, t, coefficient);
    }
    let tail = 0.5 * p * t * bell;
    let phi = if x < 0.0 { tail } else { 1.0 - tail };
    (x * phi, F::fma(x * DENSITY_AT_0, bell, phi))
}

/// The approximation of [`gelu`] by tanh, and its derivative.
#[inline(always)]
pub(crate) fn gelu_tanh<F: Fma>(x: f32) -> (f32, f32) {
    const ROOT: f32 = 0.797_884_6;
    let square = x * x;
    let inner = ROOT * x * F::fma(0.044_715, square, 1.0);
    // tanh(u) = 1 - 2 / (e²ᵘ + 1), which is right at both ends too.
    let tanh = 1.0 - 2.0 / (exp::<F>(2.0 * inner) + 1.0);
    let slope = ROOT * F::fma(3.0 * 0.044_715, square, 1.0);
    let value = 0.5 * x * (1.0 + tanh);
    (value, F::fma(0.5 * x * (1.0 - tanh * tanh), slope, 0.5 * (1.0 + tanh)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::fast::kernels::{Fused, Separate};

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=20_000).map(move |i| from + (to - from) * i as f32 / 20_000.0)
    }

    #[test]
    fn exp_is_right_to_the_last_digits() {
        for x in grid(-87.0, 88.0) {
            let expected = f64::from(x).exp();
            for found in [exp::<Fused>(x), exp::<Separate>(x)] {
                let error = (f64::from(found) - expected).abs() / expected;
                assert!(error < 2e-7, "exp({x}) is {found}, off by {error:e}");
            }
        }
        assert_eq!(exp::<Fused>(0.0), 1.0);
        assert!(exp::<Fused>(-1e30) < 2e-38 && exp::<Fused>(f32::NEG_INFINITY) < 2e-38);
        assert!(exp::<Fused>(f32::NAN).is_nan());
    }

    /// The error function by its series, which converges everywhere.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-17 * sum.abs() {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn gelu_and_its_derivative() {
        for x in grid(-5.0, 5.0) {
            let wide = f64::from(x);
            let phi = 0.5 * (1.0 + erf(wide * std::f64::consts::FRAC_1_SQRT_2));
            let density = (-0.5 * wide * wide).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let (value, slope) = gelu::<Fused>(x);
            assert!((f64::from(value) - wide * phi).abs() < 6e-7, "{x}: {value}");
            assert!((f64::from(slope) - (phi + wide * density)).abs() < 6e-7, "{x}: {slope}");
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
            let (value, slope) = gelu_tanh::<Separate>(x);
            assert!((f64::from(value) - 0.5 * wide * (1.0 + inner.tanh())).abs() < 6e-7, "{x}: {value}");
            let h = 1e-3;
            let (up, down) = (gelu_tanh::<Fused>(x + h).0, gelu_tanh::<Fused>(x - h).0);
            assert!((slope - (up - down) / (2.0 * h)).abs() < 1e-3, "{x}: {slope}");
        }
        assert!(gelu::<Fused>(-40.0).0.abs() < 1e-37);
        assert_eq!(gelu::<Fused>(40.0), (40.0, 1.0));
    }
}
