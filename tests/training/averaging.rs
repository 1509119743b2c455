//! Averages of weights: `ema_decay` and `average_checkpoints`.

use super::{bytes, run, spec};
use glue_tui::catalog::{Metric, Task, task};
use glue_tui::event::{AverageEval, Averaging, Command, Event, SplitName, Status};
use glue_tui::nn::{Weights, read_arrays, read_arrays_with_prefix};
use glue_tui::run::history::History;
use glue_tui::run::{Start, TrainOutput, replay};
use glue_tui::spec::{EngineChoice, IntervalStrategy, LrSchedulerType, RunSpec};
use glue_tui::train::{control, predictions_of_step, saved_predictions};
use std::collections::BTreeMap;
use std::path::Path;

/// A noisy training, whose average is better than its weights at the end.
fn noisy() -> RunSpec {
    RunSpec {
        max_steps: Some(10),
        learning_rate: 1e-2,
        lr_scheduler_type: LrSchedulerType::Constant,
        metric_for_best_model: Some(Metric::Loss),
        ..spec()
    }
}

/// A run with a moving average.
fn ema() -> RunSpec {
    RunSpec { ema_decay: Some(0.6), eval_steps: IntervalStrategy::Steps(2), ..noisy() }
}

/// A run that averages its last three checkpoints.
fn checkpoints() -> RunSpec {
    RunSpec { average_checkpoints: Some(3), save_steps: IntervalStrategy::Steps(2), ..noisy() }
}

fn checkpoint(dir: &Path, step: u64, part: &str) -> Weights {
    let file = dir.join(format!("checkpoints/step-{step:06}/state.safetensors"));
    let found = read_arrays_with_prefix(&file, part).unwrap();
    let all = read_arrays(&file).unwrap().0.into_iter();
    let expected = all.filter_map(|(name, array)| Some((name.strip_prefix(part)?.to_owned(), array)));
    assert_eq!(found, expected.collect());
    found
}

fn best(dir: &Path) -> Weights {
    read_arrays(&dir.join("best/model.safetensors")).unwrap().0
}

/// The steps of the checkpoints.
fn steps(dir: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(dir.join("checkpoints")).unwrap();
    let step = |name: &str| name.strip_prefix("step-").unwrap().parse().unwrap();
    let mut steps: Vec<u64> =
        entries.map(|entry| step(entry.unwrap().file_name().to_str().unwrap())).collect();
    steps.sort_unstable();
    steps
}

fn average_evals(events: &[Event]) -> Vec<&AverageEval> {
    events
        .iter()
        .filter_map(|event| if let Event::AverageEval(average) = event { Some(average) } else { None })
        .collect()
}

