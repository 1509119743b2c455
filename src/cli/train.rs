//! `train`: trains an experiment without the interface.

use super::args::{GlobalArgs, TrainArgs};
use super::batch_task::{train_task, wait_for_run};
use super::file_warnings::warn_about_files;
use super::foreground_trainer::{ForegroundTrainer, was_stopped};
use super::output;
use super::train_sweep::{SweepStart, train_sweep};
use crate::error::{Error, Result};
use crate::event::{Averaging, Diagnosis, Status};
use crate::format::whole_score as score;
use crate::run::executor::slurm::SlurmTask;
use crate::run::{self, RunDir, Start, TrainOutput};
use crate::spec::{Experiments, ResolvedExperiment, RunSpec};
use crate::text::plural;
use crate::train::Summary;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The exit code of a run that failed.
const FAILED: u8 = 1;
/// The exit code of an interrupted run whose work is saved.
const INTERRUPTED: u8 = 130;

pub(super) fn train(global: &GlobalArgs, args: &TrainArgs) -> Result<()> {
    let overrides = overrides(global, args);
    // A task resumes a run: one that creates a run would create another one when it is requeued.
    let task = args.resume.as_ref().and_then(|_| SlurmTask::from_env());
    let start = if let Some(name) = args.resume.as_ref().or(args.replay.as_ref()) {
        if let Some(sweep) = SweepStart::of_existing(global, args, name, &overrides)? {
            return train_sweep(global, args, sweep);
        }
        if task.is_some() {
            wait_for_run(global, name)?;
        }
        start_of_existing(global, args, name, &overrides)?
    } else {
        match new_experiment(global, args, &overrides)? {
            ResolvedExperiment::Sweep(sweep) => return train_sweep(global, args, SweepStart::New(sweep)),
            ResolvedExperiment::Run(spec) => Start::New(*spec),
        }
    };
    let trainer = ForegroundTrainer::new(global, args.plain)?;
    let dir = start.dir().map(Path::to_path_buf);
    let result = match (&task, &dir) {
        (Some(task), Some(dir)) => train_task(&trainer, task, dir, start),
        _ => trainer.start(start).and_then(|run| trainer.follow(run)).map(Some),
    };
    let code = match &result {
        Err(error) => error.exit_code(),
        Ok(Some(output)) if was_stopped(output) => INTERRUPTED,
        Ok(Some(output)) if output.status == Status::Failed => FAILED,
        Ok(_) => 0,
    };
    let is_json = global.json;
    trainer.end(code, move || match (result?, dir) {
        (Some(output), _) => report(&output, is_json),
        (None, Some(dir)) => output::stdout_line(dir.display().to_string()),
        (None, None) => Ok(()),
    })
}

/// The experiment that the arguments name.
fn new_experiment(
    global: &GlobalArgs,
    args: &TrainArgs,
    overrides: &[(String, String)],
) -> Result<ResolvedExperiment> {
    let name = args.name.as_deref().unwrap_or_default();
    let experiments = Experiments::open(global.experiments.as_deref())?;
    let resolved = experiments.resolve_any(name, overrides)?;
    warn_about_files(&experiments, name);
    Ok(resolved)
}

/// Resumes or replays the run `name`.
fn start_of_existing(
    global: &GlobalArgs,
    args: &TrainArgs,
    name: &str,
    overrides: &[(String, String)],
) -> Result<Start> {
    let dir = unchanged_run_dir(global, args, name, overrides)?;
    Ok(match (&args.replay, args.accept_changed_data) {
        (Some(_), _) => Start::Replay(dir),
        (None, true) => Start::ResumeOnChangedData(dir),
        (None, false) => Start::Resume(dir),
    })
}

/// Prints the result of a run.
fn report(output: &TrainOutput, is_json: bool) -> Result<()> {
    for line in final_lines(output) {
        output::stderr_line(line);
    }
    if is_json {
        let summaries = &output.summaries;
        output::json_line(&json!({ "run": output.dir, "status": output.status, "summaries": summaries }))?;
    } else {
        output::stdout_line(output.dir.display().to_string())?;
    }
    match output.status {
        Status::Failed => {
            Err(Error::Training(format!("the run failed; see {}", output.dir.join("log.txt").display())))
        }
        Status::Stopped if was_stopped(output) => Err(Error::Interrupted(format!(
            "stopped after saving a checkpoint; resume with: glue-tui train --resume {}",
            output.dir.display()
        ))),
        // The sweep of a paused trial continues without it.
        Status::Stopped | Status::Finished => Ok(()),
    }
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
                    "best validation {name} {} at step {}{}{test}{}",
                    score(best.metric, best.value),
                    best.step,
                    Averaging::suffix(best.averaging),
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
        let averaging = summary.and_then(|summary| summary.best?.averaging);
        let averaging = Averaging::suffix(averaging);
        let fold = seed.fold.map(|fold| format!("fold {fold}, ")).unwrap_or_default();
        format!(
            "{fold}seed {}: best validation {} {value}{averaging}{collapsed}{problems}",
            seed.seed,
            metric.name()
        )
    });
    let mean_and_sd = |split: &str, of: &run::Repeats| {
        format!(
            "{split} {}: {} ± {} over {}",
            metric.name(),
            score(metric, of.mean),
            score(metric, of.sd),
            plural(of.count, all.unit())
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
