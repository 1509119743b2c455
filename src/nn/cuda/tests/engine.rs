//! Tests of the engine against the CPU engine: loss, gradients and weights of models of several shapes.

use super::super::engine::CudaEngine;
use super::super::host::{HostDevice, Operation, host_device};
use super::*;
use crate::catalog::ProblemType;
use crate::error::Result;
use crate::nn::engine::{Engine, OptimizerConfig, StepInput, StepReport, Weights};
use crate::nn::engine_config::{EngineConfig, MicroBatchLimits};
use crate::nn::fast::FastEngine;
use crate::nn::load::init_weights;
use crate::nn::plain::PlainEngine;
use crate::nn::self_check::select;
use crate::nn::{ModelConfig, is_key_bias, param_specs};
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

const ROBERTA: &str = r#"{"model_type": "roberta", "vocab_size": 40, "hidden_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 3, "intermediate_size": 80, "max_position_embeddings": 64, "type_vocab_size": 2,
    "pad_token_id": 1, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.2, "initializer_range": 0.08}"#;

const ELECTRA: &str = r#"{"model_type": "electra", "vocab_size": 40, "embedding_size": 24, "hidden_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 80, "max_position_embeddings": 64,
    "type_vocab_size": 2, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.2, "initializer_range": 0.08}"#;

const ALBERT: &str = r#"{"model_type": "albert", "vocab_size": 40, "embedding_size": 24, "hidden_size": 48,
    "num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 1, "num_attention_heads": 3,
    "intermediate_size": 80, "max_position_embeddings": 64, "type_vocab_size": 2, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.2, "classifier_dropout_prob": 0.1, "initializer_range": 0.08}"#;

const MPNET: &str = r#"{"model_type": "mpnet", "vocab_size": 40, "hidden_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 3, "intermediate_size": 80, "max_position_embeddings": 64, "pad_token_id": 1,
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.2, "initializer_range": 0.08}"#;

const MODERNBERT: &str = r#"{"model_type": "modernbert", "vocab_size": 40, "hidden_size": 48, "num_hidden_layers": 4,
    "num_attention_heads": 3, "intermediate_size": 40, "max_position_embeddings": 64, "pad_token_id": 1,
    "local_attention": 12, "classifier_pooling": "mean", "embedding_dropout": 0.1, "attention_dropout": 0.2,
    "mlp_dropout": 0.1, "classifier_dropout": 0.1, "initializer_range": 0.08}"#;

const MODERNBERT_WITH_BIASES: &str = r#"{"model_type": "modernbert", "vocab_size": 40, "hidden_size": 48,
    "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 40, "max_position_embeddings": 64,
    "pad_token_id": 1, "local_attention": 12, "classifier_pooling": "cls", "norm_bias": true, "attention_bias": true,
    "mlp_bias": true, "classifier_bias": true, "initializer_range": 0.08}"#;

/// The configuration of an engine.
#[derive(Clone, Copy)]
struct TestConfig {
    config: &'static str,
    precision: Precision,
    max_tokens: usize,
    /// Outputs of the head: 1 is a regression.
    outputs: usize,
    max_grad_norm: f64,
    class_weights: Option<[f32; 3]>,
}

impl TestConfig {
    fn of(config: &'static str) -> Self {
        TestConfig {
            config,
            precision: Precision::F32,
            max_tokens: 1000,
            outputs: 3,
            max_grad_norm: 1.0,
            class_weights: None,
        }
    }

    fn into_parts(self) -> (ModelConfig, Weights, EngineConfig) {
        let config = ModelConfig::parse("m", self.config.as_bytes()).expect("a valid configuration");
        let weights = init_weights(&config, &param_specs(&config, self.outputs), 4);
        let optimizer = OptimizerConfig {
            weight_decay: 0.1,
            max_grad_norm: self.max_grad_norm,
            epsilon: 1e-3,
            label_smoothing: 0.1,
            class_weights: self.class_weights.map(Into::into),
            ema_decay: Some(0.9),
            ..OptimizerConfig::default()
        };
        let limits = MicroBatchLimits { max_examples: 64, max_tokens: self.max_tokens };
        (
            config,
            weights,
            EngineConfig { seed: 3, optimizer, limits, precision: self.precision, threads: Some(1) },
        )
    }

