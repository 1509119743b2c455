//! The directory of a sweep, and the directories of its trials.

use super::decisions::{Decision, DecisionKind, DecisionLog, read_decisions};
use super::trial::Trial;
use crate::error::{Error, Result};
use crate::files::{read_regular_to_string, remove_leftovers_of, write_atomic};
use crate::run::dir::{RunDir, create_stamped};
use crate::spec::{RunSpec, Sweep, SweepProblem, sweep_from_toml, sweep_to_toml};
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder of the sweeps in the runs directory.
const FOLDER: &str = "sweeps";
const DESCRIPTION: &str = "sweep.toml";
const DECISIONS: &str = "decisions.jsonl";

/// What a list of sweeps has of a description.
#[derive(Debug, Deserialize)]
pub(super) struct SweepSize {
    pub(super) experiment: String,
    /// The number of trials.
    pub(super) trials: u64,
    /// The task, or those of a sweep of tasks.
    #[serde(default)]
    task: Option<toml::Value>,
}

impl SweepSize {
    /// Whether the trials are of different tasks.
    pub(super) fn has_tasks(&self) -> bool {
        self.task.as_ref().is_some_and(toml::Value::is_array)
    }
}

/// The directory of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepDir {
    runs_dir: PathBuf,
    name: String,
}

impl SweepDir {
    /// The sweep `name` in `runs_dir`.
    pub fn at(runs_dir: &Path, name: &str) -> SweepDir {
        SweepDir { runs_dir: runs_dir.to_path_buf(), name: name.to_owned() }
    }

    /// The sweep that the run in `dir` is a trial of.
    pub fn of_trial(dir: &RunDir, trial: &Trial) -> SweepDir {
        let path = std::path::absolute(dir.path()).unwrap_or_else(|_| dir.path().to_path_buf());
        SweepDir::at(path.parent().unwrap_or(Path::new(".")), &trial.sweep)
    }

