//! What training relies on in an engine: every parameter receives a gradient, dropout masks and initial weights depend
//! only on the seed, micro-batches give the gradients of the whole batch, and a restored state continues bit for bit.

#[path = "../backends/mod.rs"]
mod backends;
mod padding;

use backends::Backend;
use glue_tui::batch::{Batch, Encoded, Label};
use glue_tui::catalog::ProblemType;
use glue_tui::error::Error;
use glue_tui::files::ModelFolder;
use glue_tui::nn::coverage::{Coverage, check, require_all};
use glue_tui::nn::{
    self, Array, BuildOptions, Built, Engine, EngineState, InputGradients, Interpolation, OptimizerConfig,
    ParamState, StepInput, StepReport, Weights,
};
use glue_tui::spec::{DeviceSpec, EngineChoice, Precision};
use std::path::Path;

/// Reference models, two of them regressions, with their numbers of parameters.
const MODELS: [(&str, usize); 14] = [
    ("bert", 41),
    ("distilbert", 40),
    ("bert-regression", 41),
    ("distilbert-regression", 40),
    ("xlm-roberta", 41),
    ("electra", 43),
    ("albert", 27),
    ("albert-groups", 75),
    ("mpnet", 41),
    ("deberta-v3", 42),
    ("deberta-v2", 51),
    ("deberta-p2c", 44),
    ("modernbert", 30),
    ("modernbert-biases", 45),
];

/// Each model with each engine.
fn cases() -> impl Iterator<Item = ((&'static str, usize), Backend)> {
    MODELS.into_iter().flat_map(|family| {
        let all = backends::all().into_iter();
        all.filter(move |backend| backends::supports(*backend, family.0))
            .map(move |backend| (family, backend))
    })
}

/// A copy of a reference model with dropout enabled.
fn with_dropout(family: &str) -> tempfile::TempDir {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family);
    let folder = tempfile::tempdir().expect("a folder");
    let weights = source.join("model.safetensors");
    std::fs::copy(weights, folder.path().join("model.safetensors")).expect("a copy");
    let text = std::fs::read(source.join("config.json")).expect("a file");
    let mut config: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    for (key, rate) in [
        ("hidden_dropout_prob", 0.1),
        ("attention_probs_dropout_prob", 0.2),
        ("dropout", 0.1),
        ("attention_dropout", 0.2),
        ("seq_classif_dropout", 0.2),
        ("classifier_dropout_prob", 0.2),
        ("embedding_dropout", 0.1),
        ("mlp_dropout", 0.1),
        ("classifier_dropout", 0.2),
    ] {
        if config.get(key).is_some() {
            config[key] = rate.into();
        }
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("a file");
    folder
}

fn optimizer() -> OptimizerConfig {
    OptimizerConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        label_smoothing: 0.1,
        ..OptimizerConfig::default()
    }
}

fn build(folder: &Path, seed: u64, tokens: Option<usize>) -> Built {
    build_at(Backend { engine: EngineChoice::Auto, device: DeviceSpec::Cpu }, folder, seed, tokens)
}

fn build_at(backend: Backend, folder: &Path, seed: u64, tokens: Option<usize>) -> Built {
    backends::build(backend, folder, seed, optimizer(), tokens)
}

/// A batch with labels that match the engine's head.
fn batch_for(engine: &dyn Engine, first: u32) -> Batch {
    let is_regression =
        engine.shapes().iter().any(|(name, shape)| name == "classifier.bias" && *shape == [1]);
    if is_regression { with_values(batch(first)) } else { batch(first) }
}

fn batch(first: u32) -> Batch {
    let examples = [5u32, 12, 2, 9, 3].map(|n| Encoded {
        ids: (0..n).map(|i| 1 + (first + 7 * i + n) % 60).collect(),
        type_ids: (0..n).map(|i| u32::from(i > 3)).collect(),
        label: Some(Label::Class((first + n) % 3)),
    });
    Batch::new(&examples)
}

