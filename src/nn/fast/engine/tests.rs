//! What the engine tells of itself against what it does: memory, arithmetic, time.

use super::*;
use crate::batch::{Encoded, Label};
use crate::nn::load::fresh;
use crate::nn::{step_operations, table};

const CONFIG: &[u8] = br#"{"model_type": "bert", "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 40, "type_vocab_size": 2}"#;

fn engine(max_tokens: usize) -> FastEngine {
    let config = ModelConfig::parse("m", CONFIG).expect("a whole file");
    let slots = table(&config, 2);
    let limits = Limits { examples: 100, tokens: max_tokens };
    let optimizer = Optimizer::default();
    let settings = Settings { seed: 1, optimizer, limits, precision: Precision::F32, threads: Some(2) };
    FastEngine::new(&config, &slots, &fresh(&config, &slots, 1), settings).expect("an engine")
}

fn batch(examples: u32) -> Batch {
    let example = |n: u32| {
        let length = 4 + 9 * n as usize % 32;
        Encoded { ids: vec![n % 50; length], type_ids: vec![0; length], label: Some(Label::Class(n % 2)) }
    };
    Batch::new(&(0..examples).map(example).collect::<Vec<_>>())
}

#[test]
fn the_memory_plan_is_what_the_buffers_take() {
    let batch = batch(12);
    let mut engine = engine(usize::MAX);
    let plan = engine.memory(&batch, usize::MAX).expect("a plan");
    engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect("a step");
    let bytes = |numbers: usize| 4 * numbers as u64;
    let shards = &mut engine.shards;
    assert_eq!(plan.activations, bytes(shards.iter_mut().map(Shard::activations).sum()));
    let small: usize = shards.iter().map(|shard| shard.small.len()).sum();
    assert_eq!(plan.gradients, bytes(small + engine.gradients.arena.len() + engine.words.sums.len()));
    assert_eq!(plan.weights, bytes(engine.weights.len()));
    assert_eq!(plan.moments, bytes(engine.first.len() + engine.second.len()));
}

#[test]
fn a_batch_in_parts_takes_less_and_learns_the_same() {
    let batch = batch(12);
    let (mut whole, mut parts) = (engine(usize::MAX), engine(60));
    let plan = |max_tokens| whole.memory(&batch, max_tokens).expect("a plan").activations;
    assert!(2 * plan(60) < plan(usize::MAX), "{} {}", plan(60), plan(usize::MAX));
    let input = StepInput { batch: &batch, step: 0, learning_rate: 1e-3 };
    let ((loss, gradients), (other_loss, other)) =
        (whole.gradients(input).expect("gradients"), parts.gradients(input).expect("gradients"));
    assert!((loss - other_loss).abs() < 1e-6 * loss);
    for (name, array) in gradients {
        let largest = array.data.iter().fold(1e-4f32, |most, x| most.max(x.abs()));
        for (a, b) in array.data.iter().zip(&other[&name].data) {
            assert!((a - b).abs() < 1e-5 * largest, "{name}: {a}, {b}");
        }
    }
}

#[test]
fn a_step_has_the_operations_of_the_formula() {
    let batch = batch(12);
    let mut engine = engine(60);
    let before = engine.profile().expect("costs");
    engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect("a step");
    let kinds = engine.profile().expect("costs").since(&before).kinds.expect("kinds");
    // Those of the head are so few that they are not counted.
    let head = 6.0 * 12.0 * 24.0 * (24.0 + 2.0);
    let counted = kinds.products.operations + kinds.attention.operations + head;
    assert_eq!(counted, step_operations(&engine.config, 2, &batch));
}

#[test]
fn only_steps_count_as_passes() {
    let batch = batch(12);
    let mut engine = engine(usize::MAX);
    let input = StepInput { batch: &batch, step: 0, learning_rate: 1e-3 };
    engine.gradients(input).expect("gradients");
    engine.logits(&batch).expect("logits");
    assert_eq!(engine.profile().expect("costs").passes, ByPhase::default());
    let begun = Instant::now();
    engine.step(input).expect("a step");
    let whole = begun.elapsed().as_secs_f64();
    let ByPhase { forward, backward, optimizer } = engine.profile().expect("costs").passes;
    assert!(forward > 0.0 && backward > 0.0 && optimizer > 0.0);
    assert!(forward + backward + optimizer <= whole);
}