    fn cuda_engine<D: Device>(self, device: D) -> CudaEngine<D> {
        let (config, weights, settings) = self.into_parts();
        CudaEngine::new(&config, &param_specs(&config, self.outputs), &weights, settings, device)
            .expect("an engine")
    }

    fn cpu_engine(self) -> FastEngine {
        let (config, weights, settings) = self.into_parts();
        FastEngine::new(&config, &param_specs(&config, self.outputs), &weights, settings).expect("an engine")
    }
}

/// The batch of a step. Tokens and lengths differ between steps, but most batches have the same bucket.
fn batch_of(step: u64) -> Batch {
    let lengths = [[5, 12, 2, 20, 3, 1], [9, 4, 14, 8, 1, 6], [40, 33, 2, 1, 1, 20]][step as usize % 3];
    let example = |(number, length): (usize, usize)| Encoded {
        ids: (0..length).map(|token| ((number * 11 + token * 7 + step as usize * 3) % 37) as u32).collect(),
        type_ids: (0..length).map(|token| u32::from(token > length / 2)).collect(),
        label: Some(Label::Class((number as u32 + step as u32) % 3)),
    };
    Batch::new(&lengths.into_iter().enumerate().map(example).collect::<Vec<_>>())
}

/// The batch with regression targets.
fn with_values(mut batch: Batch) -> Batch {
    for label in &mut batch.labels {
        *label = Label::Value(0.7 * label.class().expect("a class") as f32 + 0.25);
    }
    batch
}

/// The batch with sets of labels: those up to the class without its successor, and none for class 2.
fn with_sets(mut batch: Batch) -> Batch {
    for label in &mut batch.labels {
        let class = label.class().expect("a class");
        *label = Label::set((0..3).filter(|index| *index != class + 1 && class < 2));
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
        for (index, (a, b)) in found[name].data.iter().zip(&array.data).enumerate() {
            let is_near = (a - b).abs() <= tolerance * scale + 1e-7 * all;
            assert!(is_near, "{what} of {name}[{index}]: {a}, expected {b}, largest {scale}");
        }
    }
}

