//! The list of runs.

use super::dir::{RunDir, seed_dirs};
use super::executor::TaskList;
use super::lock::is_training;
use super::log_state::LogState;
use super::measured_speed::MeasuredSpeed;
use super::notes::RunNotes;
use super::repeats::RepeatsSummary;
use super::row::{RunRow, RunStatus};
use super::setting_change::SettingChange;
use super::sweep::Trial;
use crate::catalog::Metric;
use crate::error::{Error, Result};
use crate::event::Status;
use crate::spec::RunSpec;
use crate::train::{Summary, score_interval};
use std::cmp::Ordering;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// The runs in `runs_dir`, newest first; none if it does not exist. Runs that cannot be read are listed with the reason.
/// Hidden directories and those that are not runs are skipped.
///
/// # Errors
/// [`Error::Read`] when `runs_dir` cannot be read.
pub fn list(runs_dir: &Path) -> Result<Vec<RunRow>> {
    let entries = match std::fs::read_dir(runs_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::reading(runs_dir))?,
    };
    let tasks = TaskList::read(runs_dir);
    let mut rows = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::reading(runs_dir))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            rows.extend(row_with_tasks(&entry.path(), &tasks));
        }
    }
    rows.sort_by(newest_first);
    Ok(rows)
}

/// The order of the list.
pub(super) fn newest_first(a: &RunRow, b: &RunRow) -> Ordering {
    b.started.total_cmp(&a.started).then_with(|| b.name.cmp(&a.name))
}

/// The run directory that `name` refers to: a run directory, the name of a run, the name of an experiment (its
/// newest run), the name that a person gave to a run, or a unique prefix of the name of a run.
///
/// # Errors
/// [`Error::Usage`] when there is no such run, or several have that name or prefix, [`Error::Read`] when `runs_dir`
/// cannot be read.
pub fn find(runs_dir: &Path, name: &str) -> Result<PathBuf> {
    let is_run = |path: &Path| path.join("spec.toml").is_file();
    for path in [PathBuf::from(name), runs_dir.join(name)] {
        if !name.is_empty() && is_run(&path) {
            return Ok(path);
        }
    }
    let rows = list(runs_dir)?;
    if let Some(row) = rows.iter().find(|row| row.experiment == name) {
        return Ok(row.dir.clone());
    }
    let named = |row: &&RunRow| row.notes.display_name.as_deref() == Some(name);
    let prefixed = |row: &&RunRow| row.name.starts_with(name);
    let matches: Vec<&RunRow> = rows.iter().filter(named).collect();
    let (matches, verb, advice) = match matches.as_slice() {
        [] => (rows.iter().filter(prefixed).collect(), "start with", "give a longer prefix"),
        _ => (matches, "are named", "give the name of the folder"),
    };
    match matches.as_slice() {
        [row] => Ok(row.dir.clone()),
        [] => Err(Error::Usage(format!(
            "no run {name} in {}; `glue-tui runs` lists the runs",
            runs_dir.display()
        ))),
        [first, ..] => {
            Err(Error::Usage(format!("{} runs {verb} {name} ({}, …); {advice}", matches.len(), first.name)))
        }
    }
}

/// The run in `dir`; `None` when it is not a run directory.
pub fn row(dir: &Path) -> Option<RunRow> {
    row_with_tasks(dir, &dir.parent().map(TaskList::read).unwrap_or_default())
}

fn row_with_tasks(dir: &Path, tasks: &TaskList) -> Option<RunRow> {
    let mut row = row_of_files(dir)?;
    tasks.apply(&mut row);
    Some(row)
}

/// [`row`], as its files say, without its tasks in Slurm.
pub(super) fn row_of_files(dir: &Path) -> Option<RunRow> {
    // A link whose target is missing, as on a disk that is not mounted, may be one to a run.
    if let (Ok(link), Err(error)) = (dir.symlink_metadata(), dir.metadata()) {
        return link.is_symlink().then(|| unreadable(dir, &Error::reading(dir)(error)));
    }
    let dir = RunDir::at(dir);
    let lock = if is_training(&dir) { LockState::Held } else { LockState::Free };
    read_row(&dir, lock)
}

/// [`row`] for a run whose lock this process holds, so that nobody trains it.
pub(super) fn row_of_locked_run(dir: &RunDir) -> Option<RunRow> {
    read_row(dir, LockState::Ours)
}

/// Who holds the lock of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockState {
    /// A process that trains it.
    Held,
    /// Nobody; a process may train one of its seeds.
    Free,
    /// This process, with the locks of its seeds, so that nobody trains it.
    Ours,
}

