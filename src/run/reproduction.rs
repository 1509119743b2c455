//! The article's table: its published means beside the runs here that follow its recipe.
//!
//! What counts is a finished run of one seed, whether alone or one of several, whose specification differs from
//! the shipped experiment's in nothing that training depends on, and which was not changed on its way. A seed
//! counts once, with its newest run: on the CPU it would come to the same again.

use super::dir::RunDir;
use super::index::list;
use super::repeats::Repeats;
use crate::catalog::{Published, repeatable};
use crate::error::Result;
use crate::event::{SplitName, Status};
use crate::format;
use crate::spec::{Experiments, RunSpec, differences};
use crate::train::Summary;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom, and the normal one after them.
const STUDENT: [f64; 20] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086,
];
const NORMAL: f64 = 1.96;

/// A published mean with what was come to here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduction {
    /// The experiment that repeats it.
    pub experiment: String,
    /// Hub id.
    pub model: String,
    /// Name of the task.
    pub task: String,
    /// The published means as shares: on the validation split, and on the test split where there is one.
    pub rows: Vec<Row>,
    /// Runs of the same task, or of the experiment's name, that do not count, and why.
    pub not_counted: Vec<(String, String)>,
}

/// One split of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The split.
    pub split: SplitName,
    /// The published mean, as a share.
    pub published: f64,
    /// Runs that it is the mean of.
    pub published_runs: u32,
    /// Mean and deviation over the seeds that count; with each seed's best weights by the validation split.
    pub ours: Option<Repeats>,
    /// How they differ, once there are seeds.
    pub difference: Option<Difference>,
}

/// How a mean here differs from a published one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Ours less the published one, as a share.
    pub value: f64,
    /// How far two such means differ by chance alone in 95 of 100 cases; `None` for one seed, which tells no
    /// spread.
    pub noise: Option<f64>,
}

impl Difference {
    /// The difference of `ours` from a published mean of so many runs. Its standard error is `sd · √(1/n + 1/m)`,
    /// with our own deviation for that of the published runs, which is not told: Student's t for two samples with
    /// `n − 1` degrees of freedom. The rows are the same on both sides, so they add no chance.
    pub fn of(ours: Repeats, published: f64, runs: u32) -> Self {
        let free = ours.count.saturating_sub(1) as usize;
        let quantile = STUDENT.get(free.wrapping_sub(1)).copied().unwrap_or(NORMAL);
        let error = ours.sd * (1.0 / ours.count as f64 + 1.0 / f64::from(runs.max(1))).sqrt();
        Difference { value: ours.mean - published, noise: (free > 0).then_some(quantile * error) }
    }

    /// What it means, in two words or so.
    pub fn word(self) -> &'static str {
        match self.noise {
            None => "one seed",
            Some(noise) if self.value.abs() <= noise => "within noise",
            Some(_) if self.value > 0.0 => "above noise",
            Some(_) => "below noise",
        }
    }
}

