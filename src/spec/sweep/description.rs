//! The description of a sweep, and the specifications of its trials.

use super::draw;
use super::problem::SweepProblem;
use super::scheduler::AshaSettings;
use super::settings::{Search, SweepSettings};
use super::swept::{Axis, is_repeated};
use crate::spec::keys::keys;
use crate::spec::rules::violated_rules;
use crate::spec::run_spec::RunSpec;
use crate::text::plural;
use std::collections::HashSet;

/// Keys whose values decide what a score is: trials with different values cannot be compared.
const INCOMPARABLE: [&str; 2] = ["metric_for_best_model", TASK];
/// With [`Search::Zip`], a sweep may be one of tasks, whose trials are not compared.
pub(super) const TASK: &str = "task";

/// A sweep: a specification in which some keys have several values, and how the trials choose among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The specification with the first value of each swept key.
    pub base: RunSpec,
    /// The swept keys, in the order of the table of keys; never empty.
    pub axes: Vec<Axis>,
    /// How the values of the trials are chosen.
    pub search: Search,
    /// The scheduler that pauses weak trials, if any.
    pub scheduler: Option<AshaSettings>,
    /// The values of each trial as a user would type them, one for each axis. A sweep with more trials begins with the
    /// same ones.
    pub trials: Vec<Vec<String>>,
}

impl Sweep {
    /// The sweep of the keys in `axes` around `base`. Every combination of values is checked.
    ///
    /// # Errors
    /// What is wrong with the settings, or else with each combination: one problem for each key.
    pub fn new(
        mut base: RunSpec,
        mut axes: Vec<Axis>,
        settings: &SweepSettings,
    ) -> Result<Sweep, Vec<SweepProblem>> {
        let one = |problem: SweepProblem| vec![problem];
        axes.sort_by_key(|axis| keys().iter().position(|key| *key == *axis.key));
        check_axes(&axes, settings).map_err(one)?;
        for Axis { key, values } in &axes {
            key.set(&mut base, &values.first()).map_err(|why| one(SweepProblem::at(key.name, why)))?;
        }
        let trials = draw::trials(&axes, settings, base.seed).map_err(one)?;
        let scheduler = settings.scheduler().map_err(one)?;
        let sweep = Sweep { base, axes, search: settings.search(), scheduler, trials };
        let problems = sweep.violations();
        if problems.is_empty() { Ok(sweep) } else { Err(problems) }
    }

    /// The specification of a trial, numbered from 0; `None` after the last one.
    pub fn trial(&self, number: u64) -> Option<RunSpec> {
        let values = self.trials.get(usize::try_from(number).ok()?)?;
        let mut spec = self.base.clone();
        for (Axis { key, .. }, text) in self.axes.iter().zip(values) {
            key.set(&mut spec, text).ok()?;
        }
        Some(spec)
    }

    /// Whether the trials are of different tasks, so that their scores are not compared.
    pub fn has_tasks(&self) -> bool {
        self.axes.iter().any(|axis| axis.key.name == TASK)
    }

    /// The number of trials.
    pub fn len(&self) -> u64 {
        self.trials.len() as u64
    }

    /// Whether there is no trial; no sweep is empty.
    pub fn is_empty(&self) -> bool {
        self.trials.is_empty()
    }

    /// The values of a trial that decide which files it reads: those of its model and its data.
    pub fn file_values(&self, number: u64) -> Vec<&str> {
        let values = usize::try_from(number).ok().and_then(|number| self.trials.get(number));
        let names_file = |axis: &Axis| {
            matches!(axis.key.group, "model" | "data")
                || matches!(axis.key.name, "class_weights" | "max_seq_length")
        };
        let pairs = self.axes.iter().zip(values.into_iter().flatten());
        pairs.filter(|(axis, _)| names_file(axis)).map(|(_, text)| text.as_str()).collect()
    }

