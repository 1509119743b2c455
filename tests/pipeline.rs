//! One model has one answer: a run, its `best/`, its export and the pipeline of Transformers give the same label and
//! probability for texts of any length. The last one needs a Python with `tests/reference/requirements.txt` in
//! `GLUE_TUI_PYTHON`.

#[path = "common/python.rs"]
mod python;

use glue_tui::assets::{self, DEMO};
use glue_tui::export;
use glue_tui::hub::Hub;
use glue_tui::predict::{ModelOutput, Predictor};
use glue_tui::run::{Start, run_blocking};
use glue_tui::spec::{DeviceSpec, RunSpec, built_in};
use glue_tui::train::control;
use python::{python, run_script};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const WORDS: [&str; 12] =
    ["the", "plot", "is", "thin", "but", "nobody", "was", "bored", "great", "awful", "kettle", "waste"];

/// Texts of 0 to 600 words, and pairs of them.
fn inputs(is_pair: bool) -> Vec<(String, Option<String>)> {
    let text = |words: usize, seed: usize| {
        let word = |place: usize| WORDS[(place * (seed + 3) + seed + place / 7) % WORDS.len()];
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    };
    let lengths = [0, 1, 2, 5, 13, 20, 21, 22, 23, 24, 25, 60, 125, 126, 127, 300, 509, 510, 511, 600];
    lengths
        .iter()
        .enumerate()
        .map(|(seed, words)| {
            // An empty second text is no second text for the pipeline.
            let second = 1 + lengths[(seed * 7 + 3) % lengths.len()];
            (text(*words, seed), is_pair.then(|| text(second, seed + 1)))
        })
        .collect()
}

/// Labels and probabilities of the model `name`.
fn answers(name: &Path, inputs: &[(String, Option<String>)]) -> Vec<(String, f32)> {
    let hub = Hub::from_env();
    let mut predictor =
        Predictor::open(name.to_str().unwrap(), Path::new("runs"), &hub, DeviceSpec::Cpu).unwrap();
    let answer = |output: ModelOutput| match output {
        ModelOutput::Label { label, probability, .. } => (label, probability),
        _ => panic!("{} is no classifier", name.display()),
    };
    predictor.predict_all(inputs).unwrap().into_iter().map(|prediction| answer(prediction.output)).collect()
}

fn assert_same(what: &str, found: &[(String, f32)], expected: &[(String, f32)]) {
    assert_eq!(found.len(), expected.len());
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        let is_same = found.0 == expected.0 && (found.1 - expected.1).abs() <= 1e-4;
        assert!(is_same, "{what}, input {number}: {found:?}, expected {expected:?}");
    }
}

/// The answers of Transformers for `folder`, or `None` without Python.
fn in_pipeline(folder: &Path, inputs: &[(String, Option<String>)]) -> Option<Vec<(String, f32)>> {
    let python = python("no answer was compared with it")?;
    let rows: Vec<Value> = inputs
        .iter()
        .map(|(first, second)| match second {
            Some(second) => json!([first, second]),
            None => json!([first]),
        })
        .collect();
    let file = folder.with_extension("texts.json");
    std::fs::write(&file, json!(rows).to_string()).unwrap();
    let stdout = run_script(&python, "transformers_pipeline.py", &[folder, &file]);
    let found: Vec<Value> = serde_json::from_slice(&stdout).unwrap();
    let answer = |row: &Value| {
        let row = row.as_array().map_or(row, |rows| &rows[0]);
        (row["label"].as_str().unwrap().to_string(), row["score"].as_f64().unwrap() as f32)
    };
    Some(found.iter().map(answer).collect())
}

/// A folder with the embedded encoder and its vocabulary, and with other tokenizer files.
fn demo_with(folder: &Path, tokenizer_config: &Value, added_tokens: &Value) -> PathBuf {
    std::fs::create_dir(folder).unwrap();
    let model = assets::demo_model();
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
        std::fs::write(folder.join(name), model.require(name).unwrap()).unwrap();
    }
    std::fs::write(folder.join("tokenizer_config.json"), tokenizer_config.to_string()).unwrap();
    std::fs::write(folder.join("added_tokens.json"), added_tokens.to_string()).unwrap();
    folder.to_path_buf()
}

