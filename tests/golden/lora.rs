//! Training of low-rank adapters matches PEFT. `tests/reference/make_lora.py` wrote the reference files.

use super::{
    TOLERANCE, assert_close, backends, batches, build_with, golden, has_zero_gradient, number, numbers,
    optimizer, reference, smoothing,
};
use glue_tui::nn::{EngineState, Lora, OptimizerConfig, ParamState, StepInput, Weights, read_arrays};
use glue_tui::spec::LoraTargetModules;
use serde_json::Value;

const FAMILIES: [(&str, LoraTargetModules); 5] = [
    ("bert", LoraTargetModules::QueryValue),
    ("distilbert", LoraTargetModules::AllLinear),
    ("deberta-v3", LoraTargetModules::QueryValue),
    ("modernbert", LoraTargetModules::AllLinear),
    ("albert", LoraTargetModules::QueryValue),
];

/// Largest difference between the norms of the change of a parameter, relative to it. AdamW divides by the gradient, which
/// enlarges differences of small ones.
const CHANGE_TOLERANCE: f64 = 2e-3;

#[test]
fn steps_of_adapters_match() {
    for (family, target_modules) in FAMILIES {
        for backend in backends::all().into_iter().filter(|backend| backends::has_param_groups(*backend)) {
            check_family(family, target_modules, backend);
        }
    }
}

fn check_family(family: &str, target_modules: LoraTargetModules, backend: backends::Backend) {
    let what = format!("{family} {backend:?}");
    let golden = golden(family);
    let text = std::fs::read(reference(family).join("lora.json")).expect("a reference file");
    let expected: Value = serde_json::from_slice(&text).expect("JSON");
    let rank = expected["rank"].as_u64().expect("a number") as usize;
    let lora = Lora { rank, alpha: number(&expected["alpha"]), target_modules };
    let optimizer = OptimizerConfig { lora: Some(lora), ..optimizer(&golden, smoothing(&golden)) };
    let mut built = build_with(backend, &reference(family), optimizer, None);
    let (batches, weights) = (batches(&golden), built.engine.weights().expect("weights"));
    let trained: u64 = built.engine.shapes_of(ParamState::FirstMoment).iter().map(elements).sum();
    assert_eq!(built.trainable_parameters, trained, "{what}");

    // At first, the adapters add nothing.
    let logits = built.engine.logits(&batches[0]).expect("logits").concat();
    let rows = golden["logits"].as_array().expect("a list").iter().flat_map(numbers).collect::<Vec<f32>>();
    assert_close(&what, &logits, &rows, 0.0);
    let (factors, _) = read_arrays(&reference(family).join("lora.safetensors")).expect("factors");
    let state = EngineState { adapters: factors.clone(), ..built.engine.state().expect("a state") };
    built.engine.restore(&state).expect("the same names and shapes");

    let learning_rate = number(&golden["adamw"]["lr"]);
    for (step, expected) in expected["steps"].as_array().expect("a list").iter().enumerate() {
        let batch = &batches[step % batches.len()];
        let report =
            built.engine.step(StepInput { batch, step: step as u64, learning_rate }).expect("a step");
        for (found, key) in [(report.loss, "loss"), (report.grad_norm, "grad_norm")] {
            let expected = number(&expected[key]);
            let difference = (found - expected).abs();
            assert!(difference <= TOLERANCE * expected, "{what}, step {step}: {key} {found}, {expected}");
        }
    }
    let logits = built.engine.logits(&batches[0]).expect("logits").concat();
    let rows = expected["logits"].as_array().expect("a list").iter().flat_map(numbers).collect::<Vec<f32>>();
    assert_close(&what, &logits, &rows, 0.0);

    let adapters = built.engine.tensors(ParamState::Adapter).expect("adapters");
    let head = built.engine.weights().expect("weights");
    for (name, change) in expected["changes"].as_object().expect("an object") {
        let (before, after) =
            if factors.contains_key(name) { (&factors, &adapters) } else { (&weights, &head) };
        let (found, change) = (change_of(name, before, after), number(change));
        assert!(
            (found - change).abs() <= CHANGE_TOLERANCE * change || has_zero_gradient(family, name),
            "{what}: {name} changes by {found}, not {change}"
        );
    }
    let names: Vec<&String> = adapters.keys().collect();
    assert_eq!(names, factors.keys().collect::<Vec<_>>(), "{what}");

    // A restored state continues with the same bits.
    let state = built.engine.state().expect("a state");
    let input = StepInput { batch: &batches[0], step: 10, learning_rate };
    let next = built.engine.step(input).expect("a step");
    built.engine.restore(&state).expect("a state of the engine");
    assert_eq!(built.engine.step(input).expect("a step"), next, "{what}");
}

fn elements((_, shape): &(String, Vec<usize>)) -> u64 {
    shape.iter().product::<usize>() as u64
}

/// The norm of the difference of a parameter.
fn change_of(name: &str, before: &Weights, after: &Weights) -> f64 {
    let pairs = after[name].data.iter().zip(&before[name].data);
    pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}