    /// The first trial of each that have different [`Sweep::file_values`].
    pub fn trials_with_other_files(&self) -> Vec<u64> {
        let mut seen = HashSet::new();
        (0..self.len()).filter(|number| seen.insert(self.file_values(*number))).collect()
    }

    /// The settings that this sweep was made with.
    pub fn settings(&self) -> SweepSettings {
        SweepSettings {
            trials: Some(self.len()),
            search: Some(self.search),
            is_scheduled: self.scheduler.is_some(),
            reduction_factor: self.scheduler.map(|asha| asha.reduction_factor),
            grace_period: self.scheduler.map(|asha| asha.grace_period),
        }
    }

    /// The same sweep with another number of trials; those that both have are the same.
    ///
    /// # Errors
    /// As [`Sweep::new`].
    pub fn with_trials(&self, trials: u64) -> Result<Sweep, Vec<SweepProblem>> {
        let settings = SweepSettings { trials: Some(trials), ..self.settings() };
        Sweep::new(self.base.clone(), self.axes.clone(), &settings)
    }

    /// `12 trials of learning_rate and weight_decay, drawn at random, scheduled by asha`; `9 tasks with demo` for a sweep of
    /// tasks.
    pub fn describe(&self) -> String {
        if self.has_tasks() {
            return format!("{} with {}", plural(self.len(), "task"), self.base.model);
        }
        let names: Vec<&str> = self.axes.iter().map(|axis| axis.key.name).collect();
        let names = match names.as_slice() {
            [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
            names => names.join(", "),
        };
        let trials = plural(self.len(), "trial");
        let search = match self.search {
            Search::Grid => "",
            Search::Random => ", drawn at random",
            Search::Zip => ", in step",
        };
        let asha = if self.scheduler.is_some() { ", scheduled by asha" } else { "" };
        format!("{trials} of {names}{search}{asha}")
    }

    /// `learning_rate=2e-5 weight_decay=0.01`: the values of a trial; empty after the last one.
    pub fn describe_trial(&self, number: u64) -> String {
        let values = usize::try_from(number).ok().and_then(|number| self.trials.get(number));
        let pairs = self.axes.iter().zip(values.into_iter().flatten());
        pairs.map(|(axis, text)| format!("{}={text}", axis.key.name)).collect::<Vec<_>>().join(" ")
    }

    /// The rules between keys that a trial violates: the first trial for each key.
    fn violations(&self) -> Vec<SweepProblem> {
        let mut problems: Vec<SweepProblem> = Vec::new();
        let mut spec = self.base.clone();
        for (number, values) in (0..).zip(&self.trials) {
            for (axis, text) in self.axes.iter().zip(values) {
                // Each value was checked when it was read.
                axis.key.set(&mut spec, text).ok();
            }
            for violation in violated_rules(&spec) {
                let key = violation.key.name;
                if problems.iter().all(|problem| problem.key != Some(key)) {
                    let values = self.describe_trial(number);
                    let message = format!("{} (in the trial with {values})", violation.message);
                    problems.push(SweepProblem::at(key, message));
                }
            }
        }
        problems
    }
}

/// Checks that the trials can be compared, or are of a sweep of tasks, and that no value is in a list twice where that would
/// give the same trial twice.
fn check_axes(axes: &[Axis], settings: &SweepSettings) -> Result<(), SweepProblem> {
    let is_zip = settings.search() == Search::Zip;
    for Axis { key, values } in axes {
        if INCOMPARABLE.contains(&key.name) && !(key.name == TASK && is_zip) {
            let why = "trials with different values have scores that cannot be compared; write an experiment for each";
            return Err(SweepProblem::at(key.name, why));
        }
        if key.name == TASK && settings.is_scheduled {
            let why = "asha compares the scores of trials, and those of different tasks cannot be compared; remove it";
            return Err(SweepProblem::at("scheduler", why));
        }
        if let Some(text) = values.repeated(key).filter(|_| !is_zip) {
            return Err(SweepProblem::at(key.name, is_repeated(text)));
        }
    }
    Ok(())
}
