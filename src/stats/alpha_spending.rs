//! Levels for repeated looks at a growing sample.

use super::distribution::{normal_critical, normal_density, normal_tail};

/// Points of the grid of the numerical integration.
const POINTS: usize = 801;
/// Halvings of the interval of a boundary.
const HALVINGS: usize = 60;
/// No boundary is above this z-score.
const MAX_Z: f64 = 15.0;

/// The two-sided significance level of each look, so that a test at these levels has the type I error `alpha` over all
/// looks. `fractions` are the shares of the final information at the looks, ascending, the last one 1.
///
/// The O'Brien–Fleming spending function α*(t) = 4·(1 − Φ(z/√t)) with z = Φ⁻¹(1 − α/4) spends little at early looks.
/// Boundaries come from the recursive integration of Armitage, McPherson and Rowe for sums with independent increments.
/// Looks at the same rows are correlated more than that, so that the type I error is then below `alpha`.
///
/// Sources: Lan and DeMets, "Discrete sequential boundaries for clinical trials" (1983); Jennison and Turnbull, "Group
/// Sequential Methods with Applications to Clinical Trials" (2000), chapters 7 and 19. The levels are applied to
/// p-values of Student's t, their section 3.8.
pub fn spending_levels(fractions: &[f64], alpha: f64) -> Vec<f64> {
    let z = normal_critical(alpha / 2.0);
    let spent = |fraction: f64| 4.0 * normal_tail(z / fraction.sqrt());
    let mut levels = Vec::new();
    let mut density = Density::default();
    let mut before = 0.0;
    for fraction in fractions {
        let fraction = fraction.clamp(f64::MIN_POSITIVE, 1.0);
        let level = (spent(fraction) - spent(before)).max(0.0);
        let step = fraction - before;
        // Without new information there is nothing to spend.
        let boundary = if step <= 0.0 { MAX_Z } else { density.boundary(fraction, step, level) };
        levels.push(2.0 * normal_tail(boundary));
        if step > 0.0 {
            density = density.next(boundary * fraction.sqrt(), step);
            before = fraction;
        }
    }
    levels
}

/// The density of the sum S = Z·√t at a look, where no earlier look has ended the test.
#[derive(Default)]
struct Density {
    /// Points at the same distance from each other, and the density there times the weight of the point. None at first,
    /// when S is 0.
    points: Vec<(f64, f64)>,
}

impl Density {
    /// The boundary of |Z| at a look with this fraction of the information, `step` more than before, that is crossed
    /// with probability `level`.
    fn boundary(&self, fraction: f64, step: f64, level: f64) -> f64 {
        let crossing = |z: f64| {
            let bound = z * fraction.sqrt();
            let beyond = |from: f64| normal_tail((bound - from) / step.sqrt());
            if self.points.is_empty() {
                return 2.0 * beyond(0.0);
            }
            // Both tails are equally likely.
            2.0 * self.points.iter().map(|(at, mass)| mass * beyond(*at)).sum::<f64>()
        };
        let (mut low, mut high) = (0.0, MAX_Z);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if crossing(middle) > level { low = middle } else { high = middle }
        }
        high
    }

    /// The density at the next look, between −`bound` and `bound`.
    fn next(&self, bound: f64, step: f64) -> Density {
        let width = 2.0 * bound / (POINTS - 1) as f64;
        let sd = step.sqrt();
        let density = |x: f64| {
            if self.points.is_empty() {
                return normal_density(x, sd);
            }
            self.points.iter().map(|(at, mass)| mass * normal_density(x - at, sd)).sum()
        };
        let point = |index: usize| {
            let x = -bound + width * index as f64;
            // The trapezoidal rule.
            let weight = if index == 0 || index + 1 == POINTS { width / 2.0 } else { width };
            (x, weight * density(x))
        };
        Density { points: (0..POINTS).map(point).collect() }
    }
}
