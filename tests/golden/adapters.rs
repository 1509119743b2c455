//! Adapters that peft wrote load with their base models. `tests/reference/make_adapters.py` wrote them and their logits.

use super::backends::ON_CPU;
use super::reference_models::reference;
use super::{assert_close, batches, golden, numbers};
use glue_tui::error::{Error, Result};
use glue_tui::files::{ModelFolder, Root};
use glue_tui::hub::{Hub, HubConfig};
use glue_tui::nn::{self, Array, BuildOptions, Built, Weights};
use glue_tui::spec::{DeviceSpec, Precision};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

const ADAPTERS: [&str; 5] =
    ["bert-query-value", "bert-two-labels", "distilbert-all-linear", "roberta-rslora", "deberta-v3-rslora"];

fn adapter(name: &str) -> PathBuf {
    reference("adapters").join(name)
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

fn find(folder: &Path) -> Result<ModelFolder> {
    let hub = Hub::new(HubConfig { offline: true, ..HubConfig::from_env() });
    hub.model(&folder.display().to_string(), "main", &mut |_| {}, &AtomicBool::new(false))
}

fn classifier(folder: &Path) -> Result<Built> {
    nn::for_inference(&find(folder)?, DeviceSpec::Cpu, Some(Precision::F32))
}

/// The message of an error about the adapter in `folder`.
fn problem(folder: &Path) -> String {
    let error = classifier(folder).expect_err("an adapter that cannot be used");
    assert!(matches!(error, Error::Model { .. } | Error::Hub { .. }), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn logits_are_those_of_peft() {
    for name in ADAPTERS {
        let expected = read_json(&adapter(name).join("logits.json"));
        let batch = &batches(&golden(expected["base"].as_str().expect("a name")))[0];
        let expected: Vec<f32> =
            expected["logits"].as_array().expect("rows").iter().flat_map(numbers).collect();
        let folder = find(&adapter(name)).expect("an adapter");
        let labels = classifier(&adapter(name)).expect("a classifier").labels;
        for backend in ON_CPU {
            let options = BuildOptions {
                engine: backend.engine,
                precision: Precision::F32,
                ..BuildOptions::new(
                    &folder,
                    (&labels, glue_tui::catalog::ProblemType::SingleLabelClassification),
                )
            };
            let mut built = nn::build(&options).expect("an engine");
            assert!(built.report.missing.is_empty() && built.report.unexpected.is_empty(), "{name}");
            let found = built.engine.logits(batch).expect("logits").concat();
            assert_close(&format!("{name}, {backend:?}"), &found, &expected, 0.0);
        }
    }
}

#[test]
fn labels_are_those_of_the_base_model_if_their_number_fits() {
    let labels = |name: &str| classifier(&adapter(name)).expect("a classifier").labels;
    assert_eq!(labels("bert-query-value"), ["low", "middle", "high"]);
    assert_eq!(labels("bert-two-labels"), ["LABEL_0", "LABEL_1"]);
    // A config.json beside the adapter has the last word.
    let folder = copy("bert-two-labels", |_| {});
    let mut config = read_json(&reference("bert").join("config.json"));
    config["id2label"] = json!({"0": "no", "1": "yes"});
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("a file");
    assert_eq!(classifier(folder.path()).expect("a classifier").labels, ["no", "yes"]);
    config["id2label"] = json!({"0": "no"});
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("a file");
    assert!(problem(folder.path()).contains("id2label is for 1 labels, but the head has 2 outputs"));
}

/// A copy of an adapter, whose configuration has an absolute path to the base model and is then changed by `change`.
fn copy(name: &str, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let (folder, source) = (tempfile::tempdir().expect("a folder"), adapter(name));
    let mut config = read_json(&source.join("adapter_config.json"));
    let base = read_json(&source.join("logits.json"))["base"].as_str().map(reference);
    config["base_model_name_or_path"] = json!(base);
    change(&mut config);
    std::fs::write(folder.path().join("adapter_config.json"), config.to_string()).expect("a file");
    let weights = "adapter_model.safetensors";
    std::fs::copy(source.join(weights), folder.path().join(weights)).expect("a copy");
    folder
}

#[test]
fn unsupported_settings_are_errors() {
    for (key, value) in [
        ("peft_type", json!("IA3")),
        ("task_type", json!("TOKEN_CLS")),
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("fan_in_fan_out", json!(true)),
        ("init_lora_weights", json!("olora")),
    ] {
        let folder = copy("bert-query-value", |config| config[key] = value.clone());
        let text = problem(folder.path());
        assert!(text.contains(&format!("adapter_config.json: {key} is {value}")), "{text}");
    }
    // The rank of the matrices is another one.
    let folder = copy("bert-query-value", |config| config["r"] = json!(8));
    let text = problem(folder.path());
    assert!(text.contains("lora_A.weight of adapter_model.safetensors has shape [4, 32]"), "{text}");
    assert!(text.contains("imply [8, 32], of rank 8"), "{text}");
}

#[test]
fn tensors_that_do_not_match_are_named() {
    const QUERY: &str = "base_model.model.bert.encoder.layer.0.attention.self.query";
    type Change = fn(&mut Weights);
    let cases: [(Change, &str); 7] = [
        (
            |weights| drop(weights.remove(&format!("{QUERY}.lora_B.weight"))),
            "query.lora_A.weight of adapter_model.safetensors has no partner",
        ),
        (
            |weights| drop(weights.remove(&format!("{QUERY}.lora_A.weight"))),
            "query.lora_B.weight of adapter_model.safetensors has no partner",
        ),
        (
            |weights| {
                let array = Array { shape: vec![31, 4], data: vec![0.0; 124] };
                weights.insert(format!("{QUERY}.lora_B.weight"), array);
            },
            "query.lora_B.weight of adapter_model.safetensors has shape [31, 4]",
        ),
        (
            |weights| {
                for matrix in ["lora_A", "lora_B"] {
                    let array = weights[&format!("{QUERY}.{matrix}.weight")].clone();
                    weights.insert(format!("base_model.model.bert.none.{matrix}.weight"), array);
                }
            },
            "bert.none.lora_A.weight of adapter_model.safetensors is for bert.none.weight, which the base model lacks",
        ),
        (
            |weights| {
                let array = Array { shape: vec![4], data: vec![0.0; 4] };
                weights.insert("base_model.model.score.weight".into(), array);
            },
            "base_model.model.score.weight of adapter_model.safetensors matches no parameter",
        ),
        (
            |weights| {
                let array = Array { shape: vec![4], data: vec![0.0; 4] };
                weights.insert(
                    "base_model.model.bert.embeddings.word_embeddings.lora_embedding_A".into(),
                    array,
                );
            },
            "lora_embedding_A of adapter_model.safetensors is of an adapter of an embedding",
        ),
        (
            |weights| {
                let array = Array { shape: vec![4], data: vec![0.0; 4] };
                weights.insert("query.lora_A.weight".into(), array);
            },
            "query.lora_A.weight of adapter_model.safetensors does not begin with base_model.model.",
        ),
    ];
    for (change, expected) in cases {
        let folder = copy("bert-query-value", |_| {});
        let path = folder.path().join("adapter_model.safetensors");
        let (mut weights, _) = nn::read_arrays(&path).expect("an adapter");
        change(&mut weights);
        nn::write_arrays(&path, &weights, &BTreeMap::new()).expect("a file");
        let text = problem(folder.path());
        assert!(text.contains(expected), "{text}\n{expected}");
    }
}

#[test]
fn base_model_is_found_or_named() {
    let base =
        |name: &str| copy("bert-query-value", |config| config["base_model_name_or_path"] = json!(name));
    // Beside the adapter.
    let folder = base("base");
    std::fs::create_dir(folder.path().join("base")).expect("a folder");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(reference("bert").join(name), folder.path().join("base").join(name)).expect("a copy");
    }
    let found = find(folder.path()).expect("an adapter");
    let Root::Adapter { base: found, .. } = &found.root else { panic!("{found:?}") };
    assert_eq!(found.name, folder.path().join("base").display().to_string());
    classifier(folder.path()).expect("a classifier");

    let adapter = adapter("bert-query-value").display().to_string();
    let text = problem(base(&adapter).path());
    assert!(text.contains(&adapter) && text.contains("has to be a complete model"), "{text}");
    let text = problem(base("/no/such/folder").path());
    assert!(text.contains("/no/such/folder: does not exist"), "{text}");
    let text = problem(base("owner/not-in-the-cache").path());
    assert!(text.starts_with("owner/not-in-the-cache: HF_HUB_OFFLINE is set"), "{text}");

    let folder = base("owner/tiny");
    std::fs::remove_file(folder.path().join("adapter_model.safetensors")).expect("removed");
    let config = folder.path().join("adapter_config.json");
    let mut settings = read_json(&config);
    settings["base_model_name_or_path"] = json!(reference("bert"));
    std::fs::write(&config, settings.to_string()).expect("a file");
    assert!(problem(folder.path()).contains("has no adapter_model.safetensors"));
}
