//! The engines, on every device of this machine, match Transformers and PyTorch for tiny random models of each family, two
//! of them also as a regression. `tests/reference/make_golden.py` wrote the reference files.

mod adapters;
#[path = "../backends/mod.rs"]
mod backends;
mod distillation;
mod files;
mod int8;
mod lora;
mod numbers;
mod param_groups;
#[path = "../reference_models/mod.rs"]
mod reference_models;

use backends::Backend;
use glue_tui::batch::{Batch, Encoded, Label};
use glue_tui::nn::{self, Array, Built, OptimizerConfig, Weights};
use glue_tui::spec::{DeviceSpec, EngineChoice};
use reference_models::{CLASSIFIERS, reference};
use serde_json::Value;
use std::path::Path;

/// Largest difference in a tensor, relative to its largest element.
const TOLERANCE: f64 = 1e-4;

/// Absolute tolerance of gradients that are exactly zero but for rounding.
const ZERO_FLOOR: f64 = 1e-6;

/// Whether the gradient of a parameter is zero: what it adds to the scores of a query is the same for all keys. The bias of all
/// relative positions is such a parameter if only keys have positions.
fn has_zero_gradient(family: &str, name: &str) -> bool {
    nn::is_key_bias(name) || (family == "deberta-c2p" && name == "deberta.encoder.LayerNorm.bias")
}

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

/// Sets of labels from rows with 0 or 1 for each label.
fn label_sets(rows: &[Value]) -> Vec<Label> {
    let set = |row: &Value| {
        let applies = numbers(row).into_iter().zip(0..).filter(|(number, _)| *number == 1.0);
        Label::set(applies.map(|(_, label)| label))
    };
    rows.iter().map(set).collect()
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
        ..OptimizerConfig::default()
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

fn build_with(backend: Backend, folder: &Path, optimizer: OptimizerConfig, tokens: Option<usize>) -> Built {
    backends::build(backend, folder, 1, optimizer, tokens)
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
