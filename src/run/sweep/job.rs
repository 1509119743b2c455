//! Which trial of a sweep is trained next, from the files of the sweep and its trials alone.

use super::asha::{last_promotion, promotable};
use super::decisions::{Decision, DecisionKind, DecisionLog, Inactive, promoted, rungs};
use super::dir::SweepDir;
use crate::error::{Error, Result};
use crate::event::Status;
use crate::run::check::check_spec;
use crate::run::dir::RunDir;
use crate::run::lock::is_training;
use crate::run::runner::{RunHandle, Start};
use crate::spec::{DeviceSpec, RunSpec, Sweep};
use crate::train::is_attempt_of;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// The state of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialState {
    /// It has no run directory.
    New,
    /// A process trains it.
    Training,
    /// It is created but not started, was stopped, or its process has ended: it is to be resumed.
    Resumable,
    /// The scheduler has paused it.
    Paused,
    /// It is finished.
    Finished,
    /// It ended with an error.
    Failed,
    /// Its data are missing.
    Skipped,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextTrial {
    /// Train this trial: resume the run in its directory.
    Train {
        /// The number of the trial.
        number: u64,
        /// Its run directory.
        dir: PathBuf,
    },
    /// Nothing now: other processes train trials, whose results can make others promotable.
    Wait,
    /// Nothing any more.
    Done,
}

/// What [`claim_next_trial`] has started.
#[derive(Debug)]
pub enum ClaimedTrial {
    /// The training of this trial.
    Started {
        /// The number of the trial.
        number: u64,
        /// Its run, which no other process chooses.
        run: RunHandle,
    },
    /// Nothing now, as [`NextTrial::Wait`].
    Wait,
    /// Nothing any more.
    Done,
}

/// The state of a trial. `inactive` is what the decisions say.
pub(super) fn trial_state(dir: &RunDir, number: u64, inactive: &Inactive) -> TrialState {
    if !dir.spec_file().is_file() {
        let is_skipped = inactive.skipped.contains_key(&number);
        return if is_skipped { TrialState::Skipped } else { TrialState::New };
    }
    if is_training(dir) {
        return TrialState::Training;
    }
    match status(dir) {
        Some(Status::Finished) => TrialState::Finished,
        Some(Status::Failed) => TrialState::Failed,
        // A trial whose pause was decided, but not carried out, is resumed to be saved.
        Some(Status::Stopped) if inactive.paused.contains(&number) => TrialState::Paused,
        _ => TrialState::Resumable,
    }
}

/// How a run has ended, by its summary, or else by that of a seed that is not finished.
fn status(dir: &RunDir) -> Option<Status> {
    let of_seeds = || {
        let seeds = dir.existing_seeds().ok()?;
        seeds
            .iter()
            .filter_map(RunDir::summary)
            .map(|summary| summary.status)
            .find(|status| *status != Status::Finished)
    };
    dir.summary().map(|summary| summary.status).or_else(of_seeds)
}

/// Chooses the trial to train next: one that was interrupted, else a new one, whose run directory is created for `device` if
/// its specification has none, else a paused one that the scheduler promotes. Trials in `busy` are about to be trained.
///
/// # Errors
/// When the sweep cannot be read, or the trial cannot be created; [`Error::Interrupted`]
/// soon after `cancelled` is set.
pub fn next_trial(
    dir: &SweepDir,
    busy: &[PathBuf],
    device: Option<DeviceSpec>,
    cancelled: &AtomicBool,
) -> Result<NextTrial> {
    choose(dir, &mut dir.lock()?, busy, device, cancelled)
}

/// [`next_trial`], which is started with `start` and whose run is locked afterwards, so that no other process chooses it.
///
/// # Errors
/// As [`next_trial`], and those of `start`.
pub fn claim_next_trial(
    dir: &SweepDir,
    cancelled: &AtomicBool,
    start: impl FnOnce(Start) -> Result<RunHandle>,
) -> Result<ClaimedTrial> {
    let mut log = dir.lock()?;
    match choose(dir, &mut log, &[], None, cancelled)? {
        NextTrial::Train { number, dir: run } => {
            let run = start(Start::Resume(run))?;
            run.wait_for_lock();
            Ok(ClaimedTrial::Started { number, run })
        }
        NextTrial::Wait => Ok(ClaimedTrial::Wait),
        NextTrial::Done => Ok(ClaimedTrial::Done),
    }
}

