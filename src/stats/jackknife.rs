//! The standard error of a function of counts.

/// The jackknife standard error of `statistic`, a function of the counts of rows in cells, such as those of a confusion
/// matrix: √((n − 1)/n · Σ cₖ (θ₍ₖ₎ − θ̄)²), where θ₍ₖ₎ is the statistic without one row of cell k and θ̄ the mean of
/// these. All rows of a cell are alike, so this is the jackknife over the rows. `None` for fewer than two rows.
///
/// Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), equation 11.5.
pub fn jackknife_error(counts: &[u64], statistic: impl Fn(&[u64]) -> f64) -> Option<f64> {
    let rows: u64 = counts.iter().sum();
    if rows < 2 {
        return None;
    }
    let mut left = counts.to_vec();
    let mut values = Vec::new();
    for (cell, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        left[cell] -= 1;
        values.push((*count as f64, statistic(&left)));
        left[cell] += 1;
    }
    let n = rows as f64;
    let mean = values.iter().map(|(count, value)| count * value).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|(count, value)| count * (value - mean).powi(2)).sum();
    Some(((n - 1.0) / n * squares).sqrt())
}
