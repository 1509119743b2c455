//! Tests of the engines of the CPU with architectures that no family has.

use super::architecture::{
    ARCHITECTURES, Architecture, AttentionBias, BiasSite, DisentangledModules, DropoutSite, FeedForward,
    LayerAttentionKeys, LayerStructure, NormPosition, PaddingKey, PoolerActivation, Positions, Projection,
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

const SITES: [DropoutSite; 8] = [
    DropoutSite::Embeddings,
    DropoutSite::RelativeEmbeddings,
    DropoutSite::Attention,
    DropoutSite::AttentionOutput,
    DropoutSite::Activation,
    DropoutSite::FeedForward,
    DropoutSite::Pooler,
    DropoutSite::Classifier,
];

const BIASES: &[(BiasSite, &str)] = &[
    (BiasSite::Norm, "norm_bias"),
    (BiasSite::Attention, "attention_bias"),
    (BiasSite::FeedForward, "feed_forward_bias"),
    (BiasSite::Pooler, "pooler_bias"),
];

const LAYER_ATTENTION: LayerAttentionKeys = LayerAttentionKeys {
    layer_types: "layer_types",
    global_every: ("global_every", 2),
    window: ("window", 8),
    rope_parameters: "rope_parameters",
    global_theta: ("global_theta", 1000.0),
    local_theta: ("local_theta", 100.0),
};

/// How tokens are numbered with what is added to scores, whether there are segments, the id of the padding token, and the
/// projection of the embeddings. Attention with rotary positions has no bias of relative positions.
fn embeddings() -> impl Strategy<Value = ((Positions, AttentionBias), (bool, Option<u32>), Projection)> {
    let relative = AttentionBias::RelativeBuckets { module: "encoder.relative", size_key: "buckets" };
    let disentangled = AttentionBias::Disentangled(DisentangledModules {
        embeddings: "encoder.positions",
        norm: "encoder.position_norm",
        key: "attention.self.pos_key_proj",
        query: "attention.self.pos_query_proj",
    });
    let positions = prop::sample::select(vec![
        (Positions::Absolute, AttentionBias::None),
        (Positions::Absolute, relative),
        (Positions::AfterPadding, AttentionBias::None),
        (Positions::AfterPadding, relative),
        (Positions::Absolute, disentangled),
        (Positions::AfterPadding, disentangled),
        (Positions::Rotary, AttentionBias::None),
        (Positions::Rotary, AttentionBias::None),
    ]);
    let padding = prop_oneof![Just(None), (0u32..9).prop_map(Some)];
    let projection = prop::sample::select(vec![
        Projection::None,
        Projection::IfSizesDiffer("encoder.projection"),
        Projection::Always("encoder.projection"),
        Projection::BeforeNorm("encoder.projection"),
    ]);
    (positions, (any::<bool>(), padding), projection)
}

/// The structure of the layers; whether they share parameters, have queries, keys and values in one matrix, and have
/// biases only where a key says so; and where dropout applies.
fn layers() -> impl Strategy<Value = (LayerStructure, [bool; 3], Vec<DropoutSite>)> {
    let structure = (
        prop::sample::select(vec![NormPosition::Post, NormPosition::Pre]),
        prop::sample::select(vec![FeedForward::Plain, FeedForward::Gated]),
    );
    let structure =
        structure.prop_map(|(norm_position, feed_forward)| LayerStructure { norm_position, feed_forward });
    let sites = prop::sample::subsequence(SITES.to_vec(), 0..=SITES.len());
    (structure, [any::<bool>(), any::<bool>(), any::<bool>()], sites)
}

/// What differs from BERT, each part on its own. Rotary positions come with windows.
fn architectures() -> impl Strategy<Value = &'static Architecture> {
    let head = (
        prop::sample::select(vec![
            PoolerActivation::Tanh,
            PoolerActivation::Relu,
            PoolerActivation::Gelu,
            PoolerActivation::GeluTanh,
        ]),
        any::<bool>(),
    );
    (embeddings(), layers(), head).prop_map(|(embeddings, layers, (pooler_activation, has_pooler_norm))| {
        let ((positions, attention_bias), (has_segments, padding), projection) = embeddings;
        let (layer_structure, [is_shared, has_one_qkv, has_bias_keys], sites) = layers;
        let mut architecture = Architecture {
            positions,
            layer_structure,
            attention_bias,
            pooler_activation,
            ..ARCHITECTURES[0].clone()
        };
        architecture.dropout_sites = sites.leak();
        let keys = &mut architecture.keys;
        keys.padding = padding.map_or(PaddingKey::WithDefault(1), PaddingKey::Constant);
        keys.biases = if has_bias_keys { BIASES } else { &[] };
        keys.layer_attention = (positions == Positions::Rotary).then_some(LAYER_ATTENTION);
        keys.pooling = Some("pooling");
        keys.activation_dropout = Some(("activation_dropout", 0.1));
        if projection != Projection::None {
            keys.embedding_size = Some(("embedding_size", Some(8)));
        }
        if matches!(attention_bias, AttentionBias::Disentangled(_)) {
            keys.position_embedding = Some("position_biased_input");
            keys.pooler_dropout = Some(("pooler_dropout", 0.0));
        }
        let names = &mut architecture.names;
        names.embeddings.projection = projection;
        names.final_norm = (layer_structure.norm_position == NormPosition::Pre).then_some("encoder.norm");
        names.pooler_norm = has_pooler_norm.then_some("pooler.norm");
        if positions == Positions::Rotary {
            names.embeddings.positions = None;
        }
        if !has_segments {
            names.embeddings.segments = None;
        }
        if has_one_qkv {
            [names.layer.query, names.layer.key, names.layer.value] = ["attention.qkv"; 3];
        }
        if is_shared {
            keys.sharing = Some(["groups", "inner_layers"]);
            names.layer.path = "encoder.group.{group}.layer.{layer}";
        }
        &*Box::leak(Box::new(architecture))
    })
}

