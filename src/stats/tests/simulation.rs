//! The simulated type I error of the rules: how often recipes with the same score are found to be different.
//!
//! A row is right if its easiness, the error of the recipe on it, the error of the seed and the error of the seed on it
//! are positive together. Both sides are evaluated on the same rows, which are drawn again in each simulation.

use crate::stats::bootstrap::{Resampler, p_value};
use crate::stats::{McNemar, RandomEffects, SIGNIFICANCE_LEVEL, SeedScores, spending_levels};
use kernels::rng::{Rng, Stream};

/// The standard deviations of the errors.
#[derive(Debug, Clone, Copy)]
struct Errors {
    /// Of the recipe on a row, the same for all its seeds.
    recipe: f64,
    /// Of a seed on all rows.
    seed: f64,
    /// Of a seed on a row.
    row: f64,
}

/// Seeds vary by single rows, as a whole, or hardly at all beside the rows on which the recipes differ.
const ERRORS: [Errors; 3] = [
    Errors { recipe: 0.0, seed: 0.05, row: 0.5 },
    Errors { recipe: 0.3, seed: 0.3, row: 0.3 },
    Errors { recipe: 0.6, seed: 0.02, row: 0.2 },
];
const ROWS: usize = 200;
/// The requirement on the type I error of a test at 5 %.
const MAX_TYPE_I_ERROR: f64 = 0.055;
/// The bound that `docs/comparison.md` gives for a test at 5 % with a plan after it.
const MAX_TYPE_I_ERROR_BEFORE_A_PLAN: f64 = 0.065;

/// 10,000 simulations, or fewer in the short form.
fn simulations() -> u32 {
    if std::env::var_os("GLUE_TUI_LONG_TESTS").is_some() { 10_000 } else { 1_000 }
}

/// The highest share of rejections that is allowed: in the short form with three standard errors more than `bound`.
fn allowed(simulations: u32, bound: f64) -> f64 {
    let error = (SIGNIFICANCE_LEVEL * (1.0 - SIGNIFICANCE_LEVEL) / f64::from(simulations)).sqrt();
    if simulations >= 10_000 { bound } else { bound + 3.0 * error }
}

/// Whether each row (1 or 0) is right with each seed of a side.
type Side = Vec<Vec<f64>>;

/// Both sides with `seeds` seeds in simulation number `simulation`.
fn draw(errors: Errors, seeds: usize, simulation: u32) -> [Side; 2] {
    let rng = Rng::new(11, Stream::Sample);
    let mut index = 0;
    let mut normal = || {
        index += 1;
        rng.normal(simulation, 0, index)
    };
    let easiness: Vec<f64> = (0..ROWS).map(|_| 2.0 * normal() + 2.0).collect();
    [(); 2].map(|()| {
        let of_recipe: Vec<f64> =
            easiness.iter().map(|easiness| easiness + errors.recipe * normal()).collect();
        let mut of_seed = |_| {
            let shift = errors.seed * normal();
            let is_right =
                |easiness: &f64| f64::from(u8::from(easiness + shift + errors.row * normal() > 0.0));
            of_recipe.iter().map(is_right).collect()
        };
        (0..seeds).map(&mut of_seed).collect()
    })
}

/// The random effects of the first `seeds` seeds of each side.
fn effects([a, b]: &[Side; 2], seeds: usize) -> RandomEffects {
    let means = |side: &Side| -> Vec<f64> {
        side[..seeds].iter().map(|rows| rows.iter().sum::<f64>() / ROWS as f64).collect()
    };
    let (means_a, means_b) = (means(a), means(b));
    let side = |values, rows| SeedScores { values, replicates: rows, divisor: ROWS as f64 };
    RandomEffects::of(side(&means_a, &a[..seeds]), side(&means_b, &b[..seeds]), ROWS)
}

fn is_different(effects: &RandomEffects, level: f64) -> bool {
    effects.difference.abs() > effects.half_width(level)
}

#[track_caller]
fn assert_type_i_error(what: &str, rejections: u32, simulations: u32) {
    assert_rejections(what, rejections, simulations, MAX_TYPE_I_ERROR);
}

#[track_caller]
fn assert_rejections(what: &str, rejections: u32, simulations: u32, bound: f64) {
    let share = f64::from(rejections) / f64::from(simulations);
    println!("{what}: {:.2} % of {simulations} simulations", 100.0 * share);
    assert!(share <= allowed(simulations, bound), "{what}: {share}");
}

#[test]
fn type_i_error_of_the_fixed_rule() {
    let simulations = simulations();
    for errors in ERRORS {
        for seeds in [2, 3, 5] {
            let is_rejected = |simulation: &u32| {
                is_different(&effects(&draw(errors, seeds, *simulation), seeds), SIGNIFICANCE_LEVEL)
            };
            let rejections = (0..simulations).filter(is_rejected).count() as u32;
            assert_type_i_error(&format!("fixed, {seeds} seeds, {errors:?}"), rejections, simulations);
        }
    }
}

#[test]
fn type_i_error_of_the_sequential_rule() {
    let simulations = simulations();
    for errors in ERRORS {
        for (first, last) in [(2, 8), (4, 8)] {
            let looks: Vec<usize> = (first..=last).collect();
            let fractions: Vec<f64> = looks.iter().map(|look| *look as f64 / last as f64).collect();
            let levels = spending_levels(&fractions, SIGNIFICANCE_LEVEL);
            let (mut by_plan, mut by_either) = (0, 0);
            for simulation in 0..simulations {
                let sides = draw(errors, last, simulation);
                let is_rejected =
                    |(look, level): (&usize, &f64)| is_different(&effects(&sides, *look), *level);
                let is_by_plan = looks.iter().zip(&levels).any(is_rejected);
                by_plan += u32::from(is_by_plan);
                by_either += u32::from(is_by_plan || is_rejected((&first, &SIGNIFICANCE_LEVEL)));
            }
            let what = format!("sequential, {first} to {last} seeds, {errors:?}");
            assert_type_i_error(&what, by_plan, simulations);
            let what = format!("fixed or {what}");
            assert_rejections(&what, by_either, simulations, MAX_TYPE_I_ERROR_BEFORE_A_PLAN);
        }
    }
}

/// Two models that differ in nothing but their errors on the rows.
#[test]
fn type_i_error_of_the_tests_of_two_models() {
    let simulations = simulations();
    let (mut mcnemar, mut bootstrap) = (0, 0);
    let errors = Errors { recipe: 0.0, seed: 0.0, row: 0.5 };
    for simulation in 0..simulations {
        let [a, b] = draw(errors, 1, simulation);
        let is_right = |row: usize| (a[0][row] == 1.0, b[0][row] == 1.0);
        mcnemar += u32::from(McNemar::of((0..ROWS).map(is_right)).p_value() <= SIGNIFICANCE_LEVEL);
        // The accuracy on the rows with odd numbers, as an example of another metric.
        let difference = |rows: &[u32]| {
            let odd = rows.iter().filter(|row| **row % 2 == 1).map(|row| *row as usize);
            let (mut sum, mut count) = (0.0, 0.0);
            odd.for_each(|row| {
                sum += a[0][row] - b[0][row];
                count += 1.0;
            });
            Some(sum / count)
        };
        let resampler = Resampler::new(u64::from(simulation), ROWS as u32);
        let differences = resampler.replicates(400, difference).unwrap();
        bootstrap += u32::from(p_value(&differences) <= SIGNIFICANCE_LEVEL);
    }
    assert_type_i_error("McNemar", mcnemar, simulations);
    assert_type_i_error("paired bootstrap", bootstrap, simulations);
}
