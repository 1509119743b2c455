//! Submits runs to Slurm as arrays, and cancels them.

use super::command;
use super::poll::reconcile;
use super::script::{Array, TASKS};
use super::state::{SlurmState, TaskRecord, task_of};
use crate::error::{Error, Result};
use crate::event::{Status, now};
use crate::files::write_atomic;
use crate::machine::this_program;
use crate::run::dir::RunDir;
use crate::run::executor::task_status::{CANCELLED, PENDING, SUBMITTING};
use crate::run::executor::traits::{Executor, SubmittedTask};
use crate::run::sweep::SweepScheduler;
use crate::spec::SlurmSettings;
use crate::text::plural;
use kernels::rng::{Rng, Stream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The number of tasks of an array that Slurm allows by default.
const DEFAULT_MAX_ARRAY: usize = 1001;
/// Tasks that one `scancel` gets.
const MAX_CANCELLED: usize = 500;
/// How often a task that is just being requeued is cancelled again, and the time between two attempts.
const CANCEL_ATTEMPTS: u32 = 8;
const CANCEL_RETRY: Duration = Duration::from_millis(500);

/// Slurm, for the runs of a runs directory.
#[derive(Debug)]
pub struct SlurmExecutor {
    runs_dir: PathBuf,
    settings: SlurmSettings,
}

/// A task to submit.
struct Task {
    /// The directory of its run.
    run: PathBuf,
    /// What it trains.
    name: String,
}

impl SlurmExecutor {
    /// Submits the runs of `runs_dir` with these settings.
    pub fn new(runs_dir: &Path, settings: SlurmSettings) -> SlurmExecutor {
        // The script runs in another directory of the same file system.
        let runs_dir = std::path::absolute(runs_dir).unwrap_or_else(|_| runs_dir.to_path_buf());
        SlurmExecutor { runs_dir, settings }
    }

    /// The batch scripts of the arrays that so many tasks would be submitted as. Nothing is created.
    ///
    /// # Errors
    /// [`Error::Device`] when the path of this program is not known.
    pub fn preview(&self, tasks: usize) -> Result<Vec<String>> {
        let largest = max_array().unwrap_or(DEFAULT_MAX_ARRAY);
        let name = array_name(0);
        let sizes = (0..tasks).step_by(largest).map(|start| largest.min(tasks - start));
        sizes.map(|tasks| script_of(&self.array(&name, tasks))).collect()
    }

    fn array<'a>(&'a self, name: &'a str, tasks: usize) -> Array<'a> {
        Array { name, tasks, runs_dir: &self.runs_dir, settings: &self.settings }
    }

    /// The tasks of runs: one for each run, or one for each seed that is not finished. A trial that a scheduler can pause is one
    /// task with all its seeds, because its first seed decides.
    fn tasks_of(&self, runs: &[PathBuf]) -> Result<Vec<Task>> {
        let mut tasks = Vec::new();
        for path in runs {
            let (run, spec) = (RunDir::at(path), RunDir::at(path).spec()?);
            let Some(name) = self.task_name(path) else {
                return Err(Error::Usage(format!(
                    "{} is not in the runs directory {}; name its runs directory with --runs-dir",
                    path.display(),
                    self.runs_dir.display()
                )));
            };
            if spec.seed_count() <= 1 || SweepScheduler::of(&run)?.is_some() {
                tasks.push(Task { run: path.clone(), name });
                continue;
            }
            for repeat in 0..spec.seed_count() {
                let seed = run.of_seed(&spec.of_seed(repeat))?;
                if seed.summary().is_none_or(|summary| summary.status != Status::Finished) {
                    tasks.push(Task { run: path.clone(), name: format!("{name}/{}", seed.name()) });
                }
            }
        }
        Ok(tasks)
    }

    /// The name of the task that trains the run or the seed in `dir`; `None` if it is in another runs directory.
    fn task_name(&self, dir: &Path) -> Option<String> {
        let (runs_dir, name) = task_of(dir);
        let is_same =
            runs_dir == self.runs_dir || runs_dir.canonicalize().ok() == self.runs_dir.canonicalize().ok();
        is_same.then_some(name)
    }

    /// Submits an array. The tasks are recorded before, so that no other program submits them, and the id afterwards.
    fn submit_array(&self, name: &str, tasks: &[Task]) -> Result<String> {
        let array = self.array(name, tasks.len());
        let folder = array.folder();
        std::fs::create_dir_all(&folder).map_err(Error::writing(&folder))?;
        let lines = tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join("\n") + "\n";
        write_atomic(&folder.join(TASKS), lines.as_bytes())?;
        let script = folder.join("job.sh");
        write_atomic(&script, script_of(&array)?.as_bytes())?;
        self.record(name, tasks)?;
        let (named, script) = (array.named_options(), script.display().to_string());
        let options = named.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["--parsable"].into_iter().chain(options).chain([script.as_str()]).collect();
        let answer = command::run("sbatch", &arguments);
        let id = answer.and_then(|text| parse_id(&text));
        SlurmState::edit(&self.runs_dir, |state| {
            state.tasks.retain(|_, record| record.array_name != name);
            if let Ok(id) = &id {
                let records = (0..).zip(tasks).map(|(index, task)| {
                    let (array, state) = (Some(id.clone()), PENDING.into());
                    let record = TaskRecord { array, state, ..submitting(name, index) };
                    (task.name.clone(), record)
                });
                state.tasks.extend(records);
            }
            // The tasks are shown as soon as Slurm knows why they wait.
            (state.next_poll, state.interval) = (now(), 0.0);
            Ok(())
        })?;
        if id.is_err() {
            std::fs::remove_dir_all(&folder).ok();
        }
        id
    }

    fn record(&self, name: &str, tasks: &[Task]) -> Result<()> {
        SlurmState::edit(&self.runs_dir, |state| {
            for (index, task) in (0..).zip(tasks) {
                if let Some(record) = state.tasks.get(&task.name).filter(|record| record.phase().is_active())
                {
                    let job = record.job().map_or(String::new(), |job| format!(" as job {job}"));
                    return Err(Error::Usage(format!(
                        "{} is submitted already{job}; take it back with: glue-tui cancel {}",
                        task.name,
                        RunDir::at(&task.run).name()
                    )));
                }
                state.tasks.insert(task.name.clone(), submitting(name, index));
            }
            Ok(())
        })
    }
}

impl Executor for SlurmExecutor {
    fn settle(&self) -> Result<()> {
        let state = SlurmState::read(&self.runs_dir)?;
        if state.tasks.values().any(TaskRecord::is_submitting) {
            reconcile(&self.runs_dir)?;
        }
        Ok(())
    }

    fn submit(&self, runs: &[PathBuf]) -> Result<Vec<SubmittedTask>> {
        let all = self.tasks_of(runs)?;
        let largest = max_array()?;
        let mut submitted: Vec<SubmittedTask> = Vec::new();
        for (number, tasks) in all.chunks(largest).enumerate() {
            let id =
                self.submit_array(&array_name(number), tasks).map_err(|error| match submitted.len() {
                    0 => error,
                    count => Error::Usage(format!(
                        "{count} of {} are submitted, the others are not: {error}",
                        plural(all.len(), "task")
                    )),
                })?;
            let task = |(index, task): (usize, &Task)| SubmittedTask {
                run: task.run.clone(),
                task: task.name.clone(),
                job: Some(format!("{id}_{index}")),
            };
            submitted.extend(tasks.iter().enumerate().map(task));
        }
        Ok(submitted)
    }

    fn cancel(&self, runs: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let state = SlurmState::read(&self.runs_dir)?;
        let (mut jobs, mut tasks, mut cancelled) = (Vec::new(), Vec::new(), Vec::new());
        for run in runs {
            let Some(name) = self.task_name(run) else { continue };
            let active = state.tasks_of(&name).filter(|(_, record)| record.phase().is_active());
            let before = jobs.len();
            for (task, record) in active {
                if let Some(job) = record.job() {
                    jobs.push(job);
                    tasks.push(task.to_owned());
                }
            }
            if jobs.len() > before {
                cancelled.push(run.clone());
            }
        }
        if tasks.is_empty() {
            return Ok(cancelled);
        }
        jobs.chunks(MAX_CANCELLED).try_for_each(cancel_jobs)?;
        SlurmState::edit(&self.runs_dir, |state| {
            for task in &tasks {
                if let Some(record) = state.tasks.get_mut(task) {
                    (record.state, record.reason, record.time) = (CANCELLED.into(), None, now());
                }
            }
            Ok(())
        })?;
        Ok(cancelled)
    }
}

/// The batch script of an array.
fn script_of(array: &Array<'_>) -> Result<String> {
    let failed = |error| Error::Device(format!("cannot find the file of this program: {error}"));
    let program = PathBuf::from(this_program().map_err(failed)?.get_program());
    if program.starts_with("/proc") {
        return Err(Error::Device(
            "the file of this program was replaced; start it again to submit runs".into(),
        ));
    }
    let working_dir = std::env::current_dir().map_err(Error::reading("the working directory"))?;
    Ok(array.script(&program, &working_dir))
}

/// The record of the task `index` of the array `name` before Slurm knows it.
fn submitting(name: &str, index: u32) -> TaskRecord {
    let (array_name, state) = (name.to_owned(), SUBMITTING.to_owned());
    TaskRecord { array_name, index, array: None, state, reason: None, time: now() }
}

/// Cancels jobs. One that is being requeued at this moment cannot be cancelled, so this is repeated for a while.
fn cancel_jobs(jobs: &[String]) -> Result<()> {
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    for attempt in 1.. {
        match command::run("scancel", &jobs) {
            Err(error) if attempt < CANCEL_ATTEMPTS && error.to_string().contains("try again later") => {
                std::thread::sleep(CANCEL_RETRY);
            }
            result => return result.map(drop),
        }
    }
    Ok(())
}

/// The number of tasks that an array can have.
fn max_array() -> Result<usize> {
    let text = command::run("scontrol", &["show", "config"])?;
    let value = text.lines().find_map(|line| line.trim().strip_prefix("MaxArraySize")?.split('=').nth(1));
    let size = value.and_then(|value| value.trim().parse().ok()).unwrap_or(DEFAULT_MAX_ARRAY);
    match size {
        0 => Err(Error::Usage("this cluster has no arrays (MaxArraySize is 0)".into())),
        size => Ok(size),
    }
}

/// The id in the output of `sbatch --parsable`: `12`, or `12;cluster`.
fn parse_id(text: &str) -> Result<String> {
    let mut lines = text.lines().filter_map(|line| line.trim().split(';').next());
    lines
        .rfind(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .ok_or_else(|| Error::Usage(format!("sbatch has not printed the id of a job, but `{}`", text.trim())))
}

/// A new name for the array `number` of a submission, which no other array has.
fn array_name(number: usize) -> String {
    let stamp = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let entropy = u64::from(std::process::id()) << 32 ^ now().to_bits();
    let tag = Rng::new(entropy, Stream::Sample).block(0, 0, number as u64)[0];
    format!("glue-tui-{stamp}-{tag:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_of_an_array_is_read() {
        assert_eq!(parse_id("12\n").unwrap(), "12");
        assert_eq!(parse_id("12;cluster\n").unwrap(), "12");
        assert_eq!(parse_id("a message of the site\n13\n").unwrap(), "13");
        assert!(parse_id("").is_err() && parse_id("Submitted batch job 3\n").is_err());
        assert_ne!(array_name(0), array_name(1));
    }

    #[test]
    fn run_with_seeds_has_a_task_for_each_seed_that_is_not_finished() {
        let home = tempfile::tempdir().unwrap();
        let spec = crate::spec::RunSpec { repeats: 3, seed: 7, ..crate::spec::built_in("a") };
        let run = RunDir::create(home.path(), &spec).unwrap();
        let names = || {
            let slurm = SlurmExecutor::new(home.path(), SlurmSettings::default());
            let tasks = slurm.tasks_of(&[run.path().to_path_buf()]).unwrap();
            tasks.into_iter().map(|task| task.name.rsplit_once('/').unwrap().1.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["seed-7", "seed-8", "seed-9"]);
        let seed = RunDir::at(run.path().join("seed-8"));
        assert_eq!(seed.spec().unwrap().repeats, 1);
        let name =
            |runs_dir: &Path| SlurmExecutor::new(runs_dir, SlurmSettings::default()).task_name(seed.path());
        assert_eq!(name(home.path()), Some(format!("{}/seed-8", run.name())));
        assert_eq!(name(run.path()), None, "it is in another runs directory");
    }

    #[test]
    fn cross_validation_has_a_task_for_each_fold() {
        let home = tempfile::tempdir().unwrap();
        let spec = crate::spec::RunSpec { folds: Some(3), seed: 7, ..crate::spec::built_in("a") };
        let run = RunDir::create(home.path(), &spec).unwrap();
        let slurm = SlurmExecutor::new(home.path(), SlurmSettings::default());
        let tasks = slurm.tasks_of(&[run.path().to_path_buf()]).unwrap();
        let folds: Vec<_> =
            tasks.iter().map(|task| RunDir::at(home.path().join(&task.name)).spec().unwrap().fold).collect();
        assert_eq!(folds, [Some(1), Some(2), Some(3)]);
    }
}
