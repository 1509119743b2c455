//! Transformers loads exported folders with no missing or unexpected tensor and gives the same logits to 1e-4. Needs
//! a Python with `tests/reference/requirements.txt` in `GLUE_TUI_PYTHON`; skipped with a message without it.

#[path = "common/python.rs"]
mod python;
mod reference_models;

use glue_tui::assets;
use glue_tui::batch::{Batch, Encoded, Label};
use glue_tui::catalog::Labels;
use glue_tui::data::{Example, Tokenizer};
use glue_tui::export;
use glue_tui::files::{ModelFolder, Root};
use glue_tui::hub::Hub;
use glue_tui::nn::{self, BuildOptions, ParamState, StepInput, TensorSource};
use glue_tui::run::{Start, run_blocking};
use glue_tui::spec::{DeviceSpec, EngineChoice, Precision, RunSpec, built_in};
use glue_tui::train::control;
use python::{python, run_script};
use reference_models::{CLASSIFIERS, reference};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What is not done without Python.
const SKIPPED: &str = "no exported folder was loaded in it";

const TEXTS: [(&str, &str); 4] = [
    ("not bad at all", "How do I learn Rust?"),
    ("the plot is thin, but nobody will be bored", "How can I learn Rust quickly?"),
    ("It's 3:15 — a naïve “review” of café №5!", "x"),
    ("a", "Why is the sky blue in the morning and why is it red in the evening?"),
];

/// The logits of [`TEXTS`] by the model in `folder`.
fn logits(folder: &Path, pair: bool) -> Vec<Vec<f32>> {
    logits_of(&ModelFolder::on_disk(folder), pair)
}

fn logits_of(model: &ModelFolder, pair: bool) -> Vec<Vec<f32>> {
    let tokenizer = Tokenizer::load(model, 128).unwrap();
    let rows: Vec<Encoded> = TEXTS
        .iter()
        .map(|(a, b)| Example { text: (*a).into(), text_pair: pair.then(|| (*b).into()), label: None })
        .map(|row| tokenizer.encode(&row).unwrap().0)
        .collect();
    nn::for_inference(model, DeviceSpec::Cpu, None).unwrap().engine.logits(&Batch::new(&rows)).unwrap()
}

/// Compares our logits of `folder` with those of Transformers.
fn compare(python: &Path, folder: &Path, pair: bool) {
    let logits = logits(folder, pair);
    let texts: Vec<_> = TEXTS.iter().map(|(a, b)| if pair { json!([a, b]) } else { json!(a) }).collect();
    load(python, folder, &json!({"texts": texts, "logits": logits, "max_length": 128}));
}

/// Loads `folder` in Transformers and compares the logits with those in `expected`, whose form
/// `tests/transformers_load.py` describes.
fn load(python: &Path, folder: &Path, expected: &serde_json::Value) {
    let file = folder.with_extension("json");
    std::fs::write(&file, expected.to_string()).unwrap();
    run_script(python, "transformers_load.py", &[folder, &file]);
}