/// Configuration, maximum number of tokens, outputs, change of the labels, and class weights.
type Case = (&'static str, usize, usize, fn(Batch) -> Batch, Option<[f32; 3]>);

fn engine_equals_cpu_engine<D: Device>(open: impl Fn() -> D) {
    let weights = Some([0.5, 2.0, 1.25]);
    let cases: [Case; 9] = [
        (BERT, 1000, 3, |batch| batch, None),
        (DISTILBERT, 1000, 3, |batch| batch, None),
        (SHALLOW, 1000, 3, |batch| batch, None),
        (BERT, 22, 3, |batch| batch, None),
        (BERT, 22, 3, |batch| batch, weights),
        (BERT, 22, 1, with_values, None),
        (DISTILBERT, 1000, 1, with_values, None),
        (BERT, 22, 3, with_sets, None),
        (DISTILBERT, 1000, 3, with_sets, weights),
    ];
    for case in cases {
        check_against_cpu_engine(&open, case);
    }
}

/// With whole batches and with micro-batches, whose gradients are added.
fn families_equal_cpu_engine<D: Device>(open: impl Fn() -> D) {
    for config in [ROBERTA, ELECTRA, ALBERT, MPNET, MODERNBERT, MODERNBERT_WITH_BIASES] {
        for max_tokens in [1000, 22] {
            check_against_cpu_engine(&open, (config, max_tokens, 3, |batch| batch, None));
        }
    }
}

fn check_against_cpu_engine<D: Device>(open: &impl Fn() -> D, case: Case) {
    let (config, max_tokens, outputs, labels, class_weights) = case;
    let config = TestConfig { max_tokens, outputs, class_weights, ..TestConfig::of(config) };
    let batch_of = |step| labels(batch_of(step));
    let (mut cuda, mut cpu) = (config.cuda_engine(open()), config.cpu_engine());
    assert_eq!(cuda.shapes().len(), cpu.shapes().len());
    assert_eq!(cuda.weights().expect("weights"), cpu.weights().expect("weights"));
    let first = batch_of(2);
    let input = StepInput { batch: &first, step: 5, learning_rate: 0.0 };
    let (expected, gradients) = cpu.gradients(input).expect("gradients");
    let (loss, found) = cuda.gradients(input).expect("gradients");
    assert!((loss - expected).abs() < 1e-5, "loss {loss}, expected {expected}");
    assert_near("gradient", &found, &gradients, 2e-4);
    for step in 0..7 {
        let batch = batch_of(step);
        let input = StepInput { batch: &batch, step, learning_rate: 1e-3 };
        let (found, expected) = (cuda.step(input).expect("a step"), cpu.step(input).expect("a step"));
        assert!((found.loss - expected.loss).abs() < 1e-4, "step {step}: {found:?}, {expected:?}");
        let difference = (found.grad_norm - expected.grad_norm).abs();
        assert!(difference < 1e-3 * expected.grad_norm, "step {step}: {found:?}, {expected:?}");
    }
    let (found, expected) = (cuda.state().expect("a state"), cpu.state().expect("a state"));
    assert_eq!(found.updates, 7);
    assert_near("weight", &found.weights, &expected.weights, 1e-3);
    assert_near("first moment", &found.first_moments, &expected.first_moments, 1e-3);
    assert_near("second moment", &found.second_moments, &expected.second_moments, 2e-3);
    assert_near("average", &found.average, &expected.average, 1e-3);
    cuda.swap_average().expect("an average");
    cpu.swap_average().expect("an average");
    let of_average = cuda.logits(&first).expect("logits");
    for (a, b) in of_average.concat().iter().zip(cpu.logits(&first).expect("logits").concat()) {
        assert!((a - b).abs() < 1e-3, "logit {a} of the average, expected {b}");
    }
    cuda.swap_average().expect("an average");
    cpu.swap_average().expect("an average");
    assert_eq!(cuda.state().expect("a state"), found);
    let (found, expected) = (cuda.logits(&first).expect("logits"), cpu.logits(&first).expect("logits"));
    for (a, b) in found.concat().iter().zip(expected.concat()) {
        assert!((a - b).abs() < 1e-3, "logit {a}, expected {b}");
    }
    // Both ways of running a pass occurred: kernel by kernel and as a graph.
    assert!(cuda.captured_graphs() > 1, "{} graphs", cuda.captured_graphs());
}

fn bits(weights: &Weights) -> Vec<u32> {
    weights.values().flat_map(|array| array.data.iter().map(|x| x.to_bits())).collect()
}

/// Weights are bit-identical with and without graphs, whether reports are read at once or later, and after restoring
/// a state.
fn runs_are_bit_identical<D: Device>(open: impl Fn() -> D) {
    let config = TestConfig { max_grad_norm: 0.0, ..TestConfig::of(BERT) };
    let step = |engine: &mut CudaEngine<D>, step: u64| -> StepReport {
        let batch = batch_of(step);
        engine.step(StepInput { batch: &batch, step, learning_rate: 1e-3 }).expect("a step")
    };
    let mut uninterrupted = config.cuda_engine(open());
    let reports: Vec<StepReport> = (0..6).map(|number| step(&mut uninterrupted, number)).collect();
    let expected = bits(&uninterrupted.weights().expect("weights"));

    let mut first = config.cuda_engine(open());
    for number in 0..3 {
        step(&mut first, number);
    }
    let mut second = config.cuda_engine(open());
    second.restore(&first.state().expect("a state")).expect("restored");
    let later: Vec<StepReport> = (3..6).map(|number| step(&mut second, number)).collect();
    assert_eq!(later, reports[3..]);
    assert_eq!(bits(&second.weights().expect("weights")), expected, "restored");

    let mut deferred = config.cuda_engine(open());
    for number in 0..6 {
        let batch = batch_of(number);
        let input = StepInput { batch: &batch, step: number, learning_rate: 1e-3 };
        assert_eq!(deferred.enqueue(input).expect("a step"), None);
        if number == 3 {
            // Computing gradients and logits does not change the weights.
            deferred.gradients(input).expect("gradients");
            deferred.logits(&batch).expect("logits");
        }
    }
    let report = deferred.report().expect("a report").expect("six steps");
    let mean = reports.iter().map(|report| report.loss).sum::<f64>() / 6.0;
    assert!(
        (report.loss - mean).abs() < 1e-9 && report.grad_norm == reports[5].grad_norm,
        "{report:?}, {mean}"
    );
    let logits: Vec<f32> = reports.iter().flat_map(|report| report.logits.iter().copied()).collect();
    assert_eq!(report.logits, logits);
    assert_eq!(deferred.report().expect("no report"), None);
    assert_eq!(bits(&deferred.weights().expect("weights")), expected, "deferred reports");
}

fn bf16_is_close_to_f32<D: Device>(open: impl Fn() -> D) {
    for config in [BERT, DISTILBERT, ROBERTA, ELECTRA, ALBERT, MPNET, MODERNBERT] {
        let (exact, rounded) =
            (TestConfig::of(config), TestConfig { precision: Precision::Bf16, ..TestConfig::of(config) });
        let (mut exact, mut rounded) = (exact.cuda_engine(open()), rounded.cuda_engine(open()));
        assert_eq!((exact.precision(), rounded.precision()), ("f32", "bf16"));
        let batch = batch_of(1);
        let input = StepInput { batch: &batch, step: 2, learning_rate: 1e-3 };
        let (exact_loss, gradients) = exact.gradients(input).expect("gradients");
        let (loss, found) = rounded.gradients(input).expect("gradients");
        assert!((loss - exact_loss).abs() < 0.02 * exact_loss, "{loss}, in f32 {exact_loss}");
        let (mut error, mut total) = (0.0, 0.0);
        for (name, array) in &gradients {
            for (a, b) in found[name].data.iter().zip(&array.data) {
                error += f64::from(a - b).powi(2);
                total += f64::from(*b).powi(2);
            }
        }
        let error = (error / total).sqrt();
        assert!((1e-4..0.05).contains(&error), "relative error of gradients: {error}");
        // A step updates the weights and their bf16 copies.
        let mut losses = (0..6).map(|_| rounded.step(input).expect("a step").loss);
        let (first, last) = (losses.next().expect("six"), losses.last().expect("six"));
        assert!(last < first, "{first} → {last}");
        assert!(
            (rounded.gradients(input).expect("gradients").0 - last).abs() > 1e-6,
            "bf16 weights did not change"
        );
    }
}

/// TF32 has 10 fraction bits, bf16 has 7.
fn tf32_is_closer_to_f32<D: Device>(open: impl Fn() -> D) {
    let loss = |precision| {
        let mut engine = TestConfig { precision, ..TestConfig::of(BERT) }.cuda_engine(open());
        let batch = batch_of(1);
        let input = StepInput { batch: &batch, step: 2, learning_rate: 1e-3 };
        (engine.precision(), engine.gradients(input).expect("gradients").0)
    };
    let ((_, exact), (name, rounded)) = (loss(Precision::F32), loss(Precision::Tf32));
    // cuBLAS may not use TF32 for matrices as small as these.
    let difference = (exact - rounded).abs() / exact;
    assert!(name == "tf32" && difference < 2e-3, "{rounded}, in f32 {exact}");
}

/// The GEMMs of a pass, as a graph records them, and whether each may use TF32.
#[test]
fn only_precision_tf32_allows_tf32() {
    let Some(device) = host_device() else { return };
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        let mut engine = TestConfig { precision, ..TestConfig::of(BERT) }.cuda_engine(device.clone());
        let batch = batch_of(0);
        engine.logits(&batch).expect("logits");
        let device = engine.device_mut();
        let gemms: Vec<bool> = device.operations.iter().filter_map(Operation::allows_tf32).collect();
        assert!(gemms.len() > 10, "{} GEMMs", gemms.len());
        assert!(gemms.iter().all(|allows_tf32| *allows_tf32 == (precision == Precision::Tf32)), "{gemms:?}");
    }
}

