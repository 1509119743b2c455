//! The engines, on every device of this machine, match Transformers and PyTorch for tiny random models of each family, two
//! of them also as a regression. `tests/reference/make_golden.py` wrote the reference files.

#[path = "../backends/mod.rs"]
mod backends;
mod files;
mod int8;
mod numbers;

use backends::Backend;
use glue_tui::batch::{Batch, Encoded, Label};
use glue_tui::files::ModelFolder;
use glue_tui::nn::{self, Array, BuildOptions, Built, OptimizerConfig, Weights};
use glue_tui::spec::{DeviceSpec, EngineChoice, Precision};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Largest difference in a tensor, relative to its largest element.
const TOLERANCE: f64 = 1e-4;

/// Absolute tolerance of gradients that are exactly zero but for rounding.
const ZERO_FLOOR: f64 = 1e-6;

/// Whether the gradient of a parameter is zero: what it adds to the scores of a query is the same for all keys. The bias of all
/// relative positions is such a parameter if only keys have positions.
fn has_zero_gradient(family: &str, name: &str) -> bool {
    nn::is_key_bias(name) || (family == "deberta-c2p" && name == "deberta.encoder.LayerNorm.bias")
}

/// The classifiers.
const CLASSIFIERS: [&str; 17] = [
    "bert",
    "distilbert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "electra",
    "electra-base",
    "albert",
    "albert-groups",
    "mpnet",
    "deberta-v3",
    "deberta-v2",
    "deberta-c2p",
    "deberta-p2c",
    "deberta-absolute",
    "modernbert",
    "modernbert-biases",
];

/// The classifiers and two regressions.
fn models() -> impl Iterator<Item = &'static str> {
    CLASSIFIERS.into_iter().chain(["bert-regression", "distilbert-regression"])
}

const DEFAULT: Backend = Backend { engine: EngineChoice::Auto, device: DeviceSpec::Cpu };

/// Each model with each engine.
fn cases() -> impl Iterator<Item = (&'static str, Backend)> {
    models().flat_map(|family| {
        let all = backends::all().into_iter();
        all.filter(move |backend| backends::supports(*backend, family)).map(move |backend| (family, backend))
    })
}

fn reference(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family)
}

fn golden(family: &str) -> Value {
    let text = std::fs::read(reference(family).join("golden.json")).expect("the golden file");
    serde_json::from_slice(&text).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("a list").iter().map(|v| number(v) as f32).collect()
}

fn batches(golden: &Value) -> Vec<Batch> {
    let ids = |value: &Value| numbers(value).iter().map(|id| *id as u32).collect();
    let example = |value: &Value| Encoded {
        ids: ids(&value["ids"]),
        type_ids: ids(&value["type_ids"]),
        label: Some(match &value["label"] {
            class if class.is_u64() => Label::Class(number(class) as u32),
            value => Label::Value(number(value) as f32),
        }),
    };
    let batch = |value: &Value| {
        Batch::new(&value.as_array().expect("a list").iter().map(example).collect::<Vec<_>>())
    };
    golden["batches"].as_array().expect("a list").iter().map(batch).collect()
}

/// Label smoothing; 0 for a regression.
fn smoothing(golden: &Value) -> f64 {
    golden["label_smoothing"].as_f64().unwrap_or(0.0)
}

fn optimizer(golden: &Value, label_smoothing: f64) -> OptimizerConfig {
    let adamw = &golden["adamw"];
    OptimizerConfig {
        beta1: number(&adamw["betas"][0]),
        beta2: number(&adamw["betas"][1]),
        epsilon: number(&adamw["eps"]),
        weight_decay: number(&adamw["weight_decay"]),
        max_grad_norm: number(&adamw["max_grad_norm"]),
        label_smoothing,
        class_weights: None,
    }
}

/// An engine for the model in a folder; `tokens` limits the size of micro-batches.
fn build(
    backend: Backend,
    folder: &Path,
    golden: &Value,
    label_smoothing: f64,
    tokens: Option<usize>,
) -> Built {
    build_with(backend, folder, optimizer(golden, label_smoothing), tokens)
}

fn build_with(
    Backend { engine, device }: Backend,
    folder: &Path,
    optimizer: OptimizerConfig,
    tokens: Option<usize>,
) -> Built {
    let folder = ModelFolder::on_disk(folder);
    let config = nn::ModelConfig::read(&folder).expect("a configuration");
    let labels = config.id2label.for_outputs(config.id2label.num_labels() as usize).expect("names");
    nn::build(&BuildOptions {
        folder: &folder,
        labels: &labels,
        problem_type: config.problem_type(labels.len()).expect("a problem type"),
        label_map: None,
        seed: 1,
        classifier_dropout: None,
        optimizer,
        device,
        precision: Precision::F32,
        engine,
        max_examples_per_pass: 64,
        max_tokens_per_pass: tokens,
        threads: None,
        can_check_engine: false,
    })
    .expect("an engine")
}

fn assert_close(what: &str, found: &[f32], expected: &[f32], floor: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0, |max: f64, x| max.max(f64::from(x.abs())));
    let difference = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from((a - b).abs()))
        .fold(0.0, |max: f64, x| if x.is_nan() { f64::INFINITY } else { max.max(x) });
    assert!(
        difference <= (TOLERANCE * largest).max(floor),
        "{what}: differs by {difference:e}, largest {largest:e}"
    );
}

fn assert_all_close((family, what): (&str, &str), found: &Weights, expected: &Weights) {
    let what = &format!("{family}, {what}");
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}: names");
    for (name, Array { shape, data }) in expected {
        assert_eq!(&found[name].shape, shape, "{what} of {name}");
        let floor = if has_zero_gradient(family, name) { ZERO_FLOOR } else { 0.0 };
        assert_close(&format!("{what} of {name}"), &found[name].data, data, floor);
    }
}

fn arrays(family: &str, file: &str) -> Weights {
    nn::read_arrays(&reference(family).join(file)).expect("a golden file").0
}