/// The published means that a shipped experiment repeats, with the runs in `runs_dir` that do.
///
/// # Errors
/// None but those of the shipped experiments, which a test holds to be right.
pub fn reproduced(runs_dir: &Path) -> Result<Vec<Reproduction>> {
    let shipped = Experiments::shipped()?;
    let runs: Vec<(String, RunSpec, Vec<Summary>)> = list(runs_dir)
        .into_iter()
        .filter_map(|row| {
            let spec = RunDir::at(&row.dir).spec().ok()?;
            Some((row.name, spec.clone(), summaries(&row.dir, &spec)))
        })
        .collect();
    let one = |published: &'static Published| {
        let experiment = published.experiment.clone().unwrap_or_default();
        let recipe = shipped.resolve(&experiment, &[])?;
        let mut seeds: BTreeMap<u64, &Summary> = BTreeMap::new();
        let mut not_counted = Vec::new();
        for (name, spec, summaries) in &runs {
            if let Some(why) = other_recipe(spec, &recipe) {
                if spec.task == recipe.task || spec.experiment == recipe.experiment {
                    not_counted.push((name.clone(), why));
                }
                continue;
            }
            for summary in summaries {
                if !summary.changes.is_empty() {
                    not_counted.push((format!("{name}, seed {}", summary.seed), "changed on its way".into()));
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
            Row { split, published, published_runs: runs, ours, difference }
        };
        let validation = Repeats::of(best().map(|best| best.value));
        let mut rows = vec![row(SplitName::Validation, published.value, validation)];
        if let Some(test) = published.test {
            rows.push(row(SplitName::Test, test, Repeats::of(best().filter_map(|best| best.test))));
        }
        let (model, task) = (published.model.clone(), published.task.clone());
        Ok(Reproduction { experiment, model, task, rows, not_counted })
    };
    repeatable().map(one).collect()
}

/// The summaries of the seeds of a run that are over.
fn summaries(dir: &Path, spec: &RunSpec) -> Vec<Summary> {
    if spec.repeats <= 1 {
        return RunDir::at(dir).summary().into_iter().collect();
    }
    let seeds = (0..spec.repeats).map(|repeat| dir.join(format!("seed-{}", spec.seed + repeat)));
    seeds.filter_map(|dir| RunDir::at(dir).summary()).collect()
}

/// In what a specification is not the recipe; `None` when it is.
fn other_recipe(spec: &RunSpec, recipe: &RunSpec) -> Option<String> {
    let found = differences(&[spec, recipe]);
    let told: Vec<String> = found
        .iter()
        .filter(|difference| difference.key.is_part_of_recipe)
        .map(|difference| {
            let own = difference.values.iter().find(|(_, places)| places.contains(&0));
            let value = own.map_or("", |(value, _)| value.as_str());
            let value = value.parse().map_or_else(|_| value.to_string(), format::real);
            format!("{} {value}", difference.key.name)
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Metric;
    use crate::error::Error;
    use crate::event::{Change, Command};
    use crate::train::Best;

    fn recipe() -> RunSpec {
        Experiments::shipped().unwrap().resolve("sst-distilbert", &[]).unwrap()
    }

    /// A finished run of one seed with that score.
    fn run(runs_dir: &Path, spec: RunSpec, value: f64, changes: Vec<Change>) {
        let spec = RunSpec { repeats: 1, ..spec };
        let best = Some(Best { step: 7, metric: Metric::Accuracy, value, test: Some(value + 0.01) });
        let failed = Summary::failed(&spec, &Error::Training("-".into()));
        let summary = Summary { status: Status::Finished, best, changes, ..failed };
        RunDir::create(runs_dir, &spec).unwrap().write_summary(&summary).unwrap();
    }

    #[test]
    fn only_the_recipe_counts_and_each_seed_once() {
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
        assert_eq!(validation.difference.unwrap().word(), "within noise");
        let why: Vec<&str> = table[0].not_counted.iter().map(|(_, why)| why.as_str()).collect();
        for wanted in ["learning_rate 5e-5", "model demo", "changed on its way"] {
            assert_eq!(why.iter().filter(|why| **why == wanted).count(), 1, "{why:?}");
        }
        assert_eq!(table[2].rows.len(), 1);
        assert!(table[2].rows[0].ours.is_none() && table[2].not_counted.is_empty());
    }

    #[test]
    fn noise_is_that_of_two_means() {
        // scipy.stats.t.ppf(0.975, 7) * 0.4 * sqrt(1/8 + 1/8) = 0.47293
        let ours = Repeats { count: 8, mean: 84.4, sd: 0.4 };
        let near = Difference::of(ours, 83.992, 8);
        assert!((near.noise.unwrap() - 0.473).abs() < 1e-3 && near.word() == "within noise", "{near:?}");
        assert_eq!(Difference::of(ours, 83.8, 8).word(), "above noise");
        assert_eq!(Difference::of(ours, 85.0, 8).word(), "below noise");
        let one = Difference::of(Repeats { count: 1, mean: 84.4, sd: 0.0 }, 83.992, 8);
        assert!(one.noise.is_none() && one.word() == "one seed");
    }
}
