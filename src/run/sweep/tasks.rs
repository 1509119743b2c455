//! Sweeps of tasks, such as all of GLUE: opening one, and finding out which tasks have data.

use super::dir::{SweepDir, sweeps};
use super::job::{is_missing_data, retry_trials};
use crate::catalog::TaskId;
use crate::data::{self, DatasetSource, LoadContext};
use crate::error::{Error, Result};
use crate::event::{Event, Progress};
use crate::hub::Hub;
use crate::run::check::{check_model_of, model_size};
use crate::spec::{Experiments, RunSpec, Sweep};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The longest part of a model's name in that of an experiment.
const MAX_NAME: usize = 60;

/// The name of the experiment of a GLUE run of a model: `glue-` and the last part of the model's name.
fn glue_name(model: &str) -> String {
    let last = model.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    let allowed = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = last.chars().map(allowed).take(MAX_NAME).collect();
    match name.trim_matches(['-', '.']) {
        "" => "glue".into(),
        name => format!("glue-{name}"),
    }
}

/// A GLUE run of `model` on `tasks`, with `(key, text)` overrides and the settings that are recommended for the size of the
/// model. `name` is what the user calls the model.
///
/// # Errors
/// [`Error::Usage`] for overrides that are not valid, and [`Error::Hub`] for a hub that cannot be reached.
pub fn glue_sweep(
    experiments: &Experiments,
    (name, model): (&str, &str),
    tasks: &[TaskId],
    overrides: &[(String, String)],
    cancelled: &AtomicBool,
) -> Result<Sweep> {
    let revision = overrides.iter().rev().find(|(key, _)| key == "revision").map(|(_, text)| text.as_str());
    let size = model_size(model, revision.unwrap_or("main"), cancelled)?;
    let model = ("model".to_owned(), model.to_owned());
    let overrides: Vec<(String, String)> = std::iter::once(model).chain(overrides.iter().cloned()).collect();
    experiments.sweep_of_tasks(&glue_name(name), tasks, size, &overrides)
}

/// The newest sweep in `runs_dir` with the same description as `sweep`, if there is one.
fn same_sweep(runs_dir: &Path, sweep: &Sweep) -> Result<Option<SweepDir>> {
    let prefix = format!("{}-", sweep.base.experiment);
    let is_same =
        |dir: &SweepDir| dir.name().starts_with(&prefix) && dir.sweep().is_ok_and(|other| other == *sweep);
    Ok(sweeps(runs_dir)?.into_iter().find(is_same))
}

/// The newest sweep of tasks in `runs_dir`, if `model` is given that of this model.
///
/// # Errors
/// As [`sweeps`].
pub fn newest_of_tasks(runs_dir: &Path, model: Option<&str>) -> Result<Option<SweepDir>> {
    let is_wanted = |dir: &SweepDir| {
        let is_of_model = |sweep: &Sweep| model.is_none_or(|model| sweep.base.model == model);
        dir.sweep().is_ok_and(|sweep| sweep.has_tasks() && is_of_model(&sweep))
    };
    Ok(sweeps(runs_dir)?.into_iter().find(is_wanted))
}

/// Fetches the data of tasks before a sweep of them is trained.
pub struct TaskData<'a> {
    /// Set to give up.
    pub cancelled: &'a AtomicBool,
    /// Receives the progress of downloads.
    pub emit: &'a mut dyn FnMut(Event),
}

