//! Memory plan, FLOP count and profile of the engine against what it does.

use super::*;
use crate::batch::{Encoded, Label};
use crate::nn::load::init_weights;
use crate::nn::param_groups::{FrozenPrefix, ParamGroups};
use crate::nn::{param_specs, step_flops};

const CONFIG: &[u8] = br#"{"model_type": "bert", "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 40, "type_vocab_size": 2}"#;

/// With relative positions, of which some share a bucket.
const DEBERTA: &[u8] = br#"{"model_type": "deberta-v2", "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 40, "embedding_size": 16,
    "relative_attention": true, "position_buckets": 16, "pos_att_type": "c2p|p2c", "norm_rel_ebd": "layer_norm",
    "share_att_key": true, "position_biased_input": false}"#;
/// Attention in tiles, with windows; the head uses all tokens.
const MODERNBERT: &[u8] =
    br#"{"model_type": "modernbert", "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 40, "pad_token_id": 0,
    "local_attention": 9, "classifier_pooling": "mean"}"#;

fn engine(max_tokens: usize) -> FastEngine {
    engine_of(CONFIG, max_tokens)
}

fn engine_of(config: &[u8], max_tokens: usize) -> FastEngine {
    engine_with(config, max_tokens, FrozenPrefix::Nothing)
}

fn engine_with(config: &[u8], max_tokens: usize, frozen: FrozenPrefix) -> FastEngine {
    let config = ModelConfig::parse("m", config).expect("a valid configuration");
    let mut specs = param_specs(&config, 2);
    ParamGroups { frozen, ..ParamGroups::default() }.apply(&config, &mut specs).expect("a frozen prefix");
    let engine_config = EngineConfig {
        seed: 1,
        optimizer: OptimizerConfig::default(),
        limits: MicroBatchLimits { max_examples: 100, max_tokens },
        precision: Precision::F32,
        threads: Some(2),
    };
    FastEngine::new(&config, &specs, &init_weights(&config, &specs, 1), engine_config).expect("an engine")
}

fn batch(examples: u32) -> Batch {
    let example = |n: u32| {
        let length = 4 + 9 * n as usize % 32;
        Encoded { ids: vec![n % 50; length], type_ids: vec![0; length], label: Some(Label::Class(n % 2)) }
    };
    Batch::new(&(0..examples).map(example).collect::<Vec<_>>())
}

#[test]
fn memory_plan_counts_the_average() {
    let config = ModelConfig::parse("m", CONFIG).expect("a valid configuration");
    let specs = param_specs(&config, 2);
    let engine_config = EngineConfig {
        seed: 1,
        optimizer: OptimizerConfig { ema_decay: Some(0.9), ..OptimizerConfig::default() },
        limits: MicroBatchLimits { max_examples: 100, max_tokens: usize::MAX },
        precision: Precision::F32,
        threads: Some(2),
    };
    let averaged = FastEngine::new(&config, &specs, &init_weights(&config, &specs, 1), engine_config);
    let batch = batch(12);
    let plan = |engine: &FastEngine| engine.memory_plan(&batch, usize::MAX).expect("a plan");
    let (plan, without) = (plan(&averaged.expect("an engine")), plan(&engine(usize::MAX)));
    assert_eq!((plan.average, without.average), (plan.weights, 0));
    assert_eq!(plan.total(), without.total() + plan.weights);
}

#[test]
fn memory_plan_matches_buffer_sizes() {
    for config in [CONFIG, DEBERTA, MODERNBERT] {
        check_memory_plan(engine_of(config, usize::MAX));
    }
}

#[test]
fn memory_plan_knows_what_is_frozen() {
    for config in [CONFIG, DEBERTA, MODERNBERT] {
        let plans = [
            FrozenPrefix::Nothing,
            FrozenPrefix::Layers(0),
            FrozenPrefix::Layers(1),
            FrozenPrefix::Layers(3),
        ]
        .map(|frozen| check_memory_plan(engine_with(config, usize::MAX, frozen)));
        for pair in plans.windows(2) {
            assert!(pair[1].moments < pair[0].moments && pair[1].gradients < pair[0].gradients, "{plans:?}");
            assert!(pair[1].activations <= pair[0].activations, "{plans:?}");
        }
        assert!(plans[3].activations < plans[0].activations, "{plans:?}");
    }
}

fn check_memory_plan(mut engine: FastEngine) -> MemoryPlan {
    let batch = batch(12);
    let plan = engine.memory_plan(&batch, usize::MAX).expect("a plan");
    engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect("a step");
    let bytes = |elements: usize| 4 * elements as u64;
    let shards = &mut engine.shards;
    assert_eq!(plan.activations, bytes(shards.iter_mut().map(|shard| shard.activations(3)).sum()));
    let vector_grads: usize = shards.iter().map(|shard| shard.vector_grads.len()).sum();
    assert_eq!(plan.weights, bytes(engine.weights.len()));
    let trained = engine.layout.trained_len();
    assert_eq!((plan.gradients, plan.moments), (bytes(vector_grads + trained), bytes(2 * trained)));
    let moments = engine.tensors(ParamState::SecondMoment).expect("moments");
    let moments = moments.values().map(|array| array.data.len()).sum::<usize>();
    assert_eq!(moments, trained - engine.layout.params[0].range.start);
    if engine.layout.frozen == FrozenPrefix::Nothing {
        assert_eq!(trained, engine.gradients.arena.len() + engine.word_grad.sums.len());
        assert_eq!(trained, engine.first_moments.len());
    }
    plan
}

