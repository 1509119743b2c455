//! The trials of a sweep and what they say: for the Sweep screen and the command line.

use super::asha::Rung;
use super::best::best_so_far;
use super::best_scores::ScoreLogs;
use super::decisions::{Inactive, rungs};
use super::dir::{SweepDir, SweepSize};
use super::importance::{Importance, importance};
use super::scoreboard::Scoreboard;
use super::trial_row::{TrialRow, trial_status};
use crate::catalog::Metric;
use crate::error::Result;
use crate::run::row::RunRow;
use crate::spec::{Axis, Scale, Sweep, SweptValues};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// A sweep in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepRow {
    /// The name of its directory.
    pub name: String,
    /// The experiment.
    pub experiment: String,
    /// The number of trials.
    pub trials: u64,
    /// The number of trials by status; those that are not started are missing.
    pub by_status: BTreeMap<&'static str, u64>,
    /// The metric and the best score.
    pub best: Option<(Metric, f64)>,
    /// When its first trial was started, in seconds since 1970; 0 before.
    pub started: f64,
    /// Whether its trials are of different tasks, whose scores are not compared.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_tasks: bool,
}

impl SweepRow {
    /// The row of a sweep whose trials are unknown.
    pub(super) fn without_trials(dir: &SweepDir, size: &SweepSize) -> SweepRow {
        // A trial that is skipped has no run.
        let skipped = match size.has_tasks().then(|| dir.decisions()) {
            Some(Ok(decisions)) => Inactive::of(&decisions).skipped.len() as u64,
            _ => 0,
        };
        SweepRow {
            name: dir.name().to_owned(),
            experiment: size.experiment.clone(),
            trials: size.trials,
            by_status: (skipped > 0).then_some((TrialRow::SKIPPED, skipped)).into_iter().collect(),
            best: None,
            started: 0.0,
            has_tasks: size.has_tasks(),
        }
    }

    pub(super) fn add(&mut self, run: &RunRow) {
        // Only the decisions of the sweep say whether a trial is paused; its reason is written with them.
        let status = trial_status(run, run.pause_reason.is_some());
        if status != TrialRow::WAITING {
            *self.by_status.entry(status).or_default() += 1;
        }
        if !self.has_tasks
            && let Some((metric, score)) = run.score().filter(|(_, score)| !score.is_nan())
            && self.best.is_none_or(|(_, best)| metric.improves(score, best))
        {
            self.best = Some((metric, score));
        }
        if run.started > 0.0 && (self.started == 0.0 || run.started < self.started) {
            self.started = run.started;
        }
    }

    /// The number of trials that are finished, failed or paused.
    pub fn ended(&self) -> u64 {
        let ended = ["finished", "failed", TrialRow::PAUSED, TrialRow::SKIPPED];
        ended.iter().filter_map(|status| self.by_status.get(status)).sum()
    }

    /// The number of trials that are being trained.
    pub fn running(&self) -> u64 {
        self.by_status.get("running").copied().unwrap_or(0)
    }
}

/// A sweep with all its trials.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// The directory.
    pub dir: SweepDir,
    /// The description.
    pub sweep: Sweep,
    /// The metric of the scores.
    pub metric: Metric,
    /// The trials, by number.
    pub trials: Vec<TrialRow>,
    /// When the first trial was started, in seconds since 1970; 0 before.
    pub started: f64,
    /// The values of each axis as numbers, one for each trial: numbers as they are, other values by their place in the list.
    pub numbers: Vec<Vec<f64>>,
    /// The importance of each axis; `None` for a key with more than two values that are no numbers, or too few trials.
    pub importance: Vec<Option<Importance>>,
    /// The best score so far over the seconds since the first trial started.
    pub best_over_time: Vec<(f64, f64)>,
    /// The best score so far over the optimizer steps of all trials that have ended.
    pub best_over_steps: Vec<(f64, f64)>,
    /// The scores of each task, for a sweep of tasks.
    pub scoreboard: Option<Scoreboard>,
}

