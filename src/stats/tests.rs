//! The tests of the statistics: values of SciPy and statsmodels, and simulations.

mod simulation;

use super::bootstrap::{Resampler, p_value, percentile_interval};
use super::random_effects::VarianceComponent;
use super::*;
use serde_json::Value;

/// The values that `tests/reference/make_statistics.py` writes.
fn golden(key: &str) -> Value {
    let golden: Value = serde_json::from_str(include_str!("../../tests/reference/statistics.json")).unwrap();
    golden[key].clone()
}

fn cases(key: &str) -> Vec<Value> {
    golden(key).as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, what: &Value) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{found}, {expected}: {what}");
}

#[track_caller]
fn assert_interval(found: ConfidenceInterval, expected: &Value) {
    assert_near(found.low, number(&expected[0]), expected);
    assert_near(found.high, number(&expected[1]), expected);
}

/// Values of rows or resamples that do not vary.
fn constant(seeds: usize) -> Vec<Vec<f64>> {
    vec![vec![0.0; 2]; seeds]
}

#[test]
fn mcnemar_equals_statsmodels_and_its_interval_agrees_with_it() {
    for case in cases("mcnemar") {
        let [only_a, only_b, rows] = ["only_a", "only_b", "rows"].map(|key| count(&case[key]));
        let test = McNemar { only_a, only_b, rows };
        assert_near(test.p_value(), number(&case["p_value"]), &case);
        assert_interval(test.clopper_pearson(), &case["clopper_pearson"]);
        assert_interval(test.bonett_price(), &case["bonett_price"]);
    }
    for rows in [60, 100, 1000] {
        for (only_a, only_b) in (0..30).flat_map(|a| (0..30).map(move |b| (a, b))) {
            let test = McNemar { only_a, only_b, rows };
            let (p, interval) = (test.p_value(), test.interval());
            assert_eq!(p <= SIGNIFICANCE_LEVEL, !interval.contains_zero(), "{test:?}: {p}, {interval:?}");
            let difference = (only_a as f64 - only_b as f64) / rows as f64;
            assert!(interval.low <= difference && difference <= interval.high, "{test:?}: {interval:?}");
        }
    }
    let rows = [(true, false), (true, true), (false, true), (true, false), (false, false)];
    assert_eq!(McNemar::of(rows), McNemar { only_a: 2, only_b: 1, rows: 5 });
}

#[test]
fn wilson_equals_statsmodels() {
    for case in cases("wilson") {
        let interval = wilson(number(&case["successes"]), count(&case["trials"])).unwrap();
        assert_interval(interval, &case["interval"]);
    }
    assert_eq!(wilson(0.0, 0), None);
}

#[test]
fn interval_of_a_correlation_equals_scipy() {
    for case in cases("pearson") {
        let interval = pearson_interval(number(&case["r"]), count(&case["rows"])).unwrap();
        assert_interval(interval, &case["interval"]);
    }
    assert_eq!((pearson_interval(0.5, 3), spearman_interval(f64::NAN, 9)), (None, None));
    // Bonett and Wright: tanh(artanh(0.5) ± 1.96 · √(1.125/97)).
    let interval = spearman_interval(0.5, 100).unwrap();
    assert!((interval.low - 0.326_5).abs() < 1e-3 && (interval.high - 0.641_7).abs() < 1e-3, "{interval:?}");
    assert_eq!(pearson_interval(1.0, 9), Some(ConfidenceInterval { low: 1.0, high: 1.0 }));
}

#[test]
fn seeds_without_variance_over_rows_are_welchs_test() {
    for case in cases("welch") {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let (rows_a, rows_b) = (constant(a.len()), constant(b.len()));
        let side = |values, replicates| SeedScores { values, replicates, divisor: 1.0 };
        let effects = RandomEffects::of(side(&a, &rows_a), side(&b, &rows_b), 2);
        assert_near(effects.p_value(), number(&case["p_value"]), &case);
        assert_near(effects.seeds.unwrap().degrees_of_freedom, number(&case["df"]), &case);
        assert_interval(effects.interval(), &case["interval"]);
    }
}

#[test]
fn one_seed_each_is_the_paired_t_test_over_rows() {
    let case = golden("paired_t");
    let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
    let mean = |values: &[f64]| vec![values.iter().sum::<f64>() / values.len() as f64];
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let (rows_a, rows_b) = (vec![a], vec![b]);
    let side = |values, replicates| SeedScores { values, replicates, divisor: 200.0 };
    let effects = RandomEffects::of(side(&mean_a, &rows_a), side(&mean_b, &rows_b), 200);
    assert_eq!(effects.seeds, None);
    assert_near(effects.p_value(), number(&case["p_value"]), &Value::Null);
    assert_interval(effects.interval(), &case["interval"]);
    assert_eq!(effects.further_seeds(&mean_a, &mean_b, 0.1), FurtherSeeds::Unknown);
}

