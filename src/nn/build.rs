//! A model folder and a few choices → an engine that is ready.

use super::config::ModelConfig;
use super::device::{self, DeviceKind, Place};
use super::engine::{Engine, Optimizer, Weights};
use super::fast::FastEngine;
use super::load::{LoadReport, fresh, listed, load};
use super::names::{ParamSpec, table};
use super::plain::PlainEngine;
use super::{Limits, Settings};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::spec::{DeviceSpec, EngineChoice, Precision, RunSpec};

/// What an engine is made of.
#[derive(Debug, Clone)]
pub struct Build<'a> {
    /// Configuration and weights.
    pub folder: &'a ModelFolder,
    /// Label names; their number is that of the logits. One alone makes a regression.
    pub labels: &'a [String],
    /// Key of new weights and of dropout.
    pub seed: u64,
    /// Dropout before the last layer; the model's own when absent.
    pub classifier_dropout: Option<f64>,
    /// AdamW and the loss.
    pub optimizer: Optimizer,
    /// The device.
    pub device: DeviceSpec,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Which engine.
    pub engine: EngineChoice,
    /// Examples that one pass of a step takes; a larger batch is done in parts.
    pub max_examples_per_pass: usize,
    /// Tokens that one pass takes; no limit when absent.
    pub max_tokens_per_pass: Option<usize>,
    /// Threads of the CPU; all cores when absent.
    pub threads: Option<usize>,
}

impl<'a> Build<'a> {
    /// As `spec` says, from `folder`, for outputs of these names.
    pub fn of(spec: &'a RunSpec, folder: &'a ModelFolder, labels: &'a [String]) -> Self {
        Build {
            folder,
            labels,
            seed: spec.seed,
            classifier_dropout: spec.classifier_dropout,
            optimizer: Optimizer {
                beta1: spec.adam_beta1,
                beta2: spec.adam_beta2,
                epsilon: spec.adam_epsilon,
                weight_decay: spec.weight_decay,
                max_grad_norm: spec.max_grad_norm,
                label_smoothing: spec.label_smoothing_factor,
            },
            device: spec.device,
            precision: spec.precision,
            engine: spec.engine,
            max_examples_per_pass: spec.per_device_train_batch_size,
            max_tokens_per_pass: spec.max_tokens_per_batch,
            threads: spec.threads,
        }
    }
}

/// An engine, and what is worth saying about it.
pub struct Built {
    /// It computes.
    pub engine: Box<dyn Engine>,
    /// The model, with the dropout that was asked for.
    pub config: ModelConfig,
    /// What became of the tensors.
    pub report: LoadReport,
    /// The device, in words: `cpu, 2 threads`.
    pub device: String,
    /// The kind of the device.
    pub device_kind: DeviceKind,
    /// Number format of the matrix products: `f32`.
    pub precision: String,
    /// What was chosen otherwise than asked, a sentence each.
    pub notes: Vec<String>,
    /// Numbers that training changes.
    pub trainable_parameters: u64,
}

