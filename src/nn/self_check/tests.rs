//! The check with two engines of the CPU, of which one is made wrong.

use super::*;
use crate::files::ModelFolder;
use crate::nn::OptimizerConfig;
use crate::nn::build::{BuildOptions, build};
use crate::nn::engine_config::{EngineConfig, MicroBatchLimits};
use crate::nn::fast::FastEngine;
use crate::nn::load::init_weights;
use crate::nn::param_specs;
use crate::nn::plain::PlainEngine;
use crate::spec::{DeviceSpec, EngineChoice, Precision, RunSpec, built_in};
use candle_core::Device;
use std::path::Path;

const BERT: &str = r#"{"model_type": "bert", "vocab_size": 60, "hidden_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 64, "type_vocab_size": 2,
    "initializer_range": 0.1}"#;

const DISTILBERT: &str = r#"{"model_type": "distilbert", "vocab_size": 60, "dim": 24, "n_layers": 2, "n_heads": 2,
    "hidden_dim": 40, "max_position_embeddings": 64, "initializer_range": 0.1}"#;

/// The head of a classifier with three classes.
const CLASSES: (ProblemType, usize) = (ProblemType::SingleLabelClassification, 3);

/// What is wrong with the fast engine.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Other dropout masks.
    Seed,
    /// Another loss.
    Loss,
    /// A tensor of zeros.
    Weight,
    Decay,
    Clipping,
    /// The softmax of attention drops its gradient.
    Gradient,
    Nan,
    Error,
    Panic,
}

struct Model {
    config: ModelConfig,
    head: (ProblemType, usize),
    weights: Weights,
}

impl Model {
    fn new(config: &str, head: (ProblemType, usize)) -> Self {
        let config = ModelConfig::parse("m", config.as_bytes()).expect("a valid configuration");
        let weights = init_weights(&config, &param_specs(&config, head.1), 1);
        Model { config, head, weights }
    }

    fn settings(fault: Fault) -> EngineConfig {
        EngineConfig {
            seed: if fault == Fault::Seed { 4 } else { 3 },
            optimizer: OptimizerConfig {
                weight_decay: if fault == Fault::Decay { 4e3 } else { 0.1 },
                max_grad_norm: if fault == Fault::Clipping { 1e-9 } else { 1.0 },
                label_smoothing: if fault == Fault::Loss { 0.5 } else { 0.0 },
                ..OptimizerConfig::default()
            },
            limits: MicroBatchLimits { max_examples: 32, max_tokens: 100 },
            precision: Precision::F32,
            threads: Some(1),
        }
    }

    fn plain(&self, fault: Fault) -> Result<PlainEngine> {
        let specs = param_specs(&self.config, self.head.1);
        PlainEngine::new(&self.config, &specs, &self.weights, Self::settings(fault), &Device::Cpu, None)
    }

    fn fast(&self, fault: Fault) -> Result<(Box<dyn Engine>, &'static str)> {
        let mut weights = self.weights.clone();
        match fault {
            Fault::Error => return Err(Error::Device("the GPU has no memory".into())),
            Fault::Panic => panic!("index out of bounds"),
            Fault::Gradient => {
                let mut plain = self.plain(fault)?;
                plain.set_softmax(candle_nn::ops::softmax_last_dim);
                return Ok((Box::new(plain), "f32"));
            }
            Fault::Weight | Fault::Nan => {
                let (_, array) = weights
                    .iter_mut()
                    .find(|(name, _)| name.contains("layer.1.") && name.ends_with("value.weight"))
                    .expect("a tensor");
                array.data.fill(if fault == Fault::Nan { f32::NAN } else { 0.0 });
            }
            _ => {}
        }
        let specs = param_specs(&self.config, self.head.1);
        Ok((Box::new(FastEngine::new(&self.config, &specs, &weights, Self::settings(fault))?), "f32"))
    }

    fn select(&self, fault: Fault) -> Result<(Box<dyn Engine>, &'static str, String), String> {
        let reference = || Ok(Box::new(self.plain(Fault::None)?) as Box<dyn Engine>);
        select(&self.config, self.head, &self.weights, &reference, &|| self.fast(fault))
    }
}

#[test]
fn right_engine_is_selected_in_its_initial_state() {
    for (config, head) in [
        (BERT, CLASSES),
        (BERT, (ProblemType::Regression, 1)),
        (BERT, (ProblemType::MultiLabelClassification, 4)),
        (BERT, (ProblemType::MultiLabelClassification, 1)),
        (DISTILBERT, (ProblemType::SingleLabelClassification, 2)),
    ] {
        let model = Model::new(config, head);
        let (engine, precision, note) =
            model.select(Fault::None).unwrap_or_else(|warning| panic!("{warning}"));
        assert!(precision == "f32" && note.contains("agrees with \"plain\""), "{note}");
        assert_eq!(engine.updates(), 0);
        assert_eq!(engine.weights().expect("weights"), model.weights);
    }
}

