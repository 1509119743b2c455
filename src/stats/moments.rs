//! Means, variances and covariances of samples.

/// The mean; NaN for no values.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample variance (with n − 1); 0 for fewer than two values.
pub(super) fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

/// The mean of several columns of the same length, entry by entry.
pub(super) fn mean_column(columns: &[Vec<f64>]) -> Vec<f64> {
    let Some(first) = columns.first() else { return Vec::new() };
    let mut sums = vec![0.0; first.len()];
    for column in columns {
        sums.iter_mut().zip(column).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().map(|sum| sum / columns.len() as f64).collect()
}