fn choose(
    dir: &SweepDir,
    log: &mut DecisionLog,
    busy: &[PathBuf],
    device: Option<DeviceSpec>,
    cancelled: &AtomicBool,
) -> Result<NextTrial> {
    let sweep = dir.sweep()?;
    let states = states(dir, &sweep, log.decisions(), busy);
    let first = |wanted: TrialState| numbers(&states, wanted).next();
    let train =
        |number: u64| Ok(NextTrial::Train { number, dir: dir.trial_dir(number).path().to_path_buf() });
    if let Some(number) = first(TrialState::Resumable) {
        return train(number);
    }
    let mut specs = TrialSpecs::new(&sweep);
    for number in numbers(&states, TrialState::New) {
        let Some(mut spec) = spec_or_skip(&mut specs, number, log, cancelled)? else { continue };
        if let Some(device) = device.filter(|_| spec.device == DeviceSpec::Auto) {
            spec.device = device;
        }
        dir.create_trial(number, &spec)?;
        return train(number);
    }
    if let Some(number) = promote(&sweep, log, &states)? {
        return train(number);
    }
    Ok(if first(TrialState::Training).is_some() { NextTrial::Wait } else { NextTrial::Done })
}

/// The numbers of the trials in a state.
fn numbers(states: &[TrialState], wanted: TrialState) -> impl Iterator<Item = u64> {
    (0..).zip(states).filter(move |(_, state)| **state == wanted).map(|(number, _)| number)
}

/// The specification of a trial. A sweep of tasks continues without those whose data are missing: such a trial is skipped,
/// which is recorded, and has none.
fn spec_or_skip(
    specs: &mut TrialSpecs<'_>,
    number: u64,
    log: &mut DecisionLog,
    cancelled: &AtomicBool,
) -> Result<Option<RunSpec>> {
    match specs.spec(number, cancelled) {
        Err(error) if specs.sweep.has_tasks() && is_missing_data(&error) => {
            log.append(DecisionKind::Skipped { trial: number, reason: error.to_string() })?;
            Ok(None)
        }
        spec => spec.map(Some),
    }
}

/// Whether the error is that files of a task cannot be found or fetched.
pub(super) fn is_missing_data(error: &Error) -> bool {
    matches!(error, Error::Data { .. } | Error::Hub { .. } | Error::Read { .. })
}

/// The state of each trial. Those in `busy` are about to be trained.
fn states(dir: &SweepDir, sweep: &Sweep, decisions: &[Decision], busy: &[PathBuf]) -> Vec<TrialState> {
    let inactive = Inactive::of(decisions);
    let state = |number: u64| {
        let run = dir.trial_dir(number);
        let is_busy = busy.iter().any(|busy| busy.file_name() == run.path().file_name());
        if is_busy { TrialState::Training } else { trial_state(&run, number, &inactive) }
    };
    (0..sweep.len()).map(state).collect()
}

fn state_of(states: &[TrialState], number: u64) -> Option<TrialState> {
    states.get(usize::try_from(number).ok()?).copied()
}

/// Promotes a paused trial and records it.
fn promote(sweep: &Sweep, log: &mut DecisionLog, states: &[TrialState]) -> Result<Option<u64>> {
    let Some((trial, rung)) = next_promotion(sweep, log.decisions(), states) else { return Ok(None) };
    let rung = u32::try_from(rung).unwrap_or(u32::MAX);
    log.append(DecisionKind::Promoted { trial, rung })?;
    Ok(Some(trial))
}

/// The paused trial to promote, and its rung: one that the rule of ASHA promotes or, when no other trial is left to train,
/// the best one, so that a sweep ends with a finished trial.
fn next_promotion(sweep: &Sweep, decisions: &[Decision], states: &[TrialState]) -> Option<(u64, usize)> {
    let asha = sweep.scheduler?;
    let (rungs, metric) = (rungs(decisions), sweep.base.best_metric());
    let is_paused = |number: u64| state_of(states, number) == Some(TrialState::Paused);
    let is_open =
        |state: &TrialState| matches!(state, TrialState::New | TrialState::Resumable | TrialState::Training);
    promotable(&rungs, metric, asha.reduction_factor, is_paused)
        .or_else(|| if states.iter().any(is_open) { None } else { last_promotion(&rungs, metric, is_paused) })
}

