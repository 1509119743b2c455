//! Prepares runs for an executor: model and data are in the cache, and the run directories exist, before anything is
//! submitted.

use super::traits::{Executor, SubmittedTask};
use crate::error::{Error, Result};
use crate::event::{Event, Status};
use crate::files::open_append;
use crate::hub::Hub;
use crate::run::check::check_spec;
use crate::run::dir::RunDir;
use crate::run::executor::task_list::TaskList;
use crate::run::index::find;
use crate::run::lock::is_training;
use crate::run::queue::Queue;
use crate::run::sweep::{
    SweepDir, SweepScheduler, Trial, create_trials, find_sweep, newest_sweep_of, remaining_trials,
    trial_specs,
};
use crate::spec::{Experiments, ResolvedExperiment, RunSpec, Sweep};
use crate::text::plural;
use crate::train::resolve;
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Locked while run directories are created and submitted.
const LOCK: &str = ".submit.lock";
/// Time between two attempts to take it.
const RETRY: Duration = Duration::from_millis(100);

/// What is submitted.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most are new runs")]
pub enum Subject {
    /// A new run.
    New(RunSpec),
    /// A run that exists, from its newest checkpoint or from its beginning.
    Run(PathBuf),
    /// A new sweep.
    NewSweep(Box<Sweep>),
    /// The trials of a sweep that are to be trained.
    Sweep(SweepDir),
}

impl Subject {
    /// The specifications of its runs.
    ///
    /// # Errors
    /// Those of [`check_spec`], and when a run or a sweep cannot be read.
    pub fn specs(&self, cancelled: &AtomicBool) -> Result<Vec<RunSpec>> {
        match self {
            Subject::New(spec) => Ok(vec![check_spec(spec, cancelled)?]),
            Subject::Run(dir) => Ok(vec![RunDir::at(dir).spec()?]),
            Subject::NewSweep(sweep) => trial_specs(sweep, 0..sweep.len(), cancelled),
            Subject::Sweep(dir) => trial_specs(&dir.sweep()?, inactive_trials(dir)?, cancelled),
        }
    }

    /// The number of tasks of its runs, whose specifications are `specs`: see [`SlurmExecutor`](super::slurm::SlurmExecutor).
    ///
    /// # Errors
    /// When a sweep cannot be read.
    pub fn task_count(&self, specs: &[RunSpec]) -> Result<usize> {
        let is_scheduled = match self {
            Subject::New(_) => false,
            Subject::Run(dir) => SweepScheduler::of(&RunDir::at(dir))?.is_some(),
            Subject::NewSweep(sweep) => sweep.scheduler.is_some(),
            Subject::Sweep(dir) => dir.sweep()?.scheduler.is_some(),
        };
        let has_ended = |seed: u64| match self {
            Subject::Run(dir) => is_finished(&RunDir::at(dir).seed(seed)),
            _ => false,
        };
        let tasks = |spec: &RunSpec| match spec.seed_count() {
            2.. if !is_scheduled => {
                (0..spec.seed_count()).filter(|seed| !has_ended(spec.seed + seed)).count()
            }
            _ => 1,
        };
        Ok(specs.iter().map(tasks).sum())
    }
}

/// What the names on a command line refer to: an experiment is a new run or a new sweep, and any other name that of a run or of
/// a sweep.
///
/// # Errors
/// Those of the experiments, and [`Error::Usage`] when nothing has a name.
pub fn subjects(
    experiments: &Experiments,
    runs_dir: &Path,
    names: &[String],
    overrides: &[(String, String)],
) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for name in names {
        let is_experiment = experiments.names().contains(&name.as_str());
        if !is_experiment && let Some(sweep) = find_sweep(runs_dir, name)? {
            subjects.push(Subject::Sweep(sweep));
        } else if !is_experiment && let Ok(run) = find(runs_dir, name) {
            subjects.push(Subject::Run(run));
        } else {
            subjects.push(experiments.resolve_any(name, overrides)?.into());
        }
    }
    Ok(subjects)
}

impl From<ResolvedExperiment> for Subject {
    fn from(experiment: ResolvedExperiment) -> Self {
        match experiment {
            ResolvedExperiment::Run(spec) => Subject::New(*spec),
            ResolvedExperiment::Sweep(sweep) => Subject::NewSweep(sweep),
        }
    }
}

/// A submission. Its steps are done in order; the first one that fails is the last one.
pub struct Submission<'a> {
    /// The runs directory.
    pub runs_dir: &'a Path,
    /// Set to give up.
    pub cancelled: &'a AtomicBool,
    /// Receives the progress of downloads.
    pub emit: &'a mut dyn FnMut(Event),
}