/// Replaces the classes of a batch by numbers.
fn with_values(mut batch: Batch) -> Batch {
    for label in &mut batch.labels {
        *label = Label::Value(label.class().expect("a class") as f32 + 0.5);
    }
    batch
}

fn train(engine: &mut dyn Engine, steps: std::ops::Range<u64>) -> Vec<StepReport> {
    let step = |step: u64| {
        let batch = batch_for(engine, step as u32);
        engine.step(StepInput { batch: &batch, step, learning_rate: 1e-3 }).expect("a step")
    };
    steps.map(step).collect()
}

fn bits(weights: &Weights) -> Vec<u32> {
    weights.values().flat_map(|array| array.data.iter().map(|x| x.to_bits())).collect()
}

#[test]
fn every_parameter_receives_a_gradient_with_dropout() {
    for ((family, parameters), backend) in cases() {
        let folder = with_dropout(family);
        let mut built = build_at(backend, folder.path(), 1, None);
        let batch = batch_for(built.engine.as_ref(), 0);
        let coverage =
            check(built.engine.as_mut(), StepInput { batch: &batch, step: 0, learning_rate: 1e-3 })
                .expect("gradients");
        assert_eq!(
            coverage,
            Coverage { with_gradient: parameters, total: parameters, without_gradient: Vec::new() },
            "{family} {backend:?}"
        );
        assert_eq!(coverage.summary(), format!("{parameters}/{parameters} parameters receive a gradient"));
        assert!(require_all(&coverage).is_ok());
    }
}

/// An engine that silently drops gradients, as candle's fused operations do.
struct DroppedGradients {
    engine: Box<dyn Engine>,
    dropped: &'static str,
}

impl Engine for DroppedGradients {
    fn step(&mut self, input: StepInput<'_>) -> glue_tui::error::Result<StepReport> {
        self.engine.step(input)
    }
    fn gradients(&mut self, input: StepInput<'_>) -> glue_tui::error::Result<(f64, Weights)> {
        let (loss, mut gradients) = self.engine.gradients(input)?;
        gradients.retain(|name, _| !name.contains(self.dropped));
        Ok((loss, gradients))
    }
    fn logits(&mut self, batch: &Batch) -> glue_tui::error::Result<Vec<Vec<f32>>> {
        self.engine.logits(batch)
    }
    fn input_gradients(
        &mut self,
        input: Interpolation<'_>,
        class: usize,
    ) -> glue_tui::error::Result<InputGradients> {
        self.engine.input_gradients(input, class)
    }
    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.engine.set_max_tokens(max_tokens);
    }
    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.engine.shapes()
    }
    fn tensor(&self, name: &str, state: ParamState) -> glue_tui::error::Result<Array> {
        self.engine.tensor(name, state)
    }
    fn updates(&self) -> u64 {
        self.engine.updates()
    }
    fn set_weights(&mut self, weights: &Weights) -> glue_tui::error::Result<()> {
        self.engine.set_weights(weights)
    }
    fn restore(&mut self, state: &EngineState) -> glue_tui::error::Result<()> {
        self.engine.restore(state)
    }
}

/// The tests of `nn::plain` use a fused operation in the encoder; this one tests the check through the [`Engine`]
/// trait. A missing gradient of a key bias is detected too.
#[test]
fn missing_gradients_are_rejected() {
    let folder = with_dropout("bert");
    let batch = batch(0);
    let input = StepInput { batch: &batch, step: 0, learning_rate: 1e-3 };
    for (dropped, count) in [("layer.0.", 16), ("self.key.bias", 2), ("classifier.weight", 1)] {
        let mut engine = DroppedGradients { engine: build(folder.path(), 1, None).engine, dropped };
        let coverage = check(&mut engine, input).expect("gradients");
        assert_eq!(
            (coverage.with_gradient, coverage.without_gradient.len()),
            (41 - count, count),
            "{dropped}"
        );
        let Err(Error::Training(problem)) = require_all(&coverage) else { panic!("not rejected: {dropped}") };
        assert!(
            problem.contains(&coverage.without_gradient[0]) && problem.contains(&coverage.summary()),
            "{problem}"
        );
    }
}