impl SweepReport {
    /// Reads the sweep in `dir`, whose trials are among `rows`.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn read(dir: SweepDir, rows: &[RunRow]) -> Result<SweepReport> {
        SweepReport::read_on(dir, rows, &mut ScoreLogs::default())
    }

    /// As [`SweepReport::read`]; of the event logs of the trials, only what was appended since the last call with `logs`.
    ///
    /// # Errors
    /// As [`SweepReport::read`].
    pub fn read_on(dir: SweepDir, rows: &[RunRow], logs: &mut ScoreLogs) -> Result<SweepReport> {
        let (sweep, decisions) = (dir.sweep()?, dir.decisions()?);
        let inactive = Inactive::of(&decisions);
        let runs: BTreeMap<u64, &RunRow> = trials_of(&dir, rows).collect();
        let trial = |(number, values): (u64, &Vec<String>)| match runs.get(&number) {
            Some(row) => TrialRow::of(number, values.clone(), row, inactive.paused.contains(&number)),
            None => TrialRow::without_run(number, values.clone(), inactive.skipped.get(&number)),
        };
        let trials: Vec<TrialRow> = (0..).zip(&sweep.trials).map(trial).collect();
        let metric =
            runs.values().find_map(|row| row.score()).map_or(sweep.base.best_metric(), |(metric, _)| metric);
        let of_axis = |(index, axis): (usize, &Axis)| {
            let number = number_of(&axis.values);
            trials.iter().map(|trial| trial.values.get(index).map_or(f64::NAN, |text| number(text))).collect()
        };
        let numbers: Vec<Vec<f64>> = (0..).zip(&sweep.axes).map(of_axis).collect();
        let scores = comparable_scores(&sweep, &trials, rungs(&decisions).first());
        let importance = sweep
            .axes
            .iter()
            .zip(&numbers)
            .map(|(axis, numbers)| importance_of(axis, numbers, &scores))
            .collect();
        let starts = runs.values().map(|row| row.started).filter(|time| *time > 0.0);
        let started = starts.reduce(f64::min).unwrap_or(0.0);
        let (best_over_time, best_over_steps) =
            if sweep.has_tasks() { Default::default() } else { best_curves(metric, &trials, started) };
        let scoreboard = sweep.has_tasks().then(|| Scoreboard::read(&sweep, &trials, logs));
        Ok(SweepReport {
            dir,
            sweep,
            metric,
            trials,
            started,
            numbers,
            importance,
            best_over_time,
            best_over_steps,
            scoreboard,
        })
    }

    /// The trial with the best score; `None` if the scores are of different tasks.
    pub fn best(&self) -> Option<&TrialRow> {
        if self.sweep.has_tasks() {
            return None;
        }
        let scored = self
            .trials
            .iter()
            .filter_map(|trial| Some((trial, trial.score.filter(|score| !score.is_nan())?)));
        let best =
            scored.reduce(|best, other| if self.metric.improves(other.1, best.1) { other } else { best });
        best.map(|(trial, _)| trial)
    }

    /// Whether the numbers of an axis are best shown on a logarithmic scale.
    pub fn is_log(&self, axis: usize) -> bool {
        let numbers = self.numbers.get(axis).map_or(&[][..], Vec::as_slice);
        let is_positive = !numbers.is_empty() && numbers.iter().all(|number| *number > 0.0);
        let spread = || {
            let (low, high) = numbers
                .iter()
                .fold((f64::INFINITY, 0.0_f64), |(low, high), number| (low.min(*number), high.max(*number)));
            high / low
        };
        match self.sweep.axes.get(axis).map(|axis| &axis.values) {
            Some(SweptValues::Range(range)) => range.scale == Scale::Log,
            Some(SweptValues::List(_)) => self.is_number(axis) && is_positive && spread() >= 10.0,
            None => false,
        }
    }

    /// The values of an axis with a list, and the numbers that stand for them, in ascending order; empty for a range.
    pub fn listed_values(&self, axis: usize) -> Vec<(f64, &str)> {
        let values = self.sweep.axes.get(axis).map(|axis| &axis.values);
        let Some(values @ SweptValues::List(texts)) = values else { return Vec::new() };
        let number = number_of(values);
        let mut listed: Vec<(f64, &str)> = texts.iter().map(|text| (number(text), text.as_str())).collect();
        listed.sort_by(|a, b| a.0.total_cmp(&b.0));
        listed
    }

    /// Whether the values of an axis are numbers.
    pub fn is_number(&self, axis: usize) -> bool {
        self.sweep.axes.get(axis).is_some_and(|axis| has_numbers(&axis.values))
    }

    /// The number of trials with a status.
    pub fn count(&self, status: &str) -> usize {
        self.trials.iter().filter(|trial| trial.status == status).count()
    }

    /// The row of the sweep in a list.
    pub fn row(&self) -> SweepRow {
        let mut by_status = BTreeMap::new();
        for trial in self.trials.iter().filter(|trial| trial.status != TrialRow::WAITING) {
            *by_status.entry(trial.status).or_default() += 1;
        }
        SweepRow {
            name: self.dir.name().to_owned(),
            experiment: self.sweep.base.experiment.clone(),
            trials: self.sweep.len(),
            by_status,
            best: self.best().and_then(|trial| Some((self.metric, trial.score?))),
            started: self.started,
            has_tasks: self.sweep.has_tasks(),
        }
    }
}

