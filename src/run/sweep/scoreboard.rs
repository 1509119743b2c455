//! The scores of a sweep of tasks: each official metric with its interval beside published ones, and their average.

use super::best_scores::{BestScores, ScoreLogs};
use super::trial_row::TrialRow;
use crate::catalog::{
    GLUE_TASKS, Metric, PublishedAverage, PublishedScore, published_average, published_test,
    published_validation,
};
use crate::event::Scores;
use crate::run::dir::seed_dirs;
use crate::run::repeats::Repeats;
use crate::spec::{RunSpec, Sweep};
use crate::stats::ConfidenceInterval;
use crate::train::score_interval;
use serde::Serialize;
use std::path::PathBuf;

/// The status of a trial that counts in the average.
const FINISHED: &str = "finished";

/// The scores of a sweep of tasks on their validation splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scoreboard {
    /// Hub id, folder, or `demo`.
    pub model: String,
    /// The tasks, in the order of the trials.
    pub tasks: Vec<TaskScores>,
    /// The macro average over the finished tasks of GLUE; `None` if there are none.
    pub average: Option<GlueAverage>,
    /// The published averages of the same model over the nine tasks of GLUE.
    pub published_average: Option<&'static PublishedAverage>,
}

/// The scores of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskScores {
    /// Its name.
    pub task: &'static str,
    /// The number of its trial.
    pub trial: u64,
    /// The status of its trial.
    pub status: &'static str,
    /// Why it failed or is skipped.
    pub reason: Option<String>,
    /// The run directory of its trial, once it exists.
    pub run: Option<PathBuf>,
    /// Its official metrics, once there is an evaluation.
    pub scores: Vec<MetricScore>,
    /// The mean of the official metrics, by which the task counts in the average; `None` if one of them is undefined.
    pub mean: Option<f64>,
}

/// A metric of a task with the best weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricScore {
    /// The metric.
    pub metric: Metric,
    /// Its value, with several seeds their mean; `None` if it is undefined, such as the correlation with a constant.
    pub value: Option<f64>,
    /// The standard deviation over the seeds, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// The 95 % interval for the rows as a sample, with several seeds also for the seeds.
    pub confidence_interval: Option<ConfidenceInterval>,
    /// The number of seeds.
    pub seeds: u64,
    /// The number of rows.
    pub rows: u64,
    /// The published score of the same model on the validation split.
    pub published: Option<PublishedScore>,
    /// The published score of the same model on the test split.
    pub published_test: Option<PublishedScore>,
}

/// The macro average over tasks. A task with two metrics counts with their mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GlueAverage {
    /// The average.
    pub value: f64,
    /// The number of tasks.
    pub tasks: usize,
}

impl Scoreboard {
    /// Reads the scores of the trials of `sweep`; of `logs`, only what is new.
    pub(super) fn read(sweep: &Sweep, trials: &[TrialRow], logs: &mut ScoreLogs) -> Scoreboard {
        let model = sweep.base.model.clone();
        let (mut specs, mut dirs) = (Vec::new(), Vec::new());
        for trial in trials {
            let Some(spec) = sweep.trial(trial.number) else { continue };
            let seeds = trial.dir.as_deref().map_or(Vec::new(), |dir| seed_dirs(dir, &spec));
            dirs.extend(seeds.iter().cloned());
            specs.push((trial, spec, seeds));
        }
        logs.update(&dirs);
        let mut tasks = Vec::new();
        for (trial, spec, seeds) in specs {
            let seeds: Vec<BestScores> = seeds.iter().filter_map(|seed| logs.best_of(seed)).collect();
            tasks.push(TaskScores::of(&spec, trial, &seeds));
        }
        let published_average = published_average(&model);
        Scoreboard { average: GlueAverage::of(&tasks), model, tasks, published_average }
    }

    /// The number of tasks with a status.
    pub fn count(&self, status: &str) -> usize {
        self.tasks.iter().filter(|task| task.status == status).count()
    }
}

impl GlueAverage {
    /// The average over the finished tasks of GLUE whose metrics are defined.
    fn of(tasks: &[TaskScores]) -> Option<GlueAverage> {
        let counts = |task: &&TaskScores| task.status == FINISHED && GLUE_TASKS.contains(&task.task);
        let means: Vec<f64> = tasks.iter().filter(counts).filter_map(|task| task.mean).collect();
        let value = means.iter().sum::<f64>() / means.len() as f64;
        (!means.is_empty()).then_some(GlueAverage { value, tasks: means.len() })
    }
}

impl TaskScores {
    /// The scores of a trial whose seeds have these.
    fn of(spec: &RunSpec, trial: &TrialRow, seeds: &[BestScores]) -> TaskScores {
        let score = |metric: &Metric| MetricScore::of(spec, *metric, seeds);
        let scores: Vec<MetricScore> =
            if seeds.is_empty() { Vec::new() } else { spec.metrics().iter().map(score).collect() };
        TaskScores {
            task: spec.task().name,
            trial: trial.number,
            status: trial.status,
            reason: trial.reason.clone(),
            run: trial.dir.clone(),
            mean: mean(&scores),
            scores,
        }
    }
}