impl std::fmt::Debug for Built {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Built")
            .field("config", &self.config)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// Makes an engine that trains. Head tensors that the folder lacks are newly made.
///
/// Errors: a choice that this program does not have, a device that is not there, a folder that is
/// not a model of a supported family.
pub fn build(choice: &Build<'_>) -> Result<Built> {
    refuse(choice)?;
    let (config, slots) = describe(choice)?;
    let (weights, report) = load(choice.folder, &config, &slots, choice.seed)?;
    assemble(choice, config, &slots, &weights, report)
}

/// Makes an engine whose tensors are all newly made; only `config.json` of the folder is read.
pub fn from_nothing(choice: &Build<'_>) -> Result<Built> {
    refuse(choice)?;
    let (config, slots) = describe(choice)?;
    let weights = fresh(&config, &slots, choice.seed);
    let new = slots.iter().map(|slot| slot.name.clone()).collect();
    assemble(choice, config, &slots, &weights, LoadReport { new, ..LoadReport::default() })
}

/// Makes an engine of a finished classifier; its labels are those of `config.json`.
///
/// A folder without trained head is an error: its logits would be noise.
pub fn for_inference(folder: &ModelFolder, device: DeviceSpec, threads: Option<usize>) -> Result<Built> {
    let labels = ModelConfig::read(folder)?.id2label;
    let built = build(&Build {
        folder,
        labels: &labels,
        seed: 0,
        classifier_dropout: None,
        optimizer: Optimizer::default(),
        device,
        precision: Precision::Auto,
        engine: EngineChoice::Auto,
        max_examples_per_pass: usize::MAX,
        max_tokens_per_pass: None,
        threads,
    })?;
    if built.report.new.is_empty() {
        return Ok(built);
    }
    let missing = listed(&built.report.new);
    let problem = format!("is not a finetuned classifier (no fitting {missing}); train it first");
    Err(Error::model(&folder.name, problem))
}

fn refuse(choice: &Build<'_>) -> Result<()> {
    if choice.labels.is_empty() {
        return Err(Error::model(&choice.folder.name, "its head has no label; at least 1 is needed"));
    }
    match choice.classifier_dropout {
        Some(rate) if !(0.0..1.0).contains(&rate) => {
            Err(Error::Usage(format!("classifier_dropout is {rate}; a rate from 0 to below 1 is expected")))
        }
        _ => Ok(()),
    }
}

/// What computes, and the number format of its layers' products. Which engine `auto` is depends on the device:
/// that of the GPU is chosen only by name until it has been seen right on one.
fn engine(
    choice: &Build<'_>,
    (config, slots, weights): (&ModelConfig, &[ParamSpec], &Weights),
    settings: Settings,
    place: &mut Place,
) -> Result<(Box<dyn Engine>, &'static str)> {
    let device = &place.device;
    let is_plain = match choice.engine {
        EngineChoice::Plain => true,
        EngineChoice::Auto => !device.is_cpu(),
        EngineChoice::Fast => false,
    };
    if is_plain {
        let engine = PlainEngine::new(config, slots, weights, settings, device, place.pool.clone())?;
        let precision = engine.precision();
        return Ok((Box::new(engine), precision));
    }
    if device.is_cpu() {
        let engine = FastEngine::new(config, slots, weights, settings)?;
        place.words = engine.describe();
        let precision = engine.precision();
        return Ok((Box::new(engine), precision));
    }
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return super::cuda::engine((config, slots, weights), settings, device, &place.words);
    }
    let problem = "engine = \"fast\" computes on the CPU and on NVIDIA GPUs; set engine to \"auto\", or device to \
                   \"cpu\"";
    Err(Error::Usage(problem.into()))
}

/// A sentence when the layers' products are of another format than the one asked for.
fn not_had(choice: &Build<'_>, precision: &str) -> Option<String> {
    let (asked, why) = match choice.precision {
        Precision::Bf16 if choice.engine == EngineChoice::Plain => {
            ("bf16", "the plain engine multiplies in f32 here")
        }
        Precision::Bf16 => ("bf16", "this device multiplies in f32 (bf16 needs avx512_bf16 or a GPU)"),
        Precision::Tf32 => ("tf32", "only NVIDIA GPUs have it; this device multiplies in f32"),
        Precision::F32 | Precision::Auto => return None,
    };
    (asked != precision).then(|| format!("precision = \"{asked}\" is not had: {why}"))
}

fn describe(choice: &Build<'_>) -> Result<(ModelConfig, Vec<ParamSpec>)> {
    let mut config = ModelConfig::read(choice.folder)?;
    if let Some(rate) = choice.classifier_dropout {
        config.classifier_dropout = rate;
    }
    let slots = table(&config, choice.labels.len());
    Ok((config, slots))
}

fn assemble(
    choice: &Build<'_>,
    config: ModelConfig,
    slots: &[ParamSpec],
    weights: &Weights,
    report: LoadReport,
) -> Result<Built> {
    let mut place = device::open(choice.device, choice.threads)?;
    let limits = Limits {
        examples: choice.max_examples_per_pass.max(1),
        tokens: choice.max_tokens_per_pass.unwrap_or(usize::MAX).max(1),
    };
    let settings = Settings {
        seed: choice.seed,
        optimizer: choice.optimizer,
        limits,
        precision: choice.precision,
        threads: choice.threads,
    };
    let mut notes: Vec<String> = place.note.take().into_iter().collect();
    let (engine, precision) = engine(choice, (&config, slots, weights), settings, &mut place)?;
    notes.extend(not_had(choice, precision));
    let numbers = slots.iter().map(|slot| slot.shape.iter().product::<usize>() as u64).sum();
    Ok(Built {
        engine,
        config,
        report,
        device: place.words,
        device_kind: place.kind,
        precision: precision.into(),
        notes,
        trainable_parameters: numbers,
    })
}