/// Largest difference of two sets of weights.
fn difference(a: &Weights, b: &Weights) -> f64 {
    assert!(a.keys().eq(b.keys()));
    let pairs = a.iter().flat_map(|(name, array)| array.data.iter().zip(&b[name].data));
    pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

#[test]
fn each_step_moves_the_average_towards_the_weights() {
    for engine in [EngineChoice::Plain, EngineChoice::Fast] {
        let home = tempfile::tempdir().unwrap();
        let spec =
            RunSpec { engine, ema_decay: Some(0.75), save_steps: IntervalStrategy::Steps(1), ..spec() };
        let (control, _) = control();
        let mut states: BTreeMap<u64, (Weights, Weights)> = BTreeMap::new();
        glue_tui::run::run_blocking(Start::New(spec), home.path(), &control, &mut |event| {
            if let Event::Saved(saved) = &event.event
                && saved.path.starts_with("checkpoints")
            {
                let part = |part| checkpoint(&event.dir, saved.step, part);
                states.insert(saved.step, (part("weights."), part("average.")));
            }
        })
        .unwrap();
        assert_eq!(states.len(), 6);
        for step in 2..=6 {
            let (weights, average) = &states[&step];
            let before = &states[&(step - 1)].1;
            let mut expected = before.clone();
            for (name, array) in &mut expected {
                for (value, weight) in array.data.iter_mut().zip(&weights[name].data) {
                    *value = 0.75 * *value + 0.25 * weight;
                }
            }
            assert!(difference(average, &expected) < 1e-6, "{engine:?}, step {step}");
            assert!(difference(average, before) > 1e-5, "{engine:?}, step {step}");
        }
    }
}

#[test]
fn the_better_of_weights_and_moving_average_is_the_best() {
    let home = tempfile::tempdir().unwrap();
    // With the second decay, the average is still near the initial weights.
    for (decay, learning_rate, is_average_best) in [(0.6, 1e-2, true), (0.999_999, 1e-3, false)] {
        let spec = RunSpec {
            ema_decay: Some(decay),
            learning_rate,
            save_steps: IntervalStrategy::Steps(2),
            ..ema()
        };
        let (outcome, events) = run(Start::New(spec), home.path(), None);
        let outcome = outcome.unwrap();
        let summary = &outcome.summaries[0];
        let found = summary.best.unwrap();
        let averages = average_evals(&events);
        assert!(averages.iter().all(|average| average.averaging == Averaging::Ema && average.eval.step > 0));
        let validation: Vec<u64> = averages
            .iter()
            .filter(|average| average.eval.split == SplitName::Validation)
            .map(|average| average.eval.step)
            .collect();
        assert_eq!(validation, [2, 4, 6, 8, 10]);
        // Every evaluation of the validation split, of the weights and of the average.
        let all: Vec<(f64, u64, Option<Averaging>)> = events
            .iter()
            .filter_map(|event| match event {
                Event::Eval(eval) if eval.step > 0 && eval.split == SplitName::Validation => {
                    Some((eval.scores.loss, eval.step, None))
                }
                Event::AverageEval(AverageEval { averaging, eval })
                    if eval.split == SplitName::Validation =>
                {
                    Some((eval.scores.loss, eval.step, Some(*averaging)))
                }
                _ => None,
            })
            .collect();
        let lowest = all.iter().copied().reduce(|a, b| if b.0 < a.0 { b } else { a }).unwrap();
        assert_eq!((found.value, found.step, found.averaging), lowest);
        assert_eq!(found.averaging.is_some(), is_average_best, "decay {decay}: {all:?}");
        let last = averages.iter().rev().find(|average| average.eval.split == SplitName::Validation);
        assert_eq!(summary.average_validation.as_ref(), last.map(|average| &average.eval.scores));
        // The test score is that of the same weights.
        let of_test = |event: &Event| match (event, found.averaging) {
            (Event::Eval(eval), None) => Some((eval.step, eval.split, eval.scores.loss)),
            (Event::AverageEval(average), Some(_)) => {
                Some((average.eval.step, average.eval.split, average.eval.scores.loss))
            }
            _ => None,
        };
        let test = events
            .iter()
            .filter_map(of_test)
            .find(|(step, split, _)| (*step, *split) == (found.step, SplitName::Test));
        assert_eq!(found.test, test.map(|(.., loss)| loss));
        assert!(found.test.is_some());
        // The predictions are those of the best weights.
        let saved = predictions_of_step(&outcome.dir, found.step, &demo().labels).unwrap().unwrap();
        let scores = saved.predictions.scores(demo());
        assert_eq!(scores.loss, found.value);
        if found.step == 10 {
            let part = if is_average_best { "average." } else { "weights." };
            assert_eq!(best(&outcome.dir), checkpoint(&outcome.dir, 10, part));
        }
        let history = History::of(&replay(&outcome.dir).unwrap());
        let shown = history.best.unwrap();
        assert_eq!((shown.value, shown.averaging), (found.value, found.averaging));
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(outcome.dir.join("summary.json")).unwrap()).unwrap();
        assert_eq!(json["best"]["averaging"].as_str(), is_average_best.then_some("ema"));
        assert!(json["average_validation"]["loss"].is_number());
    }
}

fn demo() -> &'static Task {
    task("demo").unwrap()
}

fn assert_same(found: &TrainOutput, expected: &TrainOutput, what: &str) {
    assert_eq!(found.status, Status::Finished, "{what}");
    assert_eq!(bytes(&found.dir.join("best")), bytes(&expected.dir.join("best")), "{what}");
    let predictions = |output: &TrainOutput| saved_predictions(&output.dir, &demo().labels).unwrap();
    assert_eq!(predictions(found), predictions(expected), "{what}");
    let state = |output: &TrainOutput| {
        bytes(&output.dir.join("checkpoints/step-000010"))["state.safetensors"].clone()
    };
    assert_eq!(state(found), state(expected), "{what}");
    let (a, b) = (&found.summaries[0], &expected.summaries[0]);
    assert_eq!(
        (&a.best, &a.validation, &a.average_validation),
        (&b.best, &b.validation, &b.average_validation)
    );
}