#[test]
fn rows_and_seeds_add_up() {
    // Two seeds on a side, each with an error of its own on other rows: the rows that all seeds share do not count.
    let easy = |wrong: usize| (0..100).map(|row| f64::from(u8::from(row != wrong))).collect::<Vec<f64>>();
    let (rows_a, rows_b) = (vec![easy(0), easy(1)], vec![easy(2), easy(3)]);
    let (a, b) = ([0.99; 2], [0.99; 2]);
    let side = |values, replicates| SeedScores { values, replicates, divisor: 100.0 };
    let effects = RandomEffects::of(side(&a, &rows_a), side(&b, &rows_b), 100);
    assert!(effects.difference == 0.0 && effects.rows.variance < 1e-15, "{effects:?}");
    // Both seeds of A have the same errors, which those of B have not: only the rows vary.
    let wrong = |from: usize| {
        (0..100).map(|row| f64::from(u8::from(row < from || row >= from + 9))).collect::<Vec<f64>>()
    };
    let (rows_a, rows_b) = (vec![wrong(0), wrong(0)], vec![easy(50), easy(50)]);
    let (a, b) = ([0.91; 2], [0.99; 2]);
    let effects = RandomEffects::of(side(&a, &rows_a), side(&b, &rows_b), 100);
    let squares = 9.0 * (-1.0_f64 + 0.08).powi(2) + (1.0_f64 + 0.08).powi(2) + 90.0 * 0.08_f64.powi(2);
    assert_near(effects.rows.variance, squares / 99.0 / 100.0, &Value::Null);
    assert!(effects.p_value() > 0.005 && effects.p_value() < 0.02, "{}", effects.p_value());
    let interval = effects.interval();
    assert!(interval.low > -0.15 && interval.high < 0.0, "{interval:?}");
}

#[test]
fn p_value_and_interval_agree_for_both_components() {
    let component = |variance, degrees_of_freedom| VarianceComponent { variance, degrees_of_freedom };
    for (difference, seeds, rows) in [(1.0, 0.1, 0.1), (0.2, 0.05, 0.001), (3.0, 0.2, 0.9), (0.0, 0.1, 0.1)] {
        let effects =
            RandomEffects { difference, seeds: Some(component(seeds, 4.3)), rows: component(rows, 300.0) };
        let p = effects.p_value();
        assert_eq!(p <= SIGNIFICANCE_LEVEL, !effects.interval().contains_zero(), "{effects:?}: {p}");
        assert!((effects.half_width(p) - difference).abs() < 1e-6, "{effects:?}: {p}");
    }
    let none = RandomEffects { difference: 0.0, seeds: None, rows: component(0.0, 9.0) };
    assert_eq!((none.p_value(), none.interval().half_width()), (1.0, 0.0));
}

#[test]
fn bootstrap_equals_scipy_within_its_error() {
    let case = golden("bootstrap");
    let of = |key: &str| numbers(&case[key]).into_iter().map(|value| value == 1.0).collect::<Vec<bool>>();
    let (target, a, b) = (of("target"), of("a"), of("b"));
    let f1 = |predicted: &[bool], rows: &[u32]| {
        let count = |is: &dyn Fn(usize) -> bool| rows.iter().filter(|row| is(**row as usize)).count() as f64;
        2.0 * count(&|row| target[row] && predicted[row])
            / (count(&|row| target[row]) + count(&|row| predicted[row]))
    };
    let all: Vec<u32> = (0..400).collect();
    assert_near(f1(&a, &all) - f1(&b, &all), number(&case["difference"]), &Value::Null);
    let difference = |rows: &[u32]| Some(f1(&a, rows) - f1(&b, rows));
    let values = Resampler::new(1, 400).replicates(4000, difference).unwrap();
    assert_eq!(Some(&values), Resampler::new(1, 400).replicates(4000, difference).as_ref());
    let error = number(&case["standard_error"]);
    let interval = percentile_interval(&values).unwrap();
    // The standard error of a 2.5 % quantile of 4,000 values is 0.042 standard deviations.
    assert!((interval.low - number(&case["interval"][0])).abs() < 0.15 * error, "{interval:?}");
    assert!((interval.high - number(&case["interval"][1])).abs() < 0.15 * error, "{interval:?}");
    assert_eq!(p_value(&values) <= SIGNIFICANCE_LEVEL, !interval.contains_zero());
    assert_eq!((p_value(&[1.0; 99]), p_value(&[0.0; 9])), (0.02, 1.0));

    // Counts of (target, prediction) of A.
    let mut cells = [0; 4];
    target.iter().zip(&a).for_each(|(target, a)| cells[2 * usize::from(*target) + usize::from(*a)] += 1);
    let f1 = |cells: &[u64]| 2.0 * cells[3] as f64 / (2 * cells[3] + cells[1] + cells[2]) as f64;
    assert_near(f1(&cells), number(&case["f1_of_a"]), &Value::Null);
    let without_a_row = (0..4).map(|cell| {
        let mut others = cells;
        others[cell] -= 1;
        (cells[cell] as f64, f1(&others))
    });
    let error = jackknife_error(&without_a_row.collect::<Vec<_>>()).unwrap();
    assert_near(error, number(&case["jackknife_error"]), &Value::Null);
    assert_eq!(jackknife_error(&[(1.0, 0.5)]), None);
}

