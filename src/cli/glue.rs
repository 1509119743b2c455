//! `glue`: trains a model on all tasks of GLUE and prints a scoreboard. A GLUE run is a sweep of tasks, so it is trained,
//! submitted and continued like any sweep.

mod export;
mod scoreboard;

pub(super) use export::export;

use super::args::{ExecutorArg, GlobalArgs, GlueArgs};
use super::foreground_trainer::ForegroundTrainer;
use super::output;
use super::progress::ProgressDisplay;
use super::signals::cancelled_by_signals;
use super::submit::{report as report_submitted, submit_subjects};
use super::train_sweep::{train_trials, trial_line};
use crate::assets::DEMO;
use crate::catalog::GLUE_TASKS;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::run::executor::Subject;
use crate::run::executor::slurm::SlurmExecutor;
use crate::run::sweep::{
    SweepDir, SweepReport, TaskData, TrialRow, find_sweep, glue_sweep, newest_of_tasks, remaining_trials,
    tasks_named,
};
use crate::run::{self, RunDir, RunRow};
use crate::spec::{Experiments, Sweep};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The exit code of an interrupted GLUE run whose work is saved.
const INTERRUPTED: u8 = 130;

pub(super) fn glue(global: &GlobalArgs, args: &GlueArgs) -> Result<()> {
    if let Some(file) = &args.check {
        return export::check(global, file);
    }
    if args.show {
        return show(global, args.model.as_deref());
    }
    match args.executor {
        Some(executor) => submit(global, args, executor),
        None => train(global, args),
    }
}

/// Trains the tasks in this process.
fn train(global: &GlobalArgs, args: &GlueArgs) -> Result<()> {
    let trainer = ForegroundTrainer::new(global, args.plain)?;
    let trained = open(global, args, trainer.stop_flag()).and_then(|dir| {
        train_tasks(global, &trainer, &dir)?;
        Ok(dir)
    });
    let (is_json, is_stopped) = (global.json, trainer.is_stopped());
    trainer.end(INTERRUPTED, move || report(&trained?, is_json, is_stopped))
}

/// Trains the tasks that are left, and predicts the test splits with each model.
fn train_tasks(global: &GlobalArgs, trainer: &ForegroundTrainer, dir: &SweepDir) -> Result<()> {
    let mut predicted = BTreeSet::new();
    train_trials(trainer, dir, &mut |number, run| {
        if let Some(row) = run::row(run) {
            let report = SweepReport::read(dir.clone(), &[row])?;
            if let Some(trial) = report.trials.iter().find(|trial| trial.number == number) {
                output::stderr_line(trial_line(&report, trial));
            }
        }
        predicted.insert(number);
        predict(global, run, trainer.stop_flag())
    })?;
    // Those that other processes have trained.
    let report = report_of(dir)?;
    for trial in report.trials.iter().filter(|trial| !predicted.contains(&trial.number)) {
        match &trial.dir {
            Some(run) if !trainer.is_stopped() => predict(global, run, trainer.stop_flag())?,
            _ => {}
        }
    }
    Ok(())
}

/// Predicts the test splits of the task of a finished run for a submission.
fn predict(global: &GlobalArgs, run: &Path, cancelled: &AtomicBool) -> Result<()> {
    let is_finished =
        RunDir::at(run).summary().is_some_and(|summary| summary.status == crate::event::Status::Finished);
    if !is_finished || !is_of_glue(run) {
        return Ok(());
    }
    match export::predict(global, run, cancelled) {
        Ok(missing) => {
            for (file, reason) in missing {
                output::stderr_line(format!("no predictions for {file}: {reason}"));
            }
            Ok(())
        }
        Err(error @ Error::Interrupted(_)) => Err(error),
        // The export of the submission tries it again, and reports the error.
        Err(error) => {
            output::stderr_line(format!("the test splits were not predicted: {error}"));
            Ok(())
        }
    }
}

/// Whether the task of a run is one of GLUE.
fn is_of_glue(run: &Path) -> bool {
    RunDir::at(run).spec().is_ok_and(|spec| GLUE_TASKS.contains(&spec.task.name()))
}

/// Submits the tasks that are left.
fn submit(global: &GlobalArgs, args: &GlueArgs, executor: ExecutorArg) -> Result<()> {
    let experiments = Experiments::open(global.experiments.as_deref())?;
    let slurm = match executor {
        ExecutorArg::Slurm => Some(SlurmExecutor::new(&global.runs_dir, experiments.slurm()?)),
        ExecutorArg::Local => None,
    };
    let cancelled = cancelled_by_signals()?;
    let dir = open(global, args, &cancelled)?;
    if remaining_trials(&dir)?.is_empty() {
        return report(&dir, global.json, false);
    }
    let submitted = submit_subjects(global, slurm.as_ref(), &[Subject::Sweep(dir)], &cancelled)?;
    report_submitted(global, &submitted)
}

/// The GLUE run to train: that of the same settings, or a new one. Tasks whose data are missing are skipped.
fn open(global: &GlobalArgs, args: &GlueArgs, cancelled: &AtomicBool) -> Result<SweepDir> {
    let mut progress = ProgressDisplay::new(args.plain);
    let mut emit = |event: Event| progress.show_of(&event);
    let mut data = TaskData { cancelled, emit: &mut emit };
    let opened = open_with(global, args, &mut data);
    progress.clear();
    let dir = opened?;
    let report = SweepReport::read(dir.clone(), &[])?;
    output::stderr_line(format!("GLUE run {}: {}", dir.name(), report.sweep.describe()));
    for (task, trial) in report.scoreboard.iter().flat_map(|board| board.tasks.iter().zip(&report.trials)) {
        if let (TrialRow::SKIPPED, Some(reason)) = (trial.status, &trial.reason) {
            output::stderr_line(format!("skips {}: {reason}", task.task));
        }
    }
    Ok(dir)
}

