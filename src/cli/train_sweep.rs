//! `train` of a sweep: trains its trials one after the other.

use super::args::{GlobalArgs, TrainArgs};
use super::file_warnings::warn_about_files;
use super::output;
use super::output_thread::OutputThread;
use super::run_follower::Follower;
use super::signals::stop_on_signals;
use super::stopper::Stopper;
use crate::error::{Error, Result};
use crate::event::Status;
use crate::format::whole_score;
use crate::run::sweep::{
    NextTrial, SweepDir, SweepReport, TrialRow, check_sweep, claim_next_trial, find_sweep,
};
use crate::run::{self, RunDir, RunRow, TrainOutput};
use crate::spec::{Experiments, ResolvedExperiment, Sweep};
use crate::terminal_reset::exit_now;
use crate::text::plural;
use crate::train::control;
use crossbeam_channel::unbounded;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The exit code of an interrupted sweep whose work is saved.
const INTERRUPTED: i32 = 130;
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
    /// The sweep that the arguments name; `None` if they name a run.
    pub(super) fn of(
        global: &GlobalArgs,
        args: &TrainArgs,
        overrides: &[(String, String)],
    ) -> Result<Option<SweepStart>> {
        if let Some(name) = args.resume.as_ref().or(args.replay.as_ref()) {
            let Some(dir) = sweep_called(&global.runs_dir, name)? else { return Ok(None) };
            if args.replay.is_some() {
                let replay = || Ok(Some(SweepStart::Replay(dir)));
                return match overrides.iter().find(|(key, _)| key != "device") {
                    Some((key, _)) => Err(unchangeable(key, name)),
                    None => replay(),
                };
            }
            let mut trials = None;
            for (key, text) in overrides {
                match (key.as_str(), text.parse::<u64>()) {
                    ("trials", Ok(number)) => trials = Some(number),
                    ("trials", Err(_)) => {
                        return Err(Error::Usage(format!("--set trials={text}: expected a whole number")));
                    }
                    ("device", _) => {}
                    (key, _) => return Err(unchangeable(key, name)),
                }
            }
            return Ok(Some(SweepStart::Resume(dir, trials)));
        }
        let name = args.name.as_deref().unwrap_or_default();
        let experiments = Experiments::open(global.experiments.as_deref())?;
        match experiments.resolve_any(name, overrides)? {
            ResolvedExperiment::Run(_) => Ok(None),
            ResolvedExperiment::Sweep(sweep) => {
                warn_about_files(&experiments, name);
                Ok(Some(SweepStart::New(sweep)))
            }
        }
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

/// The sweep of that name, or that of the newest run of the experiment `name` if it is a trial.
fn sweep_called(runs_dir: &Path, name: &str) -> Result<Option<SweepDir>> {
    if RunDir::at(runs_dir.join(name)).spec_file().is_file() || RunDir::at(name).spec_file().is_file() {
        return Ok(None);
    }
    if let Some(dir) = find_sweep(runs_dir, name)? {
        let newest = run::list(runs_dir)?.into_iter().find(|row| row.experiment == name);
        // The newest run of an experiment may be one that is no trial.
        return Ok(Some(dir).filter(|_| newest.is_none_or(|row| row.trial.is_some())));
    }
    Ok(None)
}

fn unchangeable(key: &str, name: &str) -> Error {
    Error::Usage(format!(
        "--set {key}: the sweep {name} keeps its description; only trials can be added, with --set trials=N, or start a \
         new sweep"
    ))
}

/// Trains the trials of a sweep until none is left.
pub(super) fn train_sweep(global: &GlobalArgs, args: &TrainArgs, start: SweepStart) -> Result<()> {
    let stopper = Arc::new(Stopper::default());
    let (lines, more_lines) = unbounded::<String>();
    let stopped = stopper.clone();
    let interruption = stop_on_signals(move || {
        stopped.stop();
        lines.send("stopping after saving a checkpoint; press Ctrl-C again to exit immediately".into()).ok();
    })?;
    let is_interrupted = &interruption.is_set;
    let dir = start.open(&global.runs_dir, stopper.flag())?;
    let follower = Follower {
        runs_dir: &global.runs_dir,
        lines: &more_lines,
        is_plain: args.plain,
        stopper: &stopper,
        interruption: &interruption,
    };
    let trained = train_trials(&follower, &dir, global.json);
    let (is_json, runs_dir) = (global.json, global.runs_dir.clone());
    let is_stopped = stopper.is_stopped();
    let report =
        OutputThread::start(move || trained.and_then(|()| report(&dir, &runs_dir, is_json, is_stopped)))?;
    let reported = report.wait(is_interrupted);
    if !is_interrupted.load(Ordering::SeqCst) {
        return reported.unwrap_or(Ok(()));
    }
    if let Some(Err(error)) = reported {
        OutputThread::start(move || output::exit_code(Err(error)))?.wait(is_interrupted);
    }
    exit_now(INTERRUPTED)
}

/// Trains the trials of a sweep in this process until none is left. A trial that has failed does not end the sweep.
fn train_trials(follower: &Follower<'_>, dir: &SweepDir, is_json: bool) -> Result<()> {
    let (sweep, stopper) = (dir.sweep()?, follower.stopper);
    output::stderr_line(format!("sweep {}: {}", dir.name(), sweep.describe()));
    while !stopper.is_stopped() {
        let (control, handle) = control();
        stopper.set(handle.clone());
        let next = claim_next_trial(dir, stopper.flag(), |start| {
            run::start_controlled(start, follower.runs_dir, (control, handle))
        });
        match next? {
            (NextTrial::Done, _) => break,
            (NextTrial::Train { number, dir: run_dir }, Some(run)) => {
                output::stderr_line(format!("trial {number}: {}", sweep.describe_trial(number)));
                match follower.follow(run) {
                    // Someone has stopped it, and would have to stop it again and again.
                    Ok(output) if output.status == Status::Stopped && !is_paused(&output) => stopper.stop(),
                    Ok(_) | Err(Error::Interrupted(_)) => {}
                    Err(error) if RunDir::at(&run_dir).summary().is_some() => {
                        output::stderr_line(format!("trial {number} failed: {error}"));
                    }
                    Err(error) => return Err(error),
                }
                report_trial(dir, number, &run_dir, is_json)?;
            }
            _ => std::thread::sleep(INTERVAL),
        }
    }
    Ok(())
}

/// Whether the scheduler has paused the trial.
fn is_paused(output: &TrainOutput) -> bool {
    output.summaries.iter().any(|summary| summary.pause_reason.is_some())
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
fn trial_line(report: &SweepReport, trial: &TrialRow) -> String {
    let score = trial.score.map_or("no score".into(), |score| {
        format!("{} {}", report.metric.name(), whole_score(report.metric, score))
    });
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