/// Creates the run directories of all trials that have none and are not skipped.
///
/// # Errors
/// As [`next_trial`].
pub fn create_trials(dir: &SweepDir, cancelled: &AtomicBool) -> Result<()> {
    let mut log = dir.lock()?;
    let sweep = dir.sweep()?;
    let states = states(dir, &sweep, log.decisions(), &[]);
    let mut specs = TrialSpecs::new(&sweep);
    for number in numbers(&states, TrialState::New) {
        if let Some(spec) = spec_or_skip(&mut specs, number, &mut log, cancelled)? {
            dir.create_trial(number, &spec)?;
        }
    }
    Ok(())
}

/// Prepares to train again what earlier processes could not: trials that have failed are resumed like interrupted ones.
/// Trials that were skipped are trained if `is_missing` returns `None` for them, and skipped again with the reason that it
/// returns. It is called for all trials that have no run directory, without the lock of the sweep.
///
/// # Errors
/// Those of `is_missing`, and when the files of the sweep cannot be read or written.
pub fn retry_trials(
    dir: &SweepDir,
    is_missing: &mut dyn FnMut(u64, RunSpec) -> Result<Option<String>>,
) -> Result<()> {
    let sweep = dir.sweep()?;
    let before = states(dir, &sweep, &dir.decisions()?, &[]);
    let mut reasons = Vec::new();
    let is_open = |state: &TrialState| matches!(state, TrialState::New | TrialState::Skipped);
    for (number, _) in (0..).zip(&before).filter(|(_, state)| is_open(state)) {
        let Some(spec) = sweep.trial(number) else { continue };
        reasons.push((number, is_missing(number, spec)?));
    }
    let mut log = dir.lock()?;
    let states = states(dir, &sweep, log.decisions(), &[]);
    for (trial, reason) in reasons {
        let was_skipped = Inactive::of(log.decisions()).skipped.remove(&trial);
        match (state_of(&states, trial), reason) {
            (Some(TrialState::New | TrialState::Skipped), Some(reason))
                if was_skipped.as_ref() != Some(&reason) =>
            {
                log.append(DecisionKind::Skipped { trial, reason })?;
            }
            (Some(TrialState::Skipped), None) => log.append(DecisionKind::Retried { trial })?,
            _ => {}
        }
    }
    for number in numbers(&states, TrialState::Failed) {
        remove_failures(&dir.trial_dir(number))?;
    }
    Ok(())
}

/// Removes the summaries of failed trainings of a run, so that it counts as interrupted.
fn remove_failures(run: &RunDir) -> Result<()> {
    let is_failed = |dir: &RunDir| dir.summary().is_some_and(|summary| summary.status == Status::Failed);
    for dir in run.existing_seeds()?.into_iter().chain([run.clone()]).filter(is_failed) {
        dir.remove_summary()?;
    }
    Ok(())
}

/// The numbers of the trials that are to be trained, whether or not they have a run directory: those that are neither being
/// trained nor paused nor finished nor failed. If there are none, the paused one that the scheduler promotes next.
///
/// # Errors
/// When the sweep cannot be read.
pub fn remaining_trials(dir: &SweepDir) -> Result<Vec<u64>> {
    let (sweep, decisions) = (dir.sweep()?, dir.decisions()?);
    let states = states(dir, &sweep, &decisions, &[]);
    let is_open = |state: TrialState| matches!(state, TrialState::New | TrialState::Resumable);
    let mut numbers: Vec<u64> =
        (0..).zip(&states).filter(|(_, state)| is_open(**state)).map(|(number, _)| number).collect();
    if numbers.is_empty() {
        numbers.extend(next_promotion(&sweep, &decisions, &states).map(|(trial, _)| trial));
    }
    Ok(numbers)
}

