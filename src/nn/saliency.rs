//! How much each token of an input moved a logit: integrated gradients (Sundararajan et al. 2017, "Axiomatic
//! Attribution for Deep Networks").
//!
//! The words go in a straight line from those of a baseline to those of the input. For each token, the gradient
//! of the logit along that line is added up: what the token adds to the logit. All tokens together come to the
//! logit of the input less that of the baseline.

use super::engine::{Engine, Interpolation};
use crate::batch::{Batch, Encoded};
use crate::error::Result;

/// Tokens of all points that are worked on at once. More are hardly faster, and a person who types on waits for
/// them.
const TOKENS: usize = 512;

/// What each token of `input` adds to the logit of `class`, against the words of `baseline` (tokens), from
/// `points` points of a Gauss–Legendre sum: (tokens). Nothing when `go_on`, which is asked again and again, says
/// no.
///
/// # Errors
/// What the engine refuses: ids that the model does not have, a class that it does not have.
pub fn integrated_gradients(
    engine: &mut dyn Engine,
    (input, baseline): (&Encoded, &[u32]),
    class: usize,
    points: usize,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Vec<f64>>> {
    let length = input.ids.len();
    let mut sums = vec![0.0; length];
    for points in gauss_legendre(points).chunks((TOKENS / length.max(1)).max(1)) {
        if !go_on() {
            return Ok(None);
        }
        let batch = Batch::new(std::iter::repeat_n(input, points.len()));
        let others = baseline.repeat(points.len());
        let shares: Vec<f32> =
            points.iter().flat_map(|(share, _)| std::iter::repeat_n(*share as f32, length)).collect();
        let slopes =
            engine.slopes(Interpolation { batch: &batch, others: &others, shares: &shares }, class)?.slopes;
        for ((_, weight), slopes) in points.iter().zip(slopes.chunks_exact(length)) {
            for (sum, slope) in sums.iter_mut().zip(slopes) {
                *sum += weight * f64::from(*slope);
            }
        }
    }
    Ok(Some(sums))
}

/// Points and weights of the sum of so many terms that is exact for polynomials of degree 2n − 1 over 0 … 1: the
/// roots of the n-th Legendre polynomial, by Newton's method.
fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    // The polynomial and its derivative, by Bonnet's recursion.
    let legendre = |x: f64| {
        let (mut before, mut here) = (1.0, x);
        for n in 2..=count {
            let n = n as f64;
            (before, here) = (here, ((2.0 * n - 1.0) * x * here - (n - 1.0) * before) / n);
        }
        (here, count as f64 * (x * here - before) / (x * x - 1.0))
    };
    let point = |number: usize| {
        let mut x = -(std::f64::consts::PI * (number as f64 + 0.75) / (count as f64 + 0.5)).cos();
        for _ in 0..8 {
            let (value, slope) = legendre(x);
            x -= value / slope;
        }
        let slope = legendre(x).1;
        (0.5 * (x + 1.0), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..count).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.polynomial.legendre.leggauss(3), moved to 0 … 1; then polynomials whose integrals are known.
    #[test]
    fn the_points_are_those_of_gauss_and_legendre() {
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
