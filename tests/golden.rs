//! The engines, on every device of this machine, match Transformers and PyTorch for tiny random models of each family, two
//! of them also as a regression. `tests/reference/make_golden.py` wrote the reference files.

mod backends;

use backends::Backend;
use candle_core::{DType, Device, IndexOp, Tensor};
use glue_tui::batch::{Batch, Encoded, Label};
use glue_tui::catalog::Labels;
use glue_tui::files::{ModelFolder, Root};
use glue_tui::nn::{self, Array, BuildOptions, Built, OptimizerConfig, StepInput, Weights};
use glue_tui::spec::{DeviceSpec, EngineChoice, Precision};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Largest difference in a tensor, relative to its largest element.
const TOLERANCE: f64 = 1e-4;

/// Absolute tolerance of gradients of key biases, which are exactly zero but for rounding.
const KEY_BIAS_FLOOR: f64 = 1e-6;

/// The classifiers.
const CLASSIFIERS: [&str; 10] = [
    "bert",
    "distilbert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "electra",
    "electra-base",
    "albert",
    "albert-groups",
    "mpnet",
];

/// The classifiers with early checkpoints.
const WITH_EARLY_CHECKPOINTS: [&str; 2] = ["bert", "distilbert"];

/// The classifiers and two regressions.
fn models() -> impl Iterator<Item = &'static str> {
    CLASSIFIERS.into_iter().chain(["bert-regression", "distilbert-regression"])
}

const DEFAULT: Backend = Backend { engine: EngineChoice::Auto, device: DeviceSpec::Cpu };

/// Each model with each engine.
fn cases() -> impl Iterator<Item = (&'static str, Backend)> {
    models().flat_map(|family| {
        let all = backends::all().into_iter();
        all.filter(move |backend| backends::supports(*backend, family)).map(move |backend| (family, backend))
    })
}

fn reference(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family)
}

fn golden(family: &str) -> Value {
    let text = std::fs::read(reference(family).join("golden.json")).expect("the golden file");
    serde_json::from_slice(&text).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("a list").iter().map(|v| number(v) as f32).collect()
}

fn batches(golden: &Value) -> Vec<Batch> {
    let ids = |value: &Value| numbers(value).iter().map(|id| *id as u32).collect();
    let example = |value: &Value| Encoded {
        ids: ids(&value["ids"]),
        type_ids: ids(&value["type_ids"]),
        label: Some(match &value["label"] {
            class if class.is_u64() => Label::Class(number(class) as u32),
            value => Label::Value(number(value) as f32),
        }),
    };
    let batch = |value: &Value| {
        Batch::new(&value.as_array().expect("a list").iter().map(example).collect::<Vec<_>>())
    };
    golden["batches"].as_array().expect("a list").iter().map(batch).collect()
}

/// Label smoothing; 0 for a regression.
fn smoothing(golden: &Value) -> f64 {
    golden["label_smoothing"].as_f64().unwrap_or(0.0)
}

fn optimizer(golden: &Value, label_smoothing: f64) -> OptimizerConfig {
    let adamw = &golden["adamw"];
    OptimizerConfig {
        beta1: number(&adamw["betas"][0]),
        beta2: number(&adamw["betas"][1]),
        epsilon: number(&adamw["eps"]),
        weight_decay: number(&adamw["weight_decay"]),
        max_grad_norm: number(&adamw["max_grad_norm"]),
        label_smoothing,
        class_weights: None,
    }
}

/// The losses of sets of labels and of weighted classes, and their gradients, whole and in micro-batches.
#[test]
fn losses_of_sets_and_of_weighted_classes_match_pytorch() {
    let golden = golden("bert");
    let text = std::fs::read(reference("bert").join("losses.json")).expect("the golden file");
    let losses: serde_json::Map<String, Value> = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(losses.len(), 4);
    for ((name, expected), backend) in
        losses.iter().flat_map(|case| backends::all().into_iter().map(move |backend| (case, backend)))
    {
        let mut batch = batches(&golden).swap_remove(0);
        if let Some(sets) = expected["sets"].as_array() {
            let set = |row: &Value| {
                let applies = numbers(row).into_iter().zip(0..).filter(|(number, _)| *number == 1.0);
                Label::set(applies.map(|(_, label)| label))
            };
            batch.labels = sets.iter().map(set).collect();
        }
        for tokens in [None, Some(20)] {
            let optimizer = OptimizerConfig {
                class_weights: expected["weights"].as_array().map(|_| numbers(&expected["weights"]).into()),
                ..optimizer(&golden, number(&expected["label_smoothing"]))
            };
            let mut built = build_with(backend, &reference("bert"), optimizer, tokens);
            let input = StepInput { batch: &batch, step: 0, learning_rate: 0.0 };
            let (loss, gradients) = built.engine.gradients(input).expect("gradients");
            let what = format!("{name}, {backend:?}, {tokens:?}");
            let expected_loss = number(&expected["loss"]);
            assert!((loss - expected_loss).abs() < 1e-5, "{what}: loss {loss}, expected {expected_loss}");
            for (parameter, gradient) in expected["gradients"].as_object().expect("an object") {
                let what = format!("{what}: {parameter}");
                assert_close(&what, &gradients[parameter].data, &numbers(gradient), 0.0);
            }
        }
    }
}

