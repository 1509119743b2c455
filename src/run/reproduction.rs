//! Compares published results with the local runs that follow the same recipe.
//!
//! A seed counts when its run is finished, its specification equals that of the shipped experiment in every key that
//! training depends on, and it has no mid-run changes. Of several runs with the same seed the newest counts: on the
//! CPU all of them have the same result.

use super::dir::{RunDir, seed_dirs};
use super::index::list;
use super::repeats::Repeats;
use crate::catalog::{Published, repeatable};
use crate::error::Result;
use crate::event::{SplitName, Status};
use crate::format;
use crate::spec::{Experiments, RunSpec, differences};
use crate::stats::{SIGNIFICANCE_LEVEL, t_critical};
use crate::train::Summary;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A published result with the local one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduction {
    /// The shipped experiment that reproduces it.
    pub experiment: String,
    /// Hub id.
    pub model: String,
    /// Name of the task.
    pub task: String,
    /// One row for each published split.
    pub rows: Vec<ReproductionRow>,
    /// Names of runs of the same task or experiment that do not count, each with the reason.
    pub not_counted: Vec<(String, String)>,
}

/// The results on one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReproductionRow {
    /// The split.
    pub split: SplitName,
    /// The published mean, as a fraction.
    pub published: f64,
    /// Number of published runs.
    pub published_runs: u32,
    /// Mean and standard deviation over the seeds that count, each with its best weights on the validation split.
    pub ours: Option<Repeats>,
    /// The difference, if any seed counts.
    pub difference: Option<Difference>,
}

/// Difference between a local and a published mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The local mean minus the published one, as a fraction.
    pub value: f64,
    /// Half-width of the 95 % confidence interval of the difference of two such means; `None` for one seed.
    pub noise: Option<f64>,
}

impl Difference {
    /// The difference of `ours`, of n runs, from a published mean of `runs` = m runs. Its standard error is
    /// `sd · √(1/n + 1/m)`, with the local standard deviation for both because the published one is unknown; the
    /// interval uses Student's t with `n − 1` degrees of freedom. Both sides are evaluated on the same rows, which
    /// therefore add no variance.
    pub fn of(ours: Repeats, published: f64, runs: u32) -> Self {
        let error = ours.sd * (1.0 / ours.count as f64 + 1.0 / f64::from(runs.max(1))).sqrt();
        let degrees_of_freedom = ours.count.saturating_sub(1);
        let noise = (degrees_of_freedom > 0)
            .then(|| t_critical(SIGNIFICANCE_LEVEL, degrees_of_freedom as f64) * error);
        Difference { value: ours.mean - published, noise }
    }

    /// The difference compared with its confidence interval.
    pub fn verdict(self) -> &'static str {
        match self.noise {
            None => "one seed",
            Some(noise) if self.value.abs() <= noise => "within noise",
            Some(_) if self.value > 0.0 => "above noise",
            Some(_) => "below noise",
        }
    }
}

/// Compares the runs in `runs_dir` with every published result that a shipped experiment reproduces.
///
/// # Errors
/// [`Error::Config`](crate::error::Error::Config) when the shipped experiments are invalid, which a test rules out.
pub fn reproduced(runs_dir: &Path) -> Result<Vec<Reproduction>> {
    let shipped = Experiments::shipped();
    let runs: Vec<(String, RunSpec, Vec<Summary>)> = list(runs_dir)?
        .into_iter()
        .filter_map(|row| {
            let spec = RunDir::at(&row.dir).spec().ok()?;
            Some((row.name, spec.clone(), summaries(&row.dir, &spec)))
        })
        .collect();
    let compare = |published: &'static Published| {
        let experiment = published.experiment.clone().unwrap_or_default();
        let recipe = shipped.resolve(&experiment, &[])?;
        let mut seeds: BTreeMap<u64, &Summary> = BTreeMap::new();
        let mut not_counted = Vec::new();
        for (name, spec, summaries) in &runs {
            if let Some(reason) = deviations(spec, &recipe) {
                if spec.task == recipe.task || spec.experiment == recipe.experiment {
                    not_counted.push((name.clone(), reason));
                }
                continue;
            }
            for summary in summaries {
                if !summary.changes.is_empty() {
                    not_counted
                        .push((format!("{name}, seed {}", summary.seed), "has mid-run changes".into()));
                } else if summary.status == Status::Finished && summary.best.is_some() {
                    // The newest runs come first.
                    seeds.entry(summary.seed).or_insert(summary);
                }
            }
        }
        let best = || seeds.values().filter_map(|summary| summary.best);
        let runs = published.runs.unwrap_or(1);
        let row = |split, value: f64, ours: Option<Repeats>| {
            let published = value / 100.0;
            let difference = ours.map(|ours| Difference::of(ours, published, runs));
            ReproductionRow { split, published, published_runs: runs, ours, difference }
        };
        let validation = Repeats::of(best().map(|best| best.value));
        let mut rows = vec![row(SplitName::Validation, published.value, validation)];
        if let Some(test) = published.test {
            rows.push(row(SplitName::Test, test, Repeats::of(best().filter_map(|best| best.test))));
        }
        let (model, task) = (published.model.clone(), published.task.clone());
        Ok(Reproduction { experiment, model, task, rows, not_counted })
    };
    repeatable().map(compare).collect()
}

