//! `train` of a sweep: trains its trials one after the other.

use super::args::{GlobalArgs, TrainArgs};
use super::foreground_trainer::{ForegroundTrainer, was_stopped};
use super::output;
use crate::error::{Error, Result};
use crate::format::whole_score;
use crate::run::sweep::{
    ClaimedTrial, SweepDir, SweepReport, TrialRow, check_sweep, claim_next_trial, sweep_of_name,
};
use crate::run::{self, RunDir, RunHandle, RunRow};
use crate::spec::Sweep;
use crate::text::plural;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The exit code of an interrupted sweep whose work is saved.
const INTERRUPTED: u8 = 130;
/// Time between two looks at trials that other processes train.
const INTERVAL: Duration = Duration::from_secs(1);

/// What to train.
pub(super) enum SweepStart {
    /// A new sweep.
    New(Box<Sweep>),
    /// The trials of this sweep that are not finished, with more trials if their number is given.
    Resume(SweepDir, Option<u64>),
    /// A new sweep with the description and the decisions of this one.
    Replay(SweepDir),
}

impl SweepStart {
    /// The sweep `name` that the arguments resume or replay; `None` if it is a run.
    pub(super) fn of_existing(
        global: &GlobalArgs,
        args: &TrainArgs,
        name: &str,
        overrides: &[(String, String)],
    ) -> Result<Option<SweepStart>> {
        let Some(dir) = sweep_of_name(&global.runs_dir, name)? else { return Ok(None) };
        let mut trials = None;
        for (key, text) in overrides {
            match (key.as_str(), text.parse::<u64>()) {
                ("device", _) => {}
                ("trials", Ok(number)) if args.replay.is_none() => trials = Some(number),
                ("trials", Err(_)) if args.replay.is_none() => {
                    return Err(Error::Usage(format!("--set trials={text}: expected a whole number")));
                }
                (key, _) => {
                    return Err(Error::Usage(format!(
                        "--set {key}: the sweep {name} keeps its description; only trials can be added, with --resume \
                         and --set trials=N, or start a new sweep"
                    )));
                }
            }
        }
        Ok(Some(if args.replay.is_some() {
            SweepStart::Replay(dir)
        } else {
            SweepStart::Resume(dir, trials)
        }))
    }

    /// The directory of the sweep, which is created for a new one.
    fn open(self, runs_dir: &Path, cancelled: &AtomicBool) -> Result<SweepDir> {
        match self {
            SweepStart::New(sweep) => {
                check_sweep(&sweep, cancelled)?;
                SweepDir::create(runs_dir, &sweep)
            }
            SweepStart::Resume(dir, trials) => {
                if let Some(trials) = trials {
                    check_sweep(&dir.extend(trials)?, cancelled)?;
                }
                Ok(dir)
            }
            SweepStart::Replay(old) => {
                let sweep = old.sweep()?;
                check_sweep(&sweep, cancelled)?;
                let new = SweepDir::create(runs_dir, &sweep)?;
                new.replay_decisions_of(&old)?;
                Ok(new)
            }
        }
    }
}

/// Trains the trials of a sweep until none is left.
pub(super) fn train_sweep(global: &GlobalArgs, args: &TrainArgs, start: SweepStart) -> Result<()> {
    let trainer = ForegroundTrainer::new(global, args.plain)?;
    let dir = start.open(&global.runs_dir, trainer.stop_flag())?;
    let (is_json, runs_dir) = (global.json, global.runs_dir.clone());
    let trained = train_trials(&trainer, &dir, &mut |number, run| report_trial(&dir, number, run, is_json));
    let is_stopped = trainer.is_stopped();
    trainer.end(INTERRUPTED, move || trained.and_then(|()| report(&dir, &runs_dir, is_json, is_stopped)))
}

