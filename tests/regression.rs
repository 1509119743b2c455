//! A regression task from its files to the exported folder: it is learned, a resumed run has the same bytes, and every
//! command outputs numbers instead of classes.

use glue_tui::catalog::Metric;
use glue_tui::event::{Command, Event, SplitName, Status};
use glue_tui::files::ModelFolder;
use glue_tui::nn::ModelConfig;
use glue_tui::run::error_analysis::{Detail, ErrorReport};
use glue_tui::run::{RunDir, RunEvent, Start, TrainOutput, run_blocking};
use glue_tui::spec::{DeviceSpec, EngineChoice, RunSpec, built_in};
use glue_tui::train::control;
use serde_json::Value;
use std::path::Path;
use std::process;

/// Pairs of texts with five positive or negative words; the label is the number of positive ones.
fn pairs(count: usize, first: usize) -> String {
    let (praise, blame) = (["good", "great", "fine"], ["bad", "boring", "awful"]);
    let mut text = String::from("index\tsentence1\tsentence2\tscore\n");
    for row in first..first + count {
        let mixed = (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let word = |place: usize| {
            let list = if mixed >> place & 1 == 1 { praise } else { blame };
            list[(mixed >> (8 + 2 * place)) as usize % 3]
        };
        let score = (0..5).filter(|place| mixed >> place & 1 == 1).count();
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(word);
        text += &format!("{row}\ta {a} and {b} film\tit is {c}, {d} and {e}\t{score}.000\n");
    }
    text
}

/// A folder with the files of STS-B.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.tsv"), pairs(320, 0)).unwrap();
    std::fs::write(folder.path().join("dev.tsv"), pairs(80, 1000)).unwrap();
    let test: String =
        pairs(8, 2000).lines().map(|line| line.rsplit_once('\t').unwrap().0.to_string() + "\n").collect();
    std::fs::write(folder.path().join("test.tsv"), test).unwrap();
    folder
}

fn spec(data: &Path) -> RunSpec {
    RunSpec {
        task: "stsb".parse().unwrap(),
        data_dir: Some(data.into()),
        num_train_epochs: 20.0,
        per_device_train_batch_size: 16,
        learning_rate: 1e-3,
        device: DeviceSpec::Cpu,
        ..built_in("praise")
    }
}

/// Trains, and stops the run after step `stop_at`.
fn train(begin: Start, runs: &Path, stop_at: Option<u64>) -> (TrainOutput, Vec<Event>) {
    let (control, handle) = control();
    let mut events = Vec::new();
    let outcome = run_blocking(begin, runs, &control, &mut |event: &RunEvent| {
        if let Event::Step(step) = &event.event
            && Some(step.step) == stop_at
        {
            handle.send(Command::Stop);
        }
        events.push(event.event.clone());
    });
    (outcome.unwrap(), events)
}

fn bytes(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("best/model.safetensors")).unwrap()
}

fn glue_tui(arguments: &[&str]) -> String {
    let output = process::Command::new(env!("CARGO_BIN_EXE_glue-tui")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&glue_tui(arguments)).unwrap()
}