/// The summaries of the seeds of a run that have ended.
fn summaries(dir: &Path, spec: &RunSpec) -> Vec<Summary> {
    seed_dirs(dir, spec).into_iter().filter_map(|dir| RunDir::at(dir).summary()).collect()
}

/// The keys in which `spec` deviates from the recipe, with their values; `None` when there are none.
fn deviations(spec: &RunSpec, recipe: &RunSpec) -> Option<String> {
    let found = differences(&[spec, recipe]);
    let texts: Vec<String> = found
        .iter()
        .filter(|difference| difference.key.is_part_of_recipe)
        .map(|difference| {
            let own = difference.values.iter().find(|(_, specs)| specs.contains(&0));
            let value = own.map_or("", |(value, _)| value.as_str());
            let value = value.parse().map_or_else(|_| value.to_string(), format::real);
            format!("{} {value}", difference.key.name)
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Metric;
    use crate::error::Error;
    use crate::event::{Change, Command};
    use crate::train::Best;

    fn recipe() -> RunSpec {
        Experiments::shipped().resolve("sst-distilbert", &[]).unwrap()
    }

    /// A finished run of one seed with that score.
    fn run(runs_dir: &Path, spec: RunSpec, value: f64, changes: Vec<Change>) {
        let spec = RunSpec { repeats: 1, ..spec };
        let best = Some(Best {
            step: 7,
            metric: Metric::Accuracy,
            value,
            test: Some(value + 0.01),
            averaging: None,
        });
        let failed = Summary::failed(&spec, &Error::Training("-".into()));
        let summary = Summary { status: Status::Finished, best, changes, ..failed };
        RunDir::create(runs_dir, &spec).unwrap().write_summary(&summary).unwrap();
    }

    #[test]
    fn only_runs_of_the_recipe_count_and_each_seed_once() {
        let home = tempfile::tempdir().unwrap();
        let spec = recipe();
        for (seed, value) in [(42, 0.840), (43, 0.836), (44, 0.844), (42, 0.840)] {
            let spec = RunSpec { seed, data_dir: Some("elsewhere".into()), ..spec.clone() };
            run(home.path(), spec, value, Vec::new());
        }
        let other = RunSpec { seed: 45, learning_rate: 5e-5, ..spec.clone() };
        run(home.path(), other, 0.1, Vec::new());
        let model = RunSpec { seed: 46, model: "demo".into(), ..spec.clone() };
        run(home.path(), model, 0.1, Vec::new());
        let changes = vec![Change { step: 3, command: Command::Halve }];
        run(home.path(), RunSpec { seed: 47, ..spec }, 0.1, changes);

        let table = reproduced(home.path()).unwrap();
        let names: Vec<&str> = table.iter().map(|one| one.experiment.as_str()).collect();
        assert_eq!(names, ["sst-distilbert", "sst-bert-large", "qqp-distilbert"]);
        let [validation, test] = &table[0].rows[..] else { panic!("{table:?}") };
        assert_eq!(validation.ours.unwrap().count, 3);
        assert!((validation.ours.unwrap().mean - 0.84).abs() < 1e-12);
        assert!((test.ours.unwrap().mean - 0.85).abs() < 1e-12 && (test.published - 0.85056).abs() < 1e-12);
        assert_eq!(validation.difference.unwrap().verdict(), "within noise");
        let why: Vec<&str> = table[0].not_counted.iter().map(|(_, why)| why.as_str()).collect();
        for expected in ["learning_rate 5e-5", "model demo", "has mid-run changes"] {
            assert_eq!(why.iter().filter(|why| **why == expected).count(), 1, "{why:?}");
        }
        assert_eq!(table[2].rows.len(), 1);
        assert!(table[2].rows[0].ours.is_none() && table[2].not_counted.is_empty());
    }

    #[test]
    fn noise_is_the_confidence_interval_of_two_means() {
        // scipy.stats.t.ppf(0.975, 7) * 0.4 * sqrt(1/8 + 1/8) = 0.47293
        let ours = Repeats { count: 8, mean: 84.4, sd: 0.4 };
        let near = Difference::of(ours, 83.992, 8);
        assert!((near.noise.unwrap() - 0.473).abs() < 1e-3 && near.verdict() == "within noise", "{near:?}");
        assert_eq!(Difference::of(ours, 83.8, 8).verdict(), "above noise");
        assert_eq!(Difference::of(ours, 85.0, 8).verdict(), "below noise");
        let one = Difference::of(Repeats { count: 1, mean: 84.4, sd: 0.0 }, 83.992, 8);
        assert!(one.noise.is_none() && one.verdict() == "one seed");
    }
}
