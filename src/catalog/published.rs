//! Published scores, for comparison with the runs.

use super::metrics::Metric;
use serde::Deserialize;
use std::sync::LazyLock;

/// A published score of a model on the validation split of a task.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Hub id.
    pub model: String,
    /// Name of its task.
    pub task: String,
    /// The metric.
    pub metric: Metric,
    /// The score times 100.
    pub value: f64,
    /// Number of runs that it is the mean of, if the source says so.
    pub runs: Option<u32>,
    /// The score on the test split times 100, if the source has it.
    pub test: Option<f64>,
    /// The shipped experiment with the same recipe, if there is one.
    pub experiment: Option<String>,
    /// Where it was published.
    pub source: String,
}

#[derive(Deserialize)]
struct File {
    score: Vec<Published>,
}

static PUBLISHED: LazyLock<Vec<Published>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../assets/published.toml"))
        .expect("a test parses assets/published.toml");
    file.score
});

/// The published score of a model on a task, if there is one.
pub fn published(model: &str, task: &str, metric: Metric) -> Option<&'static Published> {
    PUBLISHED.iter().find(|score| score.model == model && score.task == task && score.metric == metric)
}

/// The published scores with a shipped experiment of the same recipe, in the order of the file.
pub fn repeatable() -> impl Iterator<Item = &'static Published> {
    PUBLISHED.iter().filter(|score| score.experiment.is_some())
}

impl Published {
    /// The score as a fraction, like the scores of runs.
    pub fn share(&self) -> f64 {
        self.value / 100.0
    }

    /// The standard error of an accuracy p on n rows, √(p(1 − p)/n); `None` for other metrics and without rows.
    pub fn standard_error(&self, rows: usize) -> Option<f64> {
        let share = self.share();
        let is_known = self.metric == Metric::Accuracy && rows > 0;
        is_known.then(|| (share * (1.0 - share) / rows as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{known_model, task};

    #[test]
    fn every_score_has_a_known_model_and_a_metric_of_its_task() {
        for score in PUBLISHED.iter() {
            assert!(known_model(&score.model).is_some(), "{}", score.model);
            let task = task(&score.task).unwrap_or_else(|| panic!("{}", score.task));
            assert!(task.metrics(task.labels.problem_type()).contains(&score.metric), "{score:?}");
            let chance = if score.metric == Metric::MatthewsCorrelation { 0.0 } else { 50.0 };
            assert!((chance..100.0).contains(&score.value) && !score.source.is_empty(), "{score:?}");
            let same = |other: &&Published| {
                (&other.model, &other.task, other.metric) == (&score.model, &score.task, score.metric)
            };
            assert_eq!(PUBLISHED.iter().filter(same).count(), 1, "{score:?}");
        }
    }

    #[test]
    fn standard_error_of_an_accuracy_depends_on_the_rows() {
        let score = published("distilbert/distilbert-base-uncased", "sst2", Metric::Accuracy).unwrap();
        let error = score.standard_error(872).unwrap();
        assert!((error - 0.00954).abs() < 1e-4, "{error}");
        assert_eq!(score.standard_error(0), None);
    }
}