/// An evaluation with larger batches than those of training does not enlarge the training's memory.
fn memory_stays_within_the_plan_after_evaluations<D: Device>(open: impl Fn() -> D) {
    for (precision, max_tokens) in [(Precision::F32, 1000), (Precision::Bf16, 1000), (Precision::F32, 45)] {
        let mut engine = TestConfig { precision, max_tokens, ..TestConfig::of(BERT) }.cuda_engine(open());
        let longest = batch_of(2);
        let plan = engine.memory_plan(&longest, max_tokens).expect("a plan");
        let example = Encoded { ids: vec![3; 64], type_ids: vec![0; 64], label: Some(Label::Class(0)) };
        let many = Batch::new(&vec![example; 18]);
        assert_eq!(engine.logits(&many).expect("logits").len(), 18);
        let after_evaluation = engine.allocated_bytes();
        for step in [2, 0, 2] {
            let batch = batch_of(step);
            engine.step(StepInput { batch: &batch, step, learning_rate: 1e-3 }).expect("a step");
        }
        engine.logits(&batch_of(1)).expect("logits");
        let allocated = engine.allocated_bytes() as u64;
        assert!(allocated > after_evaluation as u64 && allocated <= plan.total(), "{allocated}, {plan:?}");
        assert!(engine.captured_graphs() > 0);
    }
}

