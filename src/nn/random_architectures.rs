//! Tests of the engines of the CPU with architectures that no family has.

use super::architecture::{
    ARCHITECTURES, Architecture, AttentionBias, DropoutSite, PaddingKey, PoolerActivation, Positions,
    Projection,
};
use super::engine::{Engine, OptimizerConfig, StepInput, Weights};
use super::engine_config::{EngineConfig, MicroBatchLimits};
use super::fast::FastEngine;
use super::load::init_weights;
use super::plain::PlainEngine;
use super::{ModelConfig, is_key_bias, param_specs};
use crate::batch::{Batch, Encoded, Label};
use crate::spec::Precision;
use candle_core::Device;
use kernels::rng::{Rng, Stream};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;

/// Largest difference in a tensor, relative to its largest element.
const TOLERANCE: f32 = 2e-4;

const SITES: [DropoutSite; 6] = [
    DropoutSite::Embeddings,
    DropoutSite::Attention,
    DropoutSite::AttentionOutput,
    DropoutSite::FeedForward,
    DropoutSite::Pooler,
    DropoutSite::Classifier,
];

/// What differs from BERT, each part on its own.
fn architectures() -> impl Strategy<Value = &'static Architecture> {
    let relative = AttentionBias::RelativeBuckets { module: "encoder.relative", size_key: "buckets" };
    let padding = prop_oneof![Just(None), (0u32..9).prop_map(Some)];
    let embeddings = (
        prop::sample::select(vec![Positions::Absolute, Positions::AfterPadding]),
        (any::<bool>(), padding),
        prop::sample::select(vec![
            Projection::None,
            Projection::IfSizesDiffer("encoder.projection"),
            Projection::Always("encoder.projection"),
        ]),
    );
    let layers = (
        prop::sample::select(vec![AttentionBias::None, relative]),
        any::<bool>(),
        prop::sample::subsequence(SITES.to_vec(), 0..=SITES.len()),
    );
    let pooler =
        prop::sample::select(vec![PoolerActivation::Tanh, PoolerActivation::Relu, PoolerActivation::Gelu]);
    (embeddings, layers, pooler).prop_map(|(embeddings, layers, pooler_activation)| {
        let (positions, (has_segments, padding), projection) = embeddings;
        let (attention_bias, is_shared, sites) = layers;
        let mut architecture =
            Architecture { positions, attention_bias, pooler_activation, ..ARCHITECTURES[0].clone() };
        architecture.dropout_sites = sites.leak();
        architecture.keys.padding = padding.map_or(PaddingKey::WithDefault(1), PaddingKey::Constant);
        architecture.names.embeddings.projection = projection;
        if !has_segments {
            architecture.names.embeddings.segments = None;
        }
        if projection != Projection::None {
            architecture.keys.embedding_size = Some(("embedding_size", 8));
        }
        if is_shared {
            architecture.keys.sharing = Some(["groups", "inner_layers"]);
            architecture.names.layer.path = "encoder.group.{group}.layer.{layer}";
        }
        &*Box::leak(Box::new(architecture))
    })
}

/// A model of an architecture.
fn models() -> impl Strategy<Value = ModelConfig> {
    let sizes = (
        1usize..4,
        prop::sample::select(vec![4usize, 8, 20]),
        prop::sample::select(vec![16usize, 40]),
        prop::sample::select(vec![8usize, 16, 24]),
        1usize..4,
        [1usize..3, 1usize..3],
    );
    let rest =
        (prop::sample::select(vec!["gelu", "gelu_new", "relu"]), prop::sample::select(vec![0.0, 0.1, 0.5]));
    (architectures(), sizes, rest).prop_map(|(architecture, sizes, (activation, dropout))| {
        let (heads, head_size, intermediate, embedding_size, layers, [groups, inner_layers]) = sizes;
        let hidden = heads * head_size;
        let keys = json!({
            "vocab_size": 50, "max_position_embeddings": 80, "type_vocab_size": 2, "hidden_size": hidden,
            "num_attention_heads": heads, "num_hidden_layers": layers, "intermediate_size": intermediate,
            "embedding_size": embedding_size, "groups": groups.min(layers), "inner_layers": inner_layers,
            "hidden_act": activation, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout,
            // BERT's 0.02 scaled from a hidden size of 768. Larger weights amplify rounding beyond the tolerance.
            "initializer_range": 0.02 * (768.0 / hidden as f64).sqrt(),
        });
        let keys = keys.as_object().expect("an object").clone();
        ModelConfig::of_architecture("m", keys, architecture).expect("a valid configuration")
    })
}

