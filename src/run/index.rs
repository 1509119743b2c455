//! The list of runs.

use super::dir::RunDir;
use super::lock::is_training;
use super::measured_speed::MeasuredSpeed;
use super::reader::ends;
use super::repeats::{Repeats, RepeatsSummary};
use crate::catalog::Metric;
use crate::error::{Error, Result};
use crate::event::{Event, Status};
use crate::spec::RunSpec;
use crate::train::{CheckpointProgress, Summary, checkpoint_progress};
use serde::Serialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Bytes that are read at each end of a log. Logs of up to twice as many are read completely.
const END_BYTES: u64 = 64 * 1024;

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Its directory.
    pub dir: PathBuf,
    /// Its name.
    pub name: String,
    /// The experiment.
    pub experiment: String,
    /// Name of the task.
    pub task: String,
    /// Hub id, folder, or `demo`.
    pub model: String,
    /// The (first) seed.
    pub seed: u64,
    /// Its status.
    pub status: RunStatus,
    /// The best validation score.
    pub best: Option<(Metric, f64)>,
    /// Optimizer steps done (of the last seed, with repeats).
    pub steps: u64,
    /// Optimizer steps of the whole run; 0 while unknown.
    pub total_steps: u64,
    /// Seconds of the optimizer steps.
    pub train_seconds: f64,
    /// When it was last started or resumed, in seconds since 1970; 0 while unknown.
    pub started: f64,
    /// Mean and standard deviation over the seeds, with repeats.
    pub repeats: Option<Repeats>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its speed, once it has ended.
    #[serde(skip)]
    pub measured_speed: Option<MeasuredSpeed>,
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A process trains it.
    Running,
    /// All steps are done.
    Finished,
    /// It was stopped and can be resumed.
    Stopped,
    /// It ended with an error.
    Failed,
    /// Its process ended without recording why, as in a power failure. It can be resumed from its newest checkpoint.
    Interrupted,
    /// Its directory or its specification cannot be read.
    Unreadable,
}

impl RunStatus {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Finished => "finished",
            RunStatus::Stopped => "stopped",
            RunStatus::Failed => "failed",
            RunStatus::Interrupted => "interrupted",
            RunStatus::Unreadable => "unreadable",
        }
    }
}

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
    let mut rows = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::reading(runs_dir))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            rows.extend(row(&entry.path()));
        }
    }
    rows.sort_by(|a, b| b.started.total_cmp(&a.started).then_with(|| b.name.cmp(&a.name)));
    Ok(rows)
}

/// The run directory that `name` refers to: a run directory, the name of a run, the name of an experiment (its
/// newest run), or a unique prefix of the name of a run.
///
/// # Errors
/// [`Error::Usage`] when there is no such run, or several have that prefix, [`Error::Read`] when `runs_dir` cannot be read.
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
    let matches: Vec<&RunRow> = rows.iter().filter(|row| row.name.starts_with(name)).collect();
    match matches.as_slice() {
        [row] => Ok(row.dir.clone()),
        [] => Err(Error::Usage(format!(
            "no run {name} in {}; `glue-tui runs` lists the runs",
            runs_dir.display()
        ))),
        [first, ..] => Err(Error::Usage(format!(
            "{} runs start with {name} ({}, …); give a longer prefix",
            matches.len(),
            first.name
        ))),
    }
}

/// The run in `dir`; `None` when it is not a run directory.
pub fn row(dir: &Path) -> Option<RunRow> {
    // A link whose target is missing, as on a disk that is not mounted, may be one to a run.
    if let (Ok(link), Err(error)) = (dir.symlink_metadata(), dir.metadata()) {
        return link.is_symlink().then(|| unreadable(dir, &Error::reading(dir)(error)));
    }
    let dir = &RunDir::at(dir);
    if !dir.is_run() {
        return None;
    }
    let spec = match dir.spec() {
        Ok(spec) => spec,
        Err(error) => return Some(unreadable(dir.path(), &error)),
    };
    let is_running = is_training(dir);
    let summary: Option<Summary> = if is_running { None } else { dir.summary() };
    let repeats = if spec.repeats > 1 { repeats(dir, &spec) } else { None };
    let log = LogState::of(dir, &spec);
    let status = match (is_running, &summary, log.ended) {
        (true, ..) => RunStatus::Running,
        (_, Some(summary), _) => status(summary.status),
        (_, None, Some(ended)) => status(ended),
        (_, None, None) => RunStatus::Interrupted,
    };
    let measured_speed = summary.as_ref().and_then(|summary| MeasuredSpeed::of_summary(summary, &spec));
    let best = summary.as_ref().and_then(|s| s.best).map(|best| (best.metric, best.value)).or(log.best);
    Some(RunRow {
        dir: dir.path().to_path_buf(),
        name: dir.name(),
        experiment: spec.experiment,
        task: spec.task.to_string(),
        model: spec.model,
        seed: spec.seed,
        status,
        best,
        steps: summary.as_ref().map_or(log.steps, |s| s.steps),
        total_steps: log.total_steps,
        train_seconds: summary.as_ref().map_or(log.seconds, |s| s.train_seconds),
        started: log.started,
        repeats: repeats.map(|r| r.repeats),
        problem: None,
        measured_speed,
    })
}

