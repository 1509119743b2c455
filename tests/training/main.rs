//! Training on the demo task and model: the same seed gives the same bytes, a resumed run equals an uninterrupted
//! one, commands are executed, and errors are recorded.

mod averaging;
mod cross_validation;
mod predictions;
mod probes;
mod techniques;

use glue_tui::catalog::Metric;
use glue_tui::error::Error;
use glue_tui::event::{Command, Event, Scores, SplitName, Status, Step};
use glue_tui::nn::{read_arrays, write_arrays};
use glue_tui::predict::Predictor;
use glue_tui::run::history::History;
use glue_tui::run::{
    RunDir, RunEvent, RunStatus, Start, TrainOutput, find, list, replay, run_blocking, start,
};
use glue_tui::spec::{DeviceSpec, EngineChoice, IntervalStrategy, RunSpec, built_in};
use glue_tui::train::control;
use std::collections::BTreeMap;
use std::path::Path;

/// A run of six steps with four steps per epoch.
fn spec() -> RunSpec {
    RunSpec {
        max_train_samples: Some(32),
        max_eval_samples: Some(24),
        per_device_train_batch_size: 8,
        max_steps: Some(6),
        learning_rate: 1e-3,
        device: DeviceSpec::Cpu,
        ..built_in("tiny")
    }
}

/// Runs a training and sends each command after the given step.
fn run(
    begin: Start,
    runs: &Path,
    commands: impl IntoIterator<Item = (u64, Command)>,
) -> (Result<TrainOutput, Error>, Vec<Event>) {
    let (control, handle) = control();
    let commands: Vec<_> = commands.into_iter().collect();
    let mut events = Vec::new();
    let outcome = run_blocking(begin, runs, &control, &mut |event: &RunEvent| {
        if let Event::Step(step) = &event.event {
            commands.iter().filter(|(at, _)| *at == step.step).for_each(|(_, command)| handle.send(*command));
        }
        events.push(event.event.clone());
    });
    (outcome, events)
}

/// The files in `folder` with their bytes.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn only_the_same_seed_gives_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let straight = |spec| run(Start::New(spec), home.path(), None).0.unwrap();
    let (first, second) = (straight(spec()), straight(spec()));
    let other = straight(RunSpec { seed: 43, ..spec() });
    let weights = |outcome: &TrainOutput| {
        bytes(&outcome.dir.join("checkpoints/step-000006"))["state.safetensors"].clone()
    };
    assert_eq!(bytes(&first.dir.join("best")), bytes(&second.dir.join("best")));
    assert_eq!(weights(&first), weights(&second));
    assert_ne!(weights(&first), weights(&other));
}

#[test]
fn a_run_resumed_in_mid_epoch_equals_an_uninterrupted_one() {
    let home = tempfile::tempdir().unwrap();
    let straight = run(Start::New(spec()), home.path(), None).0.unwrap();
    for stop_at in [2, 3, 5] {
        let (stopped, events) = run(Start::New(spec()), home.path(), Some((stop_at, Command::Stop)));
        let stopped = stopped.unwrap();
        assert_eq!(stopped.status, Status::Stopped);
        assert!(matches!(events.last(), Some(Event::Ended { status: Status::Stopped, .. })));
        assert_eq!(stopped.summaries[0].steps, stop_at);
        let resumed = run(Start::Resume(stopped.dir.clone()), home.path(), None).0.unwrap();
        assert_eq!(resumed.status, Status::Finished);
        assert_eq!(
            bytes(&resumed.dir.join("best")),
            bytes(&straight.dir.join("best")),
            "stopped at {stop_at}"
        );
        let last = "checkpoints/step-000006";
        assert_eq!(
            bytes(&resumed.dir.join(last))["state.safetensors"],
            bytes(&straight.dir.join(last))["state.safetensors"],
            "stopped at {stop_at}"
        );
        let (whole, parts) = (&straight.summaries[0], &resumed.summaries[0]);
        assert_eq!(
            (&whole.before, &whole.best, &whole.validation, &whole.train),
            (&parts.before, &parts.best, &parts.validation, &parts.train)
        );
    }
}

