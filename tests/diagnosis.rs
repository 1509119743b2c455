//! Diagnoses of real trainings of the demo model: what is wrong is said with the setting that helps, and the default
//! experiments have no diagnosis.

use glue_tui::catalog::Metric;
use glue_tui::event::{Diagnosis, Event, Problem};
use glue_tui::run::history::History;
use glue_tui::run::{Start, TrainOutput, replay, run_blocking};
use glue_tui::spec::{Experiments, RunSpec};
use glue_tui::train::control;
use std::path::Path;

/// The specification of a default experiment with changes.
fn spec(name: &str, changes: &[(&str, &str)]) -> RunSpec {
    let experiments =
        Experiments::open(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments.toml"))).unwrap();
    let cpu = [("device", "cpu"), ("save_steps", "100000")];
    let changes = cpu.iter().chain(changes).map(|(key, text)| ((*key).into(), (*text).into()));
    experiments.resolve(name, &changes.collect::<Vec<_>>()).unwrap()
}

fn train(spec: RunSpec, runs: &Path) -> TrainOutput {
    let (control, _handle) = control();
    run_blocking(Start::New(spec), runs, &control, &mut |_| {}).unwrap()
}

/// The diagnoses of a training. They are the same in the summary, the log and the history that the screens show.
fn diagnose(spec: RunSpec) -> Vec<Diagnosis> {
    let runs = tempfile::tempdir().unwrap();
    let output = train(spec, runs.path());
    let diagnoses = output.summaries[0].diagnoses.clone();
    let events = replay(&output.dir).unwrap();
    assert_eq!(History::of(&events).diagnoses, diagnoses);
    let is_logged = |diagnosis: &Diagnosis| {
        let is_it = |event: &Event| matches!(event, Event::Note { warning: true, text, .. } if *text == diagnosis.text);
        events.iter().any(is_it)
    };
    assert!(diagnoses.iter().all(is_logged));
    let summary = std::fs::read_to_string(output.dir.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let summary = summary.get("diagnoses").cloned().unwrap_or_else(|| serde_json::json!([]));
    assert_eq!(serde_json::from_value::<Vec<Diagnosis>>(summary).unwrap(), diagnoses);
    diagnoses
}

#[track_caller]
fn assert_diagnosis(found: &[Diagnosis], problem: Problem, key: &str) -> String {
    let [diagnosis] = found else { panic!("{found:?}") };
    println!("{}", diagnosis.text);
    assert_eq!(diagnosis.problem, problem, "{}", diagnosis.text);
    diagnosis.settings.get(key).unwrap_or_else(|| panic!("{}", diagnosis.text)).clone()
}

#[test]
fn a_low_learning_rate_is_diagnosed_and_the_suggestion_helps() {
    let low = spec("demo", &[("max_train_samples", "200"), ("learning_rate", "2e-5")]);
    let found = diagnose(low.clone());
    assert_eq!(assert_diagnosis(&found, Problem::NotLearning, "learning_rate"), "5e-4");
    assert!(found[0].text.contains("the entropy of the classes"), "{}", found[0].text);
    let runs = tempfile::tempdir().unwrap();
    let output = train(low.with(&found[0].overrides()).unwrap(), runs.path());
    assert_eq!(output.summaries[0].diagnoses, []);
    let scores = output.summaries[0].validation.as_ref().unwrap();
    assert!(scores.get(Metric::Accuracy).unwrap() > 0.85, "{scores:?}");
}

#[test]
fn a_loss_that_falls_too_slowly_is_diagnosed() {
    let slow = spec("demo", &[("max_train_samples", "1000"), ("learning_rate", "2e-5")]);
    assert_eq!(assert_diagnosis(&diagnose(slow), Problem::LearningRateTooLow, "learning_rate"), "5e-4");
}

#[test]
fn a_high_learning_rate_is_diagnosed() {
    let high = spec("demo", &[("learning_rate", "0.1"), ("max_grad_norm", "0")]);
    let found = diagnose(high);
    let [diagnosis] = &found[..] else { panic!("{found:?}") };
    println!("{}", diagnosis.text);
    let is_serious =
        matches!(diagnosis.problem, Problem::NotLearning | Problem::Diverging | Problem::VanishingGradients);
    assert!(is_serious, "{diagnosis:?}");
    assert_eq!(diagnosis.settings.get("learning_rate").unwrap().parse(), Ok(5e-4), "{diagnosis:?}");
}

#[test]
fn overfitting_is_diagnosed() {
    let few_rows = ("max_train_samples", "300");
    let long = spec("demo", &[few_rows, ("num_train_epochs", "30"), ("learning_rate", "1e-3")]);
    let epochs = assert_diagnosis(&diagnose(long), Problem::Overfitting, "num_train_epochs");
    assert!(epochs.parse::<u32>().unwrap() <= 10, "{epochs}");
}

#[test]
fn the_default_experiments_have_no_diagnosis() {
    for name in ["demo", "demo-pairs"] {
        assert_eq!(diagnose(spec(name, &[])), [], "{name}");
    }
}