#[test]
fn dropout_applies_to_training_but_not_to_logits() {
    for (family, _) in MODELS {
        let (with, without) = (with_dropout(family), Path::new("tests/reference").join(family));
        let without = Path::new(env!("CARGO_MANIFEST_DIR")).join(without);
        let (mut on, mut off) = (build(with.path(), 1, None), build(&without, 1, None));
        let batch = batch_for(on.engine.as_ref(), 0);
        let logits = on.engine.logits(&batch).expect("logits");
        assert_eq!(logits, off.engine.logits(&batch).expect("logits"), "{family}");
        assert_eq!(logits, on.engine.logits(&batch).expect("logits"), "{family}");
        let mut loss = |step| {
            on.engine.gradients(StepInput { batch: &batch, step, learning_rate: 0.0 }).expect("a loss").0
        };
        let (first, repeated, second) = (loss(0), loss(0), loss(1));
        assert_eq!(first, repeated, "{family}: the same step has the same mask");
        assert_ne!(first, second, "{family}: the next step has another mask");
        let plain = off.engine.gradients(StepInput { batch: &batch, step: 0, learning_rate: 0.0 });
        assert_ne!(first, plain.expect("a loss").0, "{family}");
        // Without dropout, the loss does not depend on the step.
        let later = off.engine.gradients(StepInput { batch: &batch, step: 9, learning_rate: 0.0 });
        let first = off.engine.gradients(StepInput { batch: &batch, step: 0, learning_rate: 0.0 });
        assert_eq!(later.expect("a loss").0, first.expect("a loss").0, "{family}");
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    for ((family, _), backend) in cases() {
        let folder = with_dropout(family);
        let run = |seed| {
            let mut built = build_at(backend, folder.path(), seed, None);
            let reports = train(built.engine.as_mut(), 0..5);
            (reports, bits(&built.engine.weights().expect("weights")))
        };
        let first = run(3);
        assert_eq!(first, run(3), "{family} {backend:?}");
        assert_ne!(first.1, run(4).1, "{family} {backend:?}");
        // Loss and norm are plausible.
        assert!(first.0.iter().all(|r| r.loss > 0.0 && r.loss < 10.0 && r.grad_norm > 0.0), "{:?}", first.0);
    }
}

/// A model large enough for matrix products to use several threads, unlike the reference models.
#[test]
fn multithreaded_run_is_reproducible() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = r#"{"model_type": "bert", "vocab_size": 2000, "hidden_size": 192, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 768, "max_position_embeddings": 64, "type_vocab_size": 2}"#;
    std::fs::write(folder.path().join("config.json"), config).expect("a file");
    let model = ModelFolder::on_disk(folder.path());
    let labels = ["a", "b"].map(str::to_owned);
    let examples = (0..24u32).map(|n| Encoded {
        ids: (0..10 + n).map(|i| (17 * n + 101 * i) % 2000).collect(),
        type_ids: vec![0; 10 + n as usize],
        label: Some(Label::Class(n % 2)),
    });
    let batch = Batch::new(&examples.collect::<Vec<_>>());
    let run = || {
        let mut built = nn::from_config(&BuildOptions {
            seed: 5,
            optimizer: optimizer(),
            max_examples_per_pass: 64,
            threads: Some(2),
            ..BuildOptions::new(&model, (&labels, ProblemType::SingleLabelClassification))
        })
        .expect("an engine");
        assert!(built.device.starts_with("cpu, 2 threads, "), "{}", built.device);
        assert_eq!(built.report.missing.len(), 41);
        for step in 0..2 {
            built.engine.step(StepInput { batch: &batch, step, learning_rate: 1e-3 }).expect("a step");
        }
        bits(&built.engine.weights().expect("weights"))
    };
    assert!(run() == run(), "the same seed gave different weights");
}