/// The plain engine reports on steps only on request, as an engine on a GPU; the fast engine of the CPU at once.
#[test]
fn the_logging_interval_does_not_change_the_steps() {
    for engine in [EngineChoice::Plain, EngineChoice::Fast] {
        let home = tempfile::tempdir().unwrap();
        let steps = |logging_steps: u64| {
            let logging_steps = IntervalStrategy::Steps(logging_steps);
            let (outcome, events) =
                run(Start::New(RunSpec { engine, logging_steps, ..spec() }), home.path(), None);
            let step = |event: Event| if let Event::Step(step) = event { Some(step) } else { None };
            let train_scores = training_scores(&events);
            let steps: Vec<Step> = events.into_iter().filter_map(step).collect();
            (
                steps,
                train_scores,
                bytes(&outcome.unwrap().dir.join("checkpoints/step-000006"))["state.safetensors"].clone(),
            )
        };
        let ((each, train_scores, weights), (grouped, same_scores, same)) = (steps(1), steps(5));
        assert_eq!((weights, train_scores), (same, same_scores), "{engine:?}");
        assert_eq!(grouped.iter().map(|step| step.step).collect::<Vec<_>>(), [5, 6], "{engine:?}");
        for (group, alone) in grouped.iter().zip([&each[..5], &each[5..]]) {
            let mean = alone.iter().map(|step| step.loss).sum::<f64>() / alone.len() as f64;
            assert!((group.loss - mean).abs() < 1e-9, "{engine:?}: {group:?}, mean {mean}");
            assert_eq!(group.grad_norm, alone[alone.len() - 1].grad_norm, "{engine:?}");
            assert_eq!(group.examples, alone.iter().map(|step| step.examples).sum::<u64>(), "{engine:?}");
        }
    }
}

/// Step and scores of each evaluation of the training rows.
fn training_scores(events: &[Event]) -> Vec<(u64, Scores)> {
    let scores = |event: &Event| match event {
        Event::Eval(eval) if eval.split == SplitName::Train => Some((eval.step, eval.scores.clone())),
        _ => None,
    };
    events.iter().filter_map(scores).collect()
}

#[test]
fn training_scores_are_the_mean_over_the_steps_of_the_epoch() {
    let home = tempfile::tempdir().unwrap();
    let spec = RunSpec { eval_steps: IntervalStrategy::Steps(3), ..spec() };
    let (outcome, events) = run(Start::New(spec.clone()), home.path(), None);
    let losses: Vec<f64> = events
        .iter()
        .filter_map(|event| if let Event::Step(step) = event { Some(step.loss) } else { None })
        .collect();
    let found = training_scores(&events);
    // Four steps of 8 rows an epoch.
    let expected = [(3, &losses[..3]), (4, &losses[..4]), (6, &losses[4..])];
    assert_eq!(found.len(), expected.len());
    for ((step, scores), (expected_step, losses)) in found.iter().zip(expected) {
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        assert!((scores.loss - mean).abs() < 1e-6, "step {step}: {}, expected {mean}", scores.loss);
        assert_eq!((*step, scores.examples), (expected_step, 8 * losses.len() as u64));
        assert!(scores.running_mean && scores.get(Metric::Accuracy).is_some());
    }
    let summary = outcome.unwrap().summaries.remove(0);
    assert_eq!(summary.train.as_ref(), found.last().map(|(_, scores)| scores));

    // A pass of its own has one set of weights, no dropout, and all rows.
    let (outcome, events) = run(Start::New(RunSpec { eval_on_train: true, ..spec }), home.path(), None);
    let found = training_scores(&events);
    assert_eq!(
        found.iter().map(|(step, scores)| (*step, scores.examples)).collect::<Vec<_>>(),
        [(4, 24), (6, 24)]
    );
    assert!(found.iter().all(|(_, scores)| !scores.running_mean));
    assert_eq!(outcome.unwrap().summaries[0].validation, summary.validation);
}

