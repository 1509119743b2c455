//! Sweeps whose trials are trained: the demo model on a few rows.

use super::decisions::{Decision, DecisionKind, Inactive, first_deviation};
use super::job::trial_state;
use super::*;
use crate::catalog::Metric;
use crate::error::Result;
use crate::event::{Command, Event, Status};
use crate::run::runner::{Start, TrainOutput, run_blocking};
use crate::run::{RunDir, list};
use crate::spec::{Axis, IntervalStrategy, RunSpec, Sweep, SweepSettings, SweptValues, built_in, key_named};
use crate::train::control;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// A sweep of the learning rate over `rates`, evaluated after every step.
fn sweep(rates: &[&str], settings: &[(&str, &str)]) -> Sweep {
    let base = RunSpec {
        max_train_samples: Some(32),
        max_eval_samples: Some(40),
        per_device_train_batch_size: 8,
        // Unlike the accuracy, it differs between trials after a step.
        metric_for_best_model: Some(Metric::Loss),
        max_steps: Some(4),
        warmup_ratio: 0.0,
        eval_steps: IntervalStrategy::Steps(1),
        save_steps: IntervalStrategy::Steps(3),
        threads: Some(1),
        ..built_in("x")
    };
    let values = SweptValues::List(rates.iter().map(|rate| (*rate).to_owned()).collect());
    let axes = vec![Axis { key: key_named("learning_rate").unwrap(), values }];
    let mut found = SweepSettings::default();
    for (name, text) in settings {
        found.set(name, text).unwrap();
    }
    Sweep::new(base, axes, &found).unwrap()
}

const RATES: [&str; 6] = ["1e-6", "1e-2", "1e-5", "3e-3", "1e-4", "1e-3"];
const ASHA: [(&str, &str); 2] = [("scheduler", "asha"), ("reduction_factor", "2")];

fn train(
    dir: &Path,
    runs_dir: &Path,
    emit: &mut (dyn FnMut(&crate::run::RunEvent) + Send),
    stop: Option<Command>,
) -> Result<TrainOutput> {
    let (control, handle) = control();
    if let Some(command) = stop {
        handle.send(command);
    }
    run_blocking(Start::Resume(dir.to_path_buf()), runs_dir, &control, emit)
}

/// Trains the trials one after the other until none is left, at most `most`. Returns the numbers in their order.
fn work(dir: &SweepDir, most: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < most {
        match next_trial(dir, &[], None, &AtomicBool::new(false)).unwrap() {
            NextTrial::Train { number, dir: run } => {
                numbers.push(number);
                train(&run, dir.runs_dir(), &mut |_| {}, None).unwrap();
            }
            NextTrial::Done => break,
            NextTrial::Wait => panic!("no other process trains"),
        }
    }
    numbers
}

/// The decisions without their times.
fn kinds(dir: &SweepDir) -> Vec<DecisionKind> {
    dir.decisions().unwrap().into_iter().map(|decision| decision.kind).collect()
}

/// The weights of the best evaluation of each trial.
fn weights(dir: &SweepDir, trials: u64) -> Vec<Option<Vec<u8>>> {
    (0..trials)
        .map(|number| std::fs::read(dir.trial_dir(number).best().join("model.safetensors")).ok())
        .collect()
}

#[test]
fn a_grid_trains_every_trial_and_can_be_extended() {
    let home = tempfile::tempdir().unwrap();
    let dir = SweepDir::create(home.path(), &sweep(&["1e-4", "1e-3", "3e-3"], &[("trials", "2")])).unwrap();
    assert_eq!(work(&dir, 9), [0, 1]);
    let rows = list(home.path()).unwrap();
    assert_eq!(rows.len(), 2, "the folder of the sweeps is no run");
    assert!(rows.iter().all(|row| row.trial.as_ref().is_some_and(|trial| trial.sweep == dir.name())));
    assert!(dir.extend(1).unwrap_err().to_string().contains("trials can only be added"));
    assert!(dir.extend(4).unwrap_err().to_string().contains("at most 3"));
    dir.extend(3).unwrap();
    assert_eq!(work(&dir, 9), [2]);
    assert_eq!(dir.trial_dir(2).spec().unwrap().learning_rate, 3e-3);
    let report = SweepReport::read(dir.clone(), &list(home.path()).unwrap()).unwrap();
    assert_eq!(report.count("finished"), 3);
    assert!(report.best().is_some() && report.best_over_steps.last().unwrap().0 <= 12.0);
    assert_eq!(SweepList::default().rows(home.path(), &list(home.path()).unwrap()).unwrap()[0].ended(), 3);
    assert_eq!(find_sweep(home.path(), "x").unwrap().as_ref(), Some(&dir));
    assert_eq!(newest_sweep_of(home.path(), "x").unwrap(), Some(dir));
    assert_eq!(find_sweep(home.path(), "y").unwrap(), None);
}

