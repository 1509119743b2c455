//! Missing gradients are detected.

use super::PlainEngine;
use crate::batch::{Batch, Encoded, Label};
use crate::error::Error;
use crate::nn::coverage::{Coverage, check, require_all};
use crate::nn::engine_config::{EngineConfig, MicroBatchLimits};
use crate::nn::load::init_weights;
use crate::nn::{ModelConfig, OptimizerConfig, StepInput, param_specs};
use crate::spec::Precision;
use candle_core::{Device, Result, Tensor};

const CONFIG: &[u8] = br#"{"model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2}"#;

/// Gradient coverage of a small BERT, with the given softmax instead of the engine's.
fn coverage(softmax: Option<fn(&Tensor) -> Result<Tensor>>) -> Coverage {
    let config = ModelConfig::parse("m", CONFIG).expect("a valid configuration");
    let specs = param_specs(&config, 2);
    let optimizer = OptimizerConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        max_grad_norm: 0.0,
        ..OptimizerConfig::default()
    };
    let limits = MicroBatchLimits { max_examples: 8, max_tokens: 64 };
    let engine_config = EngineConfig { seed: 1, optimizer, limits, precision: Precision::F32, threads: None };
    let weights = init_weights(&config, &specs, 1);
    let mut engine =
        PlainEngine::new(&config, &specs, &weights, engine_config, &Device::Cpu, None).expect("an engine");
    if let Some(softmax) = softmax {
        engine.set_softmax(softmax);
    }
    let examples = [3u32, 5, 4].map(|n| Encoded {
        ids: (1..=n).collect(),
        type_ids: vec![0; n as usize],
        label: Some(Label::Class(n % 2)),
    });
    let batch = Batch::new(&examples);
    check(&mut engine, StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect("gradients")
}

#[test]
fn all_parameters_receive_a_gradient() {
    let coverage = coverage(None);
    assert_eq!(coverage.summary(), "41/41 parameters receive a gradient");
    assert!(require_all(&coverage).is_ok());
}

/// candle's fused softmax has no backward pass and silently drops the gradient of queries and keys.
#[test]
fn fused_softmax_is_rejected() {
    let coverage = coverage(Some(candle_nn::ops::softmax_last_dim));
    let modules = ["query.weight", "query.bias", "key.weight", "key.bias"];
    let expected: Vec<String> = (0..2)
        .flat_map(|layer| modules.map(|module| format!("bert.encoder.layer.{layer}.attention.self.{module}")))
        .collect();
    let mut found = coverage.without_gradient.clone();
    found.sort_unstable();
    let mut sorted = expected.clone();
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    assert_eq!(coverage.summary(), "33/41 parameters receive a gradient");
    let Err(Error::Training(problem)) = require_all(&coverage) else { panic!("not rejected") };
    assert!(problem.contains("33/41") && problem.contains("query.weight"), "{problem}");
}

/// Gradients that are all zeros count as missing, except those of key biases.
#[test]
fn zero_gradients_count_as_missing_except_key_biases() {
    let coverage = coverage(Some(|scores| super::ops::softmax(&(scores * scores.zeros_like()?)?)));
    let names = ["query.weight", "query.bias", "key.weight"];
    assert_eq!(coverage.without_gradient.len(), 2 * names.len(), "{:?}", coverage.without_gradient);
    assert!(coverage.without_gradient.iter().all(|name| names.iter().any(|end| name.ends_with(end))));
}

/// NaN gradients count as missing.
#[test]
fn nan_gradients_count_as_missing() {
    let coverage = coverage(Some(|scores| super::ops::softmax(scores)? * f64::NAN));
    assert_eq!(coverage.with_gradient, 0);
}
