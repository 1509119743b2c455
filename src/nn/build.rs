//! Builds an engine from a model folder and a few settings.

use super::config::ModelConfig;
use super::device::{self, DeviceContext, DeviceKind};
use super::engine::{Engine, OptimizerConfig, Weights};
use super::engine_config::{EngineConfig, MicroBatchLimits};
use super::error_text::list_names;
use super::fast::FastEngine;
use super::load::{LoadReport, init_weights, load};
use super::params::{ParamSpec, param_specs};
use super::plain::PlainEngine;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::spec::{DeviceSpec, EngineChoice, Precision, RunSpec};

/// Settings of a new engine.
#[derive(Debug, Clone)]
pub struct BuildOptions<'a> {
    /// Folder with the configuration and the weights.
    pub folder: &'a ModelFolder,
    /// Label names, one per logit. A single label makes the model a regression.
    pub labels: &'a [String],
    /// Seed of newly initialized weights and of dropout.
    pub seed: u64,
    /// Dropout rate before the classifier; `None` keeps the model's.
    pub classifier_dropout: Option<f64>,
    /// Settings of AdamW and the loss.
    pub optimizer: OptimizerConfig,
    /// The device.
    pub device: DeviceSpec,
    /// Precision of the matrix products.
    pub precision: Precision,
    /// Implementation.
    pub engine: EngineChoice,
    /// Most examples of a training pass; larger batches are split into micro-batches.
    pub max_examples_per_pass: usize,
    /// Most tokens of a pass; `None` sets no limit.
    pub max_tokens_per_pass: Option<usize>,
    /// Number of CPU threads; `None` uses all cores.
    pub threads: Option<usize>,
}