/// An engine for the model in a folder; `tokens` limits the size of micro-batches.
fn build(
    backend: Backend,
    folder: &Path,
    golden: &Value,
    label_smoothing: f64,
    tokens: Option<usize>,
) -> Built {
    build_with(backend, folder, optimizer(golden, label_smoothing), tokens)
}

fn build_with(
    Backend { engine, device }: Backend,
    folder: &Path,
    optimizer: OptimizerConfig,
    tokens: Option<usize>,
) -> Built {
    let folder = ModelFolder::on_disk(folder);
    let config = nn::ModelConfig::read(&folder).expect("a configuration");
    let labels = config.id2label.for_outputs(config.id2label.num_labels() as usize).expect("names");
    nn::build(&BuildOptions {
        folder: &folder,
        labels: &labels,
        problem_type: config.problem_type(labels.len()).expect("a problem type"),
        label_map: None,
        seed: 1,
        classifier_dropout: None,
        optimizer,
        device,
        precision: Precision::F32,
        engine,
        max_examples_per_pass: 64,
        max_tokens_per_pass: tokens,
        threads: None,
        can_check_engine: false,
    })
    .expect("an engine")
}

fn assert_close(what: &str, found: &[f32], expected: &[f32], floor: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0, |max: f64, x| max.max(f64::from(x.abs())));
    let difference = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from((a - b).abs()))
        .fold(0.0, |max: f64, x| if x.is_nan() { f64::INFINITY } else { max.max(x) });
    assert!(
        difference <= (TOLERANCE * largest).max(floor),
        "{what}: differs by {difference:e}, largest {largest:e}"
    );
}

fn assert_all_close(what: &str, found: &Weights, expected: &Weights) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}: names");
    for (name, Array { shape, data }) in expected {
        assert_eq!(&found[name].shape, shape, "{what} of {name}");
        let floor = if nn::is_key_bias(name) { KEY_BIAS_FLOOR } else { 0.0 };
        assert_close(&format!("{what} of {name}"), &found[name].data, data, floor);
    }
}

fn arrays(family: &str, file: &str) -> Weights {
    nn::read_arrays(&reference(family).join(file)).expect("a golden file").0
}

#[test]
fn logits_and_losses_match() {
    for (family, backend) in cases() {
        let golden = golden(family);
        let batch = &batches(&golden)[0];
        let expected: Vec<Vec<f32>> =
            golden["logits"].as_array().expect("a list").iter().map(numbers).collect();
        let smoothed = Some((smoothing(&golden), "smoothed_loss")).filter(|(smoothing, _)| *smoothing > 0.0);
        for (smoothing, key) in std::iter::once((0.0, "loss")).chain(smoothed) {
            let mut built = build(backend, &reference(family), &golden, smoothing, None);
            assert!(
                built.report.missing.is_empty() && built.report.unexpected.is_empty(),
                "{:?}",
                built.report
            );
            let logits = built.engine.logits(batch).expect("logits");
            assert_close(family, &logits.concat(), &expected.concat(), 0.0);
            let input = StepInput { batch, step: 0, learning_rate: 0.0 };
            let (loss, _) = built.engine.gradients(input).expect("gradients");
            let expected = number(&golden[key]);
            assert!((loss - expected).abs() <= TOLERANCE * expected, "{family} {key}: {loss}, {expected}");
        }
    }
}

