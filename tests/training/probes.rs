//! Probes with the demo task and model: each evaluation classifies them, and training gives the same weights.

use super::spec;
use glue_tui::event::{Command, Event, ProbePrediction, ProbeResult, SplitName};
use glue_tui::hub::Hub;
use glue_tui::predict::Predictor;
use glue_tui::probes::{self, MAX_PROBES, Probe};
use glue_tui::run::history::History;
use glue_tui::run::{RunEvent, Start, TrainOutput, replay, run_blocking};
use glue_tui::spec::{DeviceSpec, RunSpec};
use glue_tui::train::control;
use std::path::Path;

fn probe(text: &str, pair: Option<&str>) -> Probe {
    Probe { text: text.into(), text_pair: pair.map(str::to_string) }
}

/// Trains to the end; `on_event` receives each event and may return a command.
fn run(
    spec: RunSpec,
    runs: &Path,
    mut on_event: impl FnMut(&Event) -> Option<Command> + Send,
) -> TrainOutput {
    let (control, handle) = control();
    let mut emit = |run_event: &RunEvent| {
        if let Some(command) = on_event(&run_event.event) {
            handle.send(command);
        }
    };
    run_blocking(Start::New(spec), runs, &control, &mut emit).unwrap()
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
fn probes_are_classified_at_each_evaluation_without_changing_training() {
    let home = tempfile::tempdir().unwrap();
    let without_probes = run(spec(), home.path(), |_| None);
    assert_eq!(probes(&replay(&without_probes.dir).unwrap()), Vec::<&ProbeResult>::new());
    let file = home.path().join(probes::FILE);
    let (first, later) = (probe("a fine film", None), probe("nobody will be bored", None));
    probes::toggle(&file, first.clone()).unwrap();
    probes::toggle(&file, probe("one", Some("of a pair"))).unwrap();
    let with_probes = run(spec(), home.path(), |event| match event {
        // A probe that is added during the run takes effect at the next evaluation, which may be a requested one.
        Event::Step(step) if step.step == 2 => {
            probes::toggle(&file, later.clone()).unwrap();
            Some(Command::Eval)
        }
        _ => None,
    });
    let logged = replay(&with_probes.dir).unwrap();
    let found: Vec<_> = probes(&logged).iter().map(|probe| (probe.step, probe.probe.clone())).collect();
    let both = |step| [(step, first.clone()), (step, later.clone())];
    assert_eq!(found, [&[(0, first.clone())][..], &both(2), &both(4), &both(6)].concat());
    for (before, event) in logged.iter().zip(&logged[1..]) {
        let is_after = matches!(before, Event::Probe(_))
            || matches!(before, Event::Eval(eval) if eval.split == SplitName::Validation);
        assert!(is_after || !matches!(event, Event::Probe(_)), "{before:?}, then {event:?}");
    }
    assert_eq!(weights(&with_probes), weights(&without_probes));
    assert_eq!(History::of(&logged).probes.newest().count(), 2);

    // The predictions are those of the saved weights.
    let best = with_probes.summaries[0].best.unwrap().step;
    let probe = probes(&logged).into_iter().find(|probe| probe.step == best && probe.probe == first).unwrap();
    let ProbePrediction::Label { label, probabilities, .. } = &probe.prediction else { panic!("{probe:?}") };
    let mut predictor = Predictor::open(
        &with_probes.dir.display().to_string(),
        home.path(),
        &Hub::from_env(),
        DeviceSpec::Cpu,
    )
    .unwrap();
    let answer = predictor.predict(&first.text, None).unwrap().output;
    assert_eq!(answer.most_probable().map(|(label, _)| label), Some(label.as_str()));
    for ((_, expected), probability) in answer.probabilities().iter().zip(probabilities) {
        assert!((expected - probability).abs() < 1e-5, "{probe:?}, {answer:?}");
    }
}

#[test]
fn pairs_are_classified_by_a_task_of_pairs() {
    let home = tempfile::tempdir().unwrap();
    let pair = probe("how do i learn rust", Some("where to learn rust"));
    for probe in [probe("a fine film", None), pair.clone()] {
        probes::toggle(&home.path().join(probes::FILE), probe).unwrap();
    }
    let outcome = run(RunSpec { task: "demo-pairs".parse().unwrap(), ..spec() }, home.path(), |_| None);
    let logged = replay(&outcome.dir).unwrap();
    assert!(probes(&logged).iter().all(|probe| probe.probe == pair));
    assert_eq!(probes(&logged).len(), 3);
}

#[test]
fn invalid_or_long_file_is_a_warning() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(probes::FILE);
    std::fs::write(&file, "[[probe]]\ntext = 7\n").unwrap();
    let outcome = run(spec(), home.path(), |_| None);
    let logged = replay(&outcome.dir).unwrap();
    let logged = warnings(&logged);
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("probes.toml:2") && logged[0].contains("not evaluated"), "{logged:?}");
    let many: Vec<_> =
        (0..MAX_PROBES + 3).map(|number| format!("[[probe]]\ntext = \"number {number}\"\n")).collect();
    std::fs::write(&file, many.concat()).unwrap();
    let outcome = run(spec(), home.path(), |_| None);
    let logged = replay(&outcome.dir).unwrap();
    assert!(warnings(&logged)[0].ends_with("probes.toml has 11 probes; only the first 8 are evaluated"));
    assert_eq!(probes(&logged).len(), 3 * MAX_PROBES);
}

#[test]
fn every_repeat_classifies_the_probes() {
    let home = tempfile::tempdir().unwrap();
    probes::toggle(&home.path().join(probes::FILE), probe("a fine film", None)).unwrap();
    let outcome = run(RunSpec { repeats: 2, ..spec() }, home.path(), |_| None);
    for seed in ["seed-42", "seed-43"] {
        assert_eq!(probes(&replay(&outcome.dir.join(seed)).unwrap()).len(), 3, "{seed}");
    }
}
