//! Elementary functions without branches, so that loops over them can be vectorized.

use super::Fma;

/// eˣ with a relative error below 2e-7. x is clamped to [−87.3, 88.3], the range of normal results.
///
/// Range reduction x = n ln 2 + r and polynomial in r: `expf` of the Cephes library (Moshier).
#[inline(always)]
pub(crate) fn exp<F: Fma>(x: f32) -> f32 {
    // 1.5 · 2²³: adding it rounds to the nearest integer, which is then in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.3, 88.3);
    let shifted = F::fma(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = F::fma(n, -LN2_LOW, F::fma(n, -LN2_HIGH, x));
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
/// Φ is computed from the error function by Abramowitz and Stegun, 7.1.26, with an absolute error of about 1e-7. Its
/// exponential is also that of the density φ.
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

/// The tanh approximation of [`gelu`], 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), and its derivative.
#[inline(always)]
pub(crate) fn gelu_tanh<F: Fma>(x: f32) -> (f32, f32) {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    let square = x * x;
    let inner = SQRT_2_OVER_PI * x * F::fma(0.044_715, square, 1.0);
    // tanh(u) = 1 − 2 / (e²ᵘ + 1), which is exact at both ends too.
    let tanh = 1.0 - 2.0 / (exp::<F>(2.0 * inner) + 1.0);
    let d_inner = SQRT_2_OVER_PI * F::fma(3.0 * 0.044_715, square, 1.0);
    let value = 0.5 * x * (1.0 + tanh);
    (value, F::fma(0.5 * x * (1.0 - tanh * tanh), d_inner, 0.5 * (1.0 + tanh)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fused, Separate};

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=20_000).map(move |i| from + (to - from) * i as f32 / 20_000.0)
    }

    #[test]
    fn exp_matches_f64_to_2e_7() {
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

    /// The error function by its Taylor series, which converges everywhere.
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
    fn gelu_and_derivative_match_f64() {
        for x in grid(-5.0, 5.0) {
            let wide = f64::from(x);
            let phi = 0.5 * (1.0 + erf(wide * std::f64::consts::FRAC_1_SQRT_2));
            let density = (-0.5 * wide * wide).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let (value, derivative) = gelu::<Fused>(x);
            assert!((f64::from(value) - wide * phi).abs() < 6e-7, "{x}: {value}");
            assert!((f64::from(derivative) - (phi + wide * density)).abs() < 6e-7, "{x}: {derivative}");
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
            let (value, derivative) = gelu_tanh::<Separate>(x);
            assert!((f64::from(value) - 0.5 * wide * (1.0 + inner.tanh())).abs() < 6e-7, "{x}: {value}");
            let h = 1e-3;
            let (up, down) = (gelu_tanh::<Fused>(x + h).0, gelu_tanh::<Fused>(x - h).0);
            assert!((derivative - (up - down) / (2.0 * h)).abs() < 1e-3, "{x}: {derivative}");
        }
        assert!(gelu::<Fused>(-40.0).0.abs() < 1e-37);
        assert_eq!(gelu::<Fused>(40.0), (40.0, 1.0));
    }
}
