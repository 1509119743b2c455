//! What the program carries keeps its promise: the shipped experiments on the shipped model and data learn, from
//! chance, and judge sentences that are in none of the data.

use glue_tui::catalog::Metric;
use glue_tui::event::{Event, Scores, SplitName, Status};
use glue_tui::hub::Hub;
use glue_tui::predict::Predictor;
use glue_tui::run::error_analysis::ErrorReport;
use glue_tui::run::{Start, TrainOutput, replay, run_blocking};
use glue_tui::spec::{DeviceSpec, Experiments};
use glue_tui::train::control;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// One training at a time: each takes all cores.
static CORES: Mutex<()> = Mutex::new(());

/// Trains a shipped experiment on the CPU.
fn train(name: &str, runs: &Path) -> TrainOutput {
    let experiments = Experiments::open(Some(&Path::new(REPOSITORY).join("experiments.toml"))).unwrap();
    let spec = experiments.resolve(name, &[("device".into(), "cpu".into())]).unwrap();
    let _cores = CORES.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = Instant::now();
    let (control, _handle) = control();
    let outcome = run_blocking(Start::New(spec), runs, &control, &mut |_| {}).unwrap();
    let summary = &outcome.summaries[0];
    let percent = |share: f64| 100.0 * share;
    println!(
        "{name}: {:.1} s, {:.0} examples/s; validation accuracy before {:.1} %, best {:.1} %; test {:.1} %",
        begun.elapsed().as_secs_f64(),
        summary.examples_per_second,
        percent(accuracy(summary.before.get(&SplitName::Validation))),
        percent(summary.best.as_ref().unwrap().value),
        percent(accuracy(summary.test.as_ref())),
    );
    assert_eq!(outcome.status, Status::Finished);
    outcome
}

fn accuracy(scores: Option<&Scores>) -> f64 {
    scores.and_then(|scores| scores.get(Metric::Accuracy)).expect("an accuracy")
}

#[test]
fn demo_goes_from_chance_to_ninety_percent_and_judges_new_sentences() {
    let home = tempfile::tempdir().unwrap();
    let outcome = train("demo", home.path());
    let summary = &outcome.summaries[0];
    let before = accuracy(summary.before.get(&SplitName::Validation));
    assert!((0.3..0.7).contains(&before), "before training: {before}");
    assert!(summary.best.as_ref().unwrap().value >= 0.9, "{:?}", summary.best);
    assert!(accuracy(summary.test.as_ref()) >= 0.85, "{:?}", summary.test);

    // What is kept of each row comes to the scores of the log, and the log's JSON may round the last bit of a number.
    let insight = ErrorReport::read(std::slice::from_ref(&outcome.dir), None).unwrap();
    assert_eq!(insight.examples.as_ref().unwrap().len(), insight.evaluations[0].predictions.len());
    let mut kept = insight.evaluations.iter();
    for event in replay(&outcome.dir).unwrap() {
        let Event::Eval(eval) = event else { continue };
        if eval.split == SplitName::Validation {
            let scores = kept.next().unwrap().predictions.scores(insight.spec.task());
            assert_eq!((&scores.confusion, scores.examples), (&eval.scores.confusion, eval.scores.examples));
            assert!((scores.loss - eval.scores.loss).abs() < 1e-12, "{} {}", scores.loss, eval.scores.loss);
        }
    }
    assert!(kept.next().is_none());

    // Sentences by hand, none of them from a frame of the data or of the pretraining.
    let probes = std::fs::read_to_string(Path::new(REPOSITORY).join("assets/make/probes.tsv")).unwrap();
    let probes: Vec<(&str, &str)> = probes.lines().skip(1).filter_map(|line| line.split_once('\t')).collect();
    let mut predictor =
        Predictor::open(outcome.dir.to_str().unwrap(), home.path(), &Hub::from_env(), DeviceSpec::Cpu)
            .unwrap();
    let inputs: Vec<_> = probes.iter().map(|(text, _)| (text.to_string(), None)).collect();
    let verdicts = predictor.predict_all(&inputs).unwrap();
    let name = |label: &str| if label == "1" { "positive" } else { "negative" };
    let wrong: Vec<&str> = probes
        .iter()
        .zip(&verdicts)
        .filter(|((_, label), verdict)| verdict.output.label() != Some(name(label)))
        .map(|((text, _), _)| *text)
        .collect();
    println!("of {} sentences by hand {} are misjudged: {wrong:#?}", probes.len(), wrong.len());
    assert!(wrong.len() * 5 <= probes.len(), "more than a fifth of the sentences: {wrong:#?}");
}

#[test]
fn demo_pairs_sees_more_than_words() {
    let home = tempfile::tempdir().unwrap();
    let outcome = train("demo-pairs", home.path());
    // Words alone tell nothing here: a bag of words is at chance (assets/make/finetune.py).
    assert!(outcome.summaries[0].best.as_ref().unwrap().value >= 0.68, "{:?}", outcome.summaries[0].best);
}
