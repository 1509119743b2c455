//! Pinned texts over the demo task and model: each evaluation scores them, and training is the same bytes.

use glue_tui::event::{Command, Event, ProbePrediction, ProbeResult, SplitName};
use glue_tui::hub::Hub;
use glue_tui::predict::Predictor;
use glue_tui::probes::{self, MOST, Probe};
use glue_tui::run::history::History;
use glue_tui::run::{RunEvent, Start, TrainOutput, replay, run_blocking};
use glue_tui::spec::{DeviceSpec, RunSpec, built_in};
use glue_tui::train::control;
use std::path::Path;

/// A run of six steps, four an epoch.
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

fn pin(text: &str, pair: Option<&str>) -> Probe {
    Probe { text: text.into(), text_pair: pair.map(str::to_string) }
}

/// Conducts a run to its end; `hear` hears each event.
fn run(spec: RunSpec, runs: &Path, mut hear: impl FnMut(&Event) -> Option<Command> + Send) -> TrainOutput {
    let (control, handle) = control();
    let mut say = |said: &RunEvent| {
        if let Some(command) = hear(&said.event) {
            handle.send(command);
        }
    };
    run_blocking(Start::New(spec), runs, &control, &mut say).unwrap()
}

fn weights(outcome: &TrainOutput) -> Vec<u8> {
    std::fs::read(outcome.dir.join("checkpoints/step-000006/state.safetensors")).unwrap()
}

fn probes(events: &[Event]) -> Vec<&ProbeResult> {
    events
        .iter()
        .filter_map(|event| if let Event::Probe(probe) = event { Some(&**probe) } else { None })
        .collect()
}

fn warnings(events: &[Event]) -> Vec<&str> {
    let warning = |event| match event {
        &Event::Note { warning: true, ref text, .. } => Some(text.as_str()),
        _ => None,
    };
    events.iter().filter_map(warning).collect()
}

#[test]
fn pinned_texts_are_scored_with_each_evaluation_and_training_is_the_same() {
    let home = tempfile::tempdir().unwrap();
    let straight = run(spec(), home.path(), |_| None);
    assert_eq!(probes(&replay(&straight.dir).unwrap()), Vec::<&ProbeResult>::new());
    let file = home.path().join(probes::FILE);
    let (first, later) = (pin("a fine film", None), pin("nobody will be bored", None));
    probes::toggle(&file, first.clone()).unwrap();
    probes::toggle(&file, pin("one", Some("of a pair"))).unwrap();
    let pinned = run(spec(), home.path(), |event| match event {
        // What is pinned meanwhile counts from the next evaluation on; one that is asked for is one too.
        Event::Step(step) if step.step == 2 => {
            probes::toggle(&file, later.clone()).unwrap();
            Some(Command::Eval)
        }
        _ => None,
    });
    let logged = replay(&pinned.dir).unwrap();
    let told: Vec<_> = probes(&logged).iter().map(|probe| (probe.step, probe.probe.clone())).collect();
    let both = |step| [(step, first.clone()), (step, later.clone())];
    assert_eq!(told, [&[(0, first.clone())][..], &both(2), &both(4), &both(6)].concat());
    for (before, event) in logged.iter().zip(&logged[1..]) {
        let is_after = matches!(before, Event::Probe(_))
            || matches!(before, Event::Eval(eval) if eval.split == SplitName::Validation);
        assert!(is_after || !matches!(event, Event::Probe(_)), "{before:?}, then {event:?}");
    }
    assert_eq!(weights(&pinned), weights(&straight));
    assert_eq!(History::of(&logged).probes.newest().count(), 2);

    // What is told is what the weights say.
    let best = pinned.summaries[0].best.unwrap().step;
    let probe = probes(&logged).into_iter().find(|probe| probe.step == best && probe.probe == first).unwrap();
    let ProbePrediction::Label { label, probabilities, .. } = &probe.prediction else { panic!("{probe:?}") };
    let mut predictor =
        Predictor::open(&pinned.dir.display().to_string(), home.path(), &Hub::from_env(), DeviceSpec::Cpu)
            .unwrap();
    let answer = predictor.predict(&first.text, None).unwrap().output;
    assert_eq!(answer.label(), Some(label.as_str()));
    for ((_, expected), told) in answer.probabilities().iter().zip(probabilities) {
        assert!((expected - told).abs() < 1e-5, "{probe:?}, {answer:?}");
    }
}

#[test]
fn pairs_are_scored_where_two_texts_are_judged() {
    let home = tempfile::tempdir().unwrap();
    let pair = pin("how do i learn rust", Some("where to learn rust"));
    for pin in [pin("a fine film", None), pair.clone()] {
        probes::toggle(&home.path().join(probes::FILE), pin).unwrap();
    }
    let outcome = run(RunSpec { task: "demo-pairs".parse().unwrap(), ..spec() }, home.path(), |_| None);
    let logged = replay(&outcome.dir).unwrap();
    assert!(probes(&logged).iter().all(|probe| probe.probe == pair));
    assert_eq!(probes(&logged).len(), 3);
}

#[test]
fn a_damaged_or_long_file_is_a_warning() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(probes::FILE);
    std::fs::write(&file, "[[probe]]\ntext = 7\n").unwrap();
    let outcome = run(spec(), home.path(), |_| None);
    let logged = replay(&outcome.dir).unwrap();
    let told = warnings(&logged);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("probes.toml:2") && told[0].contains("not scored"), "{told:?}");
    let many: Vec<_> =
        (0..MOST + 3).map(|number| format!("[[probe]]\ntext = \"number {number}\"\n")).collect();
    std::fs::write(&file, many.concat()).unwrap();
    let outcome = run(spec(), home.path(), |_| None);
    let logged = replay(&outcome.dir).unwrap();
    assert!(warnings(&logged)[0].ends_with("probes.toml has 11 sentences; the first 8 are scored"));
    assert_eq!(probes(&logged).len(), 3 * MOST);
}

#[test]
fn each_seed_of_a_run_finds_what_is_pinned() {
    let home = tempfile::tempdir().unwrap();
    probes::toggle(&home.path().join(probes::FILE), pin("a fine film", None)).unwrap();
    let outcome = run(RunSpec { repeats: 2, ..spec() }, home.path(), |_| None);
    for seed in ["seed-42", "seed-43"] {
        assert_eq!(probes(&replay(&outcome.dir.join(seed)).unwrap()).len(), 3, "{seed}");
    }
}
