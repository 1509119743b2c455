//! Builds an engine from a model folder and a few settings.

use super::adapter::adapter_outputs;
use super::config::ModelConfig;
use super::device::{self, DeviceContext, DeviceKind};
use super::engine::{Distillation, Engine, OptimizerConfig, Weights};
use super::engine_config::{EngineConfig, MicroBatchLimits};
use super::error_text::list_names;
use super::fast::FastEngine;
use super::head::{Head, head_for};
use super::load::{LoadReport, StoredModel, init_adapters, init_weights};
use super::lora::Lora;
use super::param_groups::ParamGroups;
use super::params::{ParamSpec, param_specs};
use super::plain::PlainEngine;
use super::self_check;
use crate::catalog::{LabelMap, ProblemType};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::spec::{DeviceSpec, EngineChoice, Precision, RunSpec};

/// Settings of a new engine.
#[derive(Debug, Clone)]
pub struct BuildOptions<'a> {
    /// Folder with the configuration and the weights.
    pub folder: &'a ModelFolder,
    /// Label names, one per logit.
    pub labels: &'a [String],
    /// What the model predicts.
    pub problem_type: ProblemType,
    /// Matches the labels of a trained head with `labels` by name, after this map; `None` uses the head as it is.
    pub label_map: Option<&'a LabelMap>,
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
    /// Whether the engine `auto` may be the fast engine of a GPU, after a self-check. That engine computes no word
    /// attributions.
    pub can_check_engine: bool,
}

impl<'a> BuildOptions<'a> {
    /// The default settings, for the model in `folder` that predicts the given labels: its head as it is, the seed 0, AdamW as
    /// in [`OptimizerConfig::default`], passes of any size on all cores of the CPU, and the engine and the precision `auto`.
    pub fn new(folder: &'a ModelFolder, (labels, problem_type): (&'a [String], ProblemType)) -> Self {
        BuildOptions {
            folder,
            labels,
            problem_type,
            label_map: None,
            seed: 0,
            classifier_dropout: None,
            optimizer: OptimizerConfig::default(),
            device: DeviceSpec::Cpu,
            precision: Precision::Auto,
            engine: EngineChoice::Auto,
            max_examples_per_pass: usize::MAX,
            max_tokens_per_pass: None,
            threads: None,
            can_check_engine: false,
        }
    }

    /// The settings of `spec`, for the model in `folder` that predicts the given labels.
    pub fn from_spec(
        spec: &'a RunSpec,
        folder: &'a ModelFolder,
        (labels, problem_type): (&'a [String], ProblemType),
    ) -> Self {
        BuildOptions {
            folder,
            labels,
            problem_type,
            label_map: Some(&spec.label_map),
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
                distillation: Distillation::from_spec(spec),
                param_groups: ParamGroups::from_spec(spec),
                ema_decay: spec.ema_decay,
                lora: Lora::from_spec(spec),
            },
            device: spec.device,
            precision: spec.precision,
            engine: spec.engine,
            max_examples_per_pass: spec.per_device_train_batch_size,
            max_tokens_per_pass: spec.max_tokens_per_batch,
            threads: spec.threads,
            can_check_engine: true,
        }
    }
}

