//! Frozen layers, learning rates by layer and distillation, from the specification to the trained weights.

use super::{bytes, run, spec};
use glue_tui::event::{Command, Event};
use glue_tui::export::{ExportOptions, ExportSource, ModelFormat, export_model};
use glue_tui::hub::Hub;
use glue_tui::nn::{Array, Weights, read_arrays, write_arrays};
use glue_tui::run::Start;
use glue_tui::spec::RunSpec;
use std::collections::BTreeMap;
use std::path::Path;

fn weights(run: &Path) -> Weights {
    read_arrays(&run.join("best/model.safetensors")).unwrap().0
}

/// Trains `spec`, and again with a stop and a resume in between; the two have the same weights. Returns the folder of the run.
fn train_and_resume(spec: &RunSpec, runs: &Path) -> std::path::PathBuf {
    let (whole, _) = run(Start::New(spec.clone()), runs, []);
    let whole = whole.unwrap().dir;
    let (stopped, _) = run(Start::New(spec.clone()), runs, [(3, Command::Stop)]);
    let stopped = stopped.unwrap().dir;
    let (resumed, _) = run(Start::Resume(stopped), runs, []);
    assert_eq!(bytes(&resumed.unwrap().dir.join("best")), bytes(&whole.join("best")));
    whole
}

#[test]
fn frozen_layers_keep_their_weights() {
    let runs = tempfile::tempdir().unwrap();
    let spec = RunSpec { freeze_layers: Some(1), layerwise_lr_decay: Some(0.9), ..spec() };
    let frozen = weights(&train_and_resume(&spec, runs.path()));
    let other = RunSpec { freeze_embeddings: true, freeze_layers: None, ..spec.clone() };
    let other = weights(&train_and_resume(&other, runs.path()));
    let changed = |name: &str| {
        let differs = |(key, array): (&String, &Array)| key.contains(name) && array != &other[key];
        frozen.iter().any(differs)
    };
    // Both runs have the pretrained embeddings, and one of them the pretrained first layer.
    assert!(!changed("embeddings."), "the embeddings are frozen in both runs");
    assert!(changed("layer.0.") && changed("classifier"), "the first layer is trained in one of them");
}

#[test]
fn layers_that_the_model_does_not_have_cannot_be_frozen() {
    let runs = tempfile::tempdir().unwrap();
    let (outcome, _) = run(Start::New(RunSpec { freeze_layers: Some(100), ..spec() }), runs.path(), []);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("freeze_layers is 100, but model"), "{error}");
}

/// With all weight on the teacher, the loss is the distance to it, which falls.
#[test]
fn model_follows_its_teacher() {
    let runs = tempfile::tempdir().unwrap();
    let (teacher, _) = run(Start::New(RunSpec { max_steps: Some(20), ..spec() }), runs.path(), []);
    let teacher = teacher.unwrap().dir;
    let losses = |teacher: &str| {
        let spec = RunSpec {
            teacher: Some(teacher.to_owned()),
            distillation_weight: Some(1.0),
            max_steps: Some(24),
            ..spec()
        };
        let (outcome, events) = run(Start::New(spec.clone()), runs.path(), []);
        outcome.unwrap();
        let losses = events.iter().filter_map(|event| match event {
            Event::Step(step) => Some(step.loss),
            _ => None,
        });
        losses.collect::<Vec<f64>>()
    };
    let found = losses(&teacher.display().to_string());
    assert!(found[23] < 0.25 * found[0], "{found:?}");

    // A file of logits, here the same for each row.
    let rows = 32;
    let file = runs.path().join("logits.safetensors");
    let logits = |rows: usize| {
        let array = Array { shape: vec![rows, 2], data: vec![0.5; 2 * rows] };
        Weights::from([("logits".to_owned(), array)])
    };
    write_arrays(&file, &logits(rows), &BTreeMap::new()).unwrap();
    let uniform = losses(&file.display().to_string());
    assert!(uniform[23] < uniform[0], "{uniform:?}");
    write_arrays(&file, &logits(rows - 1), &BTreeMap::new()).unwrap();
    let spec = RunSpec { teacher: Some(file.display().to_string()), ..spec() };
    let error = run(Start::New(spec.clone()), runs.path(), []).0.unwrap_err().to_string();
    assert!(error.contains("tensor logits has the shape [31, 2]; expected [32, 2]"), "{error}");
}

#[test]
fn distillation_resumes_bit_for_bit() {
    let runs = tempfile::tempdir().unwrap();
    let (teacher, _) = run(Start::New(spec()), runs.path(), []);
    let teacher = teacher.unwrap().dir.display().to_string();
    train_and_resume(&RunSpec { teacher: Some(teacher), ..spec() }, runs.path());
}

/// `best/` has the weights with the adapters added, and an export the adapters and the head alone.
#[test]
fn adapters_are_trained_and_exported() {
    let runs = tempfile::tempdir().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model");
    let spec = RunSpec { model: model.display().to_string(), lora_r: Some(4), learning_rate: 1e-2, ..spec() };
    let run = train_and_resume(&spec, runs.path());
    let all =
        RunSpec { lora_target_modules: Some("all-linear".parse().unwrap()), freeze_layers: Some(1), ..spec };
    train_and_resume(&all, runs.path());
    let names: Vec<String> = weights(&run).into_keys().collect();
    assert!(names.iter().all(|name| !name.contains("lora_")), "{names:?}");

    let folder = runs.path().join("adapter");
    let source = ExportSource::of_run(&run).unwrap();
    let options = ExportOptions::of(ModelFormat::Peft);
    let report = export_model(&source, &folder, &options, &Hub::cache_only(), &mut |_| {}).unwrap();
    assert!(report.sentence().contains("verified"), "{}", report.sentence());
    let size = |folder: &Path, file: &str| std::fs::metadata(folder.join(file)).unwrap().len();
    let [whole, adapter] =
        [size(&run.join("best"), "model.safetensors"), size(&folder, "adapter_model.safetensors")];
    assert!(4 * adapter < whole, "{adapter} of {whole} bytes");
    // Without adapters there is nothing to export.
    let (plain, _) = super::run(Start::New(super::spec()), runs.path(), []);
    let source = ExportSource::of_run(&plain.unwrap().dir).unwrap();
    let error = export_model(&source, &runs.path().join("b"), &options, &Hub::cache_only(), &mut |_| {});
    assert!(error.unwrap_err().to_string().contains("has no adapters"));
}

#[test]
fn teacher_needs_a_head_for_the_labels() {
    let runs = tempfile::tempdir().unwrap();
    let spec = RunSpec { teacher: Some("demo".into()), ..spec() };
    let error = run(Start::New(spec.clone()), runs.path(), []).0.unwrap_err().to_string();
    assert!(error.contains("teacher demo does not predict the labels of the task"), "{error}");
}
