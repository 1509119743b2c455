//! `train`: trains an experiment without the interface.

use super::args::{GlobalArgs, TrainArgs};
use super::batch_task::{end_task, is_finished, train_promoted, wait_for_run};
use super::file_warnings::warn_about_files;
use super::output::{self, exit_code};
use super::output_thread::OutputThread;
use super::run_follower::Follower;
use super::signals::stop_on_signals;
use super::stopper::Stopper;
use super::train_sweep::{SweepStart, train_sweep};
use crate::error::{Error, Result};
use crate::event::{Diagnosis, Status};
use crate::format::whole_score as score;
use crate::run::executor::slurm::SlurmTask;
use crate::run::sweep::Trial;
use crate::run::{self, RunDir, Start, TrainOutput};
use crate::spec::{Experiments, RunSpec};
use crate::terminal_reset::exit_now;
use crate::train::{self, Summary};
use crossbeam_channel::unbounded;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The exit code of a run that failed.
const FAILED: u8 = 1;
/// The exit code of an interrupted run whose work is saved.
const INTERRUPTED: u8 = 130;
pub(super) fn train(global: &GlobalArgs, args: &TrainArgs) -> Result<()> {
    // A task resumes a run: one that creates a run would create another one when it is requeued.
    let task = args.resume.as_ref().and_then(|run| Some((SlurmTask::from_env()?, run)));
    if let Some((task, run)) = &task {
        let dir = wait_for_run(global, run)?;
        let is_trial = Trial::read(&RunDir::at(&dir))?.is_some();
        let reason = match () {
            () if is_finished(&dir) && !is_trial => Some("is finished already"),
            () if task.is_replaced(&global.runs_dir, &dir) => Some("was submitted again, as another job"),
            () => None,
        };
        if let Some(reason) = reason {
            output::stderr_line(format!("the run {reason}"));
            return output::stdout_line(dir.display().to_string());
        }
    }
    let overrides = overrides(global, args);
    if let Some(start) = SweepStart::of(global, args, &overrides)? {
        return train_sweep(global, args, start);
    }
    let start = if let Some(run) = &args.resume {
        let dir = unchanged_run_dir(global, args, run, &overrides)?;
        if args.accept_changed_data { Start::ResumeOnChangedData(dir) } else { Start::Resume(dir) }
    } else if let Some(run) = &args.replay {
        Start::Replay(unchanged_run_dir(global, args, run, &overrides)?)
    } else {
        let name = args.name.as_deref().unwrap_or_default();
        let experiments = Experiments::open(global.experiments.as_deref())?;
        let spec = experiments.resolve(name, &overrides)?;
        warn_about_files(&experiments, name);
        Start::New(spec)
    };
    let stopper = Arc::new(Stopper::default());
    let (lines, more_lines) = unbounded::<String>();
    let stopped = stopper.clone();
    let interruption = stop_on_signals(move || {
        stopped.stop();
        lines.send("stopping after saving a checkpoint; press Ctrl-C again to exit immediately".into()).ok();
    })?;
    let (control, handle) = train::control();
    stopper.set(handle.clone());
    let run = run::start_controlled(start, &global.runs_dir, (control, handle))?;
    let dir = run.dir.clone();
    let is_interrupted = &interruption.is_set;
    let follower = Follower {
        runs_dir: &global.runs_dir,
        lines: &more_lines,
        is_plain: args.plain,
        stopper: &stopper,
        interruption: &interruption,
    };
    let result = follower.follow(run);
    let result = match &task {
        Some((task, _)) => {
            let result = train_promoted(&follower, &dir, result);
            end_task(task, &dir, &interruption, result)
        }
        None => result,
    };
    let code = result.as_ref().map_or_else(Error::exit_code, |output| match output.status {
        Status::Finished => 0,
        Status::Stopped if pause_reason(output).is_some() => 0,
        Status::Stopped => INTERRUPTED,
        Status::Failed => FAILED,
    });
    let is_json = global.json;
    let reported = OutputThread::start(move || report(result, is_json))?.wait(is_interrupted);
    if !is_interrupted.load(Ordering::SeqCst) {
        return reported.unwrap_or(Ok(()));
    }
    // Even if the reader of the output is gone, as after a hang-up, the exit code is that of the run.
    if let Some(Err(error)) = reported {
        OutputThread::start(move || exit_code(Err(error)))?.wait(is_interrupted);
    }
    exit_now(code.into())
}

/// Prints the result of a run.
fn report(result: Result<TrainOutput>, is_json: bool) -> Result<()> {
    let output = result?;
    for line in final_lines(&output) {
        output::stderr_line(line);
    }
    if is_json {
        let summaries = &output.summaries;
        output::json_line(&json!({ "run": output.dir, "status": output.status, "summaries": summaries }))?;
    } else {
        output::stdout_line(output.dir.display().to_string())?;
    }
    match output.status {
        Status::Finished => Ok(()),
        // The sweep goes on without it.
        Status::Stopped if pause_reason(&output).is_some() => Ok(()),
        Status::Stopped => Err(Error::Interrupted(format!(
            "stopped after saving a checkpoint; resume with: glue-tui train --resume {}",
            output.dir.display()
        ))),
        Status::Failed => {
            Err(Error::Training(format!("the run failed; see {}", output.dir.join("log.txt").display())))
        }
    }
}