/// Micro-batches of short examples have more examples than those of the longest ones, but fit into the same plan.
fn memory_plan_holds_for_micro_batches_of_short_examples<D: Device>(open: impl Fn() -> D) {
    let mut engine = TestConfig { max_tokens: 64, ..TestConfig::of(BERT) }.cuda_engine(open());
    let batch = |length: usize| {
        let ids = vec![3; length];
        let example = Encoded { type_ids: vec![0; length], ids, label: Some(Label::Class(0)) };
        Batch::new(&vec![example; 40])
    };
    let plan = engine.memory_plan(&batch(33), 64).expect("a plan");
    for length in [33, 1] {
        let batch = batch(length);
        engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect("a step");
    }
    let (allocated, planned) = (engine.allocated_bytes() as u64, plan.total());
    assert!(allocated <= planned, "{allocated} bytes allocated, {planned} planned");
}

/// Whether graphs are turned off, or cannot be captured, the results are the same; only the latter is a warning.
#[test]
fn training_goes_on_without_graphs() {
    let Some(device) = host_device() else { return };
    let train = |engine: &mut CudaEngine<HostDevice>| {
        for step in 0..6 {
            let batch = batch_of(step);
            engine.step(StepInput { batch: &batch, step, learning_rate: 1e-3 }).expect("a step");
        }
        (engine.captured_graphs() > 0, bits(&engine.weights().expect("weights")), engine.take_notes())
    };
    let (has_graphs, expected, notes) = train(&mut TestConfig::of(BERT).cuda_engine(device.clone()));
    assert!(has_graphs && notes.is_empty(), "{notes:?}");

    let mut failing = device.clone();
    failing.can_capture = false;
    let (has_graphs, found, notes) = train(&mut TestConfig::of(BERT).cuda_engine(failing));
    assert!(!has_graphs && found == expected);
    assert_eq!(notes.len(), 1, "one warning for all sizes: {notes:?}");
    assert!(
        notes[0].contains("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED") && notes[0].contains("kernel by kernel")
    );

    let mut engine = TestConfig::of(BERT).cuda_engine(device);
    engine.disable_graphs();
    let (has_graphs, found, notes) = train(&mut engine);
    assert!(!has_graphs && found == expected && notes.is_empty(), "{notes:?}");
}