/// The row of a run, or of a whole runs directory, that cannot be read.
pub fn unreadable(dir: &Path, error: &Error) -> RunRow {
    RunRow {
        dir: dir.to_path_buf(),
        name: RunDir::at(dir).name(),
        experiment: String::new(),
        task: String::new(),
        model: String::new(),
        seed: 0,
        status: RunStatus::Unreadable,
        best: None,
        steps: 0,
        total_steps: 0,
        train_seconds: 0.0,
        started: 0.0,
        repeats: None,
        problem: Some(error.to_string()),
        measured_speed: None,
    }
}

/// The summary of all seeds, or while it does not exist that of the seeds which have one.
fn repeats(dir: &RunDir, spec: &RunSpec) -> Option<RepeatsSummary> {
    let from_seeds = || {
        let seeds = (0..spec.repeats).map(|repeat| dir.path().join(format!("seed-{}", spec.seed + repeat)));
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

/// State of a run from its log. For a long log of a run without a summary, `seconds` misses the steps between the
/// newest checkpoint and the end of the log that is read.
#[derive(Default)]
struct LogState {
    started: f64,
    steps: u64,
    total_steps: u64,
    seconds: f64,
    /// The step up to which `seconds` is counted.
    timed: u64,
    best: Option<(Metric, f64)>,
    ended: Option<Status>,
}

impl LogState {
    fn of(dir: &RunDir, spec: &RunSpec) -> Self {
        let mut log = LogState::default();
        // With repeats, the state is that of the seed that was trained last.
        let seed_dir = (0..spec.repeats)
            .rev()
            .map(|repeat| dir.path().join(format!("seed-{}", spec.seed + repeat)))
            .find(|path| spec.repeats > 1 && path.is_dir());
        let dir = seed_dir.as_deref().unwrap_or(dir.path());
        let (first, last) = ends(dir, END_BYTES).unwrap_or_default();
        // The problem type of task `custom` is known when the run starts.
        let started = first.iter().find_map(|event| match event {
            Event::Started(started) => Some(started.best_metric()),
            _ => None,
        });
        let metric = started.unwrap_or_else(|| spec.best_metric());
        for event in first {
            log.take(event, metric);
        }
        // The part of a long log between its ends is summed up in the newest checkpoint.
        if !last.is_empty()
            && let Some(CheckpointProgress { steps, seconds, best, total_steps }) = checkpoint_progress(dir)
            && steps > log.steps
        {
            let total_steps = total_steps.unwrap_or(log.total_steps);
            log = LogState { steps, total_steps, timed: steps, seconds, best: best.or(log.best), ..log };
        }
        for event in last {
            log.take(event, metric);
        }
        log
    }

    fn take(&mut self, event: Event, metric: Metric) {
        match event {
            Event::Started(started) => {
                self.started = started.time;
                self.total_steps = started.total_steps;
                self.steps = started.first_step;
                self.timed = started.first_step;
                self.ended = None;
            }
            Event::Command { settings: Some(settings), .. } => self.total_steps = settings.total_steps,
            Event::Step(step) => {
                if step.step > self.timed {
                    self.seconds += step.seconds;
                    self.timed = step.step;
                }
                self.steps = step.step;
            }
            Event::Eval(eval) if eval.best => {
                self.best = eval.scores.get(metric).map(|value| (metric, value));
            }
            Event::Ended { status, .. } => self.ended = Some(status),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Started, Step};
    use crate::train::Best;

    /// Writes a run of half a second per step that was killed after `steps` steps.
    fn killed(dir: &Path, steps: u64) {
        let spec = crate::spec::built_in("demo");
        let started = Event::Started(Box::new(Started {
            time: 7.0,
            spec: spec.clone(),
            device: "cpu".into(),
            precision: "f32".into(),
            first_step: 0,
            total_steps: 5000,
            steps_per_epoch: 100,
            labels: Vec::new(),
            problem_type: None,
            scale: None,
            rows: [3200, 0, 0],
            data: std::collections::BTreeMap::default(),
            trainable_parameters: 1,
            planned_memory: None,
            product_rate: None,
        }));
        let step = |step| {
            let (epoch, loss, learning_rate) = (step as f64 / 100.0, 0.123_456_789, 1e-4);
            let (grad_norm, examples, tokens, seconds) = (0.987_654_321, 32, 640, 0.5);
            let usage = None;
            Event::Step(Step {
                step,
                epoch,
                loss,
                learning_rate,
                grad_norm,
                examples,
                tokens,
                seconds,
                usage,
            })
        };
        let events = std::iter::once(started).chain((1..=steps).map(step));
        let lines: Vec<String> = events.map(|event| serde_json::to_string(&event).unwrap() + "\n").collect();
        let dir = RunDir::at(dir);
        std::fs::write(dir.events_file(), lines.concat()).unwrap();
        std::fs::write(dir.spec_file(), crate::spec::to_toml(&spec)).unwrap();
    }

    #[test]
    fn short_log_is_read_completely() {
        let home = tempfile::tempdir().unwrap();
        killed(home.path(), 300);
        let row = row(home.path()).unwrap();
        assert_eq!((row.status, row.steps, row.total_steps), (RunStatus::Interrupted, 300, 5000));
        assert_eq!((row.train_seconds, row.started, row.best), (150.0, 7.0, None));
    }

    #[test]
    #[cfg(unix)]
    fn nothing_is_omitted_silently() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for name in ["good", "broken", "newer", "lost-spec", "fifo", "folder", ".hidden"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        let spec = crate::spec::to_toml(&crate::spec::built_in("demo"));
        std::fs::write(path("good/spec.toml"), &spec).unwrap();
        std::fs::write(path("broken/spec.toml"), &spec[..spec.find('\n').unwrap() - 1]).unwrap();
        std::fs::write(path("newer/spec.toml"), spec + "from_the_future = 1\n").unwrap();
        std::fs::write(path("lost-spec/events.jsonl"), "").unwrap();
        std::fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path("fifo/spec.toml")).status().unwrap().success());
        let rows = list(home.path()).unwrap();
        let problem = |name: &str| {
            let row = rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name}: {rows:?}"));
            assert_eq!(row.status == RunStatus::Unreadable, row.problem.is_some());
            row.problem.clone().unwrap_or_default()
        };
        assert_eq!(rows.len(), 6, "{rows:?}");
        assert_eq!(problem("good"), "");
        for (name, part) in [
            ("broken", "spec.toml:"),
            ("newer", "from_the_future"),
            ("lost-spec", "spec.toml: No such file"),
            ("fifo", "FIFO"),
            ("link", "cannot read"),
        ] {
            assert!(problem(name).contains(part), "{name}: {}", problem(name));
        }
        assert!(list(&path("file")).is_err() && list(&path("none")).unwrap().is_empty());
        assert_eq!(
            find(home.path(), "newer").unwrap(),
            path("newer"),
            "commands report what is wrong with it"
        );
    }

    #[test]
    fn long_log_is_summed_up_from_its_ends_and_the_checkpoint() {
        let home = tempfile::tempdir().unwrap();
        killed(home.path(), 4000);
        let bytes = std::fs::metadata(RunDir::at(home.path()).events_file()).unwrap().len();
        assert!(bytes > 4 * END_BYTES, "long enough to be read at its ends only");
        let checkpoint = home.path().join("checkpoints/step-003900");
        std::fs::create_dir_all(&checkpoint).unwrap();
        let state = "step = 3900\nupdates = 3900\nevals_without_improvement = 0\ntrain_seconds = 1950.0\n\
                     examples = 1\ntokens = 1\ntotal_steps = 6000\n[before]\n[latest]\n\
                     [best]\nstep = 3900\nmetric = \"accuracy\"\nvalue = 0.9\n";
        std::fs::write(checkpoint.join("loop.toml"), state).unwrap();
        let row = row(home.path()).unwrap();
        // max_steps was changed mid-run.
        assert_eq!((row.steps, row.total_steps, row.train_seconds), (4000, 6000, 2000.0));
        assert_eq!((row.started, row.best), (7.0, Some((Metric::Accuracy, 0.9))));
    }

    #[test]
    fn finished_seeds_count_before_the_others_are_done() {
        let home = tempfile::tempdir().unwrap();
        let spec = crate::spec::RunSpec { repeats: 3, ..crate::spec::built_in("demo") };
        let dir = RunDir::at(home.path());
        std::fs::write(dir.spec_file(), crate::spec::to_toml(&spec)).unwrap();
        for (seed, value) in [(spec.seed, 0.8), (spec.seed + 1, 0.9)] {
            let one = RunSpec { seed, repeats: 1, ..spec.clone() };
            let best = Some(Best { step: 7, metric: Metric::Accuracy, value, test: None });
            let failed = Summary::failed(&one, &Error::Training("-".into()));
            dir.of_seed(&one).unwrap().write_summary(&Summary { best, ..failed }).unwrap();
        }
        let repeats = row(dir.path()).unwrap().repeats.unwrap();
        assert!((repeats.mean - 0.85).abs() < 1e-12 && repeats.count == 2, "{repeats:?}");
    }
}