impl TaskData<'_> {
    /// The newest sweep in `runs_dir` with the description of `sweep`, prepared as by [`TaskData::retry`], or a new one.
    ///
    /// # Errors
    /// As [`TaskData::create`] and [`TaskData::retry`].
    pub fn open(&mut self, runs_dir: &Path, sweep: &Sweep) -> Result<SweepDir> {
        match same_sweep(runs_dir, sweep)? {
            Some(dir) => self.retry(&dir).map(|()| dir),
            None => self.create(runs_dir, sweep),
        }
    }

    /// Creates the directory of a sweep of tasks. Tasks whose data are missing are skipped.
    ///
    /// # Errors
    /// When the model cannot be trained, no task has data, or the directory cannot be created.
    pub fn create(&mut self, runs_dir: &Path, sweep: &Sweep) -> Result<SweepDir> {
        check_model_of(&sweep.base, self.cancelled)?;
        let mut reasons = BTreeMap::new();
        for (number, spec) in (0..sweep.len()).filter_map(|number| Some((number, sweep.trial(number)?))) {
            reasons.insert(number, self.missing(&spec)?);
        }
        if let Some(Some(first)) = reasons.values().next()
            && reasons.values().all(Option::is_some)
        {
            return Err(no_data(&sweep.base, first));
        }
        let dir = SweepDir::create(runs_dir, sweep)?;
        retry_trials(&dir, &mut |number, _| Ok(reasons.get(&number).cloned().flatten()))?;
        Ok(dir)
    }

    /// Prepares to continue a sweep of tasks: those that failed are trained again, and those that were skipped if they have
    /// data by now.
    ///
    /// # Errors
    /// When the files of the sweep cannot be read or written.
    pub fn retry(&mut self, dir: &SweepDir) -> Result<()> {
        retry_trials(dir, &mut |_, spec| self.missing(&spec))
    }

    /// Fetches the files of the task of `spec`. Returns why some are missing, if they are.
    ///
    /// # Errors
    /// All errors other than missing files.
    fn missing(&mut self, spec: &RunSpec) -> Result<Option<String>> {
        let mut watch = |progress: Progress| (self.emit)(Event::Progress(progress));
        let mut context =
            LoadContext { hub: &Hub::from_env(), on_progress: &mut watch, cancelled: self.cancelled };
        match data::check_files(DatasetSource::from_spec(spec), &mut context) {
            Ok(()) => Ok(None),
            Err(error) if is_missing_data(&error) => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// The error of a sweep of tasks without any data.
fn no_data(base: &RunSpec, first: &str) -> Error {
    let problem = format!("no task has data; {}: {first}", base.task);
    match &base.data_dir {
        Some(folder) => Error::data(folder, None, problem),
        None => Error::Hub { repo: "GLUE".into(), problem },
    }
}

/// The tasks with these names, in the given order.
///
/// # Errors
/// [`Error::Usage`] for a name that is not one of `known`, or is given twice.
pub fn tasks_named(names: &[String], known: &[&str]) -> Result<Vec<TaskId>> {
    let mut tasks: Vec<TaskId> = Vec::new();
    for name in names {
        let found = name.parse::<TaskId>().ok().filter(|task| known.contains(&task.name()));
        let Some(task) = found else {
            return Err(Error::Usage(format!("unknown task `{name}`; the tasks are {}", known.join(", "))));
        };
        if tasks.contains(&task) {
            return Err(Error::Usage(format!("the task `{name}` is given twice")));
        }
        tasks.push(task);
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::GLUE_TASKS;

    #[test]
    fn names_are_those_of_experiments() {
        for (model, name) in [
            ("demo", "glue-demo"),
            ("google/bert_uncased_L-2_H-128_A-2", "glue-bert_uncased_L-2_H-128_A-2"),
            ("models/my encoder/", "glue-my-encoder"),
            ("..", "glue"),
            ("/", "glue"),
        ] {
            assert_eq!(glue_name(model), name);
        }
    }

    #[test]
    fn tasks_are_those_of_glue_once_each() {
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            tasks_named(&names, &GLUE_TASKS).map_err(|error| error.to_string())
        };
        assert_eq!(named(&["rte", "cola"]).unwrap()[1].name(), "cola");
        assert!(named(&["sst"]).unwrap_err().starts_with("unknown task `sst`; the tasks are cola, sst2"));
        assert_eq!(named(&["rte", "rte"]).unwrap_err(), "the task `rte` is given twice");
    }
}
