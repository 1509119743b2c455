//! The engine against that of the CPU: loss, gradients, weights, on models of any shape.

use super::super::engine::CudaEngine;
use super::*;
use crate::nn::engine::{Engine, OptimizerConfig, StepInput, StepReport, Weights};
use crate::nn::fast::FastEngine;
use crate::nn::load::init_weights;
use crate::nn::{EngineConfig, MicroBatchLimits, ModelConfig, is_key_bias, param_specs};
use crate::spec::Precision;

const BERT: &str = r#"{"model_type": "bert", "vocab_size": 40, "hidden_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 3, "intermediate_size": 80, "max_position_embeddings": 64, "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.2, "initializer_range": 0.08}"#;

const DISTILBERT: &str = r#"{"model_type": "distilbert", "vocab_size": 40, "dim": 40, "n_layers": 1, "n_heads": 2,
    "hidden_dim": 72, "max_position_embeddings": 64, "activation": "relu", "dropout": 0.1,
    "attention_dropout": 0.2, "seq_classif_dropout": 0.3, "initializer_range": 0.08}"#;

const SHALLOW: &str = r#"{"model_type": "bert", "vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 1, "intermediate_size": 300, "max_position_embeddings": 64, "type_vocab_size": 2,
    "hidden_act": "gelu_new", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.08}"#;

/// How an engine is made.
#[derive(Clone, Copy)]
struct Making {
    config: &'static str,
    precision: Precision,
    max_tokens: usize,
    /// Of the head: one learns numbers.
    outputs: usize,
    max_grad_norm: f64,
}

impl Making {
    fn of(config: &'static str) -> Self {
        Making { config, precision: Precision::F32, max_tokens: 1000, outputs: 3, max_grad_norm: 1.0 }
    }

    fn parts(self) -> (ModelConfig, Weights, EngineConfig) {
        let config = ModelConfig::parse("m", self.config.as_bytes()).expect("a whole file");
        let weights = init_weights(&config, &param_specs(&config, self.outputs), 4);
        let optimizer = OptimizerConfig {
            weight_decay: 0.1,
            max_grad_norm: self.max_grad_norm,
            epsilon: 1e-3,
            label_smoothing: 0.1,
            ..OptimizerConfig::default()
        };
        let limits = MicroBatchLimits { max_examples: 64, max_tokens: self.max_tokens };
        (
            config,
            weights,
            EngineConfig { seed: 3, optimizer, limits, precision: self.precision, threads: Some(1) },
        )
    }

    fn on<D: Device>(self, device: D) -> CudaEngine<D> {
        let (config, weights, settings) = self.parts();
        CudaEngine::new(&config, &param_specs(&config, self.outputs), &weights, settings, device)
            .expect("an engine")
    }

    fn twin(self) -> FastEngine {
        let (config, weights, settings) = self.parts();
        FastEngine::new(&config, &param_specs(&config, self.outputs), &weights, settings).expect("an engine")
    }
}

/// The batch of a step: other tokens and other lengths, but mostly of the same bucket.
fn batch_of(step: u64) -> Batch {
    let lengths = [[5, 12, 2, 20, 3, 1], [9, 4, 14, 8, 1, 6], [40, 33, 2, 1, 1, 20]][step as usize % 3];
    let example = |(number, length): (usize, usize)| Encoded {
        ids: (0..length).map(|token| ((number * 11 + token * 7 + step as usize * 3) % 37) as u32).collect(),
        type_ids: (0..length).map(|token| u32::from(token > length / 2)).collect(),
        label: Some(Label::Class((number as u32 + step as u32) % 3)),
    };
    Batch::new(&lengths.into_iter().enumerate().map(example).collect::<Vec<_>>())
}

/// The same, labelled with numbers.
fn numbered(mut batch: Batch) -> Batch {
    for label in &mut batch.labels {
        *label = Label::Value(0.7 * label.number() + 0.25);
    }
    batch
}

fn assert_near(what: &str, found: &Weights, expected: &Weights, tolerance: f32) {
    assert!(found.keys().eq(expected.keys()), "{what}: names");
    let largest = |x: &[f32]| x.iter().fold(0f32, |most, x| most.max(x.abs()));
    let all = expected.values().fold(0f32, |most, array| most.max(largest(&array.data)));
    for (name, array) in expected {
        assert_eq!(found[name].shape, array.shape, "{what} of {name}");
        let scale = if is_key_bias(name) { all } else { largest(&array.data) };
        for (place, (a, b)) in found[name].data.iter().zip(&array.data).enumerate() {
            let is_near = (a - b).abs() <= tolerance * scale + 1e-7 * all;
            assert!(is_near, "{what} of {name}[{place}]: {a}, expected {b}, largest {scale}");
        }
    }
}