impl Submission<'_> {
    /// Submits `subjects` with `executor`. A run directory that an earlier submitter has created and not submitted, because
    /// it was killed or refused, is used again for the same specification.
    ///
    /// # Errors
    /// When a model or data cannot be fetched, a run cannot be created or is already being trained, and those of the executor.
    /// Directories that were created stay, and the next submission uses them.
    pub fn submit(&mut self, subjects: &[Subject], executor: &dyn Executor) -> Result<Vec<SubmittedTask>> {
        let specs = self.prepare(subjects)?;
        let _lock = self.lock()?;
        executor.settle()?;
        let (mut unused, mut runs, mut count) = (None, Vec::new(), 0);
        for (subject, specs) in subjects.iter().zip(specs) {
            let before = runs.len();
            match subject {
                Subject::Run(dir) => runs.push(resumable(dir)?),
                Subject::New(_) => {
                    let unused = unused.get_or_insert_with(|| unsubmitted(self.runs_dir));
                    for spec in specs {
                        let same = unused.iter().position(|(_, other)| *other == spec);
                        runs.push(match same {
                            Some(at) => unused.swap_remove(at).0,
                            None => RunDir::create(self.runs_dir, &spec)?.path().to_path_buf(),
                        });
                    }
                }
                Subject::NewSweep(sweep) => {
                    let dir = match unsubmitted_sweep(self.runs_dir, sweep)? {
                        Some(dir) => dir,
                        None => SweepDir::create(self.runs_dir, sweep)?,
                    };
                    runs.extend(self.trials_of(&dir)?);
                }
                Subject::Sweep(dir) => runs.extend(self.trials_of(dir)?),
            }
            count += if matches!(subject, Subject::Run(_)) { 0 } else { runs.len() - before };
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted("nothing was submitted".into()));
            }
        }
        let runs: Vec<PathBuf> =
            runs.into_iter().map(|run| std::path::absolute(&run).unwrap_or(run)).collect();
        executor.submit(&runs).map_err(|error| with_advice(error, count))
    }

    /// The run directories of the trials of a sweep that are to be submitted.
    fn trials_of(&self, dir: &SweepDir) -> Result<Vec<PathBuf>> {
        create_trials(dir, self.cancelled)?;
        let numbers = inactive_trials(dir)?.into_iter();
        Ok(numbers.map(|number| dir.trial_dir(number).path().to_path_buf()).collect())
    }

    /// Checks the specifications, with the columns of their files, and fetches their models and data into the cache: a compute
    /// node may have no network. Returns the specifications of each subject.
    fn prepare(&mut self, subjects: &[Subject]) -> Result<Vec<Vec<RunSpec>>> {
        let mut fetched = BTreeSet::new();
        let mut prepared = Vec::new();
        for subject in subjects {
            let specs = subject.specs(self.cancelled)?;
            for spec in &specs {
                let files = [&spec.data_dir, &spec.train_file, &spec.validation_file, &spec.test_file];
                let source = format!("{} {} {} {files:?}", spec.model, spec.revision, spec.task.name());
                if fetched.insert(source) {
                    resolve(spec, &Hub::from_env(), self.cancelled, self.emit)?;
                }
            }
            prepared.push(specs);
        }
        Ok(prepared)
    }

    /// Waits until no other submitter creates and submits runs. On a file system without locks, nobody is waited for: two
    /// submitters then create a run each.
    fn lock(&self) -> Result<Option<File>> {
        std::fs::create_dir_all(self.runs_dir).map_err(Error::writing(self.runs_dir))?;
        let path = self.runs_dir.join(LOCK);
        let file = open_append(&path).map_err(Error::writing(&path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) if self.cancelled.load(Ordering::Relaxed) => {
                    return Err(Error::Interrupted("nothing was submitted".into()));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
            }
        }
    }
}

/// A run that can be submitted.
fn resumable(dir: &Path) -> Result<PathBuf> {
    let run = RunDir::at(dir);
    let name = run.name();
    if is_training(&run) {
        return Err(Error::Usage(format!(
            "{name} is being trained already; stop it first with: glue-tui cancel {name}"
        )));
    }
    if is_finished(&run) {
        return Err(Error::Usage(format!(
            "{name} is finished already; submit its experiment for another run"
        )));
    }
    Ok(dir.to_path_buf())
}

fn is_finished(run: &RunDir) -> bool {
    run.summary().is_some_and(|summary| summary.status == Status::Finished)
}