#[test]
fn micro_batches_need_less_memory_and_give_the_same_gradients() {
    for config in [CONFIG, DEBERTA] {
        compare_micro_batches(engine_of(config, usize::MAX), engine_of(config, 60));
    }
}

fn compare_micro_batches(mut whole: FastEngine, mut split: FastEngine) {
    let batch = batch(12);
    let activations = |max_tokens| whole.memory_plan(&batch, max_tokens).expect("a plan").activations;
    assert!(2 * activations(60) < activations(usize::MAX), "{} {}", activations(60), activations(usize::MAX));
    let input = StepInput { batch: &batch, step: 0, learning_rate: 1e-3 };
    let (loss, gradients) = whole.gradients(input).expect("gradients");
    let (split_loss, split_gradients) = split.gradients(input).expect("gradients");
    assert!((loss - split_loss).abs() < 1e-6 * loss);
    for (name, array) in gradients {
        let largest = array.data.iter().fold(1e-4f32, |max, x| max.max(x.abs()));
        for (a, b) in array.data.iter().zip(&split_gradients[&name].data) {
            // Terms of a small sum cancel, so its rounding error is relative to the terms.
            assert!((a - b).abs() < 1e-5 * largest + 1e-7, "{name}: {a}, {b}");
        }
    }
}

#[test]
fn counted_flops_match_the_formula() {
    let batch = batch(12);
    for config in [CONFIG, MODERNBERT] {
        let mut engine = engine_of(config, 60);
        let before = engine.profile().expect("a profile");
        engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect("a step");
        let by_op = engine.profile().expect("a profile").since(&before).by_op.expect("costs by operation");
        // The few FLOPs of the head are not counted.
        let head = 6.0 * 12.0 * 24.0 * (24.0 + 2.0);
        let counted = by_op.matmul.flops + by_op.attention.flops + head;
        assert_eq!(counted, step_flops(&engine.config, 2, &batch));
    }
}

/// Memory of attention and of the layers grows linearly with the length of a text.
#[test]
fn memory_of_long_texts_is_linear() {
    let config = String::from_utf8_lossy(MODERNBERT)
        .replace("\"max_position_embeddings\": 40", "\"max_position_embeddings\": 4000");
    let engine = engine_of(config.as_bytes(), usize::MAX);
    let activations = |tokens: usize| {
        let example =
            Encoded { ids: vec![1; tokens], type_ids: vec![0; tokens], label: Some(Label::Class(0)) };
        engine.memory_plan(&Batch::new(&[example]), usize::MAX).expect("a plan").activations
    };
    assert_eq!(activations(4000), 4 * activations(1000));
}

#[test]
fn only_optimizer_steps_are_profiled_by_phase() {
    let batch = batch(12);
    let mut engine = engine(usize::MAX);
    let input = StepInput { batch: &batch, step: 0, learning_rate: 1e-3 };
    engine.gradients(input).expect("gradients");
    engine.logits(&batch).expect("logits");
    assert_eq!(engine.profile().expect("a profile").by_phase, ByPhase::default());
    let start = Instant::now();
    engine.step(input).expect("a step");
    let seconds = start.elapsed().as_secs_f64();
    let ByPhase { forward, backward, optimizer } = engine.profile().expect("a profile").by_phase;
    assert!(forward > 0.0 && backward > 0.0 && optimizer > 0.0);
    assert!(forward + backward + optimizer <= seconds);
}

/// The outputs of the frozen prefix are the same bits whatever else is in the batch, so it does not matter which batch they were
/// computed for.
#[test]
fn outputs_of_the_frozen_prefix_do_not_depend_on_the_batch() {
    for config in [CONFIG, DEBERTA, MODERNBERT] {
        for layers in [1, 3] {
            let mut engine = engine_with(config, usize::MAX, FrozenPrefix::Layers(layers));
            // The smallest batch has so few tokens that other code computes it.
            let (large, small) = (batch(12), batch(4));
            let fresh = engine.logits(&small).expect("logits");
            engine.replace_weights(&engine.weights().expect("weights"));
            engine.logits(&large).expect("logits");
            if let Some(outputs) = &engine.frozen_outputs {
                assert!(outputs.contains(&small) && !outputs.contains(&batch(1)));
            }
            assert_eq!(engine.logits(&small).expect("logits"), fresh);
            let tiny = batch(1);
            let steps = |engine: &mut FastEngine| {
                for step in 0..3 {
                    let batch = [&small, &large, &tiny][step as usize];
                    engine.step(StepInput { batch, step, learning_rate: 1e-2 }).expect("a step");
                }
                engine.weights().expect("weights")
            };
            let mut other = engine_with(config, usize::MAX, FrozenPrefix::Layers(layers));
            other.frozen_outputs = None;
            let (with, without) = (steps(&mut engine), steps(&mut other));
            let differs = |(name, array): &(&String, &Array)| array.data != without[*name].data;
            assert_eq!(with.iter().find(differs), None, "{layers} frozen layers");
        }
    }
}