/// A new engine and what is known about it.
pub struct Built {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// Configuration of the model, with the dropout rate in use.
    pub config: ModelConfig,
    /// Label names, one per logit.
    pub labels: Vec<String>,
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
    /// One sentence for each part of the program that does not work as it should.
    pub warnings: Vec<String>,
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

/// Builds an engine for training. Parameters of the head that the folder lacks, or has for other labels, are newly
/// initialized.
///
/// # Errors
/// An invalid setting, a precision that is for inference only, an unknown or missing device, a folder that does not hold a model
/// of a supported family.
pub fn build(options: &BuildOptions<'_>) -> Result<Built> {
    validate(options)?;
    if options.precision == Precision::Int8 {
        return Err(Error::Usage("precision int8 is for inference; train in f32 or bf16".into()));
    }
    let config = read_config(options)?;
    let stored = StoredModel::open(options.folder, &config)?;
    load(options, &config, stored)
}

/// Loads the weights and creates the engine.
fn load(options: &BuildOptions<'_>, config: &ModelConfig, stored: StoredModel<'_>) -> Result<Built> {
    let (head, note) = match stored.head_outputs() {
        Some(outputs) => {
            head_for(config, outputs, (options.labels, options.problem_type), options.label_map)?
        }
        None => (Head::Keep, None),
    };
    let specs = trained_specs(options, config)?;
    let (of_model, adapters) = specs.split_at(param_specs(config, options.labels.len()).len());
    let (mut weights, report) = stored.load(of_model, options.seed, &head)?;
    weights.extend(init_adapters(config, adapters, of_model.len(), options.seed));
    let mut built = assemble(options, config.clone(), &specs, &weights, report)?;
    built.notes.extend(note);
    Ok(built)
}

/// The parameters, with their groups and, after those of the model, adapters.
fn trained_specs(options: &BuildOptions<'_>, config: &ModelConfig) -> Result<Vec<ParamSpec>> {
    let mut specs = param_specs(config, options.labels.len());
    options.optimizer.param_groups.apply(config, &mut specs)?;
    if let Some(lora) = &options.optimizer.lora {
        lora.apply(config, &mut specs);
    }
    Ok(specs)
}

/// Builds an engine with random weights from the `config.json` of the folder, which needs no other file.
///
/// # Errors
/// Those of [`build`], weights excepted.
pub fn from_config(options: &BuildOptions<'_>) -> Result<Built> {
    validate(options)?;
    let config = read_config(options)?;
    let specs = trained_specs(options, &config)?;
    let weights = init_weights(&config, &specs, options.seed);
    let missing = specs.iter().map(|spec| spec.name.clone()).collect();
    assemble(options, config, &specs, &weights, LoadReport { missing, ..LoadReport::default() })
}

/// Builds an engine for a finished classifier, with its own labels. `precision` is the default of the device if `None`.
///
/// # Errors
/// Those of [`build`], training excepted; precision int8 on another device than the CPU; weights that lack the classification head, since its logits would be random; label names that do
/// not fit the head.
pub fn for_inference(
    folder: &ModelFolder,
    device: DeviceSpec,
    precision: Option<Precision>,
) -> Result<Built> {
    let config = config_of(folder)?;
    let stored = StoredModel::open(folder, &config)?;
    let untrained = |missing: &str| {
        let problem = format!(
            "is not a fine-tuned classifier: missing or mismatched weights ({missing}); train it first"
        );
        Error::model(&folder.name, problem)
    };
    let classifier = config.architecture.names.classifier;
    let outputs = stored.head_outputs().ok_or_else(|| untrained(&format!("{classifier}.weight")))?;
    let labels = config.id2label.for_outputs(outputs).map_err(|problem| {
        Error::model(&folder.name, format!("config.json: {problem}; correct the label names"))
    })?;
    let options = BuildOptions {
        device,
        precision: precision.unwrap_or(Precision::Auto),
        ..BuildOptions::new(folder, (&labels, config.problem_type(outputs)?))
    };
    validate(&options)?;
    let mut built = load(&options, &config, stored)?;
    if !built.report.missing.is_empty() {
        return Err(untrained(&list_names(&built.report.missing)));
    }
    let unnamed = config.id2label.unnamed(outputs);
    if !unnamed.is_empty() {
        built.notes.push(format!(
            "id2label in config.json has no name for output {}; LABEL_ and the index stand for it",
            list_names(&unnamed)
        ));
    }
    let repeated = config.id2label.repeated();
    if !repeated.is_empty() {
        built.notes.push(format!(
            "id2label in config.json gives several outputs the same name ({}); give each output a name of its own",
            list_names(&repeated)
        ));
    }
    Ok(built)
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

/// What the log says about a new engine.
struct Messages {
    notes: Vec<String>,
    warnings: Vec<String>,
}

/// The model of a new engine: configuration, parameters and weights.
type Model<'a> = (&'a ModelConfig, &'a [ParamSpec], &'a Weights);

/// Creates the engine; returns it with the precision of its matrix products. `auto` means the fast engine on the
/// CPU, and the plain engine on other devices unless the fast engine passes its self-check on a GPU.
fn create_engine(
    options: &BuildOptions<'_>,
    model: Model<'_>,
    engine_config: EngineConfig,
    context: &mut DeviceContext,
    messages: &mut Messages,
) -> Result<(Box<dyn Engine>, &'static str)> {
    let (config, specs, weights) = model;
    let choice = match options.engine {
        EngineChoice::Auto if context.device.is_cpu() => EngineChoice::Fast,
        EngineChoice::Auto if options.can_check_engine && context.device.is_cuda() => {
            match checked_engine(model, options, &engine_config, context) {
                Ok((engine, precision, note)) => {
                    messages.notes.push(note);
                    return Ok((engine, precision));
                }
                Err(warning) => messages.warnings.push(warning),
            }
            EngineChoice::Plain
        }
        EngineChoice::Auto => EngineChoice::Plain,
        choice => choice,
    };
    if choice == EngineChoice::Plain {
        let (device, pool) = (&context.device, context.pool.clone());
        let engine = PlainEngine::new(config, specs, weights, engine_config, device, pool)?;
        let precision = engine.precision();
        return Ok((Box::new(engine), precision));
    }
    if context.device.is_cpu() {
        let engine = FastEngine::new(config, specs, weights, engine_config)?;
        context.description = engine.describe();
        let precision = engine.precision();
        return Ok((Box::new(engine), precision));
    }
    gpu_engine(model, engine_config, context)
}

/// The fast engine of a GPU.
#[cfg_attr(
    not(feature = "cuda"),
    expect(
        unused_variables,
        clippy::needless_pass_by_value,
        reason = "without CUDA there is no such engine"
    )
)]
fn gpu_engine(
    model: Model<'_>,
    engine_config: EngineConfig,
    context: &DeviceContext,
) -> Result<(Box<dyn Engine>, &'static str)> {
    #[cfg(feature = "cuda")]
    if context.device.is_cuda() {
        return super::cuda::engine(model, engine_config, &context.device, &context.description);
    }
    let problem = "engine = \"fast\" supports the CPU and NVIDIA GPUs; set engine to \"auto\", or device to \
                   \"cpu\"";
    Err(Error::Usage(problem.into()))
}