/// Starts a paused trial that the scheduler promotes, or one that was promoted earlier and interrupted. For a job of a
/// cluster whose own trial has ended: all other trials have jobs of their own. `None` if there is no such trial.
///
/// # Errors
/// As [`claim_next_trial`].
pub fn claim_promotion(
    dir: &SweepDir,
    cancelled: &AtomicBool,
    start: impl FnOnce(Start) -> Result<RunHandle>,
) -> Result<Option<(u64, RunHandle)>> {
    let mut log = dir.lock()?;
    let sweep = dir.sweep()?;
    if sweep.scheduler.is_none() || cancelled.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let states = states(dir, &sweep, log.decisions(), &[]);
    let is_resumable = |number: &u64| state_of(&states, *number) == Some(TrialState::Resumable);
    let has_started = |number: u64| dir.trial_dir(number).events_file().exists();
    let number = match promoted(log.decisions()).into_iter().find(is_resumable) {
        Some(number) => Some(number),
        // As for the scheduler, trials are promoted when all have started.
        None if (0..sweep.len()).all(has_started) => promote(&sweep, &mut log, &states)?,
        None => None,
    };
    let Some(number) = number else { return Ok(None) };
    let run = start(Start::Resume(dir.trial_dir(number).path().to_path_buf()))?;
    run.wait_for_lock();
    Ok(Some((number, run)))
}

/// Whether the job of a cluster that was submitted for the trial `number` is to train it: not if it is finished or paused, if
/// another process trains it, or if it has failed in an earlier attempt of this job.
///
/// # Errors
/// When the decisions cannot be read.
pub fn is_trial_open(dir: &SweepDir, number: u64, job: &str) -> Result<bool> {
    let run = dir.trial_dir(number);
    let is_of_job = is_attempt_of(run.path(), job);
    Ok(match trial_state(&run, number, &Inactive::of(&dir.decisions()?)) {
        TrialState::New | TrialState::Resumable => true,
        // A lost node can keep the lock, which the job takes over.
        TrialState::Training => is_of_job,
        TrialState::Failed => !is_of_job,
        TrialState::Paused | TrialState::Finished | TrialState::Skipped => false,
    })
}

/// Checks that the trials of a sweep can be started, as far as is known before their rows are tokenized.
///
/// # Errors
/// Those of [`check_spec`] for the first trial that cannot. Of a sweep of tasks, those whose data are missing are left out
/// unless no other one remains.
pub fn check_sweep(sweep: &Sweep, cancelled: &AtomicBool) -> Result<()> {
    trial_specs(sweep, 0..sweep.len(), cancelled).map(drop)
}

/// The specifications of trials, completed with the columns of their files.
///
/// # Errors
/// As [`check_sweep`].
pub fn trial_specs(
    sweep: &Sweep,
    numbers: impl IntoIterator<Item = u64>,
    cancelled: &AtomicBool,
) -> Result<Vec<RunSpec>> {
    let mut specs = TrialSpecs::new(sweep);
    let (mut found, mut missing) = (Vec::new(), None);
    for number in numbers {
        match specs.spec(number, cancelled) {
            Err(error) if sweep.has_tasks() && is_missing_data(&error) => {
                missing.get_or_insert(error);
            }
            spec => found.push(spec?),
        }
    }
    match missing {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The specifications of trials, completed with the columns of their files. Trials that read the same files are checked
/// once.
struct TrialSpecs<'a> {
    sweep: &'a Sweep,
    /// The values of the keys that files are checked with, and a specification that was checked with them.
    checked: Vec<(Vec<&'a str>, RunSpec)>,
}

impl<'a> TrialSpecs<'a> {
    fn new(sweep: &'a Sweep) -> Self {
        TrialSpecs { sweep, checked: Vec::new() }
    }

    fn spec(&mut self, number: u64, cancelled: &AtomicBool) -> Result<RunSpec> {
        let missing = || Error::Usage(format!("the sweep has no trial {number}"));
        let spec = self.sweep.trial(number).ok_or_else(missing)?;
        let of_files = self.sweep.file_values(number);
        let known = self.checked.iter().position(|(values, _)| *values == of_files);
        let index = if let Some(index) = known {
            index
        } else {
            self.checked.push((of_files, check_spec(&spec, cancelled)?));
            self.checked.len() - 1
        };
        let (_, checked) = self.checked.get(index).ok_or_else(missing)?;
        let mut completed = checked.clone();
        for axis in &self.sweep.axes {
            let text = axis.key.get(&spec).unwrap_or_default();
            axis.key
                .set(&mut completed, &text)
                .map_err(|why| Error::Usage(format!("`{}`: {why}", axis.key.name)))?;
        }
        Ok(completed)
    }
}