impl<'a> BuildOptions<'a> {
    /// The settings of `spec`, for the model in `folder` and the given labels.
    pub fn from_spec(spec: &'a RunSpec, folder: &'a ModelFolder, labels: &'a [String]) -> Self {
        BuildOptions {
            folder,
            labels,
            seed: spec.seed,
            classifier_dropout: spec.classifier_dropout,
            optimizer: OptimizerConfig {
                beta1: spec.adam_beta1,
                beta2: spec.adam_beta2,
                epsilon: spec.adam_epsilon,
                weight_decay: spec.weight_decay,
                max_grad_norm: spec.max_grad_norm,
                label_smoothing: spec.label_smoothing_factor,
                class_weights: None,
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

/// A new engine and what is known about it.
pub struct Built {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// Configuration of the model, with the dropout rate in use.
    pub config: ModelConfig,
    /// Which tensors were loaded.
    pub report: LoadReport,
    /// Description of the device: `cpu, 2 threads`.
    pub device: String,
    /// The kind of the device.
    pub device_kind: DeviceKind,
    /// Precision of the matrix products: `f32`.
    pub precision: String,
    /// One sentence for each setting that could not be applied.
    pub notes: Vec<String>,
    /// Number of trainable elements over all parameters.
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

/// Builds an engine for training. Parameters of the head that the folder lacks are newly initialized.
///
/// # Errors
/// An invalid setting, an unknown or missing device, a folder that does not hold a model of a supported family.
pub fn build(options: &BuildOptions<'_>) -> Result<Built> {
    validate(options)?;
    let (config, specs) = read_config(options)?;
    let (weights, report) = load(options.folder, &config, &specs, options.seed)?;
    assemble(options, config, &specs, &weights, report)
}

/// Builds an engine with random weights from the `config.json` of the folder, which needs no other file.
///
/// # Errors
/// Those of [`build`], weights excepted.
pub fn from_config(options: &BuildOptions<'_>) -> Result<Built> {
    validate(options)?;
    let (config, specs) = read_config(options)?;
    let weights = init_weights(&config, &specs, options.seed);
    let missing = specs.iter().map(|spec| spec.name.clone()).collect();
    assemble(options, config, &specs, &weights, LoadReport { missing, ..LoadReport::default() })
}

/// Builds an engine for a finished classifier, with the labels of its `config.json`.
///
/// # Errors
/// Those of [`build`]; weights that lack the classification head, since its logits would be random.
pub fn for_inference(folder: &ModelFolder, device: DeviceSpec, threads: Option<usize>) -> Result<Built> {
    let labels = ModelConfig::read(folder)?.id2label;
    let built = build(&BuildOptions {
        folder,
        labels: &labels,
        seed: 0,
        classifier_dropout: None,
        optimizer: OptimizerConfig::default(),
        device,
        precision: Precision::Auto,
        engine: EngineChoice::Auto,
        max_examples_per_pass: usize::MAX,
        max_tokens_per_pass: None,
        threads,
    })?;
    if built.report.missing.is_empty() {
        return Ok(built);
    }
    let missing = list_names(&built.report.missing);
    let problem =
        format!("is not a fine-tuned classifier: missing or mismatched weights ({missing}); train it first");
    Err(Error::model(&folder.name, problem))
}

fn validate(options: &BuildOptions<'_>) -> Result<()> {
    if options.labels.is_empty() {
        return Err(Error::model(&options.folder.name, "has no labels; at least 1 is required"));
    }
    match options.classifier_dropout {
        Some(rate) if !(0.0..1.0).contains(&rate) => {
            Err(Error::Usage(format!("classifier_dropout is {rate}; expected a number from 0 to below 1")))
        }
        _ => Ok(()),
    }
}

/// Creates the engine; returns it with the precision of its matrix products. `auto` means the fast engine on the
/// CPU and the plain engine on other devices.
fn create_engine(
    options: &BuildOptions<'_>,
    (config, specs, weights): (&ModelConfig, &[ParamSpec], &Weights),
    engine_config: EngineConfig,
    context: &mut DeviceContext,
) -> Result<(Box<dyn Engine>, &'static str)> {
    let device = &context.device;
    let is_plain = match options.engine {
        EngineChoice::Plain => true,
        EngineChoice::Auto => !device.is_cpu(),
        EngineChoice::Fast => false,
    };
    if is_plain {
        let engine = PlainEngine::new(config, specs, weights, engine_config, device, context.pool.clone())?;
        let precision = engine.precision();
        return Ok((Box::new(engine), precision));
    }
    if device.is_cpu() {
        let engine = FastEngine::new(config, specs, weights, engine_config)?;
        context.description = engine.describe();
        let precision = engine.precision();
        return Ok((Box::new(engine), precision));
    }
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return super::cuda::engine((config, specs, weights), engine_config, device, &context.description);
    }
    let problem = "engine = \"fast\" supports the CPU and NVIDIA GPUs; set engine to \"auto\", or device to \
                   \"cpu\"";
    Err(Error::Usage(problem.into()))
}

/// A note when the engine's precision differs from the requested one.
fn precision_note(options: &BuildOptions<'_>, precision: &str) -> Option<String> {
    let (requested, reason) = match options.precision {
        Precision::Bf16 if options.engine == EngineChoice::Plain => {
            ("bf16", "the plain engine computes in f32 on this device")
        }
        Precision::Bf16 => {
            ("bf16", "this device computes in f32 (bf16 needs a CPU with avx512_bf16, or a GPU)")
        }
        Precision::Tf32 => ("tf32", "only NVIDIA GPUs support it; this device computes in f32"),
        Precision::F32 | Precision::Auto => return None,
    };
    (requested != precision).then(|| format!("precision = \"{requested}\" is not available: {reason}"))
}

/// The configuration with the dropout rate of `options`, and the parameters of the model.
fn read_config(options: &BuildOptions<'_>) -> Result<(ModelConfig, Vec<ParamSpec>)> {
    let mut config = ModelConfig::read(options.folder)?;
    if let Some(rate) = options.classifier_dropout {
        config.classifier_dropout = rate;
    }
    let specs = param_specs(&config, options.labels.len());
    Ok((config, specs))
}

fn assemble(
    options: &BuildOptions<'_>,
    config: ModelConfig,
    specs: &[ParamSpec],
    weights: &Weights,
    report: LoadReport,
) -> Result<Built> {
    let mut context = device::open(options.device, options.threads)?;
    let limits = MicroBatchLimits {
        max_examples: options.max_examples_per_pass.max(1),
        max_tokens: options.max_tokens_per_pass.unwrap_or(usize::MAX).max(1),
    };
    let engine_config = EngineConfig {
        seed: options.seed,
        optimizer: options.optimizer.clone(),
        limits,
        precision: options.precision,
        threads: options.threads,
    };
    let mut notes: Vec<String> = context.note.take().into_iter().collect();
    let (engine, precision) = create_engine(options, (&config, specs, weights), engine_config, &mut context)?;
    notes.extend(precision_note(options, precision));
    let elements = specs.iter().map(|spec| spec.shape.iter().product::<usize>() as u64).sum();
    Ok(Built {
        engine,
        config,
        report,
        device: context.description,
        device_kind: context.kind,
        precision: precision.into(),
        notes,
        trainable_parameters: elements,
    })
}
