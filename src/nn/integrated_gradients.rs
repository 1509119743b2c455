//! Integrated gradients: how much each token of an input contributes to a logit (Sundararajan et al. 2017,
//! "Axiomatic Attribution for Deep Networks", <https://arxiv.org/abs/1703.01365>).
//!
//! The word embeddings move along a straight line from those of a baseline (α = 0) to those of the input (α = 1).
//! The attribution of a token is the integral over α of the gradient of the logit with respect to that token's
//! α. The attributions of all tokens sum to the logit of the input minus that of the baseline.

use super::engine::{Engine, Interpolation};
use crate::batch::{Batch, Encoded};
use crate::error::Result;

/// Most tokens of a batch of interpolated inputs. Larger batches are hardly faster and delay cancellation.
const MAX_TOKENS: usize = 512;

/// Attribution of each token of `input` to the logit of `class`, relative to the word ids `baseline` (tokens), by
/// Gauss–Legendre quadrature with `points` points: (tokens). `should_continue` is called between batches; when it
/// returns `false`, the result is `None`.
///
/// # Errors
/// Those of [`Engine::input_gradients`]: a token id or a class that the model does not have.
pub fn integrated_gradients(
    engine: &mut dyn Engine,
    (input, baseline): (&Encoded, &[u32]),
    class: usize,
    points: usize,
    should_continue: &mut dyn FnMut() -> bool,
) -> Result<Option<Vec<f64>>> {
    let length = input.ids.len();
    let mut attributions = vec![0.0; length];
    for points in gauss_legendre(points).chunks((MAX_TOKENS / length.max(1)).max(1)) {
        if !should_continue() {
            return Ok(None);
        }
        let batch = Batch::new(std::iter::repeat_n(input, points.len()));
        let baseline_ids = baseline.repeat(points.len());
        let alphas: Vec<f32> =
            points.iter().flat_map(|(alpha, _)| std::iter::repeat_n(*alpha as f32, length)).collect();
        let interpolation = Interpolation { batch: &batch, baseline_ids: &baseline_ids, alphas: &alphas };
        let gradients = engine.input_gradients(interpolation, class)?.alpha_grads;
        for ((_, weight), gradients) in points.iter().zip(gradients.chunks_exact(length)) {
            for (attribution, gradient) in attributions.iter_mut().zip(gradients) {
                *attribution += weight * f64::from(*gradient);
            }
        }
    }
    Ok(Some(attributions))
}

/// Points and weights of Gauss–Legendre quadrature with n = `count` points on [0, 1], which is exact for
/// polynomials of degree up to 2n − 1. The points are the roots of the n-th Legendre polynomial, found by Newton's
/// method (Abramowitz and Stegun, 25.4.30).
fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    // The polynomial and its derivative at x, by Bonnet's recursion.
    let legendre = |x: f64| {
        let (mut previous, mut current) = (1.0, x);
        for n in 2..=count {
            let n = n as f64;
            (previous, current) = (current, ((2.0 * n - 1.0) * x * current - (n - 1.0) * previous) / n);
        }
        (current, count as f64 * (x * current - previous) / (x * x - 1.0))
    };
    let point = |index: usize| {
        let mut x = -(std::f64::consts::PI * (index as f64 + 0.75) / (count as f64 + 0.5)).cos();
        for _ in 0..8 {
            let (value, derivative) = legendre(x);
            x -= value / derivative;
        }
        let derivative = legendre(x).1;
        (0.5 * (x + 1.0), 1.0 / ((1.0 - x * x) * derivative * derivative))
    };
    (0..count).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.polynomial.legendre.leggauss(3)`, mapped to [0, 1]; then monomials, whose integrals are known.
    #[test]
    fn quadrature_matches_numpy_and_is_exact_for_polynomials() {
        let three = gauss_legendre(3);
        let expected = [
            (0.112_701_665_379_258_3, 0.277_777_777_777_777_8),
            (0.5, 0.444_444_444_444_444_4),
            (0.887_298_334_620_741_7, 0.277_777_777_777_777_8),
        ];
        for ((x, w), (expected_x, expected_w)) in three.iter().zip(expected) {
            assert!((x - expected_x).abs() < 1e-14 && (w - expected_w).abs() < 1e-14, "{three:?}");
        }
        for count in [1, 2, 5, 16, 32, 64] {
            let points = gauss_legendre(count);
            assert!(
                points.is_sorted_by(|a, b| a.0 < b.0) && points.iter().all(|(x, _)| *x > 0.0 && *x < 1.0)
            );
            for power in 0..2 * count as i32 {
                let sum: f64 = points.iter().map(|(x, weight)| weight * x.powi(power)).sum();
                assert!((sum - 1.0 / f64::from(power + 1)).abs() < 1e-12, "{count} points, power {power}");
            }
        }
    }
}