#[test]
fn wrong_engine_is_not_selected() {
    let model = Model::new(BERT, CLASSES);
    for (fault, reason) in [
        (Fault::Seed, "differs"),
        (Fault::Loss, "the loss differs"),
        (Fault::Weight, "differs"),
        (Fault::Nan, "NaN"),
        (Fault::Decay, "the change of the weights"),
        (Fault::Clipping, "the change of the weights"),
        (Fault::Gradient, "the parameters with a gradient differ"),
        (Fault::Error, "the GPU has no memory"),
        (Fault::Panic, "index out of bounds"),
    ] {
        let Err(warning) = model.select(fault) else { panic!("{fault:?} was not found") };
        assert!(
            warning.contains(reason) && warning.contains("\"plain\" was selected"),
            "{fault:?}: {warning}"
        );
    }
}

/// Rounding to bf16 is within its tolerance for a real model.
#[test]
fn bf16_of_a_pretrained_model_passes() {
    let Some(folder) = std::env::var_os("GLUE_TUI_MINILM") else {
        return eprintln!(
            "SKIPPED: GLUE_TUI_MINILM names no folder of MiniLM, so no pretrained model was checked"
        );
    };
    if !crate::nn::precisions().contains(&"bf16") {
        return eprintln!("SKIPPED: bf16: this CPU has no avx512_bf16");
    }
    let folder = ModelFolder::on_disk(Path::new(&folder));
    let labels: Vec<String> = ["a", "b"].map(str::to_owned).to_vec();
    let head = (ProblemType::SingleLabelClassification, 2);
    let built = |engine, precision| {
        let spec = RunSpec { engine, precision, device: DeviceSpec::Cpu, ..built_in("x") };
        build(&BuildOptions::from_spec(&spec, &folder, (&labels, head.0))).expect("an engine")
    };
    let (mut plain, mut fast) =
        (built(EngineChoice::Plain, Precision::F32), built(EngineChoice::Fast, Precision::Bf16));
    assert_eq!(fast.precision, "bf16");
    let before = plain.engine.weights().expect("weights");
    let batch = batch(&plain.config, head);
    let expected = run(plain.engine.as_mut(), &batch, 1).expect("a step");
    let found = run(fast.engine.as_mut(), &batch, 3).expect("a step");
    let note = compare(&found, &expected, &before, Tolerance::of("bf16")).expect("agreement");
    println!("{note}");
    compare(&found, &expected, &before, Tolerance::of("f32")).expect_err("bf16 is less precise than f32");
}

/// The labels are of the kind that the model is trained on, so that the check runs the kernel of its loss.
#[test]
fn labels_are_of_the_problem_type() {
    let config = Model::new(BERT, CLASSES).config;
    let labels = |problem_type, outputs| batch(&config, (problem_type, outputs)).labels;
    assert!(labels(ProblemType::Regression, 1).iter().all(|label| label.value().is_some()));
    let classes = labels(ProblemType::SingleLabelClassification, 3);
    assert!((0..3).all(|class| classes.contains(&Label::Class(class))));
    for outputs in [1, 2, 40] {
        let sets = labels(ProblemType::MultiLabelClassification, outputs);
        assert!(sets.iter().all(|label| matches!(label, Label::Set(_))));
        assert!(sets.contains(&Label::set([])) && sets.contains(&Label::set(0..outputs as u32)));
    }
}

/// A difference in one small tensor is found although it is small beside all gradients.
#[test]
fn one_wrong_tensor_is_found() {
    let head = (ProblemType::SingleLabelClassification, 2);
    let model = Model::new(DISTILBERT, head);
    let mut plain = model.plain(Fault::None).expect("an engine");
    let batch = batch(&model.config, head);
    let run = |engine: &mut PlainEngine| run(engine, &batch, 1).expect("a step");
    let expected = run(&mut plain);
    let tolerance = Tolerance::of("bf16");
    let outcome = |change: &dyn Fn(&str, &mut Array)| {
        let mut found = run(&mut model.plain(Fault::None).expect("an engine"));
        found.gradients.iter_mut().for_each(|(name, array)| change(name, array));
        compare(&found, &expected, &model.weights, tolerance)
    };
    outcome(&|_, _| {}).expect("no difference");
    let name = "distilbert.transformer.layer.0.attention.out_lin.bias";
    assert!(expected.gradients.contains_key(name));
    let problem = outcome(&|found, array| {
        if found == name {
            array.data.iter_mut().for_each(|x| *x *= -1.0);
        }
    });
    assert!(problem.expect_err("a difference").contains(name));
}
