//! The best score so far, over time and over cost.

use crate::catalog::Metric;

/// The best score after each trial that improved it: `x` is the time or the cost at which the trial has ended. `results`
/// has (x, score) of each trial in any order.
pub fn best_so_far(metric: Metric, mut results: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    results.retain(|(x, score)| x.is_finite() && !score.is_nan());
    results.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut best: Vec<(f64, f64)> = Vec::new();
    for (x, score) in results {
        if best.last().is_none_or(|(_, best)| metric.improves(score, *best)) {
            best.push((x, score));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_improvements_count() {
        let results = vec![(3.0, 0.7), (1.0, 0.5), (2.0, 0.4), (4.0, f64::NAN), (5.0, 0.9)];
        assert_eq!(best_so_far(Metric::Accuracy, results.clone()), [(1.0, 0.5), (3.0, 0.7), (5.0, 0.9)]);
        assert_eq!(best_so_far(Metric::Loss, results), [(1.0, 0.5), (2.0, 0.4)]);
    }
}