/// The runs that were created and that nobody has submitted, queued or trained.
fn unsubmitted(runs_dir: &Path) -> Vec<(PathBuf, RunSpec)> {
    let tasks = TaskList::read(runs_dir);
    let queue = Queue::read(runs_dir).unwrap_or_default();
    let queued: BTreeSet<_> =
        queue.entries.iter().filter_map(|entry| entry.run.as_ref()?.file_name()).collect();
    let entries = std::fs::read_dir(runs_dir).into_iter().flatten().flatten();
    let unused = entries.filter_map(|entry| {
        let name = entry.file_name();
        let run = RunDir::at(runs_dir.join(&name));
        let text = name.to_string_lossy();
        let is_hidden = text.starts_with('.');
        let has_active_task = || tasks.of_run(&text).iter().any(|task| task.phase().is_active());
        // A trial belongs to its sweep, which submits it.
        let is_used = is_hidden
            || run.events_file().exists()
            || !matches!(Trial::read(&run), Ok(None))
            || queued.contains(name.as_os_str())
            || has_active_task();
        if is_used {
            return None;
        }
        let spec = run.spec().ok()?;
        let has_log = |seed: &RunDir| seed.events_file().exists();
        let is_started =
            spec.seed_count() > 1 && run.existing_seeds().is_ok_and(|seeds| seeds.iter().any(has_log));
        (!is_started).then(|| (run.path().to_path_buf(), spec))
    });
    unused.collect()
}

/// The newest sweep with the description `sweep` that an earlier submitter has created and not submitted.
fn unsubmitted_sweep(runs_dir: &Path, sweep: &Sweep) -> Result<Option<SweepDir>> {
    let Some(dir) = newest_sweep_of(runs_dir, &sweep.base.experiment)? else { return Ok(None) };
    let (tasks, queue) = (TaskList::read(runs_dir), Queue::read(runs_dir).unwrap_or_default());
    let is_queued = queue
        .entries
        .iter()
        .any(|entry| entry.sweep.as_ref().is_some_and(|queued| queued.name == dir.name()));
    let is_used = |number: u64| {
        let run = dir.trial_dir(number);
        let has_log = |run: &RunDir| run.events_file().exists();
        has_log(&run)
            || run.existing_seeds().is_ok_and(|seeds| seeds.iter().any(has_log))
            || tasks.of_run(&run.name()).iter().any(|task| task.phase().is_active())
    };
    let is_unsubmitted = !is_queued && dir.sweep()? == *sweep && !(0..sweep.len()).any(is_used);
    Ok(is_unsubmitted.then_some(dir))
}

/// The trials of a sweep that are to be trained and have no job.
fn inactive_trials(dir: &SweepDir) -> Result<Vec<u64>> {
    let tasks = TaskList::read(dir.runs_dir());
    let has_job =
        |number: u64| tasks.of_run(&dir.trial_dir(number).name()).iter().any(|task| task.phase().is_active());
    let mut trials = remaining_trials(dir)?;
    trials.retain(|number| !has_job(*number));
    if trials.is_empty() {
        return Err(Error::Usage(format!("no trial of the sweep {} is left to submit", dir.name())));
    }
    Ok(trials)
}

/// The error of an executor, with what becomes of `count` directories that it was to submit.
fn with_advice(error: Error, count: usize) -> Error {
    let text = |cause: String| match count {
        0 => cause,
        _ => format!(
            "{cause}; the directories of {} stay, and the next submission uses them",
            plural(count, "new run")
        ),
    };
    match error {
        Error::Usage(cause) => Error::Usage(text(cause)),
        Error::Device(cause) => Error::Device(text(cause)),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::executor::LocalExecutor;
    use crate::spec::built_in;

    fn submit(runs_dir: &Path, spec: &RunSpec) -> PathBuf {
        let (cancelled, executor) = (AtomicBool::new(false), LocalExecutor { runs_dir: runs_dir.into() });
        let mut submission = Submission { runs_dir, cancelled: &cancelled, emit: &mut |_| {} };
        submission.submit(&[Subject::New(spec.clone())], &executor).unwrap().remove(0).run
    }

    #[test]
    fn directory_of_a_killed_submitter_is_used_again() {
        let home = tempfile::tempdir().unwrap();
        let spec = built_in("demo");
        let left = RunDir::create(home.path(), &spec).unwrap();
        RunDir::create(home.path(), &RunSpec { seed: 9, ..spec.clone() }).unwrap();
        let trial = RunDir::create(home.path(), &spec).unwrap();
        std::fs::write(trial.path().join("trial.toml"), "").unwrap();
        assert_eq!(submit(home.path(), &spec).file_name(), left.path().file_name());
        let second = submit(home.path(), &spec);
        assert!(
            !second.ends_with(left.name()) && !second.ends_with(trial.name()),
            "each run is submitted once"
        );
    }

    #[test]
    fn names_are_experiments_or_runs() {
        let home = tempfile::tempdir().unwrap();
        let run = RunDir::create(home.path(), &built_in("other")).unwrap();
        let experiments = Experiments::shipped();
        let subjects = |name: &str| subjects(&experiments, home.path(), &[name.into()], &[]);
        assert!(matches!(subjects("demo").unwrap()[..], [Subject::New(_)]));
        assert_eq!(subjects(&run.name()).unwrap(), [Subject::Run(run.path().into())]);
        assert!(subjects("dmeo").unwrap_err().to_string().contains("no experiment `dmeo`"));
    }
}
