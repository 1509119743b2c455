//! Training with learning rates by layer, and with a frozen first part, matches PyTorch. `tests/reference/make_groups.py` wrote
//! the reference files.

use super::{
    TOLERANCE, arrays, backends, batches, build_with, golden, has_zero_gradient, number, optimizer,
    reference, smoothing,
};
use glue_tui::nn::{FrozenPrefix, OptimizerConfig, ParamGroups, ParamState, StepInput};
use serde_json::Value;

const FAMILIES: [&str; 5] = ["bert", "distilbert", "mpnet", "deberta-v3", "modernbert"];

/// Largest difference between the norms of the change of a parameter, relative to it. AdamW divides by the gradient, which
/// enlarges differences of small ones.
const CHANGE_TOLERANCE: f64 = 2e-3;

fn param_groups(case: &Value) -> ParamGroups {
    let scale = |key: &str| case[key].as_f64().unwrap_or(1.0);
    let frozen = case["freeze_layers"].as_u64();
    ParamGroups {
        layerwise_lr_decay: scale("layerwise_lr_decay"),
        head_lr_scale: scale("head_lr_scale"),
        frozen: frozen.map_or(FrozenPrefix::Nothing, |layers| FrozenPrefix::Layers(layers as usize)),
    }
}

#[test]
fn steps_with_param_groups_match() {
    for family in FAMILIES {
        let golden = golden(family);
        let text = std::fs::read(reference(family).join("param_groups.json")).expect("a reference file");
        let cases: Vec<Value> = serde_json::from_slice(&text).expect("JSON");
        for backend in backends::all().into_iter().filter(|backend| backends::has_param_groups(*backend)) {
            for case in &cases {
                check_case(family, &golden, case, (backend, param_groups(case)));
            }
        }
    }
}

fn check_case(
    family: &str,
    golden: &Value,
    case: &Value,
    (backend, param_groups): (backends::Backend, ParamGroups),
) {
    let what = format!("{family} {backend:?} {param_groups:?}");
    let batches = batches(golden);
    let optimizer = OptimizerConfig { param_groups, ..optimizer(golden, smoothing(golden)) };
    let mut built = build_with(backend, &reference(family), optimizer, None);
    let learning_rate = number(&golden["adamw"]["lr"]);
    for (step, expected) in case["steps"].as_array().expect("a list").iter().enumerate() {
        let batch = &batches[step % batches.len()];
        let report =
            built.engine.step(StepInput { batch, step: step as u64, learning_rate }).expect("a step");
        for (found, key) in [(report.loss, "loss"), (report.grad_norm, "grad_norm")] {
            let expected = number(&expected[key]);
            assert!(
                (found - expected).abs() <= TOLERANCE * expected,
                "{what}, step {step}: {key} {found}, {expected}"
            );
        }
    }
    let before = arrays(family, "model.safetensors");
    let trained = built.engine.weights().expect("weights");
    let moments = built.engine.tensors(ParamState::FirstMoment).expect("moments");
    for (name, array) in trained.iter().filter(|(name, _)| !has_zero_gradient(family, name)) {
        let expected = number(&case["changes"][name]);
        let squares = array.data.iter().zip(&before[name].data).map(|(a, b)| f64::from(a - b).powi(2));
        let change = squares.sum::<f64>().sqrt();
        assert!(
            (change - expected).abs() <= CHANGE_TOLERANCE * expected,
            "{what}: {name} changes by {change}, not {expected}"
        );
        assert_eq!(moments.contains_key(name), expected != 0.0, "{what}: {name}");
    }
}