fn equals_the_engine_of_the_cpu<D: Device>(open: impl Fn() -> D) {
    let (classes, numbers) = (3, 1);
    for (config, max_tokens, outputs) in [
        (BERT, 1000, classes),
        (DISTILBERT, 1000, classes),
        (SHALLOW, 1000, classes),
        (BERT, 22, classes),
        (BERT, 22, numbers),
        (DISTILBERT, 1000, numbers),
    ] {
        let making = Making { max_tokens, outputs, ..Making::of(config) };
        let batch_of = |step| if outputs == numbers { numbered(batch_of(step)) } else { batch_of(step) };
        let (mut ours, mut twin) = (making.on(open()), making.twin());
        assert_eq!(ours.shapes().len(), twin.shapes().len());
        assert_eq!(ours.weights().expect("weights"), twin.weights().expect("weights"));
        let first = batch_of(2);
        let input = StepInput { batch: &first, step: 5, learning_rate: 0.0 };
        let (expected, gradients) = twin.gradients(input).expect("gradients");
        let (loss, found) = ours.gradients(input).expect("gradients");
        assert!((loss - expected).abs() < 1e-5, "loss {loss}, expected {expected}");
        assert_near("gradient", &found, &gradients, 2e-4);
        for step in 0..7 {
            let batch = batch_of(step);
            let input = StepInput { batch: &batch, step, learning_rate: 1e-3 };
            let (found, expected) = (ours.step(input).expect("a step"), twin.step(input).expect("a step"));
            assert!((found.loss - expected.loss).abs() < 1e-4, "step {step}: {found:?}, {expected:?}");
            let apart = (found.grad_norm - expected.grad_norm).abs();
            assert!(apart < 1e-3 * expected.grad_norm, "step {step}: {found:?}, {expected:?}");
        }
        let (found, expected) = (ours.state().expect("a state"), twin.state().expect("a state"));
        assert_eq!(found.updates, 7);
        assert_near("weight", &found.weights, &expected.weights, 1e-3);
        assert_near("first moment", &found.first_moments, &expected.first_moments, 1e-3);
        assert_near("second moment", &found.second_moments, &expected.second_moments, 2e-3);
        let (found, expected) = (ours.logits(&first).expect("logits"), twin.logits(&first).expect("logits"));
        for (a, b) in found.concat().iter().zip(expected.concat()) {
            assert!((a - b).abs() < 1e-3, "logit {a}, expected {b}");
        }
        // What is recorded is not what was launched step by step, so both have been seen.
        assert!(ours.recorded() > 1, "{} recordings", ours.recorded());
    }
}

fn bits(weights: &Weights) -> Vec<u32> {
    weights.values().flat_map(|array| array.data.iter().map(|x| x.to_bits())).collect()
}

/// Recorded or not, told of at once or later, from the beginning or put back: the same bits.
fn the_same_run_has_the_same_bits<D: Device>(open: impl Fn() -> D) {
    let making = Making { max_grad_norm: 0.0, ..Making::of(BERT) };
    let step = |engine: &mut CudaEngine<D>, step: u64| -> StepReport {
        let batch = batch_of(step);
        engine.step(StepInput { batch: &batch, step, learning_rate: 1e-3 }).expect("a step")
    };
    let mut straight = making.on(open());
    let reports: Vec<StepReport> = (0..6).map(|number| step(&mut straight, number)).collect();
    let expected = bits(&straight.weights().expect("weights"));

    let mut first = making.on(open());
    for number in 0..3 {
        step(&mut first, number);
    }
    let mut second = making.on(open());
    second.restore(&first.state().expect("a state")).expect("put back");
    let later: Vec<StepReport> = (3..6).map(|number| step(&mut second, number)).collect();
    assert_eq!(later, reports[3..]);
    assert_eq!(bits(&second.weights().expect("weights")), expected, "put back");

    let mut asked = making.on(open());
    for number in 0..6 {
        let batch = batch_of(number);
        let input = StepInput { batch: &batch, step: number, learning_rate: 1e-3 };
        assert_eq!(asked.enqueue(input).expect("a step"), None);
        if number == 3 {
            // Looking at gradients and logits changes nothing.
            asked.gradients(input).expect("gradients");
            asked.logits(&batch).expect("logits");
        }
    }
    let report = asked.report().expect("a report").expect("six steps");
    let mean = reports.iter().map(|report| report.loss).sum::<f64>() / 6.0;
    assert!(
        (report.loss - mean).abs() < 1e-9 && report.grad_norm == reports[5].grad_norm,
        "{report:?}, {mean}"
    );
    assert_eq!(asked.report().expect("no report"), None);
    assert_eq!(bits(&asked.weights().expect("weights")), expected, "asked later");
}