/// Keys of disentangled attention, which other architectures ignore.
fn disentangled_keys() -> impl Strategy<Value = serde_json::Value> {
    let terms = prop::sample::select(vec!["c2p", "p2c", "c2p|p2c"]);
    let spans = prop::sample::select(vec![(-1, -1), (9, -1), (-1, 8), (40, 32), (-1, 256)]);
    let norm = prop::sample::select(vec!["none", "layer_norm"]);
    let flags = (any::<bool>(), any::<bool>(), prop::sample::select(vec![0.0, 0.3]));
    (terms, spans, norm, flags).prop_map(|(terms, (longest, buckets), norm, flags)| {
        let (is_shared, has_positions, pooler_dropout) = flags;
        json!({
            "relative_attention": true, "pos_att_type": terms, "max_relative_positions": longest,
            "position_buckets": buckets, "norm_rel_ebd": norm, "share_att_key": is_shared,
            "position_biased_input": has_positions, "pooler_dropout": pooler_dropout,
        })
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
    let rest = (
        prop::sample::select(vec!["gelu", "gelu_new", "relu"]),
        prop::sample::select(vec![0.0, 0.1, 0.5]),
        [any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()],
        prop::sample::select(vec!["cls", "mean"]),
        1usize..30,
    );
    let models = (architectures(), sizes, rest, disentangled_keys());
    models.prop_map(|(architecture, sizes, rest, disentangled)| {
        let (activation, dropout, [norm, attention, feed_forward, pooler], pooling, window) = rest;
        let (heads, head_size, intermediate, embedding_size, layers, [groups, inner_layers]) = sizes;
        let hidden = heads * head_size;
        let mut keys = json!({
            "vocab_size": 50, "max_position_embeddings": 80, "type_vocab_size": 2, "hidden_size": hidden,
            "num_attention_heads": heads, "num_hidden_layers": layers, "intermediate_size": intermediate,
            "embedding_size": embedding_size, "groups": groups.min(layers), "inner_layers": inner_layers,
            "norm_bias": norm, "attention_bias": attention, "feed_forward_bias": feed_forward, "pooler_bias": pooler,
            "pooling": pooling, "window": window, "activation_dropout": dropout,
            "hidden_act": activation, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout,
            // BERT's 0.02 scaled from a hidden size of 768. Larger weights amplify rounding beyond the tolerance.
            "initializer_range": 0.02 * (768.0 / hidden as f64).sqrt(),
        });
        let keys = keys.as_object_mut().expect("an object");
        keys.extend(disentangled.as_object().expect("an object").clone());
        ModelConfig::of_architecture("m", keys.clone(), architecture).expect("a valid configuration")
    })
}

/// Models with different rates of dropout, numbers of segments and constants of LayerNorm, and with and without a padding
/// token, as keys of `config.json` say.
pub(crate) fn models_with_values() -> impl Strategy<Value = ModelConfig> {
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
pub(crate) fn batch(config: &ModelConfig, lengths: &[usize], step: u32) -> Batch {
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

/// The reference engine with random weights and three outputs.
pub(crate) fn reference_engine(config: &ModelConfig) -> Box<dyn Engine> {
    let settings = EngineConfig {
        seed: 3,
        optimizer: OptimizerConfig::default(),
        limits: MicroBatchLimits { max_examples: 64, max_tokens: 10_000 },
        precision: Precision::F32,
        threads: None,
    };
    let specs = param_specs(config, 3);
    let weights = init_weights(config, &specs, 1);
    Box::new(PlainEngine::new(config, &specs, &weights, settings, &Device::Cpu, None).expect("an engine"))
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
