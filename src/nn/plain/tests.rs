//! A gradient that is cut is seen, and refused.

use super::PlainEngine;
use crate::batch::{Batch, Encoded, Label};
use crate::error::Error;
use crate::nn::coverage::{Coverage, check, require_all};
use crate::nn::load::init_weights;
use crate::nn::{EngineConfig, MicroBatchLimits, ModelConfig, OptimizerConfig, StepInput, param_specs};
use crate::spec::Precision;
use candle_core::{Device, Result, Tensor};

const CONFIG: &[u8] = br#"{"model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2}"#;

/// What the coverage of a small BERT is with that softmax, or with the engine's own.
fn coverage(softmax: Option<fn(&Tensor) -> Result<Tensor>>) -> Coverage {
    let config = ModelConfig::parse("m", CONFIG).expect("a whole file");
    let specs = param_specs(&config, 2);
    let optimizer = OptimizerConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        max_grad_norm: 0.0,
        label_smoothing: 0.0,
    };
    let limits = MicroBatchLimits { max_examples: 8, max_tokens: 64 };
    let settings = EngineConfig { seed: 1, optimizer, limits, precision: Precision::F32, threads: None };
    let weights = init_weights(&config, &specs, 1);
    let mut engine =
        PlainEngine::new(&config, &specs, &weights, settings, &Device::Cpu, None).expect("an engine");
    if let Some(softmax) = softmax {
        engine.plant(softmax);
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
fn all_tensors_learn() {
    let coverage = coverage(None);
    assert_eq!(coverage.summary(), "41/41 parameters receive a gradient");
    assert!(require_all(&coverage).is_ok());
}

/// candle's fused softmax has no backward pass and says nothing: queries and keys would stand still.
#[test]
fn a_planted_fused_softmax_is_refused() {
    let coverage = coverage(Some(candle_nn::ops::softmax_last_dim));
    let idle = ["query.weight", "query.bias", "key.weight", "key.bias"];
    let expected: Vec<String> = (0..2)
        .flat_map(|layer| idle.map(|part| format!("bert.encoder.layer.{layer}.attention.self.{part}")))
        .collect();
    let mut found = coverage.without_gradient.clone();
    found.sort_unstable();
    let mut sorted = expected.clone();
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    assert_eq!(coverage.summary(), "33/41 parameters receive a gradient");
    let Err(Error::Training(problem)) = require_all(&coverage) else { panic!("not refused") };
    assert!(problem.contains("33/41") && problem.contains("query.weight"), "{problem}");
}

/// A gradient of zeros everywhere is no gradient, though every tensor has an entry.
#[test]
fn zeros_are_idle_but_for_key_biases() {
    let coverage = coverage(Some(|scores| super::ops::softmax(&(scores * scores.zeros_like()?)?)));
    let parts = ["query.weight", "query.bias", "key.weight"];
    assert_eq!(coverage.without_gradient.len(), 2 * parts.len(), "{:?}", coverage.without_gradient);
    assert!(coverage.without_gradient.iter().all(|name| parts.iter().any(|part| name.ends_with(part))));
}

/// What is not a number is idle too.
#[test]
fn numbers_that_are_none_are_idle() {
    let coverage = coverage(Some(|scores| super::ops::softmax(scores)? * f64::NAN));
    assert_eq!(coverage.with_gradient, 0);
}