fn read_row(dir: &RunDir, lock: LockState) -> Option<RunRow> {
    if !dir.is_run() {
        return None;
    }
    let spec = match dir.spec() {
        Ok(spec) => spec,
        Err(error) => return Some(unreadable(dir.path(), &error)),
    };
    let (notes, notes_problem) = match RunNotes::read(dir) {
        Ok(notes) => (notes, None),
        Err(error) => (RunNotes::default(), Some(error.to_string())),
    };
    let seeds = Seeds::read(dir, &spec, lock);
    let is_running = lock == LockState::Held || seeds.is_any_trained;
    let summary: Option<Summary> = if is_running { None } else { dir.summary() };
    let repeats =
        if spec.seed_count() > 1 { repeats_summary(dir, &spec).map(|all| all.repeats) } else { None };
    let last = seeds.last();
    let status = match (is_running, &summary) {
        (true, _) => RunStatus::Running,
        (_, Some(summary)) => status(summary.status),
        (_, None) if !is_started(dir, &spec) => RunStatus::NotStarted,
        (_, None) => seeds.status(&spec),
    };
    let best = summary.as_ref().and_then(|s| s.best).map(|best| (best.metric, best.value)).or(last.best);
    let confidence_interval = best.and_then(|(metric, _)| {
        let scores = last.best_scores.as_ref()?;
        match repeats.filter(|repeats| repeats.count > 1) {
            Some(repeats) => repeats.confidence_interval(metric, scores, spec.cross_validation_folds()),
            None => score_interval(scores, metric),
        }
    });
    let scores = last
        .best_scores
        .iter()
        .flat_map(|scores| Metric::ALL.iter().filter_map(|metric| Some((*metric, scores.get(*metric)?))));
    Some(RunRow {
        dir: dir.path().to_path_buf(),
        name: dir.name(),
        notes,
        notes_problem,
        experiment: spec.experiment.clone(),
        task: spec.task.to_string(),
        model: spec.model.clone(),
        seed: spec.seed,
        status,
        error: (status == RunStatus::Failed)
            .then(|| summary.as_ref().and_then(|s| s.error.clone()).or_else(|| last.error.clone()))
            .flatten(),
        reason: None,
        tasks: Vec::new(),
        pause_reason: (status == RunStatus::Stopped)
            .then(|| summary.as_ref().and_then(|summary| summary.pause_reason.clone()))
            .flatten(),
        // A damaged file costs the run its place in the sweep only.
        trial: Trial::read(dir).ok().flatten(),
        best,
        confidence_interval,
        scores: scores.collect(),
        steps: summary.as_ref().filter(|_| spec.seed_count() <= 1).map_or(last.steps, |s| s.steps),
        total_steps: last.total_steps,
        progress: if status == RunStatus::Finished && spec.seed_count() <= 1 {
            1.0
        } else {
            seeds.progress(&spec)
        },
        train_seconds: seeds.states.iter().map(|(_, log)| log.seconds).sum(),
        seconds_left: is_running.then(|| seeds.seconds_left(&spec)).flatten(),
        started: seeds.started().or_else(|| created(dir)).unwrap_or(0.0),
        ended: if is_running { None } else { last.ended },
        repeats,
        changes: seeds.changes(&spec),
        disk: None,
        problem: None,
        has_best_weights: seeds.have_best_weights(),
        measured_speed: summary.as_ref().and_then(|summary| MeasuredSpeed::of_summary(summary, &spec)),
        spec: Some(Arc::new(spec)),
    })
}

/// The trainings of the seeds of a run that have started, with their directories.
struct Seeds {
    states: Vec<(RunDir, LogState)>,
    /// Whether a process trains one of them alone.
    is_any_trained: bool,
    /// That of a run without any.
    none: LogState,
}

impl Seeds {
    fn read(dir: &RunDir, spec: &RunSpec, lock: LockState) -> Seeds {
        let mut dirs = seed_dirs(dir.path(), spec);
        if dirs.is_empty() {
            // A run that fails before its first seed has a log of its own.
            dirs.push(dir.path().to_path_buf());
        }
        let newest = dirs.len().saturating_sub(1);
        let mut is_any_trained = false;
        let state = |(index, path): (usize, PathBuf)| {
            let seed = RunDir::at(path);
            let is_trained = match lock {
                LockState::Held => index == newest,
                LockState::Free => seed.path() != dir.path() && is_training(&seed),
                LockState::Ours => false,
            };
            is_any_trained |= is_trained;
            // The summary of a training that was resumed is from before.
            let summary = if is_trained { None } else { seed.summary() };
            let log = LogState::of(&seed, spec, summary.as_ref());
            (seed, log)
        };
        let states = dirs.into_iter().enumerate().map(state).collect();
        Seeds { states, is_any_trained, none: LogState::default() }
    }