#[test]
fn events_log_and_summary_of_a_run_agree() {
    let home = tempfile::tempdir().unwrap();
    let (outcome, events) = run(Start::New(spec()), home.path(), None);
    let outcome = outcome.unwrap();
    let notes: Vec<&str> = events
        .iter()
        .filter_map(|e| if let Event::Note { text, .. } = e { Some(text.as_str()) } else { None })
        .collect();
    assert!(notes.iter().any(|note| note.contains("parameters receive a gradient")), "{notes:?}");
    let evals: Vec<_> = events
        .iter()
        .filter_map(|e| if let Event::Eval(eval) = e { Some((eval.step, eval.split)) } else { None })
        .collect();
    let round = |step| [SplitName::Validation, SplitName::Test, SplitName::Train].map(|split| (step, split));
    assert_eq!(evals, [&round(0)[..2], &round(4), &round(6)].concat());

    let logged = replay(&outcome.dir).unwrap();
    // The emitted events take a round trip through JSON too, whose reader can round the last bit of a number.
    let through_json = |e: &Event| serde_json::from_str(&serde_json::to_string(e).unwrap()).unwrap();
    let emitted: Vec<Event> =
        events.iter().filter(|e| !matches!(e, Event::Progress(_))).map(through_json).collect();
    assert_eq!(logged, emitted);

    let summary = RunDir::at(&outcome.dir).summary().unwrap();
    assert_eq!(summary.best.unwrap().step, outcome.summaries[0].best.unwrap().step);
    assert_eq!((summary.status, summary.steps, summary.epochs), (Status::Finished, 6, 1.5));
    assert_eq!(summary.validation.as_ref().unwrap().examples, 24);
    assert!(!summary.before.contains_key(&SplitName::Train));
    assert!(
        (summary.before[&SplitName::Validation].loss - 2f64.ln()).abs() < 0.3,
        "untrained is near chance"
    );

    let rows = list(home.path()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].status, rows[0].steps, rows[0].total_steps), (RunStatus::Finished, 6, 6));
    assert_eq!(find(home.path(), "tiny").unwrap(), outcome.dir);
    assert_eq!(find(home.path(), &rows[0].name[..12]).unwrap(), outcome.dir);
    assert!(matches!(find(home.path(), "nothing"), Err(Error::Usage(_))));
}

#[test]
fn accumulation_and_token_limits_change_only_rounding() {
    let home = tempfile::tempdir().unwrap();
    let spec = || RunSpec { max_seq_length: 30, ..spec() };
    let whole = run(Start::New(spec()), home.path(), None).0.unwrap();
    let parts = RunSpec {
        per_device_train_batch_size: 2,
        gradient_accumulation_steps: 4,
        max_tokens_per_batch: Some(30),
        ..spec()
    };
    let parts = run(Start::New(parts), home.path(), None).0.unwrap();
    let loss = |outcome: &TrainOutput| outcome.summaries[0].validation.as_ref().unwrap().loss;
    assert!((loss(&whole) - loss(&parts)).abs() < 1e-3, "{} {}", loss(&whole), loss(&parts));
    assert_eq!(whole.summaries[0].steps, parts.summaries[0].steps);
}

#[test]
fn commands_are_executed_and_do_not_change_the_result() {
    let home = tempfile::tempdir().unwrap();
    let spec = RunSpec { max_steps: Some(60), ..spec() };
    let straight = run(Start::New(spec.clone()), home.path(), None).0.unwrap();
    let running = start(Start::New(spec), home.path()).unwrap();
    let (mut paused, mut steps_while_paused, mut evals_while_paused, mut predictions) = (false, 0, 0, 0);
    for event in &running.events {
        match event.event {
            // The training can be some steps ahead when the commands arrive.
            Event::Step(step) if step.step == 1 => {
                for command in [Command::Pause, Command::Eval, Command::Save] {
                    running.send(command);
                }
            }
            Event::Command { command: Command::Pause, .. } => paused = true,
            Event::Command { command: Command::Resume, .. } => paused = false,
            Event::Step(_) if paused => steps_while_paused += 1,
            Event::Eval(_) if paused => evals_while_paused += 1,
            Event::Saved(saved) if paused => {
                assert_eq!(
                    list(home.path()).unwrap().iter().filter(|row| row.status == RunStatus::Running).count(),
                    1
                );
                let snapshot = running.request_weights().recv().unwrap();
                assert_eq!(snapshot.step, saved.step);
                let mut predictor = Predictor::from_snapshot(&snapshot, DeviceSpec::Cpu).unwrap();
                let prediction = predictor.predict("a fine film", None).unwrap();
                let total: f32 = prediction.output.probabilities().iter().map(|(_, p)| p).sum();
                assert!((total - 1.0).abs() < 1e-5);
                predictions += 1;
                running.send(Command::Resume);
            }
            _ => {}
        }
    }
    let outcome = running.join().unwrap();
    assert_eq!((steps_while_paused, evals_while_paused, predictions), (0, 1, 1));
    assert_eq!(bytes(&outcome.dir.join("best")), bytes(&straight.dir.join("best")));
}

/// The learning rate of each step.
fn rates(events: &[Event]) -> BTreeMap<u64, f64> {
    let steps =
        events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step) } else { None });
    steps.map(|step| (step.step, step.learning_rate)).collect()
}