/// Trains the trials of a sweep in this process until none is left. A trial that has failed does not end the sweep.
/// `on_trial` is called after each one with its number and its run directory.
pub(super) fn train_trials(
    trainer: &ForegroundTrainer,
    dir: &SweepDir,
    on_trial: &mut dyn FnMut(u64, &Path) -> Result<()>,
) -> Result<()> {
    let sweep = dir.sweep()?;
    output::stderr_line(format!("sweep {}: {}", dir.name(), sweep.describe()));
    while !trainer.is_stopped() {
        match claim_next_trial(dir, trainer.stop_flag(), |start| trainer.start(start))? {
            ClaimedTrial::Started { number, run } => {
                output::stderr_line(format!("trial {number}: {}", sweep.describe_trial(number)));
                let run_dir = run.dir.clone();
                follow_trial(trainer, number, run)?;
                on_trial(number, &run_dir)?;
            }
            ClaimedTrial::Wait => std::thread::sleep(INTERVAL),
            ClaimedTrial::Done => break,
        }
    }
    Ok(())
}

/// Prints the events of a trial until it is over. Its failure is no error if its run directory says so.
fn follow_trial(trainer: &ForegroundTrainer, number: u64, run: RunHandle) -> Result<()> {
    let dir = RunDir::at(&run.dir);
    match trainer.follow(run) {
        // Someone has stopped it, and would have to stop it again and again.
        Ok(output) if was_stopped(&output) => trainer.stop(),
        Ok(_) | Err(Error::Interrupted(_)) => {}
        Err(error) if dir.summary().is_some() => {
            output::stderr_line(format!("trial {number} failed: {error}"));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Prints the result of a trial.
fn report_trial(sweep: &SweepDir, number: u64, dir: &Path, is_json: bool) -> Result<()> {
    let Some(row) = run::row(dir) else { return Ok(()) };
    let report = SweepReport::read(sweep.clone(), &[row])?;
    let Some(trial) = usize::try_from(number).ok().and_then(|index| report.trials.get(index)) else {
        return Ok(());
    };
    if is_json {
        return output::json_line(trial);
    }
    output::stdout_line(trial_line(&report, trial))
}

/// `trial 3: accuracy 81.2 % after 63 steps, paused (learning_rate=2e-5)`.
pub(super) fn trial_line(report: &SweepReport, trial: &TrialRow) -> String {
    let metric = trial.metric.unwrap_or(report.metric);
    let score = trial
        .score
        .map_or("no score".into(), |score| format!("{} {}", metric.name(), whole_score(metric, score)));
    format!(
        "trial {}: {score} after {}, {} ({})",
        trial.number,
        plural(trial.steps, "step"),
        trial.status,
        report.sweep.describe_trial(trial.number)
    )
}

/// Prints the best trial and the directory of the sweep.
fn report(dir: &SweepDir, runs_dir: &Path, is_json: bool, is_stopped: bool) -> Result<()> {
    let rows: Vec<RunRow> = run::list(runs_dir)?;
    let report = SweepReport::read(dir.clone(), &rows)?;
    let best = report.best();
    if is_json {
        let status = if is_stopped { "stopped" } else { "finished" };
        output::json_line(&json!({
            "sweep": dir.path(),
            "status": status,
            "metric": report.metric.name(),
            "best": best,
            "steps": report.trials.iter().map(|trial| trial.steps).sum::<u64>(),
            "trials": report.row(),
        }))?;
    } else {
        if let Some(best) = best {
            output::stdout_line(format!("best {}", trial_line(&report, best)))?;
        }
        output::stdout_line(dir.path().display().to_string())?;
    }
    if is_stopped {
        return Err(Error::Interrupted(format!(
            "stopped after saving a checkpoint; resume with: glue-tui train --resume {}",
            dir.path().display()
        )));
    }
    match report.count("finished") {
        0 => Err(Error::Training(format!(
            "no trial of the sweep {} has finished; see log.txt of its runs",
            dir.name()
        ))),
        _ => Ok(()),
    }
}