#[test]
fn micro_batches_give_the_gradients_of_the_batch() {
    for ((family, _), backend) in cases() {
        let folder = with_dropout(family);
        let batch = batch_for(build_at(backend, folder.path(), 3, None).engine.as_ref(), 2);
        let input = StepInput { batch: &batch, step: 4, learning_rate: 0.0 };
        let gradients = |tokens| {
            let mut built = build_at(backend, folder.path(), 3, tokens);
            built.engine.gradients(input).expect("gradients")
        };
        let (whole_loss, whole) = gradients(None);
        assert_eq!(batch.micro_batches(64, 14).len(), 3);
        let (split_loss, split) = gradients(Some(14));
        assert!((whole_loss - split_loss).abs() < 1e-5 * whole_loss, "{family}: {whole_loss}, {split_loss}");
        for (name, array) in whole.iter().filter(|(name, _)| !nn::is_key_bias(name)) {
            let largest = array.data.iter().fold(0f32, |max, x| max.max(x.abs()));
            for (a, b) in array.data.iter().zip(&split[name].data) {
                assert!((a - b).abs() <= 1e-5 * largest, "{family} {name}: {a}, {b}");
            }
        }
    }
}

#[test]
fn restored_state_continues_bit_for_bit() {
    for ((family, _), backend) in cases() {
        let folder = with_dropout(family);
        let mut uninterrupted = build_at(backend, folder.path(), 3, None);
        let expected = train(uninterrupted.engine.as_mut(), 0..6);
        let mut first = build_at(backend, folder.path(), 3, None);
        train(first.engine.as_mut(), 0..3);
        let state = first.engine.state().expect("a state");
        assert_eq!(state.updates, 3);
        let mut second = build_at(backend, folder.path(), 3, None);
        second.engine.restore(&state).expect("restored");
        assert_eq!(second.engine.state().expect("a state"), state);
        assert_eq!(train(second.engine.as_mut(), 3..6), expected[3..], "{family} {backend:?}");
        let (a, b) =
            (uninterrupted.engine.state().expect("a state"), second.engine.state().expect("a state"));
        assert_eq!(bits(&a.weights), bits(&b.weights), "{family} {backend:?}");
        assert_eq!(bits(&a.second_moments), bits(&b.second_moments), "{family} {backend:?}");
    }
}

/// Enqueued steps give the same result as single steps, and their report is the mean.
#[test]
fn report_of_enqueued_steps_is_their_mean() {
    for ((family, _), backend) in cases() {
        let folder = with_dropout(family);
        let (mut stepped, mut enqueued) =
            (build_at(backend, folder.path(), 3, None), build_at(backend, folder.path(), 3, None));
        let expected = train(stepped.engine.as_mut(), 0..4);
        let mut reports = Vec::new();
        for step in 0..4 {
            let batch = batch_for(enqueued.engine.as_ref(), step as u32);
            let input = StepInput { batch: &batch, step, learning_rate: 1e-3 };
            reports.extend(enqueued.engine.enqueue(input).expect("a step"));
        }
        let report = enqueued.engine.report().expect("a report");
        if let Some(report) = report {
            let mean = expected.iter().map(|report| report.loss).sum::<f64>() / 4.0;
            assert!((report.loss - mean).abs() < 1e-5, "{family} {backend:?}: {report:?}, mean {mean}");
            assert_eq!(report.grad_norm, expected[3].grad_norm, "{family} {backend:?}");
            assert!(reports.is_empty(), "{family} {backend:?}: a step was reported twice");
        } else {
            assert_eq!(reports, expected, "{family} {backend:?}");
        }
        assert_eq!(enqueued.engine.report().expect("no report"), None, "{family} {backend:?}");
        let weights = |built: &Built| bits(&built.engine.weights().expect("weights"));
        assert_eq!(weights(&stepped), weights(&enqueued), "{family} {backend:?}");
    }
}

