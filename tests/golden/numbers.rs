//! Logits, losses, gradients and steps match PyTorch.

use super::{
    CLASSIFIERS, DEFAULT, TOLERANCE, arrays, assert_all_close, assert_close, backends, batches, build,
    build_with, cases, golden, has_zero_gradient, label_sets, number, numbers, optimizer, reference,
    smoothing,
};
use candle_core::{DType, Device, IndexOp, Tensor};
use glue_tui::batch::Encoded;
use glue_tui::files::ModelFolder;
use glue_tui::nn::{self, OptimizerConfig, ParamState, StepInput};
use serde_json::Value;

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
                (family, &format!("{backend:?}, at most {tokens:?} tokens: gradient")),
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
            (family, &format!("{backend:?}: weight")),
            &built.engine.weights().expect("weights"),
            &trained,
        );
        // The weights must have changed by more than the tolerance, or the comparison would be meaningless.
        let before = arrays(family, "model.safetensors");
        for (name, array) in trained.iter().filter(|(name, _)| !has_zero_gradient(family, name)) {
            let changes = array.data.iter().zip(&before[name].data).map(|(a, b)| (a - b).abs());
            let largest = array.data.iter().fold(0f32, |max, x| max.max(x.abs()));
            assert!(changes.fold(0.0, f32::max) > 1e-3 * largest, "{family}: {name} hardly changes");
        }
    }
}

/// The moving average of ten steps is that of `torch.optim.swa_utils.AveragedModel`.
#[test]
fn moving_average_matches() {
    let golden = golden("bert");
    let batches = batches(&golden);
    let steps = golden["steps"].as_array().expect("a list");
    let expected = arrays("bert", "average.safetensors");
    let before = arrays("bert", "model.safetensors");
    for (_, backend) in cases().filter(|(family, _)| *family == "bert") {
        let optimizer = OptimizerConfig { ema_decay: Some(0.8), ..optimizer(&golden, smoothing(&golden)) };
        let mut engine = build_with(backend, &reference("bert"), optimizer, None).engine;
        assert!(engine.has_average());
        assert_eq!(
            engine.tensors(ParamState::Average).expect("averages"),
            engine.weights().expect("weights")
        );
        for (step, expected) in steps.iter().enumerate() {
            let (batch, learning_rate) = (&batches[step % batches.len()], number(&expected["learning_rate"]));
            engine.step(StepInput { batch, step: step as u64, learning_rate }).expect("a step");
        }
        let average = engine.tensors(ParamState::Average).expect("averages");
        assert_all_close(("bert", &format!("{backend:?}: average")), &average, &expected);
        let weights = engine.weights().expect("weights");
        let own = engine.logits(&batches[0]).expect("logits");
        engine.swap_average().expect("an average");
        assert_eq!(engine.weights().expect("weights"), average);
        assert_eq!(engine.tensors(ParamState::Average).expect("averages"), weights);
        let of_average = engine.logits(&batches[0]).expect("logits");
        engine.swap_average().expect("an average");
        assert_eq!(engine.weights().expect("weights"), weights);
        assert_eq!(engine.logits(&batches[0]).expect("logits"), own);
        // The logits are those of a model with the averaged weights.
        let mut other = build(backend, &reference("bert"), &golden, 0.0, None).engine;
        assert!(!other.has_average());
        other.set_weights(&average).expect("set");
        assert_eq!(other.logits(&batches[0]).expect("logits"), of_average);
        assert!(other.swap_average().is_err());
    }
    for (name, array) in expected.iter().filter(|(name, _)| !has_zero_gradient("bert", name)) {
        let changes = array.data.iter().zip(&before[name].data).map(|(a, b)| (a - b).abs());
        let largest = array.data.iter().fold(0f32, |max, x| max.max(x.abs()));
        assert!(changes.fold(0.0, f32::max) > 1e-3 * largest, "{name} hardly changes");
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
            batch.labels = label_sets(sets);
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