/// Integrated gradients match autograd in PyTorch. They sum to the difference of the logits up to the error of the
/// quadrature, which is larger for DistilBERT because ReLU is not smooth.
#[test]
fn integrated_gradients_match() {
    for (family, backend) in cases().filter(|(_, backend)| backends::has_input_gradients(*backend)) {
        let golden = golden(family);
        let saliency = &golden["saliency"];
        let whole = |key: &str| saliency[key].as_u64().expect("a number") as usize;
        let example = &golden["batches"][0][whole("example")];
        let ids = |value: &Value| -> Vec<u32> { numbers(value).iter().map(|id| *id as u32).collect() };
        let input = Encoded { ids: ids(&example["ids"]), type_ids: ids(&example["type_ids"]), label: None };
        let baseline = ids(&saliency["baseline"]);
        let mut built = build(backend, &reference(family), &golden, 0.0, None);
        let input_and_baseline = (&input, baseline.as_slice());
        let (class, points) = (whole("class"), whole("points"));
        let found =
            nn::integrated_gradients(&mut *built.engine, input_and_baseline, class, points, &mut || true);
        let found = found.expect("gradients").expect("not cancelled");
        let tokens: Vec<f32> = found.iter().map(|x| *x as f32).collect();
        assert_close(family, &tokens, &numbers(&saliency["tokens"]), 0.0);
        let (sum, difference) = (found.iter().sum::<f64>(), number(&saliency["difference"]));
        assert!((sum - difference).abs() < 1e-2 * difference.abs(), "{family}: {sum}, {difference}");
        assert_eq!(
            (tokens[0], tokens[tokens.len() - 1]),
            (0.0, 0.0),
            "tokens equal to the baseline have no attribution"
        );
        let mut calls = 0;
        let mut once = || std::mem::replace(&mut calls, 1) == 0;
        let cancelled =
            nn::integrated_gradients(&mut *built.engine, input_and_baseline, class, 500, &mut once);
        assert_eq!(cancelled.expect("gradients"), None);
    }
}

#[test]
fn gradients_match() {
    for (family, backend) in cases() {
        let golden = golden(family);
        // Without micro-batches and with small ones.
        for tokens in [None, Some(12)] {
            let mut built = build(backend, &reference(family), &golden, smoothing(&golden), tokens);
            let input = StepInput { batch: &batches(&golden)[0], step: 0, learning_rate: 0.0 };
            let (_, gradients) = built.engine.gradients(input).expect("gradients");
            assert_all_close(
                &format!("{family}, {backend:?}, at most {tokens:?} tokens: gradient"),
                &gradients,
                &arrays(family, "gradients.safetensors"),
            );
        }
    }
}

#[test]
fn ten_adamw_steps_match() {
    for (family, backend) in cases() {
        let golden = golden(family);
        let batches = batches(&golden);
        let mut built = build(backend, &reference(family), &golden, smoothing(&golden), None);
        let steps = golden["steps"].as_array().expect("a list");
        assert_eq!(steps.len(), 10);
        for (step, expected) in steps.iter().enumerate() {
            let batch = &batches[step % batches.len()];
            let learning_rate = number(&expected["learning_rate"]);
            let input = StepInput { batch, step: step as u64, learning_rate };
            let report = built.engine.step(input).expect("a step");
            for (found, key) in [(report.loss, "loss"), (report.grad_norm, "grad_norm")] {
                let expected = number(&expected[key]);
                let difference = (found - expected).abs();
                assert!(
                    difference <= TOLERANCE * expected,
                    "{family} {backend:?} step {step}: {key} {found}, {expected}"
                );
            }
        }
        let trained = arrays(family, "trained.safetensors");
        assert_all_close(
            &format!("{family} {backend:?}: weight"),
            &built.engine.weights().expect("weights"),
            &trained,
        );
        // The weights must have changed by more than the tolerance, or the comparison would be meaningless.
        let before = arrays(family, "model.safetensors");
        for (name, array) in trained.iter().filter(|(name, _)| !nn::is_key_bias(name)) {
            let changes = array.data.iter().zip(&before[name].data).map(|(a, b)| (a - b).abs());
            let largest = array.data.iter().fold(0f32, |max, x| max.max(x.abs()));
            assert!(changes.fold(0.0, f32::max) > 1e-3 * largest, "{family}: {name} hardly changes");
        }
    }
}