/// The mean of all metrics.
fn mean(scores: &[MetricScore]) -> Option<f64> {
    let values: Vec<f64> = scores.iter().map(|score| score.value).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

impl MetricScore {
    /// A metric over the seeds of a run with the specification `spec`; there is at least one.
    fn of(spec: &RunSpec, metric: Metric, seeds: &[BestScores]) -> MetricScore {
        let (model, task) = (&spec.model, spec.task());
        let of_seeds: Vec<(&Scores, Metric)> =
            seeds.iter().filter_map(|seed| seed.scores_of(metric)).collect();
        let values = of_seeds
            .iter()
            .map(|(scores, own)| scores.get(*own).filter(|value| value.is_finite()))
            .collect::<Option<Vec<f64>>>()
            .filter(|values| !values.is_empty());
        let repeats = values.and_then(Repeats::of);
        let first = of_seeds.first();
        let interval = match repeats {
            Some(repeats) if repeats.count > 1 => first.and_then(|(scores, own)| {
                repeats.confidence_interval(*own, scores, spec.cross_validation_folds())
            }),
            Some(_) => first.and_then(|(scores, own)| score_interval(scores, *own)),
            None => None,
        };
        MetricScore {
            metric,
            value: repeats.map(|repeats| repeats.mean),
            sd: repeats.filter(|repeats| repeats.count > 1).map(|repeats| repeats.sd),
            confidence_interval: interval,
            seeds: of_seeds.len() as u64,
            rows: first.map_or(0, |(scores, _)| scores.examples),
            published: published_validation(model, task.name, metric),
            published_test: published_test(model, task.name, metric),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SplitName;
    use crate::spec::built_in;
    use std::collections::BTreeMap;

    fn scores(metrics: &[(Metric, Option<f64>)], examples: u64) -> Scores {
        Scores { metrics: metrics.iter().copied().collect(), examples, ..Scores::default() }
    }

    fn of_task(name: &str) -> RunSpec {
        RunSpec { task: name.parse().unwrap(), ..built_in("demo") }
    }

    fn task_scores(name: &'static str, status: &'static str, mean: Option<f64>) -> TaskScores {
        TaskScores { task: name, trial: 0, status, reason: None, run: None, scores: Vec::new(), mean }
    }

    #[test]
    fn metrics_of_other_splits_are_beside_published_ones() {
        let accuracy = |value| scores(&[(Metric::Accuracy, Some(value))], 100);
        let others = [(SplitName::ValidationMismatched, accuracy(0.65))].into_iter().collect();
        let seeds = [BestScores { validation: accuracy(0.7), others }];
        let spec = RunSpec { model: "google-bert/bert-base-cased".into(), ..of_task("mnli") };
        let score = |metric| MetricScore::of(&spec, metric, &seeds);
        let (matched, mismatched) = (score(Metric::Accuracy), score(Metric::AccuracyMm));
        assert_eq!((matched.value, mismatched.value), (Some(0.7), Some(0.65)));
        let published = [&matched, &mismatched].map(|score| score.published.unwrap().value);
        assert!((published[0] - 0.8391).abs() < 1e-12 && (published[1] - 0.841).abs() < 1e-12);
        // `proportion_confint(65, 100, method="wilson")`
        let interval = mismatched.confidence_interval.unwrap();
        assert!(
            (interval.low - 0.5525).abs() < 1e-3 && (interval.high - 0.7364).abs() < 1e-3,
            "{interval:?}"
        );
        let both = mean(&[matched, mismatched]).unwrap();
        assert!((both - 0.675).abs() < 1e-12);
    }

    #[test]
    fn seeds_give_a_mean_with_a_wider_interval() {
        let seed = |value| BestScores {
            validation: scores(&[(Metric::Accuracy, Some(value))], 400),
            others: BTreeMap::new(),
        };
        let seeds = [seed(0.80), seed(0.84), seed(0.82)];
        let several = MetricScore::of(&of_task("rte"), Metric::Accuracy, &seeds);
        let one = MetricScore::of(&of_task("rte"), Metric::Accuracy, &seeds[2..]);
        assert!((several.value.unwrap() - 0.82).abs() < 1e-12 && (several.sd.unwrap() - 0.02).abs() < 1e-12);
        assert_eq!((several.seeds, several.rows, one.sd), (3, 400, None));
        let width = |score: &MetricScore| score.confidence_interval.unwrap().half_width();
        assert!(width(&several) > width(&one));
    }

    #[test]
    fn undefined_metrics_do_not_count() {
        let seeds = [BestScores {
            validation: scores(&[(Metric::Pearson, None), (Metric::Spearman, Some(0.5))], 9),
            others: BTreeMap::new(),
        }];
        let all: Vec<MetricScore> = [Metric::Pearson, Metric::Spearman]
            .map(|metric| MetricScore::of(&of_task("stsb"), metric, &seeds))
            .into();
        assert_eq!((all[0].value, all[0].confidence_interval, mean(&all)), (None, None, None));
        let tasks = [
            task_scores("cola", "finished", Some(0.5)),
            task_scores("rte", "finished", Some(0.7)),
            task_scores("stsb", "finished", None),
            task_scores("mrpc", "running", Some(0.9)),
            task_scores("demo", "finished", Some(0.9)),
        ];
        let average = GlueAverage::of(&tasks).unwrap();
        assert!((average.value - 0.6).abs() < 1e-12 && average.tasks == 2);
        assert_eq!(GlueAverage::of(&tasks[2..]), None);
    }
}
