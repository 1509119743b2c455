//! A folder with an adapter is a model for every command.

use super::workspace::{Workspace, read_json, trained};
use glue_tui::nn::{self, AdapterConfig, Array, Weights};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes an adapter of the shared model to `folder`: rank 2 on the queries of the last layer, and another classifier.
fn write_adapter(folder: &Path) {
    let best = trained().1.join("best");
    std::fs::create_dir(folder).unwrap();
    let targets = vec!["layer.2.attention.self.query".to_owned()];
    let modules_to_save = vec!["classifier".to_owned()];
    AdapterConfig::new((2, 8.0), targets, modules_to_save, best.to_str().unwrap()).write(folder).unwrap();
    let (base, _) = nn::read_arrays(&best.join("model.safetensors")).unwrap();
    let mut tensors = Weights::new();
    for name in ["classifier.weight", "classifier.bias"] {
        let mut array = base[name].clone();
        array.data.iter_mut().for_each(|element| *element *= -3.0);
        tensors.insert(format!("base_model.model.{name}"), array);
    }
    let hidden = base["classifier.weight"].shape[1];
    for (matrix, shape) in [("lora_A", vec![2, hidden]), ("lora_B", vec![hidden, 2])] {
        let data = (0..2 * hidden).map(|i| (i * 7 % 11) as f32 / 20.0 - 0.25).collect();
        let name = format!("base_model.model.bert.encoder.layer.2.attention.self.query.{matrix}.weight");
        tensors.insert(name, Array { shape, data });
    }
    nn::write_arrays(&folder.join("adapter_model.safetensors"), &tensors, &BTreeMap::new()).unwrap();
}

#[test]
fn adapters_predict_are_evaluated_exported_and_trained() {
    let workspace = Workspace::new();
    write_adapter(&workspace.path().join("adapter"));
    let probabilities = |model: &str| {
        let answer = workspace.run(&["predict", model, "a fine film"]).success().json();
        let probability = |label: &str| answer["probabilities"][label].as_f64().unwrap();
        [probability("negative"), probability("positive")]
    };
    let (base, merged) = (probabilities(trained().1.to_str().unwrap()), probabilities("adapter"));
    assert!((base[0] - merged[0]).abs() > 1e-3, "{base:?} and {merged:?}");

    let eval = |model: &str| workspace.run(&["eval", model, "--task", "demo"]).success().json();
    let scores = eval("adapter");
    assert!(scores["accuracy"].is_number(), "{scores}");

    workspace.run(&["export", "adapter", "--to", "exported"]).success();
    let exported = probabilities("exported");
    assert!(merged.iter().zip(exported).all(|(a, b)| (a - b).abs() < 1e-6), "{merged:?} and {exported:?}");
    assert_eq!(eval("exported")["accuracy"], scores["accuracy"]);
    let report = read_json(&workspace.path().join("exported/export-report.json"));
    for file in ["adapter_config.json", "adapter_model.safetensors", "model.safetensors"] {
        assert!(report["source_sha256"][file].is_string(), "{report}");
    }

    // A training that changes nothing starts from the merged weights.
    let settings = ["--set", "model=adapter", "--set", "max_steps=1", "--set", "learning_rate=1e-9"];
    let run = super::workspace::train(&workspace, "demo", &settings).success().dir();
    let trained = probabilities(run.to_str().unwrap());
    assert!(merged.iter().zip(trained).all(|(a, b)| (a - b).abs() < 1e-3), "{merged:?} and {trained:?}");

    let config = workspace.path().join("adapter/adapter_config.json");
    let text = std::fs::read_to_string(&config).unwrap().replace("\"none\"", "\"all\"");
    std::fs::write(&config, text).unwrap();
    let error = workspace.run(&["predict", "adapter", "a fine film"]).failure(3);
    assert!(error.contains("adapter_config.json: bias is \"all\""), "{error}");
}
