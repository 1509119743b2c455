//! Correlation coefficients as in SciPy, and their intervals by Fisher's transformation z = artanh(r), which is close to
//! normal. A correlation is `None` where SciPy, and with it the metric of GLUE, gives NaN: for a column that is constant,
//! not finite, or shorter than two. (The crate statrs has no correlation.)

use super::interval::{ConfidenceInterval, normal_interval};

/// Pearson correlation of two columns, in -1..=1: `scipy.stats.pearsonr`.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let is_constant = |column: &[f64]| column.windows(2).all(|pair| pair[0] == pair[1]);
    let is_finite = |column: &[f64]| column.iter().all(|value| value.is_finite());
    if x.len() < 2 || x.len() != y.len() || [x, y].into_iter().any(|c| is_constant(c) || !is_finite(c)) {
        return None;
    }
    let (x, y) = (normalize(x), normalize(y));
    let dot: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    // Rounding errors can exceed the range.
    Some(dot.clamp(-1.0, 1.0))
}

/// Spearman correlation, the Pearson correlation of the ranks: `scipy.stats.spearmanr`.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.iter().chain(y).any(|value| value.is_nan()) {
        return None;
    }
    pearson(&ranks(x), &ranks(y))
}

/// (x − mean) / ‖x − mean‖. The norm is computed after a division by the largest value, against overflow and
/// underflow.
fn normalize(column: &[f64]) -> Vec<f64> {
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let largest = column.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max);
    let scaled: Vec<f64> = column.iter().map(|value| (value - mean) / largest).collect();
    let norm = scaled.iter().map(|value| value * value).sum::<f64>().sqrt();
    scaled.into_iter().map(|value| value / norm).collect()
}

/// The rank of each value from 1; ties get the mean of their ranks: `scipy.stats.rankdata`.
fn ranks(column: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..column.len()).collect();
    order.sort_by(|a, b| column[*a].total_cmp(&column[*b]));
    let mut ranks = vec![0.0; column.len()];
    let mut below = 0;
    for ties in order.chunk_by(|a, b| column[*a] == column[*b]) {
        let mean = (2 * below + ties.len() + 1) as f64 / 2.0;
        for row in ties {
            ranks[*row] = mean;
        }
        below += ties.len();
    }
    ranks
}

/// The interval of a Pearson correlation `r` of `rows` pairs, with the standard error 1/√(n − 3) of z. `None` for fewer
/// than four pairs. As `scipy.stats.pearsonr(…).confidence_interval()`.
///
/// Source: Fisher, "On the probable error of a coefficient of correlation deduced from a small sample" (1921).
pub fn pearson_interval(r: f64, rows: u64) -> Option<ConfidenceInterval> {
    of_transformed(r, 1.0, rows)
}

/// The interval of a Spearman correlation `r` of `rows` pairs, with the standard error √((1 + r²/2)/(n − 3)) of z.
/// `None` for fewer than four pairs.
///
/// Source: Bonett and Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations"
/// (2000).
pub fn spearman_interval(r: f64, rows: u64) -> Option<ConfidenceInterval> {
    of_transformed(r, 1.0 + r * r / 2.0, rows)
}

fn of_transformed(r: f64, numerator: f64, rows: u64) -> Option<ConfidenceInterval> {
    if rows < 4 || !r.is_finite() {
        return None;
    }
    // artanh(±1) is infinite, and the interval then a point.
    let transformed = normal_interval(r.clamp(-1.0, 1.0).atanh(), (numerator / (rows - 3) as f64).sqrt());
    Some(ConfidenceInterval { low: transformed.low.tanh(), high: transformed.high.tanh() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?}, {expected}");
    }

    /// `scipy.stats.pearsonr`, `spearmanr` and `rankdata` of SciPy 1.17.1 on the same numbers.
    #[test]
    fn equals_scipy() {
        let x = [2.5, 0.0, 3.75, 3.75, 5.0, 1.2, 4.8, 0.0];
        let y = [2.9, -0.4, 3.1, 4.2, 4.9, 2.9, 3.3, 0.7];
        assert_near(pearson(&x, &y), 0.879_026_154_588_693_4);
        assert_near(spearman(&x, &y), 0.945_471_909_652_742_6);
        assert_eq!(ranks(&x), [4.0, 1.5, 5.5, 5.5, 8.0, 3.0, 7.0, 1.5]);
        // An outlier affects the ranks less.
        let (x, y) = ([1.0, 2.0, 3.0, 4.0, 1000.0], [10.0, 8.0, 9.0, 7.0, 1.0]);
        assert_near(pearson(&x, &y), -0.949_314_357_192_600_5);
        assert_near(spearman(&x, &y), -0.9);
        assert_near(pearson(&[1.0, 2.0], &[7.0, 3.0]), -1.0);
    }

    #[test]
    fn degenerate_columns_have_no_correlation() {
        for correlation in [pearson, spearman] {
            assert_eq!(correlation(&[], &[]), None);
            assert_eq!(correlation(&[1.0], &[2.0]), None);
            assert_eq!(correlation(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
            assert_eq!(correlation(&[1.0, 2.0, 3.0], &[0.1, 0.1, 0.1]), None);
            assert_eq!(correlation(&[1.0, f64::NAN, 3.0], &[1.0, 2.0, 3.0]), None);
        }
        assert_eq!(pearson(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
    }

    proptest! {
        #[test]
        fn is_invariant_under_scale_and_order_of_rows(
            rows in prop::collection::vec((-5f64..5.0, -5f64..5.0), 3..40),
            scale in 0.001f64..1000.0,
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
            let (back_x, back_y): (Vec<f64>, Vec<f64>) = rows.iter().rev().copied().unzip();
            let scaled: Vec<f64> = y.iter().map(|y| 7.0 - scale * y).collect();
            for correlation in [pearson, spearman] {
                let found = correlation(&x, &y).expect("columns that are not constant");
                prop_assert!((-1.0..=1.0).contains(&found));
                prop_assert!((found - correlation(&y, &x).unwrap()).abs() < 1e-12);
                prop_assert!((found - correlation(&back_x, &back_y).unwrap()).abs() < 1e-9);
                prop_assert!((found + correlation(&x, &scaled).unwrap()).abs() < 1e-9);
            }
        }
    }
}