fn bf16_products_stay_near<D: Device>(open: impl Fn() -> D) {
    for config in [BERT, DISTILBERT] {
        let (exact, rounded) =
            (Making::of(config), Making { precision: Precision::Bf16, ..Making::of(config) });
        let (mut exact, mut rounded) = (exact.on(open()), rounded.on(open()));
        assert_eq!((exact.precision(), rounded.precision()), ("f32", "bf16"));
        let batch = batch_of(1);
        let input = StepInput { batch: &batch, step: 2, learning_rate: 1e-3 };
        let (exact_loss, gradients) = exact.gradients(input).expect("gradients");
        let (loss, found) = rounded.gradients(input).expect("gradients");
        assert!((loss - exact_loss).abs() < 0.02 * exact_loss, "{loss}, in f32 {exact_loss}");
        let (mut apart, mut whole) = (0.0, 0.0);
        for (name, array) in &gradients {
            for (a, b) in found[name].data.iter().zip(&array.data) {
                apart += f64::from(a - b).powi(2);
                whole += f64::from(*b).powi(2);
            }
        }
        let apart = (apart / whole).sqrt();
        assert!((1e-4..0.05).contains(&apart), "gradients are {apart} apart");
        // A step moves the weights and what is rounded of them.
        let mut losses = (0..6).map(|_| rounded.step(input).expect("a step").loss);
        let (first, last) = (losses.next().expect("six"), losses.last().expect("six"));
        assert!(last < first, "{first} → {last}");
        assert!((rounded.gradients(input).expect("gradients").0 - last).abs() > 1e-6, "operands stand still");
    }
}

/// TF32 has ten bits of a fraction.
fn tf32_products_stay_nearer<D: Device>(open: impl Fn() -> D) {
    let loss = |precision| {
        let mut engine = Making { precision, ..Making::of(BERT) }.on(open());
        let batch = batch_of(1);
        let input = StepInput { batch: &batch, step: 2, learning_rate: 1e-3 };
        (engine.precision(), engine.gradients(input).expect("gradients").0)
    };
    let ((_, exact), (name, rounded)) = (loss(Precision::F32), loss(Precision::Tf32));
    let apart = (exact - rounded).abs() / exact;
    assert!(name == "tf32" && apart < 2e-3 && apart > 0.0, "{rounded}, in f32 {exact}");
}

fn memory_is_planned_and_faults_are_named<D: Device>(open: impl Fn() -> D) {
    let mut engine = Making::of(BERT).on(open());
    let (few, many) = (batch_of(0), batch_of(2));
    let plan = |batch: &Batch| engine.memory_plan(batch, 1000).expect("a plan");
    let (small, large) = (plan(&few), plan(&many));
    assert!(small.activations < large.activations && small.weights == large.weights, "{small:?}, {large:?}");
    let numbers: usize = engine.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    assert_eq!((small.moments, small.gradients), (8 * numbers as u64, 4 * numbers as u64));
    let batch = Batch::new(&[Encoded { ids: vec![40], type_ids: vec![0], label: Some(Label::Class(0)) }]);
    let error = engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect_err("a fault");
    assert!(error.to_string().contains("token id 40"), "{error}");

    let wide = BERT.replace("\"hidden_size\": 48", "\"hidden_size\": 600");
    let config = ModelConfig::parse("m", wide.as_bytes()).expect("a whole file");
    let (specs, (_, _, settings)) = (param_specs(&config, 3), Making::of(BERT).parts());
    let weights = init_weights(&config, &specs, 4);
    let error =
        CudaEngine::new(&config, &specs, &weights, settings, open()).err().expect("a refusal").to_string();
    assert!(error.contains("heads of up to 96") && error.contains("plain"), "{error}");
}

on_devices!(
    equals_the_engine_of_the_cpu,
    the_same_run_has_the_same_bits,
    bf16_products_stay_near,
    tf32_products_stay_nearer,
    memory_is_planned_and_faults_are_named,
);