/// The runs that are trials of the sweep in `dir`, with their numbers.
fn trials_of<'a>(dir: &SweepDir, rows: &'a [RunRow]) -> impl Iterator<Item = (u64, &'a RunRow)> {
    let name = dir.name().to_owned();
    rows.iter().filter_map(move |row| {
        let trial = row.trial.as_ref().filter(|trial| trial.sweep == name)?;
        Some((trial.trial, row))
    })
}

fn has_numbers(values: &SweptValues) -> bool {
    match values {
        SweptValues::Range(_) => true,
        SweptValues::List(values) => values.iter().all(|text| text.parse::<f64>().is_ok()),
    }
}

/// Says which number stands for a value: itself, or its place in a list that has other values than numbers.
fn number_of(values: &SweptValues) -> impl Fn(&str) -> f64 {
    let places: Option<HashMap<&str, usize>> = match values {
        SweptValues::List(texts) if !has_numbers(values) => {
            Some(texts.iter().map(String::as_str).zip(0..).collect())
        }
        _ => None,
    };
    move |text| match &places {
        Some(places) => places.get(text).map_or(f64::NAN, |place| *place as f64),
        None => text.parse().unwrap_or(f64::NAN),
    }
}

/// Scores of trials that were trained equally long: those of the first rung with a scheduler, else the best ones.
fn comparable_scores(sweep: &Sweep, trials: &[TrialRow], first_rung: Option<&Rung>) -> Vec<Option<f64>> {
    let mut scores: Vec<Option<f64>> = trials.iter().map(|trial| trial.score).collect();
    if sweep.has_tasks() {
        scores = vec![None; trials.len()];
    }
    if sweep.scheduler.is_some() {
        scores = vec![None; trials.len()];
        for (trial, value) in first_rung.iter().flat_map(|rung| &rung.results) {
            if let Some(score) = usize::try_from(*trial).ok().and_then(|trial| scores.get_mut(trial)) {
                *score = Some(*value);
            }
        }
    }
    scores.into_iter().map(|score| score.filter(|score| score.is_finite())).collect()
}

fn importance_of(axis: &Axis, numbers: &[f64], scores: &[Option<f64>]) -> Option<Importance> {
    let is_ordered = match &axis.values {
        SweptValues::List(values) => has_numbers(&axis.values) || values.len() == 2,
        SweptValues::Range(_) => true,
    };
    let pairs = numbers.iter().zip(scores).filter_map(|(number, score)| Some((*number, (*score)?)));
    let (numbers, scores): (Vec<f64>, Vec<f64>) = pairs.filter(|(number, _)| !number.is_nan()).unzip();
    if is_ordered { importance(&numbers, &scores) } else { None }
}

/// The points (x, score) of a curve.
type Curve = Vec<(f64, f64)>;

/// The best score so far over time and over steps.
fn best_curves(metric: Metric, trials: &[TrialRow], start: f64) -> (Curve, Curve) {
    let mut ended: Vec<(f64, u64, Option<f64>)> =
        trials.iter().filter_map(|trial| Some((trial.ended?, trial.steps, trial.score))).collect();
    ended.sort_by(|a, b| a.0.total_cmp(&b.0));
    let over_time = ended.iter().filter_map(|(time, _, score)| Some((time - start, (*score)?))).collect();
    let mut steps = 0;
    let over_steps = ended.iter().filter_map(|(_, own, score)| {
        steps += own;
        Some((steps as f64, (*score)?))
    });
    let over_steps = over_steps.collect();
    (best_so_far(metric, over_time), best_so_far(metric, over_steps))
}