/// The changes of the settings, and whether each was replayed.
fn changes(events: &[Event]) -> Vec<(u64, Command, bool)> {
    let change = |event: &Event| match event {
        Event::Command { step, command, settings: Some(_), replayed, .. } => {
            Some((*step, *command, *replayed))
        }
        _ => None,
    };
    events.iter().filter_map(change).collect()
}

#[track_caller]
fn assert_same_result(one: &TrainOutput, other: &TrainOutput, step: u64) {
    let last = |outcome: &TrainOutput| bytes(&outcome.dir.join(format!("checkpoints/step-{step:06}")));
    assert!(bytes(&one.dir.join("best")) == bytes(&other.dir.join("best")), "different best weights");
    assert!(last(one)["state.safetensors"] == last(other)["state.safetensors"], "different last state");
    let (one, other) = (&one.summaries[0], &other.summaries[0]);
    assert_eq!((one.status, &one.best, &one.validation), (other.status, &other.best, &other.validation));
    assert_eq!((one.steps, &one.changes), (other.steps, &other.changes));
}

#[test]
fn mid_run_changes_survive_stop_crash_and_replay() {
    let home = tempfile::tempdir().unwrap();
    let spec = RunSpec { max_steps: Some(12), ..spec() };
    let (early, late) = (
        [(3, Command::Halve), (5, Command::MaxSteps(14)), (6, Command::LearningRate(1.0 / 3000.0))],
        (9, Command::NumTrainEpochs(2.5)),
    );
    let (whole, events) = run(Start::New(spec.clone()), home.path(), early.into_iter().chain([late]));
    let whole = whole.unwrap();
    let rates_of_whole = rates(&events);
    assert_eq!((whole.summaries[0].steps, rates_of_whole.len()), (10, 10), "10 steps are 2.5 epochs");
    assert_eq!(changes(&events).len(), 4);
    let straight = run(Start::New(spec.clone()), home.path(), None).0.unwrap();
    assert_ne!(bytes(&straight.dir.join("best")), bytes(&whole.dir.join("best")));

    // Stopped: the checkpoint has all changes.
    let commands = early.into_iter().chain([(7, Command::Stop)]);
    let stopped = run(Start::New(spec.clone()), home.path(), commands).0.unwrap();
    let (resumed, events) = run(Start::Resume(stopped.dir), home.path(), [late]);
    assert_same_result(&resumed.unwrap(), &whole, 10);
    assert_eq!(changes(&events), [(9, late.1, false)]);

    // Crashed: the newest checkpoint is older than two of the changes, which are in the log. A command in between
    // is in the log too when the run crashes a second time.
    let commands = early.into_iter().chain([(7, Command::Stop)]);
    let crashed = run(Start::New(spec.clone()), home.path(), commands).0.unwrap();
    let remove_checkpoint =
        |step: u64| std::fs::remove_dir_all(crashed.dir.join(format!("checkpoints/step-{step:06}"))).unwrap();
    remove_checkpoint(7);
    let (resumed, events) = run(Start::Resume(crashed.dir.clone()), home.path(), [(5, Command::Stop)]);
    assert_eq!((resumed.unwrap().summaries[0].steps, changes(&events)), (5, vec![(5, early[1].1, true)]));
    remove_checkpoint(5);
    let (resumed, events) = run(Start::Resume(crashed.dir.clone()), home.path(), [late]);
    assert_same_result(&resumed.unwrap(), &whole, 10);
    assert_eq!(changes(&events), [(5, early[1].1, true), (6, early[2].1, true), (9, late.1, false)]);
    assert!(rates(&events).iter().all(|(step, rate)| rates_of_whole[step].to_bits() == rate.to_bits()));

    // Replayed from the log alone, and the replay replayed.
    let (replayed, events) = run(Start::Replay(whole.dir.clone()), home.path(), None);
    let replayed = replayed.unwrap();
    assert_ne!(replayed.dir, whole.dir);
    assert_same_result(&replayed, &whole, 10);
    assert!(rates(&events) == rates_of_whole);
    assert_same_result(&run(Start::Replay(replayed.dir), home.path(), None).0.unwrap(), &whole, 10);

    let row = list(home.path()).unwrap().into_iter().find(|row| row.dir == whole.dir).unwrap();
    assert_eq!((row.steps, row.total_steps), (10, 10));
    let history = History::of(&replay(&whole.dir).unwrap());
    assert_eq!((history.total_steps(), history.fraction()), (10, 1.0));
    assert!((history.peak_learning_rate() - 1.0 / 3000.0).abs() < 1e-12);
}

