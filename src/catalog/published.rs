//! Published scores, for comparison with the runs.

use super::metrics::Metric;
use serde::{Deserialize, Serialize};
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

/// A published score of a model on the test split of a task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedTest {
    /// Hub id.
    model: String,
    /// Name of its task.
    task: String,
    metric: Metric,
    /// The score times 100.
    value: f64,
    /// Where it was published.
    source: String,
}

/// A published score of one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PublishedScore {
    /// The score as a fraction, like the scores of runs.
    pub value: f64,
    /// Where it was published.
    pub source: &'static str,
}

/// A published average over the nine tasks of GLUE.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedAverage {
    /// Hub id.
    pub model: String,
    /// That of the validation splits times 100, if the source has it.
    pub validation: Option<f64>,
    /// That of the test splits times 100, if the source has it.
    pub test: Option<f64>,
    /// Where it was published.
    pub source: String,
}

#[derive(Deserialize)]
struct File {
    score: Vec<Published>,
    test_score: Vec<PublishedTest>,
    average: Vec<PublishedAverage>,
}

static FILE: LazyLock<File> = LazyLock::new(|| {
    toml::from_str(include_str!("../../assets/published.toml")).expect("a test parses assets/published.toml")
});

/// The published score of a model on a task, if there is one.
pub fn published(model: &str, task: &str, metric: Metric) -> Option<&'static Published> {
    FILE.score.iter().find(|score| score.model == model && score.task == task && score.metric == metric)
}

/// The published score of a model on the validation split of a task, if there is one.
pub fn published_validation(model: &str, task: &str, metric: Metric) -> Option<PublishedScore> {
    let score = published(model, task, metric)?;
    Some(PublishedScore { value: score.share(), source: &score.source })
}

/// The published score of a model on the test split of a task, if there is one.
pub fn published_test(model: &str, task: &str, metric: Metric) -> Option<PublishedScore> {
    let is_wanted = |score: &&PublishedTest| {
        (score.model.as_str(), score.task.as_str(), score.metric) == (model, task, metric)
    };
    if let Some(score) = FILE.test_score.iter().find(is_wanted) {
        return Some(PublishedScore { value: score.value / 100.0, source: &score.source });
    }
    let score = published(model, task, metric)?;
    Some(PublishedScore { value: score.test? / 100.0, source: &score.source })
}

/// The published average of a model over the tasks of GLUE, if there is one.
pub fn published_average(model: &str) -> Option<&'static PublishedAverage> {
    FILE.average.iter().find(|average| average.model == model)
}

/// The published scores with a shipped experiment of the same recipe, in the order of the file.
pub fn repeatable() -> impl Iterator<Item = &'static Published> {
    FILE.score.iter().filter(|score| score.experiment.is_some())
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
        for score in &FILE.score {
            assert!(known_model(&score.model).is_some(), "{}", score.model);
            let task = task(&score.task).unwrap_or_else(|| panic!("{}", score.task));
            assert!(task.metrics(task.labels.problem_type()).contains(&score.metric), "{score:?}");
            let chance = if score.metric == Metric::MatthewsCorrelation { 0.0 } else { 50.0 };
            assert!((chance..100.0).contains(&score.value) && !score.source.is_empty(), "{score:?}");
            let same = |other: &&Published| {
                (&other.model, &other.task, other.metric) == (&score.model, &score.task, score.metric)
            };
            assert_eq!(FILE.score.iter().filter(same).count(), 1, "{score:?}");
        }
        for score in &FILE.test_score {
            let task = task(&score.task).unwrap_or_else(|| panic!("{}", score.task));
            assert!(known_model(&score.model).is_some(), "{}", score.model);
            assert!(task.metrics(task.labels.problem_type()).contains(&score.metric), "{score:?}");
            assert!((0.0..100.0).contains(&score.value) && !score.source.is_empty(), "{score:?}");
            let same = |other: &&PublishedTest| {
                (&other.model, &other.task, other.metric) == (&score.model, &score.task, score.metric)
            };
            assert_eq!(FILE.test_score.iter().filter(same).count(), 1, "{score:?}");
        }
        for average in &FILE.average {
            assert!(known_model(&average.model).is_some() && !average.source.is_empty(), "{average:?}");
            let values = [average.validation, average.test];
            assert!(values.iter().any(Option::is_some), "{average:?}");
            assert!(values.into_iter().flatten().all(|value| (50.0..100.0).contains(&value)), "{average:?}");
        }
    }

    #[test]
    fn scores_of_test_splits_are_separate() {
        let tiny = "google/bert_uncased_L-2_H-128_A-2";
        let of_test =
            |model: &str, task: &str, metric| published_test(model, task, metric).map(|score| score.value);
        assert!((of_test(tiny, "mrpc", Metric::F1).unwrap() - 0.811).abs() < 1e-12);
        assert_eq!(published_validation(tiny, "mrpc", Metric::F1), None);
        assert_eq!(
            of_test("distilbert/distilbert-base-uncased", "sst", Metric::Accuracy),
            Some(85.056 / 100.0)
        );
        assert_eq!(published_average(tiny).unwrap().test, Some(64.2));
    }

    #[test]
    fn standard_error_of_an_accuracy_depends_on_the_rows() {
        let score = published("distilbert/distilbert-base-uncased", "sst2", Metric::Accuracy).unwrap();
        let error = score.standard_error(872).unwrap();
        assert!((error - 0.00954).abs() < 1e-4, "{error}");
        assert_eq!(score.standard_error(0), None);
    }
}
