//! Model folders of each format load, and saved ones load unchanged.

use super::{DEFAULT, arrays, batches, build, golden, models, reference};
use candle_core::{DType, Device, Tensor};
use glue_tui::catalog::Labels;
use glue_tui::files::{ModelFolder, Root};
use glue_tui::nn::{self, Array, StepInput, Weights};
use glue_tui::spec::DeviceSpec;
use serde_json::Value;
use std::path::Path;

/// The classifiers with early checkpoints.
const WITH_EARLY_CHECKPOINTS: [&str; 2] = ["bert", "distilbert"];

/// Names without prefix, `gamma` and `beta`, and both formats of `torch.save`.
#[test]
fn old_checkpoint_formats_give_the_same_logits() {
    for family in WITH_EARLY_CHECKPOINTS {
        let golden = golden(family);
        let batch = &batches(&golden)[0];
        let logits = |folder: &Path| {
            let mut built = build(DEFAULT, folder, &golden, 0.0, None);
            assert!(
                built.report.missing.is_empty() && built.report.unexpected.is_empty(),
                "{:?}",
                built.report
            );
            built.engine.logits(batch).expect("logits")
        };
        let expected = logits(&reference(family));
        for file in ["zip.bin", "legacy.bin"] {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::copy(reference(family).join("config.json"), folder.path().join("config.json"))
                .expect("a copy");
            std::fs::copy(reference(family).join(file), folder.path().join("pytorch_model.bin"))
                .expect("a copy");
            assert_eq!(logits(folder.path()), expected, "{family} from {file}");
        }
    }
}

/// A checkpoint of `torch.save` that is embedded in the binary.
#[test]
fn embedded_checkpoint_loads() {
    static FILES: [(&str, &[u8]); 2] = [
        ("config.json", include_bytes!("../reference/distilbert/config.json")),
        ("pytorch_model.bin", include_bytes!("../reference/distilbert/zip.bin")),
    ];
    let folder = ModelFolder { name: "embedded".into(), commit: None, root: Root::Embedded(&FILES) };
    let built = nn::for_inference(&folder, DeviceSpec::Cpu, None).expect("a classifier");
    assert_eq!(built.engine.weights().expect("weights"), arrays("distilbert", "model.safetensors"));
    assert_eq!(built.labels, ["low", "middle", "high"]);
}

/// Weights in two shards with an index, and in f16, which are equal up to the precision of f16.
#[test]
fn sharded_and_f16_weights_load() {
    let golden = golden("bert");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |file: &str| folder.path().join(file);
    std::fs::copy(reference("bert").join("config.json"), at("config.json")).expect("a copy");
    let weights = arrays("bert", "model.safetensors");
    let (mut map, mut halves) = (serde_json::Map::new(), [Weights::new(), Weights::new()]);
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    for (index, (name, array)) in weights.iter().enumerate() {
        halves[index % 2].insert(name.clone(), array.clone());
        map.insert(name.clone(), files[index % 2].into());
    }
    for (file, half) in files.iter().zip(&halves) {
        nn::write_arrays(&at(file), half, &std::collections::BTreeMap::new()).expect("a file");
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    std::fs::write(at("model.safetensors.index.json"), index.to_string()).expect("a file");
    assert_eq!(build(DEFAULT, folder.path(), &golden, 0.0, None).engine.weights().expect("weights"), weights);

    let half = |array: &Array| {
        let tensor = Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu);
        tensor.and_then(|tensor| tensor.to_dtype(DType::F16)).expect("a tensor")
    };
    let tensors = weights.iter().map(|(name, array)| (name.clone(), half(array))).collect();
    candle_core::safetensors::save(&tensors, at("model.safetensors")).expect("a file");
    let read = build(DEFAULT, folder.path(), &golden, 0.0, None).engine.weights().expect("weights");
    assert_ne!(read, weights);
    for (name, array) in &weights {
        for (a, b) in read[name].data.iter().zip(&array.data) {
            assert!((a - b).abs() <= b.abs() / 1024.0 + 1e-7, "{name}: {a}, {b}");
        }
    }
}

/// A saved model loads with the same weights, labels and logits.
#[test]
fn saved_model_loads_unchanged() {
    for family in models() {
        let golden = golden(family);
        let batch = &batches(&golden)[0];
        let mut built = build(DEFAULT, &reference(family), &golden, 0.0, None);
        let input = StepInput { batch, step: 0, learning_rate: 1e-3 };
        built.engine.step(input).expect("a step");
        let folder = tempfile::tempdir().expect("a folder");
        let names = ["a", "b", "c"].map(str::to_owned);
        let labels = match built.labels.len() {
            1 => Labels::Scale { low: 0.0, high: 5.0 },
            outputs => names[..outputs].to_vec().into(),
        };
        let weights = built.engine.weights().expect("weights");
        let bytes = nn::save_model(
            folder.path(),
            &built.config,
            &labels,
            &nn::TensorSource::from_weights(&weights, ""),
        )
        .expect("a folder");
        assert!(bytes > 20_000, "{bytes}");
        let config = std::fs::read(folder.path().join("config.json")).expect("the configuration");
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        let problem =
            if family.ends_with("regression") { "regression" } else { "single_label_classification" };
        assert_eq!(
            (&config["problem_type"], config["num_labels"].as_u64()),
            (&problem.into(), Some(labels.outputs() as u64))
        );
        let model = ModelFolder::on_disk(folder.path());
        let mut loaded = nn::for_inference(&model, DeviceSpec::Cpu, None).expect("a classifier");
        assert_eq!(loaded.labels, labels.names());
        assert_eq!(loaded.engine.weights().expect("weights"), weights);
        assert_eq!(loaded.engine.logits(batch).expect("logits"), built.engine.logits(batch).expect("logits"));
    }
}

/// A model without a head can be trained but not used for inference.
#[test]
fn model_without_head_trains_but_cannot_predict() {
    let golden = golden("bert");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |file: &str| folder.path().join(file);
    std::fs::copy(reference("bert").join("config.json"), at("config.json")).expect("a copy");
    let mut weights = arrays("bert", "model.safetensors");
    weights.retain(|name, _| !name.starts_with("classifier"));
    nn::write_arrays(&at("model.safetensors"), &weights, &std::collections::BTreeMap::new()).expect("a file");
    let built = build(DEFAULT, folder.path(), &golden, 0.0, None);
    assert_eq!(built.report.missing, ["classifier.weight", "classifier.bias"]);
    let error =
        nn::for_inference(&ModelFolder::on_disk(folder.path()), DeviceSpec::Cpu, None).expect_err("no head");
    assert!(error.to_string().contains("not a fine-tuned classifier"), "{error}");
    assert_eq!(error.exit_code(), 3);
}