/// Why the scheduler of its sweep has paused the run.
fn pause_reason(output: &TrainOutput) -> Option<&str> {
    output.summaries.last()?.pause_reason.as_deref()
}

/// The values of `--set`, followed by that of `--device`.
fn overrides(global: &GlobalArgs, args: &TrainArgs) -> Vec<(String, String)> {
    let device = global.device.iter().map(|device| ("device".to_owned(), device.to_string()));
    args.set.iter().cloned().chain(device).collect()
}

/// The directory of a run to resume or replay. Its specification does not change, so overrides must equal its
/// values.
fn unchanged_run_dir(
    global: &GlobalArgs,
    args: &TrainArgs,
    run: &str,
    overrides: &[(String, String)],
) -> Result<PathBuf> {
    let dir = run::find(&global.runs_dir, run)?;
    let spec = RunDir::at(dir.clone()).spec()?;
    if let Some(name) = args.name.as_deref().filter(|name| *name != spec.experiment) {
        return Err(Error::Usage(format!(
            "{run} is a run of experiment {}, not of {name}; omit the name",
            spec.experiment
        )));
    }
    match changed_override(&spec, overrides)? {
        Some((key, text)) => Err(Error::Usage(format!(
            "--set {key}={text}: {run} has another {key}, and a resumed or replayed run keeps its specification; start \
             a new run to change it"
        ))),
        None => Ok(dir),
    }
}

/// The first override whose value differs from that of `spec`.
fn changed_override<'a>(
    spec: &RunSpec,
    overrides: &'a [(String, String)],
) -> Result<Option<&'a (String, String)>> {
    for set in overrides {
        if spec.with(std::slice::from_ref(set))? != *spec {
            return Ok(Some(set));
        }
    }
    Ok(None)
}

/// The best score; for several seeds the best score of each, then mean and standard deviation.
fn final_lines(output: &TrainOutput) -> Vec<String> {
    let Some(all) = &output.repeats else {
        let best = output.summaries.iter().filter_map(|summary| Some((summary, summary.best?)));
        return best
            .map(|(summary, best)| {
                let name = best.metric.name();
                let test = best.test.map(|test| format!("; test {name} {}", score(best.metric, test)));
                let test = test.unwrap_or_default();
                format!(
                    "best validation {name} {} at step {}{test}{}",
                    score(best.metric, best.value),
                    best.step,
                    problems(summary)
                )
            })
            .collect();
    };
    let Some(metric) = all.best_seed.best.map(|best| best.metric) else { return Vec::new() };
    let per_seed = all.seeds.iter().map(|seed| {
        let collapsed =
            if seed.collapsed { " (collapsed: predicts one class for nearly every row)" } else { "" };
        let value = score(metric, seed.value);
        let summary = output.summaries.iter().find(|summary| summary.seed == seed.seed);
        let problems = summary.map_or(String::new(), problems);
        format!("seed {}: best validation {} {value}{collapsed}{problems}", seed.seed, metric.name())
    });
    let mean_and_sd = |split: &str, of: &run::Repeats| {
        format!(
            "{split} {}: {} ± {} over {} seeds",
            metric.name(),
            score(metric, of.mean),
            score(metric, of.sd),
            of.count
        )
    };
    let validation = mean_and_sd("validation", &all.repeats);
    let test = all.test_repeats.as_ref().map(|test| mean_and_sd("test", test));
    per_seed.chain([validation]).chain(test).collect()
}

/// `; not learning: try learning_rate = 5e-4` for each diagnosis of a training.
fn problems(summary: &Summary) -> String {
    let problem = |diagnosis: &Diagnosis| {
        let tries = diagnosis.suggestion().map_or(String::new(), |suggestion| format!(": try {suggestion}"));
        format!("; {}{tries}", diagnosis.problem.name())
    };
    summary.diagnoses.iter().map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn overrides_of_a_resumed_run_must_equal_its_values() {
        let spec = built_in("demo");
        let set = |key: &str, text: &str| (key.to_owned(), text.to_owned());
        let same = [set("seed", "42"), set("learning_rate", "0.00002"), set("max_steps", "")];
        assert_eq!(changed_override(&spec, &same).unwrap(), None);
        let other = [set("seed", "42"), set("max_steps", "9")];
        assert_eq!(changed_override(&spec, &other).unwrap(), Some(&other[1]));
        assert!(changed_override(&spec, &[set("lr", "1")]).is_err());
    }
}
