//! Precision int8: the logits of every family are near those in f32, and what int8 does not support is refused.

use super::{DEFAULT, batches, build, golden, models, reference};
use glue_tui::batch::Batch;
use glue_tui::catalog::ProblemType;
use glue_tui::error::{Error, Result};
use glue_tui::files::ModelFolder;
use glue_tui::nn::{self, BuildOptions, Built, Engine, Interpolation, StepInput};
use glue_tui::spec::{DeviceSpec, EngineChoice, Precision};

/// Largest difference of a logit from f32, relative to the largest logit of the model. A row of these tiny models has few
/// elements, so that the errors of quantization hardly cancel. The gates of ModernBERT multiply two such errors: PyTorch with the
/// weights and inputs of all layers rounded in the same way differs by 0.103 there, and by 0.029 for BERT.
fn bound(family: &str) -> f32 {
    if family.starts_with("modernbert") { 0.12 } else { 0.05 }
}

fn engine(family: &str, precision: Precision) -> Box<dyn Engine> {
    let folder = ModelFolder::on_disk(reference(family));
    let Built { engine, precision: found, .. } =
        nn::for_inference(&folder, DeviceSpec::Auto, Some(precision)).expect("a classifier");
    assert_eq!(found, precision.name(), "{family}");
    engine
}

fn logits(engine: &mut dyn Engine, batches: &[Batch]) -> Vec<f32> {
    batches.iter().flat_map(|batch| engine.logits(batch).expect("logits").concat()).collect()
}

/// The largest difference and the largest absolute value of `expected`.
fn difference(found: &[f32], expected: &[f32]) -> (f32, f32) {
    assert_eq!(found.len(), expected.len());
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    assert!(found.iter().all(|logit| logit.is_finite()));
    (difference.fold(0.0, f32::max), expected.iter().fold(0.0, |largest, x| x.abs().max(largest)))
}

#[test]
fn logits_are_near_f32_for_every_family() {
    for family in models() {
        let batches = batches(&golden(family));
        let expected = logits(engine(family, Precision::F32).as_mut(), &batches);
        let found = logits(engine(family, Precision::Int8).as_mut(), &batches);
        let (difference, largest) = difference(&found, &expected);
        eprintln!("{family}: {:.4} of the largest logit", difference / largest);
        assert!(difference > 0.0, "{family}: the products are those of f32");
        assert!(
            difference <= bound(family) * largest,
            "{family}: differs by {difference}, largest {largest}"
        );
    }
}

#[test]
fn an_example_has_the_same_logits_in_any_batch() {
    let mut engine = engine("bert", Precision::Int8);
    let batch = &batches(&golden("bert"))[0];
    let together = engine.logits(batch).expect("logits");
    let alone: Vec<_> = batch
        .micro_batches(1, usize::MAX)
        .iter()
        .flat_map(|one| engine.logits(one).expect("logits"))
        .collect();
    let (difference, largest) = difference(&alone.concat(), &together.concat());
    assert!(difference <= 1e-5 * largest, "{difference}");
}

#[test]
fn new_weights_are_quantized() {
    let batches = batches(&golden("bert"));
    let mut engine = engine("bert", Precision::Int8);
    let before = logits(engine.as_mut(), &batches);
    let weights = engine.weights().expect("weights");
    let mut other = weights.clone();
    for array in other.values_mut() {
        array.data.iter_mut().for_each(|x| *x *= 0.5);
    }
    engine.set_weights(&other).expect("weights of the same shapes");
    assert_ne!(logits(engine.as_mut(), &batches), before);
    engine.set_weights(&weights).expect("weights of the same shapes");
    assert_eq!(logits(engine.as_mut(), &batches), before);
    assert!(engine.weights().expect("weights") == weights, "the weights themselves stay f32");
}

fn usage_error<T>(result: Result<T>) -> String {
    match result {
        Err(Error::Usage(problem)) => problem,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("int8 is accepted"),
    }
}

#[test]
fn gradients_are_refused() {
    let mut engine = engine("bert", Precision::Int8);
    let batch = &batches(&golden("bert"))[0];
    let input = StepInput { batch, step: 0, learning_rate: 1e-3 };
    assert!(usage_error(engine.step(input)).contains("training steps need"));
    assert!(usage_error(engine.gradients(input)).contains("use f32 or bf16"));
    let (baseline_ids, alphas) = (vec![0; batch.tokens()], vec![1.0; batch.tokens()]);
    let input = Interpolation { batch, baseline_ids: &baseline_ids, alphas: &alphas };
    assert!(usage_error(engine.input_gradients(input, 0)).contains("word attributions"));
    assert_eq!(engine.updates(), 0);
}

#[test]
fn training_and_other_engines_and_devices_are_refused() {
    let folder = ModelFolder::on_disk(reference("bert"));
    let labels = ["low", "middle", "high"].map(String::from);
    let options = BuildOptions {
        seed: 1,
        precision: Precision::Int8,
        max_examples_per_pass: 64,
        ..BuildOptions::new(&folder, (&labels, ProblemType::SingleLabelClassification))
    };
    assert!(usage_error(nn::build(&options)).contains("for inference"));
    let plain = BuildOptions { engine: EngineChoice::Plain, ..options };
    assert!(usage_error(nn::from_config(&plain)).contains("the fast engine"));
    for device in [DeviceSpec::Cuda(0), DeviceSpec::Metal] {
        let error = usage_error(nn::for_inference(&folder, device, Some(Precision::Int8)));
        assert!(error.contains("for the CPU") && error.contains(&device.to_string()), "{error}");
    }
    build(DEFAULT, &reference("bert"), &golden("bert"), 0.0, None);
}