fn check(home: &Path, task: &str, model: &str, max_seq_length: usize) {
    let spec = RunSpec {
        task: task.parse().unwrap(),
        model: model.to_string(),
        max_train_samples: Some(96),
        max_eval_samples: Some(32),
        max_steps: Some(6),
        learning_rate: 1e-3,
        max_seq_length,
        ..built_in(task)
    };
    let (control, _handle) = control();
    let run = run_blocking(Start::New(spec), &home.join("runs"), &control, &mut |_| {}).unwrap().dir;
    let inputs = inputs(task == "demo-pairs");
    let expected = answers(&run, &inputs);
    assert_same("best/", &answers(&run.join("best"), &inputs), &expected);
    let exported = home.join("exported");
    export::hf(&run, &exported).unwrap();
    assert_same("export", &answers(&exported, &inputs), &expected);
    if let Some(found) = in_pipeline(&exported, &inputs) {
        assert_same("pipeline of the export", &found, &expected);
        assert_same("pipeline of best/", &in_pipeline(&run.join("best"), &inputs).unwrap(), &expected);
    }
    // A run of an older version has the length of the original model in best/.
    std::fs::remove_file(run.join("best/SHA256SUMS")).unwrap();
    let config = run.join("best/tokenizer_config.json");
    let mut old: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    old["model_max_length"] = json!(512);
    std::fs::write(&config, old.to_string()).unwrap();
    assert_same("older run", &answers(&run, &inputs), &expected);
    export::hf(&run, &home.join("exported-old")).unwrap();
    assert_same("export of an older run", &answers(&home.join("exported-old"), &inputs), &expected);
}

#[test]
fn a_short_run_of_single_texts() {
    let home = tempfile::tempdir().unwrap();
    check(home.path(), "demo", DEMO, 24);
}

#[test]
fn a_run_of_pairs_that_is_longer_than_the_model() {
    let home = tempfile::tempdir().unwrap();
    check(home.path(), "demo-pairs", DEMO, 400);
}

#[test]
fn a_run_with_added_tokens_that_is_truncated_at_the_left() {
    let home = tempfile::tempdir().unwrap();
    let config = json!({"truncation_side": "left", "do_lower_case": false, "mask_token": "the"});
    // These tokens are in the vocabulary, since the encoder has no embeddings for others.
    let added = json!({"thin": 17, "bored": 18});
    let model = demo_with(&home.path().join("model"), &config, &added);
    check(home.path(), "demo-pairs", model.to_str().unwrap(), 24);
}

#[test]
fn runs_of_minilm() {
    let Ok(model) = std::env::var("GLUE_TUI_MINILM") else {
        eprintln!("SKIPPED: GLUE_TUI_MINILM names no folder, so no real model was compared");
        return;
    };
    // At 1024, the length is the number of positions.
    for (task, max_seq_length) in [("demo", 64), ("demo-pairs", 330), ("demo", 1024)] {
        let home = tempfile::tempdir().unwrap();
        check(home.path(), task, &model, max_seq_length);
    }
}

#[test]
fn a_folder_is_truncated_where_its_files_say() {
    let home = tempfile::tempdir().unwrap();
    check(home.path(), "demo", DEMO, 128);
    let folder = home.path().join("exported");
    let inputs = inputs(false);
    let config = folder.join("tokenizer_config.json");
    let original: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    let mut before = Vec::new();
    for (length, side) in [(128, "right"), (31, "right"), (31, "left"), (9, "left")] {
        let mut changed = original.clone();
        changed["model_max_length"] = json!(length);
        changed["truncation_side"] = json!(side);
        std::fs::write(&config, changed.to_string()).unwrap();
        let found = answers(&folder, &inputs);
        assert_ne!(found, before, "{length} {side}");
        if let Some(expected) = in_pipeline(&folder, &inputs) {
            assert_same(&format!("{length} {side}"), &found, &expected);
        }
        before = found;
    }
    // Without a length, Transformers would not truncate and fail; the number of positions is the limit.
    for length in [json!(1e30), Value::Null, json!(4096)] {
        let mut changed = original.clone();
        changed["model_max_length"] = length;
        std::fs::write(&config, changed.to_string()).unwrap();
        let found = answers(&folder, &inputs);
        std::fs::write(&config, original.to_string()).unwrap();
        assert_same("positions", &found, &answers(&folder, &inputs));
    }
}