/// Models with different rates of dropout, numbers of segments and constants of LayerNorm, and with and without a padding
/// token, as keys of `config.json` say.
fn models_with_values() -> impl Strategy<Value = ModelConfig> {
    let rate = || prop::sample::select(vec![0.0, 0.1, 0.5]);
    let epsilon = prop::sample::select(vec![1e-12, 1e-7, 1e-5]);
    let padding = prop::option::of(0u32..50);
    (models(), [rate(), rate(), rate()], 1usize..4, epsilon, padding).prop_map(
        |(mut config, [hidden, attention, classifier], segments, epsilon, padding)| {
            (config.hidden_dropout, config.attention_dropout) = (hidden, attention);
            config.classifier_dropout = classifier;
            config.layer_norm_eps = epsilon;
            // Without a segment embedding it is 0.
            config.type_vocab = config.type_vocab.min(1) * segments;
            if config.architecture.positions != Positions::AfterPadding {
                config.padding_id = padding;
            }
            config
        },
    )
}

/// Random tokens, that of padding among them.
fn batch(config: &ModelConfig, lengths: &[usize], step: u32) -> Batch {
    let rng = Rng::new(2, Stream::Sample);
    let example = |(number, length): (usize, &usize)| {
        let draw = |token: usize| rng.uniform(step, number as u32, token as u64);
        Encoded {
            ids: (0..*length).map(|token| (draw(token) * config.vocab_size as f64) as u32).collect(),
            type_ids: (0..*length).map(|token| (token * config.type_vocab / length) as u32).collect(),
            label: Some(Label::Class((draw(999) * 3.0) as u32)),
        }
    };
    Batch::new(&lengths.iter().enumerate().map(example).collect::<Vec<_>>())
}

fn assert_close(what: &str, found: &Weights, expected: &Weights) {
    assert!(found.keys().eq(expected.keys()), "{what}: names");
    let largest = |data: &[f32]| data.iter().fold(0f32, |max, x| max.max(x.abs()));
    let all = expected.values().fold(0f32, |max, array| max.max(largest(&array.data)));
    for (name, array) in expected {
        // The gradient of a key bias is exactly zero, so its rounding error is compared with the largest gradient.
        let scale = if is_key_bias(name) { all } else { largest(&array.data) };
        for (a, b) in found[name].data.iter().zip(&array.data) {
            assert!((a - b).abs() <= TOLERANCE * scale + 1e-7 * all, "{what} of {name}: {a}, expected {b}");
        }
    }
}

/// Compares gradients and logits before each of three steps, which start from the same weights.
fn compare(config: &ModelConfig, lengths: &[usize], threads: usize) {
    let settings = EngineConfig {
        seed: 3,
        optimizer: OptimizerConfig { epsilon: 1e-2, ..OptimizerConfig::default() },
        limits: MicroBatchLimits { max_examples: 4, max_tokens: 100 },
        precision: Precision::F32,
        threads: Some(threads),
    };
    let specs = param_specs(config, 3);
    let weights = init_weights(config, &specs, 1);
    let mut plain =
        PlainEngine::new(config, &specs, &weights, settings.clone(), &Device::Cpu, None).expect("an engine");
    let mut fast = FastEngine::new(config, &specs, &weights, settings).expect("an engine");
    for step in 0..3 {
        let batch = batch(config, lengths, step as u32);
        let input = StepInput { batch: &batch, step, learning_rate: 1e-2 };
        let (expected_loss, expected) = plain.gradients(input).expect("gradients");
        let (loss, found) = fast.gradients(input).expect("gradients");
        assert!(
            (loss - expected_loss).abs() <= 1e-5 * expected_loss.max(1.0),
            "{loss}, expected {expected_loss}"
        );
        assert_close(&format!("step {step}: gradient"), &found, &expected);
        let (found, expected) = (fast.logits(&batch).expect("logits"), plain.logits(&batch).expect("logits"));
        for (a, b) in found.concat().iter().zip(expected.concat()) {
            assert!((a - b).abs() <= TOLERANCE * (1.0 + b.abs()), "step {step}: logit {a}, expected {b}");
        }
        plain.step(input).expect("a step");
        fast.restore(&plain.state().expect("a state")).expect("restored");
    }
}

proptest! {
    // The same cases in each run.
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn fast_engine_matches_plain_engine(
        config in models_with_values(),
        lengths in prop::collection::vec(1usize..50, 1..7),
        threads in 1usize..4,
    ) {
        compare(&config, &lengths, threads);
    }
}