#[test]
fn resamples_in_which_a_statistic_is_undefined_are_left_out() {
    let resampler = Resampler::new(1, 100);
    let rarely = |rows: &[u32]| (rows[0] != 7).then_some(rows[0]);
    let count = resampler.replicates(1000, rarely).unwrap().len();
    assert!((970..1000).contains(&count), "{count}");
    let often = |rows: &[u32]| (rows[0] > 20).then_some(rows[0]);
    assert_eq!(resampler.replicates(1000, often), None);
}

#[test]
fn interval_of_a_mean_contains_that_of_seeds_and_that_of_rows() {
    // t = 4.302653 for 2 degrees of freedom.
    let interval = mean_interval(0.9, 0.01, 3, 0.02).unwrap();
    let seeds = 4.302_652_7 * 0.01 / 3f64.sqrt();
    assert!((interval.half_width() - seeds.hypot(0.02)).abs() < 1e-6, "{interval:?}");
    assert_eq!(mean_interval(0.9, 0.0, 1, 0.02), None);
}

/// Boundaries of WinLD and of Reboussin, DeMets, Kim and Lan (2000), table 1, for five equal looks.
#[test]
fn levels_of_repeated_looks_equal_published_boundaries() {
    let z = |level: f64| distribution::normal_critical(level);
    let levels = spending_levels(&[0.2, 0.4, 0.6, 0.8, 1.0], 0.05);
    for (level, expected) in levels.iter().zip([4.8769, 3.3569, 2.6803, 2.2898, 2.0310]) {
        assert!((z(*level) - expected).abs() < 2e-3, "{} {expected}", z(*level));
    }
    let single = spending_levels(&[1.0], 0.05);
    assert!((single[0] - 0.05).abs() < 1e-9, "{single:?}");
    // A look without new information has no level.
    let same = spending_levels(&[0.5, 0.5, 1.0], 0.05);
    assert!(same[1] < 1e-12 && (same[2] - spending_levels(&[0.5, 1.0], 0.05)[1]).abs() < 1e-9, "{same:?}");
}

/// For one degree of freedom t is cot(πα/2), for two 2·(1/2 − α/2)·√2/√(α(2 − α)).
#[test]
fn critical_values_of_early_looks_are_those_of_the_closed_forms() {
    for exponent in 1..25 {
        let level = 0.5 * 10f64.powi(-exponent);
        let cauchy = 1.0 / (std::f64::consts::FRAC_PI_2 * level).tan();
        let two = (1.0 - level) * (2.0 / (level * (2.0 - level))).sqrt();
        for (df, expected) in [(1.0, cauchy), (2.0, two)] {
            let found = distribution::t_critical(level, df);
            assert!((found / expected - 1.0).abs() < 1e-6, "{df} {level:e}: {found}, {expected}");
        }
    }
    assert_eq!(distribution::t_critical(0.0, 2.0), f64::INFINITY);
    assert!(distribution::t_critical(1e-30, 500.0) > 12.0);
}

#[test]
fn number_of_seeds_is_close_to_statsmodels() {
    for case in cases("power") {
        let (sd, difference) = (number(&case["sd"]), number(&case["difference"]));
        let expected = number(&case["seeds"]).ceil();
        // Two seeds with that standard deviation.
        let values = [0.0, sd * 2f64.sqrt()];
        let rows = constant(2);
        let side = SeedScores { values: &values, replicates: &rows, divisor: 1.0 };
        let further = RandomEffects::of(side, side, 2).further_seeds(&values, &values, difference);
        let FurtherSeeds::Count(further) = further else { panic!("{further:?}") };
        assert!(((2 + further) as f64 - expected).abs() <= 1.0, "{} seeds, {expected}", 2 + further);
    }
}

#[test]
fn few_rows_limit_what_seeds_can_detect() {
    let component = |variance, degrees_of_freedom| VarianceComponent { variance, degrees_of_freedom };
    let effects =
        RandomEffects { difference: 0.0, seeds: Some(component(1e-5, 4.0)), rows: component(1e-4, 871.0) };
    let values = [0.9, 0.905, 0.91];
    // (1.96 + 0.84)² · 1e-4 is the square of 2.8 points.
    let FurtherSeeds::TooFewRows(rows) = effects.further_seeds(&values, &values, 0.01) else { panic!() };
    assert!((6_700..7_000).contains(&rows), "{rows}");
    assert!(matches!(effects.further_seeds(&values, &values, 0.03), FurtherSeeds::Count(1..20)));
    assert_eq!(effects.further_seeds(&values, &values, 0.2), FurtherSeeds::Count(0));
    assert!(matches!(
        effects.further_seeds(&values, &values, 0.028_02),
        FurtherSeeds::TooMany | FurtherSeeds::Count(50..)
    ));
}