#[test]
fn a_regression_is_learned_and_every_command_outputs_numbers() {
    let (data, home) = (data(), tempfile::tempdir().unwrap());
    let (outcome, events) = train(Start::New(spec(data.path())), home.path(), None);
    let summary = &outcome.summaries[0];
    let best = summary.best.unwrap();
    assert_eq!((outcome.status, best.metric), (Status::Finished, Metric::Pearson));
    assert!(best.value > 0.8, "Pearson {}", best.value);
    let before = summary.before[&SplitName::Validation].loss;
    assert!(summary.validation.as_ref().unwrap().loss < 0.3 * before, "{before}, {:?}", summary.validation);

    let summary_file: Value =
        serde_json::from_slice(&std::fs::read(outcome.dir.join("summary.json")).unwrap()).unwrap();
    assert!(
        summary_file["validation"]["pearson"].is_number()
            && summary_file["validation"]["spearman"].is_number(),
        "{summary_file}"
    );
    assert!(
        summary_file["validation"].get("accuracy").is_none() && summary_file["best"]["metric"] == "pearson",
        "{summary_file}"
    );
    let learning = events.iter().find_map(|event| match event {
        Event::Note { text, .. } => text.strip_suffix(" parameters receive a gradient"),
        _ => None,
    });
    let (learning, all) = learning.unwrap().split_once('/').unwrap();
    assert_eq!(learning, all);
    let log = std::fs::read_to_string(outcome.dir.join("log.txt")).unwrap();
    assert!(log.contains(": Pearson ") && !log.contains("accuracy"), "{log}");

    let insight = ErrorReport::read(std::slice::from_ref(&outcome.dir), None).unwrap();
    assert_eq!(insight.examples.as_ref().unwrap().len(), 80);
    let newest = &insight.evaluations.last().unwrap().predictions;
    let picture =
        glue_tui::run::error_analysis::ErrorAnalysis::of(newest, insight.spec.task(), &insight.labels);
    assert!(
        matches!(&picture.detail, Detail::Scale(parts) if parts.iter().map(|part| part.rows).sum::<usize>() == 80)
    );

    let run = outcome.dir.to_str().unwrap();
    let scores = json(&["eval", run]);
    let difference = scores["pearson"].as_f64().unwrap() - best.value;
    assert!(difference.abs() < 1e-6 && scores["examples"] == 80, "{scores}");
    assert!(
        ["accuracy", "confusion", "per_class", "labels"].iter().all(|key| scores.get(key).is_none()),
        "{scores}"
    );
    let answer = json(&["predict", run, "a good and fine film", "it is great, good and fine"]);
    assert!(answer["score"].as_f64().is_some_and(|score| (3.5..6.0).contains(&score)), "{answer}");
    assert!(answer.get("label").is_none() && answer.get("probabilities").is_none(), "{answer}");
    let runs = json(&["runs", "--json", "--runs-dir", home.path().to_str().unwrap()]);
    assert_eq!(runs[0]["best"][0], "pearson", "{runs}");

    let exported = home.path().join("exported");
    glue_tui(&["export", run, "--format", "hf", "--to", exported.to_str().unwrap()]);
    let config: Value =
        serde_json::from_slice(&std::fs::read(exported.join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["problem_type"], &config["num_labels"]), (&"regression".into(), &1.into()));
    assert_eq!(
        ModelConfig::read(&ModelFolder::on_disk(&exported)).unwrap().id2label.for_outputs(1).unwrap(),
        ["LABEL_0"]
    );
    let card = std::fs::read_to_string(exported.join("README.md")).unwrap();
    assert!(card.contains("Validation pearson: 0.") && card.contains("from 0 to 5"), "{card}");
    // A folder without a run has no scale but gives the same number.
    let same =
        json(&["predict", exported.to_str().unwrap(), "a good and fine film", "it is great, good and fine"]);
    assert_eq!(same["score"], answer["score"]);
}

#[test]
fn resume_gives_the_same_bytes_and_both_engines_the_same_loss() {
    let data = data();
    let short = RunSpec { max_steps: Some(24), max_tokens_per_batch: Some(200), ..spec(data.path()) };
    let [straight, stopped, plain] = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
    let (whole, _) = train(Start::New(short.clone()), straight.path(), None);
    let (stopped_run, _) = train(Start::New(short.clone()), stopped.path(), Some(9));
    assert_eq!(stopped_run.status, Status::Stopped);
    let (resumed, _) = train(Start::Resume(stopped_run.dir), stopped.path(), None);
    assert_eq!(resumed.status, Status::Finished);
    assert!(bytes(&whole.dir) == bytes(&resumed.dir), "different weights");
    let scores = |run: &Path| RunDir::at(run).summary().unwrap().validation.unwrap();
    assert_eq!(scores(&whole.dir), scores(&resumed.dir));

    let plain_engine = RunSpec { engine: EngineChoice::Plain, ..short };
    let (other, _) = train(Start::New(plain_engine), plain.path(), None);
    // After so few steps the predictions are nearly constant, so their correlations depend on rounding.
    let [fast, plain] = [&whole.dir, &other.dir].map(|run| scores(run).loss);
    assert!((fast - plain).abs() < 1e-3 * plain, "{fast}, {plain}");
}

#[test]
fn label_smoothing_is_refused() {
    let data = data();
    let refused = process::Command::new(env!("CARGO_BIN_EXE_glue-tui"))
        .args(["train", "demo", "--set", "task=stsb", "--set", "label_smoothing_factor=0.1"])
        .arg("--set")
        .arg(format!("data_dir={}", data.path().display()))
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("label_smoothing_factor") && error.contains("is a regression"), "{error}");
}