#[test]
fn weight_decay_groups_match_the_trainer() {
    for family in CLASSIFIERS {
        let golden = golden(family);
        let config =
            nn::ModelConfig::read(&ModelFolder::on_disk(reference(family))).expect("a configuration");
        let mut found: Vec<_> = nn::param_specs(&config, 3)
            .into_iter()
            .filter(|spec| spec.has_weight_decay)
            .map(|spec| spec.name)
            .collect();
        found.sort_unstable();
        let expected: Vec<&str> =
            golden["decay"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(found, expected, "{family}");
    }
}

/// Names without prefix, `gamma` and `beta`, and both formats of `torch.save`.
#[test]
fn old_checkpoint_formats_give_the_same_logits() {
    for family in WITH_EARLY_CHECKPOINTS {
        let golden = golden(family);
        let batch = &batches(&golden)[0];
        let logits = |folder: &Path| {
            let mut built = build(DEFAULT, folder, &golden, 0.0, None);
            assert!(
                built.report.missing.is_empty() && built.report.unexpected.is_empty(),
                "{:?}",
                built.report
            );
            built.engine.logits(batch).expect("logits")
        };
        let expected = logits(&reference(family));
        for file in ["zip.bin", "legacy.bin"] {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::copy(reference(family).join("config.json"), folder.path().join("config.json"))
                .expect("a copy");
            std::fs::copy(reference(family).join(file), folder.path().join("pytorch_model.bin"))
                .expect("a copy");
            assert_eq!(logits(folder.path()), expected, "{family} from {file}");
        }
    }
}

/// A checkpoint of `torch.save` that is embedded in the binary.
#[test]
fn embedded_checkpoint_loads() {
    static FILES: [(&str, &[u8]); 2] = [
        ("config.json", include_bytes!("reference/distilbert/config.json")),
        ("pytorch_model.bin", include_bytes!("reference/distilbert/zip.bin")),
    ];
    let folder = ModelFolder { name: "embedded".into(), commit: None, root: Root::Embedded(&FILES) };
    let built = nn::for_inference(&folder, DeviceSpec::Cpu, None).expect("a classifier");
    assert_eq!(built.engine.weights().expect("weights"), arrays("distilbert", "model.safetensors"));
    assert_eq!(built.labels, ["low", "middle", "high"]);
}

/// Weights in two shards with an index, and in f16, which are equal up to the precision of f16.
#[test]
fn sharded_and_f16_weights_load() {
    let golden = golden("bert");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |file: &str| folder.path().join(file);
    std::fs::copy(reference("bert").join("config.json"), at("config.json")).expect("a copy");
    let weights = arrays("bert", "model.safetensors");
    let (mut map, mut halves) = (serde_json::Map::new(), [Weights::new(), Weights::new()]);
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    for (index, (name, array)) in weights.iter().enumerate() {
        halves[index % 2].insert(name.clone(), array.clone());
        map.insert(name.clone(), files[index % 2].into());
    }
    for (file, half) in files.iter().zip(&halves) {
        nn::write_arrays(&at(file), half, &std::collections::BTreeMap::new()).expect("a file");
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    std::fs::write(at("model.safetensors.index.json"), index.to_string()).expect("a file");
    assert_eq!(build(DEFAULT, folder.path(), &golden, 0.0, None).engine.weights().expect("weights"), weights);

    let half = |array: &Array| {
        let tensor = Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu);
        tensor.and_then(|tensor| tensor.to_dtype(DType::F16)).expect("a tensor")
    };
    let tensors = weights.iter().map(|(name, array)| (name.clone(), half(array))).collect();
    candle_core::safetensors::save(&tensors, at("model.safetensors")).expect("a file");
    let read = build(DEFAULT, folder.path(), &golden, 0.0, None).engine.weights().expect("weights");
    assert_ne!(read, weights);
    for (name, array) in &weights {
        for (a, b) in read[name].data.iter().zip(&array.data) {
            assert!((a - b).abs() <= b.abs() / 1024.0 + 1e-7, "{name}: {a}, {b}");
        }
    }
}

/// A saved model loads with the same weights, labels and logits.
#[test]
fn saved_model_loads_unchanged() {
    for family in models() {
        let golden = golden(family);
        let batch = &batches(&golden)[0];
        let mut built = build(DEFAULT, &reference(family), &golden, 0.0, None);
        let input = StepInput { batch, step: 0, learning_rate: 1e-3 };
        built.engine.step(input).expect("a step");
        let folder = tempfile::tempdir().expect("a folder");
        let names = ["a", "b", "c"].map(str::to_owned);
        let labels = match built.labels.len() {
            1 => Labels::Scale { low: 0.0, high: 5.0 },
            outputs => names[..outputs].to_vec().into(),
        };
        let weights = built.engine.weights().expect("weights");
        let bytes = nn::save_model(
            folder.path(),
            &built.config,
            &labels,
            &nn::TensorSource::from_weights(&weights, ""),
        )
        .expect("a folder");
        assert!(bytes > 20_000, "{bytes}");
        let config = std::fs::read(folder.path().join("config.json")).expect("the configuration");
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        let problem =
            if family.ends_with("regression") { "regression" } else { "single_label_classification" };
        assert_eq!(
            (&config["problem_type"], config["num_labels"].as_u64()),
            (&problem.into(), Some(labels.outputs() as u64))
        );
        let model = ModelFolder::on_disk(folder.path());
        let mut loaded = nn::for_inference(&model, DeviceSpec::Cpu, None).expect("a classifier");
        assert_eq!(loaded.labels, labels.names());
        assert_eq!(loaded.engine.weights().expect("weights"), weights);
        assert_eq!(loaded.engine.logits(batch).expect("logits"), built.engine.logits(batch).expect("logits"));
    }
}

/// candle-transformers has the encoder alone; the head is done here by hand.
#[test]
fn candle_transformers_is_a_second_oracle() {
    use candle_transformers::models::bert::{BertModel, Config};
    let golden = golden("bert");
    let batch = &batches(&golden)[0];
    let ours = build(DEFAULT, &reference("bert"), &golden, 0.0, None).engine.logits(batch).expect("logits");

    let folder = reference("bert");
    let text = std::fs::read(folder.join("config.json")).expect("the configuration");
    let config: Config = serde_json::from_slice(&text).expect("a configuration that it knows");
    let bytes = std::fs::read(folder.join("model.safetensors")).expect("the weights");
    let cpu = &Device::Cpu;
    let theirs = || -> candle_core::Result<Vec<Vec<f32>>> {
        let vars = candle_nn::VarBuilder::from_buffered_safetensors(bytes, DType::F32, cpu)?;
        let model = BertModel::load(vars.pp("bert"), &config)?;
        let linear = |name: &str, rows: usize| -> candle_core::Result<(Tensor, Tensor)> {
            Ok((vars.pp(name).get((rows, 32), "weight")?, vars.pp(name).get(rows, "bias")?))
        };
        let (pooler, classifier) = (linear("bert.pooler.dense", 32)?, linear("classifier", 3)?);
        let apply =
            |x: &Tensor, (weight, bias): &(Tensor, Tensor)| x.matmul(&weight.t()?)?.broadcast_add(bias);
        let mut rows = Vec::new();
        for bounds in batch.offsets.windows(2) {
            let ids = Tensor::new(&batch.ids[bounds[0]..bounds[1]], cpu)?.unsqueeze(0)?;
            let type_ids = Tensor::new(&batch.type_ids[bounds[0]..bounds[1]], cpu)?.unsqueeze(0)?;
            let first = model.forward(&ids, &type_ids, None)?.i((.., 0))?;
            let pooled = apply(&first.contiguous()?, &pooler)?.tanh()?;
            rows.extend(apply(&pooled, &classifier)?.to_vec2::<f32>()?);
        }
        Ok(rows)
    };
    assert_close("candle-transformers", &ours.concat(), &theirs().expect("their logits").concat(), 0.0);
}

/// A model without a head can be trained but not used for inference.
#[test]
fn model_without_head_trains_but_cannot_predict() {
    let golden = golden("bert");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |file: &str| folder.path().join(file);
    std::fs::copy(reference("bert").join("config.json"), at("config.json")).expect("a copy");
    let mut weights = arrays("bert", "model.safetensors");
    weights.retain(|name, _| !name.starts_with("classifier"));
    nn::write_arrays(&at("model.safetensors"), &weights, &std::collections::BTreeMap::new()).expect("a file");
    let built = build(DEFAULT, folder.path(), &golden, 0.0, None);
    assert_eq!(built.report.missing, ["classifier.weight", "classifier.bias"]);
    let error =
        nn::for_inference(&ModelFolder::on_disk(folder.path()), DeviceSpec::Cpu, None).expect_err("no head");
    assert!(error.to_string().contains("not a fine-tuned classifier"), "{error}");
    assert_eq!(error.exit_code(), 3);
}