/// The fast engine of a GPU, with its precision and a note, if it passes the self-check; otherwise a warning.
fn checked_engine(
    model: Model<'_>,
    options: &BuildOptions<'_>,
    engine_config: &EngineConfig,
    context: &DeviceContext,
) -> Result<(Box<dyn Engine>, &'static str, String), String> {
    let (config, specs, weights) = model;
    let make_reference = || {
        let engine_config = EngineConfig { precision: Precision::F32, ..engine_config.clone() };
        let engine = PlainEngine::new(config, specs, weights, engine_config, &context.device, None)?;
        Ok(Box::new(engine) as Box<dyn Engine>)
    };
    let make_fast = || gpu_engine(model, engine_config.clone(), context);
    let head = (options.problem_type, options.labels.len());
    self_check::select(config, head, weights, &make_reference, &make_fast)
}

/// The device of the engine. With precision int8, `auto` is the CPU.
///
/// # Errors
/// [`Error::Usage`] if neither device nor engine supports int8.
fn device_for(options: &BuildOptions<'_>) -> Result<DeviceSpec> {
    let BuildOptions { precision, device, engine, .. } = options;
    match (precision, device) {
        (Precision::Int8, _) if *engine == EngineChoice::Plain => Err(Error::Usage(
            "precision int8 needs the fast engine; set engine to \"auto\", or precision to f32".into(),
        )),
        (Precision::Int8, DeviceSpec::Auto | DeviceSpec::Cpu) => Ok(DeviceSpec::Cpu),
        (Precision::Int8, DeviceSpec::Cuda(_) | DeviceSpec::Metal) => Err(Error::Usage(format!(
            "precision int8 is for the CPU; set device to cpu instead of {device}, or precision to f32 or bf16"
        ))),
        _ => Ok(*device),
    }
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
        Precision::F32 | Precision::Int8 | Precision::Auto => return None,
    };
    (requested != precision).then(|| format!("precision = \"{requested}\" is not available: {reason}"))
}

/// The configuration of the model. With an adapter, which has none, it is that of the base model with the head of the adapter.
fn config_of(folder: &ModelFolder) -> Result<ModelConfig> {
    let mut config = ModelConfig::read(folder)?;
    if let Some(outputs) = adapter_outputs(folder, config.architecture.names.classifier)? {
        config.set_outputs(outputs);
    }
    Ok(config)
}

/// The configuration with the dropout rate of `options`.
fn read_config(options: &BuildOptions<'_>) -> Result<ModelConfig> {
    let mut config = config_of(options.folder)?;
    if let Some(rate) = options.classifier_dropout {
        config.classifier_dropout = rate;
    }
    Ok(config)
}

fn assemble(
    options: &BuildOptions<'_>,
    config: ModelConfig,
    specs: &[ParamSpec],
    weights: &Weights,
    report: LoadReport,
) -> Result<Built> {
    let mut context = device::open(device_for(options)?, options.threads)?;
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
    let mut messages = Messages { notes: context.note.take().into_iter().collect(), warnings: Vec::new() };
    let model = (&config, specs, weights);
    let (engine, precision) = create_engine(options, model, engine_config, &mut context, &mut messages)?;
    messages.notes.extend(precision_note(options, precision));
    let trained = specs.iter().filter(|spec| spec.requires_grad);
    let elements = trained.map(|spec| spec.shape.iter().product::<usize>() as u64).sum();
    Ok(Built {
        engine,
        config,
        labels: options.labels.to_vec(),
        report,
        device: context.description,
        device_kind: context.kind,
        precision: precision.into(),
        notes: messages.notes,
        warnings: messages.warnings,
        trainable_parameters: elements,
    })
}
