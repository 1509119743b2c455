//! How far two columns of numbers agree; definitions as in SciPy. `None` where SciPy, and with it GLUE's metric,
//! has NaN: where a column is the same in all rows, or not finite, or has fewer than two.

/// Pearson's correlation of `x` and `y`, as `scipy.stats.pearsonr` has it, in -1..=1.
pub(super) fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let is_constant = |column: &[f64]| column.iter().all(|value| *value == column[0]);
    let is_finite = |column: &[f64]| column.iter().all(|value| value.is_finite());
    if x.len() < 2 || x.len() != y.len() || [x, y].into_iter().any(|c| is_constant(c) || !is_finite(c)) {
        return None;
    }
    let (x, y) = (direction(x), direction(y));
    let product: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    // Rounding can carry it a little beyond.
    Some(product.clamp(-1.0, 1.0))
}

/// Spearman's correlation: that of the ranks, as `scipy.stats.spearmanr` has it.
pub(super) fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.iter().chain(y).any(|value| value.is_nan()) {
        return None;
    }
    pearson(&ranks(x), &ranks(y))
}

/// A column less its mean, at length 1. Lengths are taken of numbers near 1, so that none is lost.
fn direction(column: &[f64]) -> Vec<f64> {
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let largest = column.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max);
    let scaled: Vec<f64> = column.iter().map(|value| (value - mean) / largest).collect();
    let length = scaled.iter().map(|value| value * value).sum::<f64>().sqrt();
    scaled.into_iter().map(|value| value / length).collect()
}

/// The rank of each value, from 1; equal ones share the mean of theirs.
fn ranks(column: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..column.len()).collect();
    order.sort_by(|a, b| column[*a].total_cmp(&column[*b]));
    let mut ranks = vec![0.0; column.len()];
    let mut first = 0;
    for equals in order.chunk_by(|a, b| column[*a] == column[*b]) {
        let mean = (2 * first + equals.len() + 1) as f64 / 2.0;
        for row in equals {
            ranks[*row] = mean;
        }
        first += equals.len();
    }
    ranks
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
        // One far out: the ranks see less of it.
        let (x, y) = ([1.0, 2.0, 3.0, 4.0, 1000.0], [10.0, 8.0, 9.0, 7.0, 1.0]);
        assert_near(pearson(&x, &y), -0.949_314_357_192_600_5);
        assert_near(spearman(&x, &y), -0.9);
        assert_near(pearson(&[1.0, 2.0], &[7.0, 3.0]), -1.0);
    }

    #[test]
    fn undefined_is_told() {
        for measure in [pearson, spearman] {
            assert_eq!(measure(&[], &[]), None);
            assert_eq!(measure(&[1.0], &[2.0]), None);
            assert_eq!(measure(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
            assert_eq!(measure(&[1.0, 2.0, 3.0], &[0.1, 0.1, 0.1]), None);
            assert_eq!(measure(&[1.0, f64::NAN, 3.0], &[1.0, 2.0, 3.0]), None);
        }
        assert_eq!(pearson(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
    }

    proptest! {
        #[test]
        fn is_blind_to_scale_and_order_of_rows(
            rows in prop::collection::vec((-5f64..5.0, -5f64..5.0), 3..40),
            scale in 0.001f64..1000.0,
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
            let (back_x, back_y): (Vec<f64>, Vec<f64>) = rows.iter().rev().copied().unzip();
            let scaled: Vec<f64> = y.iter().map(|y| 7.0 - scale * y).collect();
            for measure in [pearson, spearman] {
                let found = measure(&x, &y).expect("numbers that differ");
                prop_assert!((-1.0..=1.0).contains(&found));
                prop_assert!((found - measure(&y, &x).unwrap()).abs() < 1e-12);
                prop_assert!((found - measure(&back_x, &back_y).unwrap()).abs() < 1e-9);
                prop_assert!((found + measure(&x, &scaled).unwrap()).abs() < 1e-9);
            }
        }
    }
}
