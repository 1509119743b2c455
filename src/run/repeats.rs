//! Statistics over the seeds of one experiment.

use crate::catalog::Metric;
use crate::event::{Scores, Status};
use crate::stats::{ConfidenceInterval, cross_validation_interval, mean_interval};
use crate::train::{Best, Summary, score_interval, within_range};
use serde::{Deserialize, Serialize};

/// Best validation scores over the seeds of one experiment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repeats {
    /// Seeds that have a score.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (with `count − 1`), 0 for one seed.
    pub sd: f64,
}

impl Repeats {
    /// Mean and standard deviation of `values`; `None` when there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
        Some(Repeats { count: count as u64, mean, sd })
    }

    /// The 95 % interval of the mean for the seeds and the rows as samples, given all `scores` of one of the seeds; for the
    /// folds as samples of a cross-validation with `folds`. `None` for one seed, and for metrics whose interval needs the
    /// predictions.
    pub fn confidence_interval(
        &self,
        metric: Metric,
        scores: &Scores,
        folds: Option<u64>,
    ) -> Option<ConfidenceInterval> {
        let of_mean = match folds {
            Some(folds) => cross_validation_interval(self.mean, self.sd, self.count, folds)?,
            None => {
                mean_interval(self.mean, self.sd, self.count, score_interval(scores, metric)?.half_width())?
            }
        };
        Some(within_range(metric, of_mean))
    }
}

/// `summary.json` of an experiment with repeats: the summary of the seed with the best score, which `best/` links to,
/// with statistics over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatsSummary {
    /// The summary of the best seed, with the status of the whole run.
    #[serde(flatten)]
    pub best_seed: Summary,
    /// Best validation scores over the seeds.
    pub repeats: Repeats,
    /// The same score on the test split with each seed's best weights, where it is labeled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_repeats: Option<Repeats>,
    /// The result of each seed.
    pub seeds: Vec<SeedScore>,
}

/// The result of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeedScore {
    /// The seed.
    pub seed: u64,
    /// The fold whose rows are the validation rows, of a cross-validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u64>,
    /// How it ended.
    pub status: Status,
    /// Its best validation score.
    pub value: f64,
    /// Final loss on the validation split.
    pub loss: Option<f64>,
    /// Whether it only predicts the most frequent class; see [`Scores::is_collapsed`].
    #[serde(default)]
    pub collapsed: bool,
}

impl RepeatsSummary {
    /// What the trainings are called: `fold` if they differ in it, otherwise `seed`.
    pub fn unit(&self) -> &'static str {
        let first = self.seeds.first().map(|seed| seed.fold);
        if self.seeds.iter().any(|seed| Some(seed.fold) != first) { "fold" } else { "seed" }
    }

    /// From the summaries of the seeds; `None` while none has a score.
    pub fn of(summaries: &[Summary]) -> Option<Self> {
        let scored: Vec<(&Summary, Best)> = summaries.iter().filter_map(|s| Some((s, s.best?))).collect();
        let (best_seed, _) = scored.iter().copied().reduce(|best, other| {
            let better = other.1.metric.improves(other.1.value, best.1.value);
            if better { other } else { best }
        })?;
        let seeds = scored.iter().map(|(summary, best)| SeedScore {
            seed: summary.seed,
            fold: summary.fold,
            status: summary.status,
            value: best.value,
            loss: summary.validation.as_ref().map(|scores| scores.loss),
            collapsed: summary.validation.as_ref().is_some_and(Scores::is_collapsed),
        });
        Some(RepeatsSummary {
            best_seed: Summary { status: summaries.last()?.status, ..best_seed.clone() },
            repeats: Repeats::of(scored.iter().map(|(_, best)| best.value))?,
            test_repeats: Repeats::of(scored.iter().filter_map(|(_, best)| best.test)),
            seeds: seeds.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sd_is_the_sample_standard_deviation() {
        let repeats = Repeats::of([0.8, 0.9, 1.0]).unwrap();
        assert!((repeats.mean - 0.9).abs() < 1e-12 && (repeats.sd - 0.1).abs() < 1e-12 && repeats.count == 3);
        assert_eq!(Repeats::of([0.5]).unwrap().sd, 0.0);
        assert_eq!(Repeats::of([]), None);
    }
}
