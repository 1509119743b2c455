//! `train`: one experiment to its end, without the interface.

use super::args::{Global, Train};
use super::output;
use super::printer::Printer;
use super::signals::stop_on_signals;
use crate::error::{Error, Result};
use crate::event::Status;
use crate::format::whole_score as score;
use crate::run::{self, RunDir, Start, TrainOutput};
use crate::spec::{Experiments, RunSpec};
use crate::train;
use serde_json::json;
use std::path::PathBuf;

pub(super) fn train(global: &Global, args: &Train) -> Result<()> {
    let sets = overrides(global, args);
    let start = if let Some(run) = &args.resume {
        Start::Resume(as_it_began(global, args, run, &sets)?)
    } else if let Some(run) = &args.replay {
        Start::Replay(as_it_began(global, args, run, &sets)?)
    } else {
        let name = args.name.as_deref().unwrap_or_default();
        let experiments = Experiments::open(global.experiments.as_deref())?;
        Start::New(experiments.resolve(name, &sets)?)
    };
    let (control, handle) = train::control();
    stop_on_signals(handle)?;
    let mut printer = Printer::new(args.plain);
    let result = run::run_blocking(start, &global.runs_dir, &control, &mut |said| printer.say(said));
    printer.end();
    let outcome = result?;
    for line in told_at_the_end(&outcome) {
        output::aside(line);
    }
    if global.json {
        let summaries = &outcome.summaries;
        output::json_line(&json!({ "run": outcome.dir, "status": outcome.status, "summaries": summaries }))?;
    } else {
        output::line(outcome.dir.display().to_string())?;
    }
    match outcome.status {
        Status::Finished => Ok(()),
        Status::Stopped => Err(Error::Interrupted(format!(
            "stopped, the work is saved; go on with: glue-tui train --resume {}",
            outcome.dir.display()
        ))),
        Status::Failed => {
            Err(Error::Training(format!("the run failed; see {}", outcome.dir.join("log.txt").display())))
        }
    }
}

/// `--set`s, with `--device` as one more.
fn overrides(global: &Global, args: &Train) -> Vec<(String, String)> {
    let device = global.device.iter().map(|device| ("device".to_owned(), device.to_string()));
    args.set.iter().cloned().chain(device).collect()
}

/// The directory of a run that is resumed or replayed. Both are done as the run began, so that it ends as if
/// it had never stopped: what is said beside may only repeat what the run already is.
fn as_it_began(global: &Global, args: &Train, run: &str, sets: &[(String, String)]) -> Result<PathBuf> {
    let dir = run::find(&global.runs_dir, run)?;
    let spec = RunDir::at(dir.clone()).spec()?;
    if let Some(name) = args.name.as_deref().filter(|name| *name != spec.experiment) {
        return Err(Error::Usage(format!(
            "{run} is a run of experiment {}, not of {name}; leave the name out",
            spec.experiment
        )));
    }
    match changed(&spec, sets)? {
        Some((key, text)) => Err(Error::Usage(format!(
            "--set {key}={text}: a run goes on as it began, and {run} began with another {key}; \
             start a new run to change it"
        ))),
        None => Ok(dir),
    }
}

/// The first of `sets` that `spec` does not have already.
fn changed<'a>(spec: &RunSpec, sets: &'a [(String, String)]) -> Result<Option<&'a (String, String)>> {
    for set in sets {
        if spec.with(std::slice::from_ref(set))? != *spec {
            return Ok(Some(set));
        }
    }
    Ok(None)
}

/// The best score; with repeats each seed's, then mean and spread.
fn told_at_the_end(outcome: &TrainOutput) -> Vec<String> {
    let Some(all) = &outcome.repeats else {
        let best = outcome.summaries.iter().filter_map(|summary| summary.best);
        return best
            .map(|best| {
                let name = best.metric.name();
                let test = best.test.map(|test| format!("; test {name} {}", score(best.metric, test)));
                let test = test.unwrap_or_default();
                format!(
                    "best validation {name} {} at step {}{test}",
                    score(best.metric, best.value),
                    best.step
                )
            })
            .collect();
    };
    let Some(metric) = all.best_seed.best.map(|best| best.metric) else { return Vec::new() };
    let each = all.seeds.iter().map(|seed| {
        let collapsed = if seed.collapsed { " (collapsed: one class for nearly every row)" } else { "" };
        let value = score(metric, seed.value);
        format!("seed {}: best validation {} {value}{collapsed}", seed.seed, metric.name())
    });
    let spread = |split: &str, of: &run::Repeats| {
        format!(
            "{split} {}: {} ± {} over {} seeds",
            metric.name(),
            score(metric, of.mean),
            score(metric, of.sd),
            of.count
        )
    };
    let validation = spread("validation", &all.repeats);
    let test = all.test_repeats.as_ref().map(|test| spread("test", test));
    each.chain([validation]).chain(test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn what_is_said_beside_resume_may_only_repeat_the_run() {
        let spec = built_in("demo");
        let set = |key: &str, text: &str| (key.to_owned(), text.to_owned());
        let same = [set("seed", "42"), set("learning_rate", "0.00002"), set("max_steps", "")];
        assert_eq!(changed(&spec, &same).unwrap(), None);
        let other = [set("seed", "42"), set("max_steps", "9")];
        assert_eq!(changed(&spec, &other).unwrap(), Some(&other[1]));
        assert!(changed(&spec, &[set("lr", "1")]).is_err());
    }
}