    /// How the run has ended, as far as its seeds say.
    fn status(&self, spec: &RunSpec) -> RunStatus {
        let ended = |wanted| self.states.iter().filter(|(_, log)| log.status == Some(wanted)).count() as u64;
        if ended(Status::Failed) > 0 {
            RunStatus::Failed
        } else if ended(Status::Finished) >= spec.seed_count() {
            RunStatus::Finished
        } else if ended(Status::Stopped) > 0 {
            RunStatus::Stopped
        } else {
            RunStatus::Interrupted
        }
    }

    /// That of the seed that is trained, or was trained last.
    fn last(&self) -> &LogState {
        // Seeds that a process trains each may have directories before they start.
        let has_started = |(_, log): &&(RunDir, LogState)| log.started > 0.0;
        let last = self.states.iter().rev().find(has_started).or(self.states.last());
        last.map_or(&self.none, |(_, log)| log)
    }

    fn started(&self) -> Option<f64> {
        self.states.iter().map(|(_, log)| log.started).find(|started| *started > 0.0)
    }

    fn progress(&self, spec: &RunSpec) -> f64 {
        let done: f64 = self.states.iter().map(|(_, log)| log.fraction()).sum();
        done / spec.seed_count() as f64
    }

    fn seconds_left(&self, spec: &RunSpec) -> Option<f64> {
        let last = self.last();
        let waiting = spec.seed_count().saturating_sub(self.states.len() as u64);
        let whole = if waiting == 0 { 0.0 } else { last.whole_seconds? };
        Some(last.seconds_left? + waiting as f64 * whole)
    }

    fn changes(&self, spec: &RunSpec) -> Vec<SettingChange> {
        let all = self.states.iter().zip(spec.seed..);
        all.flat_map(|((_, log), seed)| SettingChange::all(spec, seed, &log.changes)).collect()
    }

    fn have_best_weights(&self) -> bool {
        let has_weights = |dir: &RunDir| dir.best().join("model.safetensors").is_file();
        self.states.iter().all(|(dir, _)| has_weights(dir) || !dir.checkpoints().is_dir())
    }
}

/// Whether a process has trained the run, or one of its seeds.
fn is_started(dir: &RunDir, spec: &RunSpec) -> bool {
    let has_log = |dir: &RunDir| dir.events_file().exists() || dir.checkpoints().is_dir();
    has_log(dir)
        || spec.seed_count() > 1
            && seed_dirs(dir.path(), spec).into_iter().map(RunDir::at).any(|dir| has_log(&dir))
}

/// When the directory was created, by its name or else by its specification: a run that fails before its log begins has no
/// other time.
fn created(dir: &RunDir) -> Option<f64> {
    let stamp = |name: &str| {
        let (name, _) = name.rsplit_once('-')?;
        let (name, time) = name.rsplit_once('-')?;
        let (_, date) = name.rsplit_once('-')?;
        let time = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", format!("{date}-{time}")).ok()?;
        time.to_zoned(jiff::tz::TimeZone::system()).ok()
    };
    let modified = || dir.spec_file().metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok();
    let stamp = stamp(&dir.name()).map(|time| time.timestamp().as_second() as f64);
    stamp.or_else(|| modified().map(|time| time.as_secs_f64()))
}

/// The row of a run, or of a whole runs directory, that cannot be read.
pub fn unreadable(dir: &Path, error: &Error) -> RunRow {
    let run = RunDir::at(dir);
    RunRow {
        dir: dir.to_path_buf(),
        name: run.name(),
        status: RunStatus::Unreadable,
        started: created(&run).unwrap_or(0.0),
        problem: Some(error.to_string()),
        ..RunRow::default()
    }
}

/// The summary of all seeds, or while it does not exist that of the seeds which have one.
pub fn repeats_summary(dir: &RunDir, spec: &RunSpec) -> Option<RepeatsSummary> {
    let from_seeds = || {
        let seeds = seed_dirs(dir.path(), spec).into_iter();
        let summaries: Vec<Summary> = seeds.filter_map(|dir| RunDir::at(dir).summary()).collect();
        RepeatsSummary::of(&summaries)
    };
    dir.read_summary().or_else(from_seeds)
}

fn status(status: Status) -> RunStatus {
    match status {
        Status::Finished => RunStatus::Finished,
        Status::Stopped => RunStatus::Stopped,
        Status::Failed => RunStatus::Failed,
    }
}

#[cfg(test)]
mod tests;