#[test]
fn max_steps_below_the_current_step_ends_the_run_evaluated_and_saved() {
    let home = tempfile::tempdir().unwrap();
    let (outcome, events) = run(Start::New(spec()), home.path(), [(3, Command::MaxSteps(1))]);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, outcome.summaries[0].steps), (Status::Finished, 3));
    let evaluated =
        events.iter().filter(|event| matches!(event, Event::Eval(eval) if eval.step == 3)).count();
    assert_eq!(evaluated, 3, "all splits");
    assert!(outcome.dir.join("checkpoints/step-000003").is_dir());
    // A command with an invalid value is ignored with a warning.
    let (outcome, events) = run(Start::New(spec()), home.path(), [(3, Command::LearningRate(-1.0))]);
    assert_eq!(outcome.unwrap().summaries[0].steps, 6);
    assert!(events.iter().any(
        |event| matches!(event, Event::Note { warning: true, text, .. } if text.contains("command ignored"))
    ));
    assert_eq!(changes(&events), []);
}

#[test]
fn each_seed_has_its_own_changes_and_can_be_replayed() {
    let home = tempfile::tempdir().unwrap();
    let spec = RunSpec { repeats: 2, ..spec() };
    // Sent after the third step of each seed.
    let outcome = run(Start::New(spec), home.path(), [(3, Command::MaxSteps(5))]).0.unwrap();
    assert_eq!(outcome.summaries.iter().map(|summary| summary.steps).collect::<Vec<_>>(), [5, 5]);
    let error = run(Start::Replay(outcome.dir.clone()), home.path(), None).0.unwrap_err();
    assert!(error.to_string().contains("seed-42"), "{error}");
    let replayed = run(Start::Replay(outcome.dir.join("seed-43")), home.path(), None).0.unwrap();
    assert_eq!(bytes(&replayed.dir.join("best")), bytes(&outcome.dir.join("seed-43/best")));
}

#[test]
fn repeats_have_a_common_summary() {
    let home = tempfile::tempdir().unwrap();
    let spec = RunSpec { repeats: 3, ..spec() };
    let (stopped, _) = run(Start::New(spec.clone()), home.path(), Some((5, Command::Stop)));
    let stopped = stopped.unwrap();
    assert_eq!((stopped.status, stopped.summaries.len()), (Status::Stopped, 1));
    let outcome = run(Start::Resume(stopped.dir.clone()), home.path(), None).0.unwrap();
    assert_eq!((outcome.status, outcome.summaries.len()), (Status::Finished, 3));
    let all = outcome.repeats.unwrap();
    assert_eq!(all.seeds.iter().map(|seed| seed.seed).collect::<Vec<_>>(), [42, 43, 44]);
    let mean = all.seeds.iter().map(|seed| seed.value).sum::<f64>() / 3.0;
    assert!((all.repeats.mean - mean).abs() < 1e-12);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(outcome.dir.join("summary.json")).unwrap()).unwrap();
    assert_eq!(json["status"], "finished");
    assert_eq!(json["repeats"]["count"], 3);
    assert!(json["validation"]["accuracy"].is_number());
    assert_eq!(
        bytes(&outcome.dir.join("best")),
        bytes(&outcome.dir.join(format!("seed-{}/best", all.best_seed.seed)))
    );
    assert_eq!(list(home.path()).unwrap()[0].repeats.unwrap().count, 3);
}

#[test]
fn a_failed_run_names_the_tensor_and_keeps_its_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let stopped = run(Start::New(spec()), home.path(), Some((2, Command::Stop))).0.unwrap();
    let checkpoint = stopped.dir.join("checkpoints/step-000002");
    let arrays = checkpoint.join("state.safetensors");
    let (mut state, metadata) = read_arrays(&arrays).unwrap();
    state.get_mut("weights.bert.embeddings.LayerNorm.weight").unwrap().data[0] = f32::NAN;
    write_arrays(&arrays, &state, &metadata).unwrap();
    glue_tui::files::write_digests(&checkpoint).unwrap();

    let (outcome, events) = run(Start::Resume(stopped.dir), home.path(), None);
    let error = outcome.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("bert.embeddings"), "{error}");
    assert!(matches!(events.last(), Some(Event::Ended { status: Status::Failed, error: Some(_), .. })));
    assert!(!events.iter().any(|event| matches!(event, Event::Step(_))), "no step was taken");
    let row = &list(home.path()).unwrap()[0];
    assert_eq!(row.status, RunStatus::Failed);
    assert!(checkpoint.is_dir());
}
