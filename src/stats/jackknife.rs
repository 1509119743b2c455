//! The standard error of a function of counts.

/// The jackknife standard error of a statistic θ that is a function of the counts of rows in cells, such as those of a
/// confusion matrix: √((n − 1)/n · Σ cₖ (θ₍ₖ₎ − θ̄)²). `values` has, for each cell k, its number of rows cₖ and θ₍ₖ₎, the
/// statistic without one row of the cell; θ̄ is their mean. All rows of a cell are alike, so this is the jackknife over the
/// rows. `None` for fewer than two rows.
///
/// Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), equation 11.5.
pub fn jackknife_error(values: &[(f64, f64)]) -> Option<f64> {
    let n: f64 = values.iter().map(|(count, _)| count).sum();
    if n < 2.0 {
        return None;
    }
    let mean = values.iter().map(|(count, value)| count * value).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|(count, value)| count * (value - mean).powi(2)).sum();
    Some(((n - 1.0) / n * squares).sqrt())
}