/// The self-check accepts this engine in every precision and for every problem type, and finds a weight that differs.
#[test]
fn self_check_accepts_the_engine() {
    let Some(device) = host_device() else { return };
    for (precision, name, problem_type) in [
        (Precision::F32, "f32", ProblemType::SingleLabelClassification),
        (Precision::F32, "f32", ProblemType::MultiLabelClassification),
        (Precision::F32, "f32", ProblemType::Regression),
        (Precision::Tf32, "tf32", ProblemType::SingleLabelClassification),
        (Precision::Bf16, "bf16", ProblemType::SingleLabelClassification),
    ] {
        let outputs = if problem_type == ProblemType::Regression { 1 } else { 3 };
        let config = TestConfig { precision, max_tokens: 200, outputs, ..TestConfig::of(BERT) };
        let head = (problem_type, outputs);
        let (model, weights, settings) = config.into_parts();
        let specs = param_specs(&model, outputs);
        let make_reference = || {
            let settings = EngineConfig { precision: Precision::F32, ..settings.clone() };
            let cpu = candle_core::Device::Cpu;
            let engine = PlainEngine::new(&model, &specs, &weights, settings, &cpu, None)?;
            Ok(Box::new(engine) as Box<dyn Engine>)
        };
        let fast = |weights: &Weights| -> Result<(Box<dyn Engine>, &'static str)> {
            let engine = CudaEngine::new(&model, &specs, weights, settings.clone(), device.clone())?;
            let precision = engine.precision();
            Ok((Box::new(engine), precision))
        };
        let selected = select(&model, head, &weights, &make_reference, &|| fast(&weights));
        let (_, found, note) = selected.unwrap_or_else(|warning| panic!("{name}, {problem_type}: {warning}"));
        assert_eq!(found, name, "{note}");
        if precision != Precision::F32 {
            continue;
        }
        let mut wrong = weights.clone();
        let name = "bert.encoder.layer.1.output.dense.weight";
        wrong.get_mut(name).expect("a tensor").data.iter_mut().for_each(|x| *x *= -1.0);
        assert!(select(&model, head, &weights, &make_reference, &|| fast(&wrong)).is_err());
    }
}

/// A race between the threads of a block would give different bits in another order.
#[test]
fn results_do_not_depend_on_the_order_of_threads() {
    let Some(device) = host_device() else { return };
    for precision in [Precision::F32, Precision::Bf16] {
        let gradients = |thread_order| {
            let mut device = device.clone();
            device.thread_order = thread_order;
            let mut engine = TestConfig { precision, ..TestConfig::of(BERT) }.cuda_engine(device);
            let batch = batch_of(0);
            let input = StepInput { batch: &batch, step: 1, learning_rate: 1e-3 };
            let (loss, gradients) = engine.gradients(input).expect("gradients");
            engine.step(input).expect("a step");
            (loss.to_bits(), bits(&gradients), bits(&engine.weights().expect("weights")))
        };
        let expected = gradients(0);
        for thread_order in [1, 2] {
            assert!(gradients(thread_order) == expected, "{precision:?}, order {thread_order}");
        }
    }
}

fn memory_plan_and_error_messages<D: Device>(open: impl Fn() -> D) {
    let mut engine = TestConfig::of(BERT).cuda_engine(open());
    let (short, long) = (batch_of(0), batch_of(2));
    let plan = |batch: &Batch| engine.memory_plan(batch, 1000).expect("a plan");
    let (small, large) = (plan(&short), plan(&long));
    assert!(small.activations < large.activations && small.weights == large.weights, "{small:?}, {large:?}");
    let parameters: usize = engine.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    assert_eq!((small.moments, small.gradients), (8 * parameters as u64, 4 * parameters as u64));
    let batch = Batch::new(&[Encoded { ids: vec![40], type_ids: vec![0], label: Some(Label::Class(0)) }]);
    let error =
        engine.step(StepInput { batch: &batch, step: 0, learning_rate: 1e-3 }).expect_err("an invalid token");
    assert!(error.to_string().contains("token id 40"), "{error}");

    let wide = BERT.replace("\"hidden_size\": 48", "\"hidden_size\": 600");
    let config = ModelConfig::parse("m", wide.as_bytes()).expect("a valid configuration");
    let (specs, (_, _, settings)) = (param_specs(&config, 3), TestConfig::of(BERT).into_parts());
    let weights = init_weights(&config, &specs, 4);
    let error =
        CudaEngine::new(&config, &specs, &weights, settings, open()).err().expect("an error").to_string();
    assert!(error.contains("head size of up to 96") && error.contains("plain"), "{error}");
}

on_devices!(
    engine_equals_cpu_engine,
    families_equal_cpu_engine,
    runs_are_bit_identical,
    bf16_is_close_to_f32,
    tf32_is_closer_to_f32,
    memory_plan_and_error_messages,
    memory_stays_within_the_plan_after_evaluations,
    memory_plan_holds_for_micro_batches_of_short_examples,
);
