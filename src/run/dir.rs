//! Names and formats of the files in a run directory.

use crate::catalog::Labels;
use crate::error::{Error, Result};
use crate::files::{read_regular, read_regular_to_string, remove_leftovers, retry_while_full, write_atomic};
use crate::probes;
use crate::spec::{self, RunSpec};
use crate::train::{SavedPredictions, Summary, newest_predictions, saved_predictions};
use kernels::rng::{Rng, Stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A run directory. A run with repeats has a run directory for each seed in it (`seed-42/`, …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The folder of the checkpoints.
    pub(super) const CHECKPOINTS: &str = "checkpoints";
    /// The start of the name of the directory of a seed.
    const SEED: &str = "seed-";
    /// Folders, relative to the run directory, in which a killed process leaves files. Runs of version 0.1 have their
    /// predictions in `judged`.
    pub(super) const FOLDERS_WITH_LEFTOVERS: [&str; 4] = ["", RunDir::CHECKPOINTS, "predictions", "judged"];

    /// The run directory at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        RunDir(path.into())
    }

    /// Creates a directory `NAME-YYYYMMDD-HHMMSS-xxxx` for `spec` in `runs_dir` and writes `spec.toml`.
    ///
    /// # Errors
    /// [`Error::Write`] when a directory or the file cannot be created.
    pub fn create(runs_dir: &Path, spec: &RunSpec) -> Result<Self> {
        let path = create_stamped(runs_dir, &spec.experiment)?;
        let created = RunDir(path.clone()).with_spec(spec);
        if created.is_err() {
            std::fs::remove_dir(&path).ok();
        }
        created
    }

    /// Creates the run directory `path` for `spec`, unless it exists already. `fill` writes other files; the directory is
    /// that of a run only afterwards.
    ///
    /// # Errors
    /// Those of `fill`, and [`Error::Write`] when the directory or the file cannot be created.
    pub(super) fn create_at(
        path: PathBuf,
        spec: &RunSpec,
        fill: impl FnOnce(&RunDir) -> Result<()>,
    ) -> Result<Self> {
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => created.map_err(Error::writing(&path))?,
        }
        let dir = RunDir(path);
        if dir.spec_file().is_file() {
            return Ok(dir);
        }
        fill(&dir)?;
        dir.with_spec(spec)
    }

    /// The run directory of one seed of a run with repeats. Created if it does not exist.
    pub fn of_seed(&self, spec: &RunSpec) -> Result<Self> {
        let RunDir(path) = self.seed(spec.seed);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => created.map_err(Error::writing(&path))?,
        }
        let dir = RunDir(path);
        // A process that is killed can leave the directory without its specification.
        if dir.spec_file().is_file() { Ok(dir) } else { dir.with_spec(spec) }
    }

    fn with_spec(self, spec: &RunSpec) -> Result<Self> {
        write_atomic(&self.spec_file(), spec::to_toml(spec).as_bytes())?;
        Ok(self)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The run's name: the directory's.
    pub fn name(&self) -> String {
        self.0
            .file_name()
            .map_or_else(|| self.0.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// `spec.toml`.
    pub fn spec_file(&self) -> PathBuf {
        self.0.join("spec.toml")
    }

    /// `events.jsonl`.
    pub fn events_file(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// `control.jsonl`.
    pub fn control_file(&self) -> PathBuf {
        self.0.join("control.jsonl")
    }

    /// `log.txt`.
    pub fn log_file(&self) -> PathBuf {
        self.0.join("log.txt")
    }

    /// `summary.json`.
    pub fn summary_file(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    /// `holder.json`.
    pub(super) fn holder_file(&self) -> PathBuf {
        self.0.join("holder.json")
    }

    /// `tensorboard/`.
    pub fn tensorboard(&self) -> PathBuf {
        self.0.join("tensorboard")
    }

    /// `best/`.
    pub fn best(&self) -> PathBuf {
        self.0.join("best")
    }

    /// `checkpoints/`.
    pub(super) fn checkpoints(&self) -> PathBuf {
        self.0.join(RunDir::CHECKPOINTS)
    }

    /// `probes.toml` beside the run directory, shared by all runs there.
    pub fn probes_file(&self) -> PathBuf {
        if let Some(run) = self.run_of_seed() {
            return run.probes_file();
        }
        std::path::absolute(&self.0).unwrap_or_else(|_| self.0.clone()).with_file_name(probes::FILE)
    }

    /// The run with repeats that this directory is a seed of, if it is one.
    pub(super) fn run_of_seed(&self) -> Option<RunDir> {
        let run = RunDir(self.0.parent()?.to_path_buf());
        let is_seed = self.name().starts_with(RunDir::SEED) && run.spec_file().is_file();
        (is_seed && run.spec().is_ok_and(|spec| spec.seed_count() > 1)).then_some(run)
    }

    /// The directory of a seed of this run, whether it exists or not.
    pub(super) fn seed(&self, seed: u64) -> RunDir {
        RunDir(self.0.join(format!("{}{seed}", RunDir::SEED)))
    }

    /// The resolved specification that the run was started with.
    pub fn spec(&self) -> Result<RunSpec> {
        let path = self.spec_file();
        let text = read_regular_to_string(&path).map_err(Error::reading(&path))?;
        spec::from_toml(&text, &path).map(with_defaults_of_runs)
    }

    /// The specification of the training whose weights `best/` has: that of the best seed of a run with several.
    ///
    /// # Errors
    /// As [`RunDir::spec`].
    pub fn spec_of_best(&self) -> Result<RunSpec> {
        let spec = self.spec()?;
        let best = self.summary().filter(|_| spec.seed_count() > 1).map(|summary| self.seed(summary.seed));
        best.filter(|best| best.spec_file().is_file()).map_or(Ok(spec), |best| best.spec())
    }

    /// Whether a process has trained the run or one of its seeds: whether there is a log.
    pub(super) fn has_log(&self) -> bool {
        let has_log = |dir: &RunDir| dir.events_file().exists();
        has_log(self) || self.existing_seeds().is_ok_and(|seeds| seeds.iter().any(has_log))
    }

    /// Whether the directory is that of a run: whether it has any of the files that only runs have, readable or not.
    pub(super) fn is_run(&self) -> bool {
        let exists = |path: PathBuf| match path.symlink_metadata() {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        [self.spec_file(), self.events_file(), self.checkpoints()].into_iter().any(exists)
    }

    /// The run directories of seeds in it, in the order of the seeds, whatever its specification says.
    ///
    /// # Errors
    /// [`Error::Read`] when the directory cannot be read.
    pub(super) fn existing_seeds(&self) -> Result<Vec<RunDir>> {
        let mut seeds = Vec::new();
        for entry in std::fs::read_dir(&self.0).map_err(Error::reading(&self.0))? {
            let entry = entry.map_err(Error::reading(&self.0))?;
            if entry.file_name().to_string_lossy().starts_with(RunDir::SEED) && entry.path().is_dir() {
                seeds.push(RunDir(entry.path()));
            }
        }
        seeds.sort_by_cached_key(|seed| (seed.own_seed(), seed.name()));
        Ok(seeds)
    }

    /// The seed in the name of the directory, if it is that of a seed.
    pub(super) fn own_seed(&self) -> Option<u64> {
        self.name().strip_prefix(RunDir::SEED)?.parse().ok()
    }

    /// Removes what killed processes left in the directory. Only for the process that holds the lock of the run.
    ///
    /// # Errors
    /// [`Error::Write`] with the file that cannot be removed.
    pub(super) fn remove_leftovers(&self) -> Result<()> {
        RunDir::FOLDERS_WITH_LEFTOVERS.into_iter().try_for_each(|name| remove_leftovers(&self.0.join(name)))
    }

    /// The predictions of the evaluations of the validation split, oldest first: `predictions/`, a file
    /// `step-00000267.safetensors` for each, with `logits` (rows, outputs) and `labels` (rows). `labels` are those
    /// of the task.
    pub fn evaluations(&self, labels: &Labels) -> Result<Vec<SavedPredictions>> {
        saved_predictions(&self.0, labels)
    }

    /// The newest of [`RunDir::evaluations`].
    pub fn newest_evaluation(&self, labels: &Labels) -> Result<Option<SavedPredictions>> {
        newest_predictions(&self.0, labels)
    }

    /// The summary of a run that has ended.
    pub fn summary(&self) -> Option<Summary> {
        self.read_summary()
    }

    /// `summary.json` as a `T`; `None` when it does not exist or does not parse.
    pub(super) fn read_summary<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&read_regular(&self.summary_file()).ok()?).ok()
    }

    /// Writes `summary.json` atomically.
    pub(super) fn write_summary(&self, summary: &impl Serialize) -> Result<()> {
        let path = self.summary_file();
        let json = serde_json::to_vec_pretty(summary).map_err(|e| Error::writing(&path)(e.into()))?;
        retry_while_full(|| write_atomic(&path, &json))
    }

    /// Removes the summary of a run that is resumed.
    pub(super) fn remove_summary(&self) -> Result<()> {
        let path = self.summary_file();
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::writing(path)(e)),
            _ => Ok(()),
        }
    }
}

/// The run directories of the seeds of a run that have started: the run itself when it has only one seed.
pub fn seed_dirs(dir: &Path, spec: &RunSpec) -> Vec<PathBuf> {
    if spec.seed_count() <= 1 {
        return vec![dir.to_path_buf()];
    }
    let seeds = (0..spec.seed_count()).map(|index| dir.join(format!("seed-{}", spec.seed + index)));
    seeds.filter(|dir| dir.is_dir()).collect()
}

/// Creates a directory `NAME-YYYYMMDD-HHMMSS-xxxx` in `folder`.
///
/// # Errors
/// [`Error::Write`] when a directory cannot be created.
pub(super) fn create_stamped(folder: &Path, name: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    let stamp = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let entropy =
        u64::from(std::process::id()) << 32 ^ u64::from(jiff::Timestamp::now().subsec_nanosecond() as u32);
    let tags = Rng::new(entropy, Stream::Sample);
    // Four random hexadecimal digits distinguish runs that several processes start within a second.
    for attempt in 0..64 {
        let tag = tags.block(0, 0, attempt)[0] & 0xffff;
        let path = folder.join(format!("{name}-{stamp}-{tag:04x}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::writing(path)(e)),
        }
    }
    Err(Error::Training(format!("cannot find a free directory name for {name} in {}", folder.display())))
}

/// The recorded specification of a run with what keys mean that it lacks: runs of version 0.1 did not stratify the rows
/// that they held out.
pub(super) fn with_defaults_of_runs(spec: RunSpec) -> RunSpec {
    let is_old = spec.task().is_custom() && spec.validation_file.is_none() && spec.stratify.is_none();
    if is_old { RunSpec { stratify: Some(false), ..spec } } else { spec }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn summary_is_identical_after_reading_and_writing_it() {
        let home = tempfile::tempdir().unwrap();
        let dir = RunDir::at(home.path());
        let rng = Rng::new(7, Stream::Sample);
        for number in 0..100 {
            let bits = rng.block(0, 0, number);
            let seconds = f64::from(bits[0]) / f64::from(bits[1].max(1)) * 1e-3;
            let summary = Summary::failed(&built_in("demo"), &Error::Training("-".into()));
            let summary = Summary { train_seconds: seconds, examples_per_second: 1.0 / seconds, ..summary };
            dir.write_summary(&summary).unwrap();
            let first = std::fs::read(dir.summary_file()).unwrap();
            let read = dir.summary().unwrap();
            assert_eq!(read, summary);
            dir.write_summary(&read).unwrap();
            assert_eq!(std::fs::read(dir.summary_file()).unwrap(), first);
        }
    }
}