#[test]
fn asha_pauses_and_promotes_by_its_rule() {
    let home = tempfile::tempdir().unwrap();
    let dir = SweepDir::create(home.path(), &sweep(&RATES, &ASHA)).unwrap();
    let order = work(&dir, 99);
    let decisions = dir.decisions().unwrap();
    assert_eq!(first_deviation(&decisions, Metric::Loss, 2), None, "{decisions:?}");
    let rows = list(home.path()).unwrap();
    let report = SweepReport::read(dir.clone(), &rows).unwrap();
    let (finished, paused) = (report.count("finished"), report.count("paused"));
    assert_eq!(finished + paused, 6, "{report:?}");
    assert!(finished >= 1 && paused >= 2, "{report:?}");
    for trial in report.trials.iter().filter(|trial| trial.status == "paused") {
        assert!(trial.reason.as_ref().unwrap().starts_with("paused by asha at rung"), "{trial:?}");
        assert!(trial.steps < 4);
        let log = std::fs::read_to_string(dir.trial_dir(trial.number).log_file()).unwrap();
        assert!(log.contains("paused by asha"), "{log}");
    }
    let steps: u64 = report.trials.iter().map(|trial| trial.steps).sum();
    assert!(steps < 24 && order.len() >= 6, "{steps} steps, {order:?}");
    assert_eq!(report.importance[0].unwrap().trials, 6, "of the first rung");

    // The trained weights do not depend on the pause.
    let best = report.trials.iter().find(|trial| trial.status == "finished").unwrap();
    let spec = dir.trial_dir(best.number).spec().unwrap();
    let (control, _handle) = control();
    let alone = run_blocking(Start::New(spec), home.path(), &control, &mut |_| {}).unwrap();
    let read = |dir: &RunDir| std::fs::read(dir.best().join("model.safetensors")).unwrap();
    assert!(read(&RunDir::at(alone.dir)) == read(&dir.trial_dir(best.number)));
}

