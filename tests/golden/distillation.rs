//! The loss that follows a teacher, and its gradients, match PyTorch. `tests/reference/make_distillation.py` wrote the reference
//! files.

use super::{
    assert_close, backends, batches, build_with, golden, label_sets, number, numbers, optimizer, reference,
};
use glue_tui::nn::{Distillation, OptimizerConfig, StepInput};
use serde_json::Value;

#[test]
fn distance_to_a_teacher_matches() {
    for family in ["bert", "bert-regression"] {
        let text = std::fs::read(reference(family).join("distillation.json")).expect("a reference file");
        let cases: Vec<Value> = serde_json::from_slice(&text).expect("JSON");
        for case in &cases {
            for backend in backends::all().into_iter().filter(|backend| backends::has_param_groups(*backend))
            {
                // Whole and in micro-batches.
                for tokens in [None, Some(20)] {
                    check_case(family, case, backend, tokens);
                }
            }
        }
    }
}

fn check_case(family: &str, case: &Value, backend: backends::Backend, tokens: Option<usize>) {
    let golden = golden(family);
    let mut batch = batches(&golden).swap_remove(0);
    if let Some(sets) = case["sets"].as_array() {
        batch.labels = label_sets(sets);
    }
    batch.teacher_logits = numbers(&case["teacher_logits"]);
    let distillation =
        Distillation { weight: number(&case["weight"]), temperature: number(&case["temperature"]) };
    let optimizer = OptimizerConfig { distillation: Some(distillation), ..optimizer(&golden, 0.0) };
    let mut built = build_with(backend, &reference(family), optimizer, tokens);
    let input = StepInput { batch: &batch, step: 0, learning_rate: 0.0 };
    let (loss, gradients) = built.engine.gradients(input).expect("gradients");
    let what = format!("{family} {backend:?} {distillation:?}, {tokens:?} tokens");
    let expected = number(&case["loss"]);
    assert!((loss - expected).abs() < 1e-5 * expected.max(1.0), "{what}: loss {loss}, expected {expected}");
    for (parameter, gradient) in case["gradients"].as_object().expect("an object") {
        let what = format!("{what}: {parameter}");
        assert_close(&what, &gradients[parameter].data, &numbers(gradient), 0.0);
    }
    batch.teacher_logits.pop();
    let error = built
        .engine
        .gradients(StepInput { batch: &batch, step: 0, learning_rate: 0.0 })
        .expect_err("too few logits");
    assert!(error.to_string().contains("no logits of the teacher"), "{error}");
}
