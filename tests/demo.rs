//! The default experiments: the demo model learns the demo tasks from chance, and classifies sentences that are not in
//! the data.

use glue_tui::catalog::Metric;
use glue_tui::event::{Event, Scores, SplitName, Status};
use glue_tui::hub::Hub;
use glue_tui::predict::{Prediction, Predictor};
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::{Start, TrainOutput, replay, run_blocking};
use glue_tui::spec::{DeviceSpec, Experiments};
use glue_tui::train::control;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Serializes the trainings, because each uses all cores.
static CORES: Mutex<()> = Mutex::new(());

/// Trains a default experiment on the CPU.
fn train(name: &str, runs: &Path) -> TrainOutput {
    let experiments = Experiments::open(Some(&Path::new(REPOSITORY).join("experiments.toml"))).unwrap();
    let spec = experiments.resolve(name, &[("device".into(), "cpu".into())]).unwrap();
    let _cores = CORES.lock().unwrap_or_else(PoisonError::into_inner);
    let start = Instant::now();
    let (control, _handle) = control();
    let output = run_blocking(Start::New(spec), runs, &control, &mut |_| {}).unwrap();
    let summary = &output.summaries[0];
    let percent = |fraction: f64| 100.0 * fraction;
    println!(
        "{name}: {:.1} s, {:.0} examples/s; validation accuracy before {:.1} %, best {:.1} %; test {:.1} %",
        start.elapsed().as_secs_f64(),
        summary.examples_per_second,
        percent(accuracy(summary.before.get(&SplitName::Validation))),
        percent(summary.best.as_ref().unwrap().value),
        percent(accuracy(summary.test.as_ref())),
    );
    assert_eq!(output.status, Status::Finished);
    output
}

fn accuracy(scores: Option<&Scores>) -> f64 {
    scores.and_then(|scores| scores.get(Metric::Accuracy)).expect("an accuracy")
}

#[test]
fn demo_learns_and_classifies_new_sentences() {
    let home = tempfile::tempdir().unwrap();
    let output = train("demo", home.path());
    let summary = &output.summaries[0];
    let before = accuracy(summary.before.get(&SplitName::Validation));
    assert!((0.3..0.7).contains(&before), "before training: {before}");
    assert!(summary.best.as_ref().unwrap().value >= 0.9, "{:?}", summary.best);
    assert!(accuracy(summary.test.as_ref()) >= 0.85, "{:?}", summary.test);

    // The saved predictions give the logged scores, up to the last bit that JSON may round.
    let insight = ErrorReport::read(std::slice::from_ref(&output.dir), None).unwrap();
    assert_eq!(insight.examples.as_ref().unwrap().len(), insight.evaluations[0].predictions.len());
    let mut evaluations = insight.evaluations.iter();
    for event in replay(&output.dir).unwrap() {
        let Event::Eval(eval) = event else { continue };
        if eval.split == SplitName::Validation {
            let scores = evaluations.next().unwrap().predictions.scores(insight.spec.task());
            assert_eq!((&scores.confusion, scores.examples), (&eval.scores.confusion, eval.scores.examples));
            assert!((scores.loss - eval.scores.loss).abs() < 1e-12, "{} {}", scores.loss, eval.scores.loss);
        }
    }
    assert!(evaluations.next().is_none());

    // Hand-written sentences that no template of the data or the pretraining generates.
    let probes = std::fs::read_to_string(Path::new(REPOSITORY).join("assets/make/probes.tsv")).unwrap();
    let probes: Vec<(&str, &str)> = probes.lines().skip(1).filter_map(|line| line.split_once('\t')).collect();
    let mut predictor =
        Predictor::open(output.dir.to_str().unwrap(), home.path(), &Hub::from_env(), DeviceSpec::Cpu)
            .unwrap();
    let inputs: Vec<_> = probes.iter().map(|(text, _)| (text.to_string(), None)).collect();
    let predictions = predictor.predict_all(&inputs).unwrap();
    let name = |label: &str| if label == "1" { "positive" } else { "negative" };
    let wrong: Vec<&str> = probes
        .iter()
        .zip(&predictions)
        .filter(|((_, label), prediction)| {
            prediction.output.most_probable().map(|(label, _)| label) != Some(name(label))
        })
        .map(|((text, _), _)| *text)
        .collect();
    println!("{} hand-written sentences, {} misclassified: {wrong:#?}", probes.len(), wrong.len());
    assert!(wrong.len() * 5 <= probes.len(), "more than a fifth of the sentences: {wrong:#?}");
}

#[test]
fn demo_pairs_learns_order_and_opposites_and_compares_new_questions() {
    let home = tempfile::tempdir().unwrap();
    let output = train("demo-pairs", home.path());
    let summary = &output.summaries[0];
    // A bag of words is at chance here (assets/make/finetune.py).
    assert!(summary.best.as_ref().unwrap().value >= 0.89, "{:?}", summary.best);
    assert!(accuracy(summary.test.as_ref()) >= 0.87, "{:?}", summary.test);

    // Hand-written pairs that no template of the data generates.
    let probes = std::fs::read_to_string(Path::new(REPOSITORY).join("assets/make/pairs_probes.tsv")).unwrap();
    let probes: Vec<Vec<&str>> = probes.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let mut predictor =
        Predictor::open(output.dir.to_str().unwrap(), home.path(), &Hub::from_env(), DeviceSpec::Cpu)
            .unwrap();
    let inputs: Vec<_> = probes.iter().map(|row| (row[0].to_string(), Some(row[1].to_string()))).collect();
    let predictions = predictor.predict_all(&inputs).unwrap();
    let name = |label: &str| if label == "1" { "duplicate" } else { "not_duplicate" };
    let is_wrong = |(row, prediction): &(&Vec<&str>, &Prediction)| {
        prediction.output.most_probable().map(|(label, _)| label) != Some(name(row[2]))
    };
    let wrong: Vec<_> = probes.iter().zip(&predictions).filter(is_wrong).map(|(row, _)| row).collect();
    println!("{} hand-written pairs, {} misclassified: {wrong:#?}", probes.len(), wrong.len());
    assert!(wrong.len() * 4 <= probes.len(), "more than a quarter of the pairs: {wrong:#?}");
}
