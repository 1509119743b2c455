//! The sides of a comparison: finished seeds of one recipe.

use crate::error::{Error, Result};
use crate::event::Status;
use crate::run::dir::{RunDir, seed_dirs};
use crate::run::error_analysis::{FoldTraining, repeats};
use crate::run::index::{find, list};
use crate::run::row::{RunRow, RunStatus};
use crate::spec::{RunSpec, differences};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A side: the seeds of one recipe, each once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// What it is called: the name of its run or experiment.
    pub name: String,
    /// Its seeds.
    pub seeds: Vec<SeedRun>,
    /// The specification of the first seed.
    #[serde(skip)]
    pub spec: RunSpec,
    /// Seeds that are left out, with the reason.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// A finished training of one seed, or all folds of one repeat of a cross-validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeedRun {
    /// Name of the run.
    pub run: String,
    /// The seed.
    pub seed: u64,
    /// The step of the best weights, whose predictions are compared.
    pub step: u64,
    /// The run directory of the seed.
    pub dir: PathBuf,
    /// The other folds, if this is the first one of a cross-validation: the step of their best weights and their run
    /// directories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_folds: Vec<(u64, PathBuf)>,
}

impl SeedRun {
    /// Whether it is the same training.
    pub(super) fn is_same(&self, other: &SeedRun) -> bool {
        let whole = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
        self.seed == other.seed && whole(&self.dir) == whole(&other.dir)
    }
}

impl Side {
    /// The side that `names` stands for: runs separated by commas, each named as for [`find`]. The name of an
    /// experiment stands for all its finished runs with the recipe of the newest one.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such run, none is finished, or the runs have different recipes.
    pub fn find(runs_dir: &Path, names: &str) -> Result<Side> {
        let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Err(Error::Usage(
                "a side of the comparison has no name; give a run or an experiment".into(),
            ));
        }
        let mut dirs = Vec::new();
        let mut notes = Vec::new();
        for name in &names {
            match runs_of_experiment(runs_dir, name)? {
                Some(runs) => {
                    dirs.extend(runs.dirs);
                    notes.extend(runs.note);
                }
                None => dirs.push(find(runs_dir, name)?),
            }
        }
        let side = Side::of_runs(&names.join(","), &dirs)?;
        Ok(Side { notes: [notes, side.notes].concat(), ..side })
    }

    /// The run in `dir` with all finished runs of the same recipe among the listed `runs` that no mid-run change has
    /// altered.
    ///
    /// # Errors
    /// As [`Side::find`].
    pub(super) fn of_recipe(runs: &[RunRow], dir: &Path) -> Result<Side> {
        let own = RunDir::at(dir);
        let spec = own.spec()?;
        let is_other = |row: &&RunRow| row.dir != dir && has_recipe(row, &spec) && is_finished(row);
        let others = runs.iter().filter(is_other).map(|row| row.dir.clone());
        let dirs: Vec<PathBuf> = std::iter::once(dir.to_path_buf()).chain(others).collect();
        let side = Side::of_runs(&own.name(), &dirs)?;
        // That a seed was trained twice is no news here.
        Ok(Side { notes: Vec::new(), ..side })
    }

    /// The sides of two runs, each with all finished runs of its recipe, or of the runs alone if they have the same
    /// one.
    ///
    /// # Errors
    /// As [`Side::find`].
    pub fn pair(runs_dir: &Path, a: &Path, b: &Path) -> Result<(Side, Side)> {
        if deviations(&RunDir::at(a).spec()?, &RunDir::at(b).spec()?).is_empty() {
            let side = |dir: &Path| Side::of_runs(&RunDir::at(dir).name(), &[dir.to_path_buf()]);
            return Ok((side(a)?, side(b)?));
        }
        let runs = list(runs_dir)?;
        Ok((Side::of_recipe(&runs, a)?, Side::of_recipe(&runs, b)?))
    }

    /// Whether both sides have the same recipe, so that only the seeds differ.
    pub(super) fn has_recipe_of(&self, other: &Side) -> bool {
        deviations(&self.spec, &other.spec).is_empty()
    }

    fn of_runs(name: &str, dirs: &[PathBuf]) -> Result<Side> {
        let mut side: Option<Side> = None;
        let mut notes = Vec::new();
        for dir in dirs {
            let run = RunDir::at(dir);
            let spec = run.spec()?;
            let side = side.get_or_insert_with(|| Side {
                name: name.to_owned(),
                seeds: Vec::new(),
                spec: spec.clone(),
                notes: Vec::new(),
            });
            let others = deviations(&side.spec, &spec);
            if !others.is_empty() {
                return Err(Error::Usage(format!(
                    "the runs of {name} have different values of {}; the seeds of a side need the same settings",
                    others.join(", ")
                )));
            }
            for seed in finished_seeds(&run, &spec, &mut notes)? {
                match side.seeds.iter().find(|known| known.seed == seed.seed) {
                    Some(known) => notes.push(format!(
                        "seed {} of {} is left out, because {} has the same seed",
                        seed.seed, seed.run, known.run
                    )),
                    None => side.seeds.push(seed),
                }
            }
        }
        let side = side.filter(|side| !side.seeds.is_empty());
        side.map(|mut side| {
            side.seeds.sort_by_key(|seed| seed.seed);
            Side { notes, ..side }
        })
        .ok_or_else(|| Error::Usage(format!("{name} has no finished seed to compare")))
    }

    /// Whether a run of that name is on this side.
    pub(super) fn has_run(&self, run: &str) -> bool {
        self.seeds.iter().any(|seed| seed.run == run)
    }
}