/// A process that ends at any moment leaves: a log of decisions, and runs without the end of their logs.
#[test]
fn an_interrupted_sweep_ends_like_an_undisturbed_one() {
    let (undisturbed, disturbed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let description = sweep(&RATES, &ASHA);
    let expected = SweepDir::create(undisturbed.path(), &description).unwrap();
    work(&expected, 99);
    let dir = SweepDir::create(disturbed.path(), &description).unwrap();
    for interruption in 0..40 {
        let next = next_trial(&dir, &[], None, &AtomicBool::new(false)).unwrap();
        let NextTrial::Train { dir: run, .. } = next else { break };
        // Stops at another event each time: before the first step, at an evaluation, while a checkpoint is written.
        let mut left = 3 + 2 * (interruption % 9);
        let (control, handle) = control();
        let mut emit = |event: &crate::run::RunEvent| {
            if matches!(event.event, Event::Eval(_) | Event::Step(_) | Event::Saved(_)) {
                left -= 1;
                if left == 0 {
                    handle.send(Command::Stop);
                }
            }
        };
        run_blocking(Start::Resume(run.clone()), disturbed.path(), &control, &mut emit).ok();
        if interruption % 3 == 0 {
            // As after kill -9 before the summary was written.
            std::fs::remove_file(RunDir::at(&run).summary_file()).ok();
        }
    }
    work(&dir, 99);
    assert_eq!(kinds(&dir), kinds(&expected));
    assert!(weights(&dir, 6) == weights(&expected, 6));
}

#[test]
fn damaged_ends_and_lost_summaries_are_repaired() {
    let home = tempfile::tempdir().unwrap();
    let dir = SweepDir::create(home.path(), &sweep(&RATES, &ASHA)).unwrap();
    work(&dir, 1);
    let first = dir.trial_dir(0);
    assert_eq!(first.summary().unwrap().status, Status::Stopped);
    let state = |dir: &SweepDir| {
        let inactive = Inactive::of(&dir.decisions().unwrap());
        trial_state(&dir.trial_dir(0), 0, &inactive)
    };
    assert_eq!(state(&dir), TrialState::Paused);
    std::fs::remove_file(first.summary_file()).unwrap();
    assert_eq!(state(&dir), TrialState::Resumable, "its pause was not completed");
    let log = dir.path().join("decisions.jsonl");
    let before = std::fs::read(&log).unwrap();
    std::fs::write(&log, [&before[..], b"{\"time\":1.0,\"kind\":\"prom"].concat()).unwrap();
    assert_eq!(dir.decisions().unwrap().len(), 2);
    assert_eq!(work(&dir, 1), [0], "it is resumed and paused again, by the same decision");
    assert_eq!(std::fs::read(&log).unwrap(), before);
    assert_eq!(state(&dir), TrialState::Paused);
    // A trial that was promoted, but not resumed before the process ended, is the next one.
    dir.lock().unwrap().append(DecisionKind::Promoted { trial: 0, rung: 0 }).unwrap();
    assert_eq!(state(&dir), TrialState::Resumable);
}

#[test]
fn a_replay_follows_the_decisions() {
    let home = tempfile::tempdir().unwrap();
    let description = sweep(&RATES, &ASHA);
    let dir = SweepDir::create(home.path(), &description).unwrap();
    work(&dir, 99);
    let replay = SweepDir::create(home.path(), &dir.sweep().unwrap()).unwrap();
    replay.replay_decisions_of(&dir).unwrap();
    assert_eq!(work(&replay, 99), [0, 1, 2, 3, 4, 5], "each trial is trained once");
    assert_eq!(kinds(&replay), kinds(&dir));
    assert!(weights(&replay, 6) == weights(&dir, 6));
}

#[test]
fn the_first_of_several_seeds_decides() {
    let home = tempfile::tempdir().unwrap();
    let mut description = sweep(&["1e-6", "1e-3"], &ASHA);
    description.base.repeats = 2;
    let dir = SweepDir::create(home.path(), &description).unwrap();
    work(&dir, 99);
    let report = SweepReport::read(dir.clone(), &list(home.path()).unwrap()).unwrap();
    assert_eq!((report.count("finished"), report.count("paused")), (1, 1), "{report:?}");
    let results = |decision: &Decision| matches!(decision.kind, DecisionKind::Result { rung: 0, .. });
    assert_eq!(dir.decisions().unwrap().iter().filter(|decision| results(decision)).count(), 2);
    let paused = report.trials.iter().find(|trial| trial.status == "paused").unwrap();
    assert!(!paused.dir.as_ref().unwrap().join("seed-43").exists(), "its other seeds are not trained");
}

/// With several seeds, the logs are in their folders.
#[test]
fn trials_with_several_seeds_count_as_started() {
    let home = tempfile::tempdir().unwrap();
    let mut description = sweep(&["1e-6", "1e-5", "1e-4", "1e-3"], &ASHA);
    description.base.repeats = 2;
    let dir = SweepDir::create(home.path(), &description).unwrap();
    work(&dir, 4);
    let at_first_rung = |decision: Decision| match decision.kind {
        DecisionKind::Result { trial, rung: 0, continues, .. } => Some((trial, continues)),
        _ => None,
    };
    let results: Vec<_> = dir.decisions().unwrap().into_iter().filter_map(at_first_rung).collect();
    assert_eq!(
        results,
        [(0, false), (1, false), (2, false), (3, true)],
        "the last one is among the best two"
    );
}

#[test]
fn a_promotable_trial_remains_when_all_others_have_ended() {
    let home = tempfile::tempdir().unwrap();
    let dir = SweepDir::create(home.path(), &sweep(&RATES, &ASHA)).unwrap();
    create_trials(&dir, &AtomicBool::new(false)).unwrap();
    for number in 0..6 {
        train(dir.trial_dir(number).path(), home.path(), &mut |_| {}, None).unwrap();
    }
    let remaining = remaining_trials(&dir).unwrap();
    let next = next_trial(&dir, &[], None, &AtomicBool::new(false)).unwrap();
    assert!(
        matches!(next, NextTrial::Train { number, .. } if remaining == [number]),
        "{remaining:?} {next:?}"
    );
    assert_eq!(remaining_trials(&dir).unwrap(), remaining, "it is promoted, and not trained yet");
    work(&dir, 99);
    assert!(remaining_trials(&dir).unwrap().is_empty());
}

#[test]
fn a_trial_that_fails_does_not_end_the_sweep() {
    let home = tempfile::tempdir().unwrap();
    let dir = SweepDir::create(home.path(), &sweep(&["1e-3", "1e-4"], &[])).unwrap();
    assert_eq!(remaining_trials(&dir).unwrap(), [0, 1]);
    create_trials(&dir, &AtomicBool::new(false)).unwrap();
    assert_eq!(remaining_trials(&dir).unwrap(), [0, 1]);
    let report = SweepReport::read(dir.clone(), &list(home.path()).unwrap()).unwrap();
    assert_eq!(report.count("waiting"), 2, "{report:?}");
    let failed = crate::error::Error::Training("the loss is NaN".into());
    let spec = dir.trial_dir(0).spec().unwrap();
    dir.trial_dir(0).write_summary(&crate::train::Summary::failed(&spec, &failed)).unwrap();
    assert_eq!(work(&dir, 9), [1]);
    let report = SweepReport::read(dir, &list(home.path()).unwrap()).unwrap();
    assert_eq!((report.count("failed"), report.count("finished")), (1, 1));
    assert_eq!(report.trials[0].reason.as_deref(), Some("the loss is NaN"));
    assert_eq!(report.best().unwrap().number, 1);
}

/// A sweep of tasks with files in `folder`.
fn sweep_of_tasks(names: &[&str], folder: &Path) -> Sweep {
    let base = RunSpec {
        max_steps: Some(2),
        per_device_train_batch_size: 4,
        threads: Some(1),
        data_dir: Some(folder.to_path_buf()),
        ..built_in("glue-demo")
    };
    let tasks: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
    Sweep::of_tasks(base, &tasks, None, &["max_steps", "per_device_train_batch_size"]).unwrap()
}

/// Writes a task of pairs of sentences with labels `a` and `b`.
fn write_task(folder: &Path, labels: [&str; 2]) {
    std::fs::create_dir_all(folder).unwrap();
    let row = |row: usize| format!("{row}\ta b {row}\tc {row}\t{}\n", labels[row % 2]);
    let rows: String = (0..8).map(row).collect();
    for name in ["train.tsv", "dev.tsv"] {
        std::fs::write(folder.join(name), format!("index\tsentence1\tsentence2\tlabel\n{rows}")).unwrap();
    }
}

#[test]
fn tasks_without_data_are_skipped_until_they_have_some() {
    let (home, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rte = data.path().join("RTE");
    write_task(&data.path().join("WNLI"), ["0", "1"]);
    let sweep = sweep_of_tasks(&["rte", "wnli"], data.path());
    let dir = SweepDir::create(home.path(), &sweep).unwrap();
    assert!(check_sweep(&sweep, &AtomicBool::new(false)).is_ok(), "one task has data");
    assert_eq!(work(&dir, 9), [1]);
    let report = || SweepReport::read(dir.clone(), &list(home.path()).unwrap()).unwrap();
    let first = report().trials.remove(0);
    assert_eq!((first.status, report().count("finished")), (TrialRow::SKIPPED, 1));
    assert!(first.reason.unwrap().contains("no train split of task rte"));
    assert!(remaining_trials(&dir).unwrap().is_empty());
    create_trials(&dir, &AtomicBool::new(false)).unwrap();
    assert!(!dir.trial_dir(0).path().exists(), "a skipped trial has no directory");
    assert_eq!(report().best(), None, "scores of different tasks are not compared");
    let board = report().scoreboard.unwrap();
    assert_eq!((board.average.unwrap().tasks, board.tasks[1].scores.len()), (1, 1));

    write_task(&rte, ["entailment", "not_entailment"]);
    retry_trials(&dir, &mut |_, _| Ok(Some("still missing".to_owned()))).unwrap();
    assert_eq!(report().trials[0].reason.as_deref(), Some("still missing"));
    retry_trials(&dir, &mut |number, spec| {
        assert_eq!((number, spec.task.name()), (0, "rte"));
        Ok(None)
    })
    .unwrap();
    assert_eq!(remaining_trials(&dir).unwrap(), [0]);
    assert_eq!(work(&dir, 9), [0]);
    assert_eq!(report().scoreboard.unwrap().average.unwrap().tasks, 2);
    assert_eq!(SweepList::default().rows(home.path(), &list(home.path()).unwrap()).unwrap()[0].best, None);
}

#[test]
fn failed_tasks_are_trained_again_on_request() {
    let (home, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = data.path().join("RTE");
    write_task(&folder, ["entailment", "perhaps"]);
    let dir = SweepDir::create(home.path(), &sweep_of_tasks(&["rte"], data.path())).unwrap();
    let next = || next_trial(&dir, &[], None, &AtomicBool::new(false)).unwrap();
    let NextTrial::Train { dir: run, .. } = next() else { panic!("the trial is new") };
    assert!(train(&run, home.path(), &mut |_| {}, None).is_err());
    assert_eq!(next(), NextTrial::Done, "a trial that has failed is not trained again by itself");
    write_task(&folder, ["entailment", "not_entailment"]);
    retry_trials(&dir, &mut |_, _| panic!("it has a directory")).unwrap();
    assert_eq!(work(&dir, 9), [0]);
    assert_eq!(dir.trial_dir(0).summary().unwrap().status, Status::Finished);
}