/// PEFT loads an exported adapter, and computes the logits of the run with it.
#[test]
fn peft_loads_exported_adapters() {
    let Some(python) = python(SKIPPED) else { return };
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-model");
    for target_modules in ["query-value", "all-linear"] {
        let home = tempfile::tempdir().unwrap();
        let spec = RunSpec {
            model: model.display().to_string(),
            lora_r: Some(3),
            lora_alpha: Some(12.0),
            lora_target_modules: Some(target_modules.parse().unwrap()),
            max_train_samples: Some(64),
            max_eval_samples: Some(32),
            max_steps: Some(6),
            learning_rate: 1e-2,
            ..built_in("adapters")
        };
        let (control, _handle) = control();
        let outcome = run_blocking(Start::New(spec), home.path(), &control, &mut |_| {}).unwrap();
        let (folder, best) = (home.path().join("adapter"), outcome.dir.join("best"));
        let options = export::ExportOptions::of(export::ModelFormat::Peft);
        let source = export::ExportSource::of_run(&outcome.dir).unwrap();
        export::export_model(&source, &folder, &options, &Hub::cache_only(), &mut |_| {}).unwrap();
        let texts: Vec<_> = TEXTS.iter().map(|(text, _)| *text).collect();
        let expected = json!({"texts": texts, "logits": logits(&best, false)});
        let file = folder.with_extension("json");
        std::fs::write(&file, expected.to_string()).unwrap();
        run_script(&python, "peft_load.py", &[&folder, &file]);
        // So does glue-tui.
        let adapter = Hub::cache_only().model(
            &folder.display().to_string(),
            "main",
            &mut |_| {},
            &AtomicBool::new(false),
        );
        let rows = logits_of(&adapter.unwrap(), false);
        for (a, b) in rows.concat().iter().zip(logits(&best, false).concat()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}

#[test]
fn transformers_loads_exported_runs() {
    let Some(python) = python(SKIPPED) else { return };
    for task in ["demo", "demo-pairs"] {
        let home = tempfile::tempdir().unwrap();
        let spec = RunSpec {
            task: task.parse().unwrap(),
            max_train_samples: Some(64),
            max_eval_samples: Some(32),
            max_steps: Some(4),
            learning_rate: 1e-3,
            ..built_in(task)
        };
        let (control, _handle) = control();
        let outcome = run_blocking(Start::New(spec), home.path(), &control, &mut |_| {}).unwrap();
        let folder = home.path().join("exported");
        export::hf(&outcome.dir, &folder).unwrap();
        compare(&python, &folder, task == "demo-pairs");
    }
}

#[test]
fn transformers_loads_a_distilbert() {
    check_distilbert(&vec!["no".to_string(), "maybe".into(), "yes".into()].into());
}

/// A trained model of each family.
#[test]
fn transformers_loads_every_family() {
    let Some(python) = python(SKIPPED) else { return };
    let home = tempfile::tempdir().unwrap();
    for name in CLASSIFIERS {
        let folder = ModelFolder::on_disk(reference(name));
        let labels: Labels = vec!["low".to_string(), "middle".into(), "high".into()].into();
        let mut built = nn::build(&BuildOptions {
            seed: 3,
            classifier_dropout: Some(0.1),
            precision: Precision::F32,
            engine: EngineChoice::Fast,
            max_examples_per_pass: 8,
            ..BuildOptions::new(&folder, (&labels.names(), labels.problem_type()))
        })
        .unwrap();
        assert!(
            built.report.missing.is_empty() && built.report.unexpected.is_empty(),
            "{name}: {:?}",
            built.report
        );
        // The ids 1 and 4 are those of padding in some families.
        let ids = [vec![3, 5, 1, 7, 4, 8, 60], vec![9], (2..60).collect::<Vec<u32>>()];
        let rows = ids.clone().map(|ids| Encoded {
            type_ids: vec![0; ids.len()],
            ids,
            label: Some(Label::Class(1)),
        });
        let batch = Batch::new(&rows);
        built.engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-2 }).unwrap();
        let saved = home.path().join(name);
        std::fs::create_dir(&saved).unwrap();
        let weights = TensorSource::from_engine(built.engine.as_ref(), ParamState::Weight, "");
        nn::save_model(&saved, &built.config, &labels, &weights).unwrap();
        let mut loaded = nn::for_inference(&ModelFolder::on_disk(&saved), DeviceSpec::Cpu, None).unwrap();
        let logits = loaded.engine.logits(&batch).unwrap();
        load(&python, &saved, &json!({"ids": ids, "logits": logits}));
    }
}

#[test]
fn transformers_loads_a_regression() {
    check_distilbert(&Labels::Scale { low: 0.0, high: 5.0 });
}

fn check_distilbert(labels: &Labels) {
    let Some(python) = python(SKIPPED) else { return };
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let vocabulary = assets::demo_model().require("vocab.txt").unwrap();
    let pieces = vocabulary.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    std::fs::write(source.join("vocab.txt"), vocabulary).unwrap();
    let config = json!({
        "model_type": "distilbert", "vocab_size": pieces, "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4,
        "max_position_embeddings": 128, "dropout": 0.1, "attention_dropout": 0.1, "activation": "gelu",
        "seq_classif_dropout": 0.2, "initializer_range": 0.2, "pad_token_id": 0
    });
    std::fs::write(source.join("config.json"), config.to_string()).unwrap();
    let folder = ModelFolder { name: "tiny".into(), commit: None, root: Root::Disk(source) };
    let built = nn::from_config(&BuildOptions {
        seed: 3,
        precision: Precision::F32,
        engine: EngineChoice::Plain,
        max_examples_per_pass: 8,
        ..BuildOptions::new(&folder, (&labels.names(), labels.problem_type()))
    })
    .unwrap();
    let saved = home.path().join("saved");
    std::fs::create_dir(&saved).unwrap();
    nn::save_model(
        &saved,
        &built.config,
        labels,
        &TensorSource::from_engine(built.engine.as_ref(), ParamState::Weight, ""),
    )
    .unwrap();
    Tokenizer::load(&folder, 128).unwrap().save(&saved).unwrap();
    compare(&python, &saved, false);
}