#[test]
fn gradients_keep_the_state_and_invalid_input_is_an_error() {
    let folder = with_dropout("bert");
    let mut built = build(folder.path(), 3, None);
    let before = built.engine.state().expect("a state");
    let valid = batch(0);
    let input = StepInput { batch: &valid, step: 0, learning_rate: 1e-3 };
    built.engine.gradients(input).expect("gradients");
    assert_eq!(built.engine.state().expect("a state"), before);

    let one = |ids: Vec<u32>, segment: u32, label: Option<u32>| {
        let label = label.map(Label::Class);
        let type_ids = vec![segment; ids.len()];
        Batch::new(&[Encoded { ids, type_ids, label }])
    };
    let cases = [
        (one(vec![5, 101], 0, Some(0)), "token id 101"),
        (one(vec![5; 65], 0, Some(0)), "has 65 tokens, more than the maximum of 64"),
        (one(vec![5], 2, Some(0)), "segment 2"),
        (one(vec![], 0, Some(0)), "no token"),
        (one(vec![5], 0, Some(3)), "label 3"),
        (one(vec![5], 0, None), "without a label"),
        (with_values(one(vec![5], 0, Some(1))), "label 1.5 is a number"),
        (Batch::new([]), "no examples"),
    ];
    for (batch, expected) in cases {
        let input = StepInput { batch: &batch, step: 0, learning_rate: 1e-3 };
        let error = built.engine.step(input).expect_err("an invalid batch").to_string();
        assert!(error.contains(expected), "{error:?} has no {expected:?}");
    }
    assert!(built.engine.logits(&Batch::new([])).expect("nothing").is_empty());

    let mut weights = before.weights.clone();
    weights.remove("classifier.bias");
    let error = built.engine.set_weights(&weights).expect_err("a missing tensor").to_string();
    assert!(error.contains("classifier.bias is missing"), "{error}");
    weights.insert("classifier.bias".into(), nn::Array { shape: vec![2], data: vec![0.0; 2] });
    let error = built.engine.set_weights(&weights).expect_err("a wrong shape").to_string();
    assert!(error.contains("classifier.bias has shape [2]"), "{error}");
    weights.insert("classifier.bias".into(), nn::Array { shape: vec![3], data: vec![0.5; 3] });
    built.engine.set_weights(&weights).expect("the right shape");
    assert_eq!(built.engine.weights().expect("weights"), weights);
}

#[test]
fn invalid_options_are_errors_and_fallbacks_are_noted() {
    let folder = with_dropout("bert");
    let model = ModelFolder::on_disk(folder.path());
    let labels = ["a", "b", "c"].map(str::to_owned);
    let options = BuildOptions {
        optimizer: optimizer(),
        precision: Precision::Bf16,
        engine: EngineChoice::Plain,
        max_examples_per_pass: 8,
        ..BuildOptions::new(&model, (&labels, ProblemType::SingleLabelClassification))
    };
    let built = nn::build(&options).expect("an engine");
    assert_eq!(built.precision, "f32");
    assert!(built.notes.iter().any(|note| note.contains("bf16")), "{:?}", built.notes);
    let fast = nn::build(&BuildOptions { engine: EngineChoice::Fast, ..options.clone() }).expect("an engine");
    assert_ne!(fast.device, built.device, "the fast engine shows its instruction set");
    let no_labels =
        nn::build(&BuildOptions { labels: &labels[..0], ..options.clone() }).expect_err("no label");
    assert!(no_labels.to_string().contains("no labels"), "{no_labels}");
    let rate =
        nn::build(&BuildOptions { classifier_dropout: Some(1.5), ..options.clone() }).expect_err("a rate");
    assert!(rate.to_string().contains("classifier_dropout is 1.5"), "{rate}");
    let set = nn::build(&BuildOptions { classifier_dropout: Some(0.5), ..options }).expect("an engine");
    assert_eq!(set.config.classifier_dropout, 0.5);
}