    /// Creates a directory `NAME-YYYYMMDD-HHMMSS-xxxx` for `sweep` in `runs_dir/sweeps`.
    ///
    /// # Errors
    /// [`Error::Write`] when the directory or a file cannot be created.
    pub fn create(runs_dir: &Path, sweep: &Sweep) -> Result<SweepDir> {
        let path = create_stamped(&runs_dir.join(FOLDER), &sweep.base.experiment)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let dir = SweepDir::at(runs_dir, &name);
        // A directory without a description is not listed.
        dir.lock()?.append(DecisionKind::Trials { trials: sweep.len() })?;
        write_atomic(&dir.file(DESCRIPTION), sweep_to_toml(sweep).as_bytes())?;
        Ok(dir)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory.
    pub fn path(&self) -> PathBuf {
        self.runs_dir.join(FOLDER).join(&self.name)
    }

    /// The runs directory.
    pub fn runs_dir(&self) -> &Path {
        &self.runs_dir
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Whether the directory has a description.
    pub fn exists(&self) -> bool {
        self.file(DESCRIPTION).is_file()
    }

    /// The description.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Config`] when it cannot be read.
    pub fn sweep(&self) -> Result<Sweep> {
        let path = self.file(DESCRIPTION);
        let text = read_regular_to_string(&path).map_err(Error::reading(&path))?;
        sweep_from_toml(&text, &path)
    }

    /// The experiment and the number of trials, without the trials.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Data`] when the description cannot be read.
    pub(super) fn size(&self) -> Result<SweepSize> {
        let path = self.file(DESCRIPTION);
        let text = read_regular_to_string(&path).map_err(Error::reading(&path))?;
        toml::from_str(&text).map_err(|error| Error::data(&path, None, error.message()))
    }

    /// When the description was written, and its length.
    ///
    /// # Errors
    /// [`Error::Read`] when there is none.
    pub(super) fn stamp(&self) -> Result<(SystemTime, u64)> {
        let path = self.file(DESCRIPTION);
        let metadata = path.metadata().map_err(Error::reading(&path))?;
        Ok((metadata.modified().map_err(Error::reading(&path))?, metadata.len()))
    }

    /// What the scheduler has decided so far.
    ///
    /// # Errors
    /// [`Error::Read`] when the log cannot be read.
    pub fn decisions(&self) -> Result<Vec<Decision>> {
        read_decisions(&self.file(DECISIONS))
    }

    /// Locks the sweep, and reads its decisions.
    ///
    /// # Errors
    /// When another process holds the lock for five seconds, or the log cannot be used.
    pub(super) fn lock(&self) -> Result<DecisionLog> {
        DecisionLog::lock(&self.file(DECISIONS))
    }

    /// Changes the number of trials. Those that exist stay as they are.
    ///
    /// # Errors
    /// [`Error::Usage`] for fewer trials than before, or more than there are; [`Error::Write`] when it cannot be written.
    pub fn extend(&self, trials: u64) -> Result<Sweep> {
        let mut log = self.lock()?;
        let sweep = self.sweep()?;
        if trials < sweep.len() {
            return Err(Error::Usage(format!(
                "the sweep {} has {} trials already; trials can only be added",
                self.name,
                sweep.len()
            )));
        }
        let extended = sweep
            .with_trials(trials)
            .map_err(|problems| SweepProblem::error(&format!("the sweep {}", self.name), &problems))?;
        if extended.len() > sweep.len() {
            let path = self.file(DESCRIPTION);
            remove_leftovers_of(&path)?;
            write_atomic(&path, sweep_to_toml(&extended).as_bytes())?;
            log.append(DecisionKind::Trials { trials })?;
        }
        Ok(extended)
    }

    /// The run directory of a trial, whether or not it exists.
    pub fn trial_dir(&self, number: u64) -> RunDir {
        RunDir::at(self.runs_dir.join(format!("{}.{number}", self.name)))
    }

    /// Creates the run directory of a trial, unless it exists.
    ///
    /// # Errors
    /// [`Error::Write`] when it cannot be created.
    pub(super) fn create_trial(&self, number: u64, spec: &RunSpec) -> Result<RunDir> {
        let trial = Trial { sweep: self.name.clone(), trial: number };
        RunDir::create_at(self.trial_dir(number).path().to_path_buf(), spec, |dir| trial.write(dir))
    }

    /// Writes the decisions of another sweep to the log of this new one, so that its trials follow them.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Write`] when a log cannot be used.
    pub fn replay_decisions_of(&self, other: &SweepDir) -> Result<()> {
        let mut log = self.lock()?;
        for Decision { kind, .. } in other.decisions()? {
            if !matches!(kind, DecisionKind::Trials { .. }) {
                log.append(kind)?;
            }
        }
        Ok(())
    }
}

/// The sweeps in `runs_dir`, newest first.
///
/// # Errors
/// [`Error::Read`] when the folder cannot be read.
pub fn sweeps(runs_dir: &Path) -> Result<Vec<SweepDir>> {
    let folder = runs_dir.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(Error::reading(&folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::reading(&folder))?.file_name().to_string_lossy().into_owned();
        let dir = SweepDir::at(runs_dir, &name);
        if !name.starts_with('.') && dir.exists() {
            found.push(dir);
        }
    }
    found.sort_by(|a, b| (stamp(&b.name), &b.name).cmp(&(stamp(&a.name), &a.name)));
    Ok(found)
}

/// `YYYYMMDD-HHMMSS-xxxx` at the end of a name.
fn stamp(name: &str) -> &str {
    let start = name.rmatch_indices('-').nth(2).map_or(0, |(at, _)| at + 1);
    name.get(start..).unwrap_or(name)
}

/// The newest sweep of an experiment, if it has any.
///
/// # Errors
/// As [`sweeps`].
pub fn newest_sweep_of(runs_dir: &Path, experiment: &str) -> Result<Option<SweepDir>> {
    let is_of = |dir: &SweepDir| {
        let name = dir.name.strip_suffix(stamp(&dir.name)).and_then(|name| name.strip_suffix('-'));
        name == Some(experiment)
    };
    Ok(sweeps(runs_dir)?.into_iter().find(is_of))
}

/// The sweep that `name` refers to: a sweep directory, the name of one, the newest one of an experiment, or a unique prefix
/// of a name; `None` if there is no such sweep.
///
/// # Errors
/// [`Error::Usage`] when several sweeps have that prefix, and those of [`sweeps`].
pub fn find_sweep(runs_dir: &Path, name: &str) -> Result<Option<SweepDir>> {
    let path = Path::new(name);
    if path.join(DESCRIPTION).is_file()
        && let Some(own) = path.file_name()
        && let Some(runs) = path.parent().and_then(Path::parent)
    {
        return Ok(Some(SweepDir::at(runs, &own.to_string_lossy())));
    }
    if name.is_empty() || name.contains(['/', '\\']) {
        return Ok(None);
    }
    let exact = SweepDir::at(runs_dir, name);
    if exact.exists() {
        return Ok(Some(exact));
    }
    if let Some(newest) = newest_sweep_of(runs_dir, name)? {
        return Ok(Some(newest));
    }
    let mut matches = sweeps(runs_dir)?.into_iter().filter(|dir| dir.name.starts_with(&format!("{name}-")));
    match (matches.next(), matches.count()) {
        (None, _) => Ok(None),
        (Some(dir), 0) => Ok(Some(dir)),
        (Some(first), others) => Err(Error::Usage(format!(
            "{} sweeps start with {name} ({}, …); give a longer prefix",
            others + 1,
            first.name
        ))),
    }
}