fn open_with(global: &GlobalArgs, args: &GlueArgs, data: &mut TaskData<'_>) -> Result<SweepDir> {
    let model = args.model.as_deref().unwrap_or_default();
    if let Some(dir) = glue_run(&global.runs_dir, model)? {
        if !args.set.is_empty() || !args.tasks.is_empty() || args.repeats.is_some() || args.new {
            return Err(Error::Usage(format!(
                "{model} is a GLUE run, which keeps its tasks and settings; name its model to start another one"
            )));
        }
        data.retry(&dir)?;
        return Ok(dir);
    }
    let sweep = sweep(global, args, model, data.cancelled)?;
    if args.new { data.create(&global.runs_dir, &sweep) } else { data.open(&global.runs_dir, &sweep) }
}

/// The tasks and settings that the arguments ask for.
fn sweep(global: &GlobalArgs, args: &GlueArgs, model: &str, cancelled: &AtomicBool) -> Result<Sweep> {
    if let Some((key, text)) = args.set.iter().find(|(key, _)| key == "model") {
        return Err(Error::Usage(format!("--set {key}={text}: name the model as glue-tui glue MODEL")));
    }
    let tasks = match args.tasks.as_slice() {
        [] => tasks_named(&GLUE_TASKS.map(str::to_owned), &GLUE_TASKS)?,
        names => tasks_named(names, &GLUE_TASKS)?,
    };
    let set = |key: &str, text: String| (key.to_owned(), text);
    let path = path_of_model(&global.runs_dir, model)?;
    let mut overrides = args.set.clone();
    overrides.extend(args.repeats.map(|repeats| set("repeats", repeats.to_string())));
    overrides.extend(global.device.map(|device| set("device", device.to_string())));
    let experiments = Experiments::open(global.experiments.as_deref())?;
    glue_sweep(&experiments, (model, &path), &tasks, &overrides, cancelled)
}

/// The GLUE run with that name, or that prefix of a name.
fn glue_run(runs_dir: &Path, name: &str) -> Result<Option<SweepDir>> {
    // Of several sweeps with this prefix, none is meant.
    let Ok(Some(dir)) = find_sweep(runs_dir, name) else { return Ok(None) };
    let has_tasks = dir.sweep()?.has_tasks();
    Ok(Some(dir).filter(|_| has_tasks))
}

/// The value of the key `model`: the best weights of a run, or else the name itself.
fn path_of_model(runs_dir: &Path, model: &str) -> Result<String> {
    if model == DEMO || Path::new(model).join("config.json").is_file() {
        return Ok(model.to_owned());
    }
    let paths = [Path::new(model).to_path_buf(), runs_dir.join(model)];
    let Some(run) = paths.into_iter().map(RunDir::at).find(|run| run.spec_file().is_file()) else {
        return Ok(model.to_owned());
    };
    let best = run.best();
    if !best.is_dir() {
        return Err(Error::model(
            run.name(),
            "has no weights yet; they are written after the first evaluation; continue the training with --resume",
        ));
    }
    let best = std::path::absolute(&best).map_err(Error::reading(&best))?;
    Ok(best.display().to_string())
}

/// Prints the scoreboard of a GLUE run: of the one that `name` means, of the newest one of the model `name`, or of the newest
/// one.
fn show(global: &GlobalArgs, name: Option<&str>) -> Result<()> {
    let runs_dir = &global.runs_dir;
    let named = match name {
        Some(name) => glue_run(runs_dir, name)?,
        None => None,
    };
    let dir = match named {
        Some(dir) => Some(dir),
        None => newest_of_tasks(runs_dir, name)?,
    };
    let Some(dir) = dir else {
        let of = name.map_or(String::new(), |name| format!(" of {name}"));
        let model = name.unwrap_or("MODEL");
        return Err(Error::Usage(format!(
            "there is no GLUE run{of} in {}; start one with: glue-tui glue {model}",
            runs_dir.display()
        )));
    };
    scoreboard::print(&report_of(&dir)?, global.json)
}

fn report_of(dir: &SweepDir) -> Result<SweepReport> {
    let rows: Vec<RunRow> = run::list(dir.runs_dir())?;
    SweepReport::read(dir.clone(), &rows)
}

/// Prints the scoreboard and the directory of the GLUE run.
fn report(dir: &SweepDir, is_json: bool, is_stopped: bool) -> Result<()> {
    let report = report_of(dir)?;
    scoreboard::print(&report, is_json)?;
    if !is_json {
        output::stdout_line(dir.path().display().to_string())?;
    }
    if is_stopped {
        return Err(Error::Interrupted(
            "stopped after saving a checkpoint; the same command continues".into(),
        ));
    }
    let tasks = report.scoreboard.iter().flat_map(|board| &board.tasks);
    let failed: Vec<&str> = tasks.filter(|task| task.status == "failed").map(|task| task.task).collect();
    match (failed.as_slice(), report.count("finished")) {
        ([], 0) => Err(Error::Training(format!("no task of the GLUE run {} has finished", dir.name()))),
        ([], _) => Ok(()),
        (failed, _) => Err(Error::Training(format!(
            "{} failed; see log.txt of the runs, and repeat the command to try again",
            failed.join(", ")
        ))),
    }
}