/// The runs that the name of an experiment stands for.
struct ExperimentRuns {
    dirs: Vec<PathBuf>,
    /// About finished runs with other settings.
    note: Option<String>,
}

/// The finished runs of the experiment `name` with the recipe of the newest; `None` if `name` is not that of an
/// experiment.
fn runs_of_experiment(runs_dir: &Path, name: &str) -> Result<Option<ExperimentRuns>> {
    let is_run = |path: &Path| path.join("spec.toml").is_file();
    if is_run(Path::new(name)) || is_run(&runs_dir.join(name)) {
        return Ok(None);
    }
    let rows: Vec<RunRow> = list(runs_dir)?.into_iter().filter(|row| row.experiment == name).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let finished: Vec<RunRow> = rows.into_iter().filter(is_finished).collect();
    let Some(newest) = finished.first().and_then(|row| row.spec.clone()) else {
        return Err(Error::Usage(format!(
            "no run of {name} in {} is finished; resume one with: glue-tui train --resume {name}",
            runs_dir.display()
        )));
    };
    let (same, others): (Vec<RunRow>, Vec<RunRow>) =
        finished.into_iter().partition(|row| has_recipe(row, &newest));
    let note = (!others.is_empty()).then(|| {
        let names: Vec<&str> = others.iter().map(|row| row.name.as_str()).collect();
        format!("left out of {name}, because of other settings than its newest run: {}", names.join(", "))
    });
    // The newest run may have been changed during the training.
    let dirs: Vec<PathBuf> = same.into_iter().map(|row| row.dir).collect();
    if dirs.is_empty() {
        return Err(Error::Usage(format!(
            "every finished run of {name} was changed during its training; name the runs to compare"
        )));
    }
    Ok(Some(ExperimentRuns { dirs, note }))
}

fn is_finished(row: &RunRow) -> bool {
    row.status == RunStatus::Finished
}

/// Whether a run was trained with the recipe of `spec` from its start to its end.
fn has_recipe(row: &RunRow, spec: &RunSpec) -> bool {
    row.changes.is_empty() && row.spec.as_deref().is_some_and(|other| deviations(spec, other).is_empty())
}

/// The keys of the recipe in which specifications differ; the seed is not part of it.
pub(super) fn deviations(one: &RunSpec, other: &RunSpec) -> Vec<&'static str> {
    let found = differences(&[one, other]).into_iter().map(|difference| difference.key);
    let mut keys: Vec<&str> = found.filter(|key| key.is_part_of_recipe).map(|key| key.name).collect();
    // The key `model` is part of the recipe whatever the folder is called.
    if one.task.name() != other.task.name() && !keys.contains(&"task") {
        keys.push("task");
    }
    keys
}

/// The finished seeds of a run. What is left out is added to `notes`.
fn finished_seeds(run: &RunDir, spec: &RunSpec, notes: &mut Vec<String>) -> Result<Vec<SeedRun>> {
    // A side may be a single seed of a run with repeats.
    let name = run.run_of_seed().as_ref().unwrap_or(run).name();
    let mut seeds: Vec<SeedRun> = Vec::new();
    let dirs = seed_dirs(run.path(), spec);
    if let Some(folds) = spec.cross_validation_folds() {
        for trainings in repeats(&dirs)? {
            seeds.extend(finished_folds(&trainings, (&name, folds), notes));
        }
    }
    for dir in dirs.iter().filter(|_| spec.cross_validation_folds().is_none()) {
        let seed_dir = RunDir::at(dir);
        let seed = if spec.seed_count() > 1 { seed_dir.spec()?.seed } else { spec.seed };
        let summary = seed_dir.summary().filter(|summary| summary.status == Status::Finished);
        let Some((best, summary)) = summary.and_then(|summary| Some((summary.best?, summary))) else {
            notes.push(format!("seed {seed} of {name} is left out, because it is not finished"));
            continue;
        };
        if !summary.changes.is_empty() {
            notes.push(format!("seed {seed} of {name} has mid-run changes"));
        }
        let (run, step, dir) = (name.clone(), best.step, dir.clone());
        seeds.push(SeedRun { run, seed, step, dir, other_folds: Vec::new() });
    }
    if seeds.is_empty() {
        return Err(Error::Usage(format!(
            "{name} is not finished; resume it with: glue-tui train --resume {}",
            run.path().display()
        )));
    }
    Ok(seeds)
}

/// The folds of one repeat of the cross-validation `name`; `None`, with a note, if not all are finished.
fn finished_folds(
    trainings: &[FoldTraining],
    (name, folds): (&str, u64),
    notes: &mut Vec<String>,
) -> Option<SeedRun> {
    let seed = trainings.first()?.spec.seed;
    let mut finished = Vec::new();
    for training in trainings {
        let summary =
            RunDir::at(&training.dir).summary().filter(|summary| summary.status == Status::Finished);
        if summary.as_ref().is_some_and(|summary| !summary.changes.is_empty()) {
            notes.push(format!("seed {} of {name} has mid-run changes", training.spec.seed));
        }
        finished.extend(summary.and_then(|summary| Some((summary.best?.step, training.dir.clone()))));
    }
    if finished.len() as u64 != folds {
        notes.push(format!(
            "the cross-validation of {name} from seed {seed} is left out: {} of {folds} folds are finished",
            finished.len()
        ));
        return None;
    }
    let other_folds = finished.split_off(1);
    let (step, dir) = finished.pop()?;
    Some(SeedRun { run: name.to_owned(), seed, step, dir, other_folds })
}