#[test]
fn a_resumed_run_averages_the_same_weights() {
    for spec in [ema(), checkpoints()] {
        let home = tempfile::tempdir().unwrap();
        let straight = run(Start::New(spec.clone()), home.path(), None).0.unwrap();
        for stop_at in [3, 7, 9] {
            let stopped = run(Start::New(spec.clone()), home.path(), Some((stop_at, Command::Stop)));
            let stopped = stopped.0.unwrap();
            assert_eq!(stopped.status, Status::Stopped);
            let resumed = run(Start::Resume(stopped.dir), home.path(), None).0.unwrap();
            assert_same(&resumed, &straight, &format!("stopped at {stop_at}"));
        }
        // The process ended after the last checkpoint, before the end of the run.
        let resumed = run(Start::New(spec.clone()), home.path(), None).0.unwrap();
        std::fs::remove_file(resumed.dir.join("summary.json")).unwrap();
        let log = resumed.dir.join("events.jsonl");
        let text = std::fs::read_to_string(&log).unwrap();
        let end = text.rfind("step-000010\"").unwrap();
        let end = end + text[end..].find('\n').unwrap() + 1;
        std::fs::write(&log, &text[..end]).unwrap();
        let resumed = run(Start::Resume(resumed.dir), home.path(), None).0.unwrap();
        assert_same(&resumed, &straight, "ended after the last checkpoint");
    }
}

#[test]
fn the_mean_of_the_last_checkpoints_is_evaluated_at_the_end() {
    let home = tempfile::tempdir().unwrap();
    let spec = checkpoints();
    let (outcome, events) = run(Start::New(spec.clone()), home.path(), None);
    let outcome = outcome.unwrap();
    assert_eq!(steps(&outcome.dir), [6, 8, 10]);
    let averages = average_evals(&events);
    assert!(averages.iter().all(|average| average.averaging == Averaging::Checkpoints));
    assert_eq!(averages[0].eval.split, SplitName::Validation);
    assert_eq!(averages.iter().map(|average| average.eval.step).max(), Some(10));
    let found = outcome.summaries[0].best.unwrap();
    assert_eq!((found.averaging, found.step), (Some(Averaging::Checkpoints), 10));
    assert_eq!(found.value, averages[0].eval.scores.loss);
    assert!(found.value < outcome.summaries[0].validation.as_ref().unwrap().loss);
    let mut mean = checkpoint(&outcome.dir, 6, "weights.");
    let others = [8, 10].map(|step| checkpoint(&outcome.dir, step, "weights."));
    for (name, array) in &mut mean {
        for (index, value) in array.data.iter_mut().enumerate() {
            *value = (*value + others[0][name].data[index] + others[1][name].data[index]) / 3.0;
        }
    }
    assert!(difference(&best(&outcome.dir), &mean) < 1e-6);
    assert!(difference(&best(&outcome.dir), &others[1]) > 1e-4);

    // Checkpoints that a person asks for are not averaged.
    let saves = [(5, Command::Save), (7, Command::Save), (9, Command::Save)];
    let saved = run(Start::New(spec.clone()), home.path(), saves).0.unwrap();
    assert_eq!(steps(&saved.dir), [6, 8, 9, 10]);
    assert_same(&saved, &outcome, "with further checkpoints");

    // A single checkpoint is not averaged.
    let single = RunSpec { save_steps: IntervalStrategy::Steps(10), ..spec };
    let (outcome, events) = run(Start::New(single), home.path(), None);
    assert_eq!(outcome.unwrap().summaries[0].average_validation, None);
    assert_eq!(average_evals(&events), Vec::<&AverageEval>::new());
    assert!(events.iter().any(
        |event| matches!(event, Event::Note { text, .. } if text.contains("weights are not averaged: there is 1 checkpoint"))
    ));
}

#[test]
fn a_damaged_checkpoint_is_not_averaged() {
    let home = tempfile::tempdir().unwrap();
    let stopped = run(Start::New(checkpoints()), home.path(), Some((9, Command::Stop))).0.unwrap();
    let file = stopped.dir.join("checkpoints/step-000006/state.safetensors");
    let mut state = std::fs::read(&file).unwrap();
    *state.last_mut().unwrap() ^= 1;
    std::fs::write(&file, state).unwrap();
    let (outcome, events) = run(Start::Resume(stopped.dir), home.path(), None);
    assert_eq!(outcome.unwrap().status, Status::Finished);
    let has = |part: &str| {
        events.iter().any(|event| matches!(event, Event::Note { text, .. } if text.contains(part)))
    };
    assert!(has("the checkpoint of step 6 is damaged and not averaged"));
    assert!(has("the weights of 2 checkpoints are averaged, of steps 8, 10"));
}
