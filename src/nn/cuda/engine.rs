//! [`CudaEngine`]: the [`Engine`] interface over passes, AdamW and captured graphs.

use super::average::Average;
use super::constants::Constants;
use super::device::{Device, DeviceSlice, read_f32s};
use super::graphs::{GraphKey, Graphs};
use super::input::{Bucket, EmbeddingRows, Input, StepScalars, pack};
use super::layout::Layout;
use super::model::Model;
use super::ops::{AdamWHyperparameters, Loss, LossFunction, Ops, weights_to_bf16};
use super::parameters::{Parameters, REPORT_WORDS};
use super::step_logits::StepLogits;
use super::supported::{check_supported, check_training};
use super::workspace::{Workspace, WorkspaceSize};
use super::workspaces::{Workspaces, out_of_memory};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::machine::MemoryInfo;
use crate::nn::arena::ParamRange;
use crate::nn::check::{check_batch, check_labels, check_weights};
use crate::nn::config::ModelConfig;
use crate::nn::engine::{
    Array, Engine, EngineState, InputGradients, Interpolation, MemoryPlan, OptimizerConfig, ParamState,
    StepInput, StepReport, Weights, no_average,
};
use crate::nn::engine_config::{EngineConfig, MicroBatchLimits};
use crate::nn::loss::loss_denominator;
use crate::nn::params::ParamSpec;
use crate::spec::Precision;
use kernels::rng::{Rng, Stream};

/// Most tokens and examples of a micro-batch in inference. They fill a GPU, and bound the memory of an evaluation,
/// whatever its batch size.
const MAX_INFERENCE_TOKENS: usize = 8192;
const MAX_INFERENCE_EXAMPLES: usize = 512;

/// The engine of a GPU.
pub(super) struct CudaEngine<D: Device> {
    config: ModelConfig,
    layout: Layout,
    seed: u64,
    optimizer: OptimizerConfig,
    limits: MicroBatchLimits,
    precision: Precision,
    /// Fields drop in this order: graphs and buffers go before the device that they belong to.
    graphs: Graphs<D::Graph>,
    workspaces: Workspaces<D::Buffer>,
    parameters: Parameters,
    _parameter_buffer: D::Buffer,
    constants: Constants,
    _constants_buffer: D::Buffer,
    /// The moving average of the weights, if there is one.
    average: Option<Average<D::Buffer>>,
    device: D,
    /// Optimizer steps so far.
    updates: u64,
    /// Number of the last training pass, which marks its rows of the embeddings' gradient.
    stamp: u32,
    /// Steps enqueued since the last report.
    unreported_steps: u64,
    /// The logits of these steps.
    step_logits: StepLogits,
}

impl<D: Device> CudaEngine<D> {
    /// An engine with `weights`, which has every tensor of `specs`.
    ///
    /// # Errors
    ///
    /// If the kernels do not support the model's sizes, or the device has too little memory.
    pub(super) fn new(
        config: &ModelConfig,
        specs: &[ParamSpec],
        weights: &Weights,
        settings: EngineConfig,
        mut device: D,
    ) -> Result<Self> {
        let EngineConfig { seed, optimizer, limits, precision, .. } = settings;
        check_supported(config)?;
        check_training(config, specs, &optimizer)?;
        let layout = Layout::new(config, specs);
        let is_bf16 = precision == Precision::Bf16;
        let (_, needed) = Parameters::new(&layout, is_bf16, 0);
        let class_weights = optimizer.class_weights.clone();
        let buffer = device.allocate(needed).map_err(|error| out_of_memory(&device, needed, &error))?;
        let (parameters, _) = Parameters::new(&layout, is_bf16, D::address(&buffer));
        let constants = Constants::new(config, &mut device);
        let error = |error| out_of_memory(&device, Constants::bytes(config), &error);
        let (constants, constants_buffer) = constants.map_err(error)?;
        let average = optimizer.ema_decay.map(|decay| Average::new(&mut device, decay, layout.len()));
        let bytes = layout.len() * size_of::<f32>();
        let average = average.transpose().map_err(|error| out_of_memory(&device, bytes, &error))?;
        let mut engine = CudaEngine {
            config: config.clone(),
            layout,
            seed,
            optimizer,
            limits,
            precision,
            graphs: Graphs::new(true),
            workspaces: Workspaces::new(),
            parameters,
            _parameter_buffer: buffer,
            constants,
            _constants_buffer: constants_buffer,
            average,
            device,
            updates: 0,
            stamp: 0,
            unreported_steps: 0,
            step_logits: StepLogits::new(parameters.step_logits),
        };
        engine.set_weights(weights)?;
        if engine.average.is_some() {
            engine.upload(ParamState::Average, weights)?;
        }
        if let Some(class_weights) = class_weights {
            engine.write_class_weights(&class_weights)?;
        }
        Ok(engine)
    }

    /// Number format of the layers' GEMMs: `f32`, `tf32` or `bf16`.
    pub(super) fn precision(&self) -> &'static str {
        match self.precision {
            Precision::Auto | Precision::F32 | Precision::Int8 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        }
    }

    /// Launches every pass kernel by kernel from now on.
    pub(super) fn disable_graphs(&mut self) {
        self.graphs = Graphs::new(false);
    }

    /// Number of captured graphs.
    #[cfg(test)]
    pub(super) fn captured_graphs(&self) -> usize {
        self.graphs.captured()
    }

    /// The device, to check what it has done.
    #[cfg(test)]
    pub(super) fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Bytes that the engine has allocated on the device.
    pub(super) fn allocated_bytes(&self) -> usize {
        let (_, parameters) = Parameters::new(&self.layout, self.is_bf16(), 0);
        let average = self.average.as_ref().map_or(0, Average::bytes);
        parameters + Constants::bytes(&self.config) + average + self.workspaces.bytes()
    }

    /// The bucket of a micro-batch.
    fn bucket(&self, batch: &Batch) -> Bucket {
        Bucket::of(batch, self.layout.classes())
    }

    fn is_bf16(&self) -> bool {
        self.precision == Precision::Bf16
    }

    fn specs(&self) -> impl Iterator<Item = &ParamSpec> + Clone {
        self.layout.params.iter().map(|param| &param.spec)
    }

    /// The size in bytes of a workspace.
    fn workspace_bytes(&self, size: WorkspaceSize) -> usize {
        Workspace::new(&self.config, self.layout.classes(), self.is_bf16(), size, 0).1
    }

    /// Runs a pass over a micro-batch, if possible as a graph.
    fn run(&mut self, key: GraphKey, batch: &Batch, scalars: StepScalars) -> Result<()> {
        let (bucket, is_training) = (key.bucket(), key.is_training());
        let is_bf16 = self.is_bf16();
        let CudaEngine {
            config,
            layout,
            optimizer,
            precision,
            graphs,
            workspaces,
            parameters,
            constants,
            device,
            ..
        } = self;
        let size = WorkspaceSize { bucket, is_training };
        if workspaces.reserve((config, layout.classes(), is_bf16), size, device)? {
            graphs.remove(is_training);
        }
        let workspace = workspaces.get(is_training);
        let input = Input::new(bucket, workspace.input);
        device.write(input.block, &pack(bucket, batch, &EmbeddingRows::of(config, batch), scalars))?;
        let model = Model {
            config,
            layout,
            constants,
            weights: parameters.weights,
            bf16_weights: parameters.bf16_weights,
            gradients: parameters.gradients,
            stamps: parameters.stamps,
            report: parameters.report,
            is_training,
        };
        let tensors = parameters.adamw_tensors(layout);
        let class_weights =
            optimizer.class_weights.as_ref().map_or(DeviceSlice::NULL, |_| parameters.class_weights);
        let allow_tf32 = *precision == Precision::Tf32;
        let mut enqueue = |device: &mut D| -> Result<()> {
            let mut ops = Ops { device, input, allow_tf32 };
            model.forward(&mut ops, workspace)?;
            if let GraphKey::Training { loss, accumulate, update, .. } = key {
                let loss =
                    Loss { function: loss, label_smoothing: optimizer.label_smoothing as f32, class_weights };
                model.backward(&mut ops, workspace, loss, accumulate)?;
                if update {
                    ops.adamw(tensors, optimizer.max_grad_norm as f32, AdamWHyperparameters::new(optimizer))?;
                }
            }
            Ok(())
        };
        graphs.run(key, device, &mut enqueue)
    }

    /// Computes loss and gradients of a step, micro-batch by micro-batch. If `is_step`, keeps the logits and updates the
    /// weights.
    fn train(&mut self, input: StepInput<'_>, is_step: bool) -> Result<()> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.layout.classes(), input.batch)?;
        self.stamp += 1;
        let step = (self.updates + 1) as f64;
        let OptimizerConfig { beta1, beta2, weight_decay, ref class_weights, .. } = self.optimizer;
        let denominator = loss_denominator(input.batch, self.layout.classes(), class_weights.as_deref());
        let scalars = StepScalars {
            dropout_key: Rng::new(self.seed, Stream::Dropout).key(),
            step: input.step as u32,
            stamp: self.stamp,
            loss_scale: 1.0 / denominator as f32,
            decay: (1.0 - input.learning_rate * weight_decay) as f32,
            step_size: (input.learning_rate / (1.0 - beta1.powf(step))) as f32,
            bias_correction2_sqrt: (1.0 - beta2.powf(step)).sqrt() as f32,
        };
        let micro_batches = input.batch.micro_batches(self.limits.max_examples, self.limits.max_tokens);
        for (index, batch) in micro_batches.iter().enumerate() {
            let update = is_step && index + 1 == micro_batches.len();
            let (bucket, loss) = (self.bucket(batch), LossFunction::of(&batch.labels));
            let key = GraphKey::Training { bucket, loss, accumulate: index > 0, update };
            self.run(key, batch, scalars)?;
            if is_step {
                let logits = self.workspaces.get(true).logits.prefix(batch.len() * self.layout.classes());
                self.step_logits.push(&mut self.device, logits)?;
            }
        }
        Ok(())
    }

    /// A bucket for every micro-batch of batches with at most as many examples as `batch` and examples no longer than
    /// its longest ones.
    fn largest_bucket(&self, batch: &Batch, max_tokens: usize) -> Bucket {
        let whole = batch.micro_batches(self.limits.max_examples, usize::MAX);
        let tokens = whole.iter().map(Batch::tokens).max().unwrap_or(0);
        let tokens = tokens.min(max_tokens.max(batch.longest()));
        Bucket::with_size(tokens, batch.len().min(self.limits.max_examples), self.layout.classes())
    }

    /// The summed loss of the steps since it was last set, and the norm of the last gradient.
    fn read_report(&self) -> Result<(f64, f64)> {
        let mut words = [0; REPORT_WORDS];
        self.device.read(self.parameters.report, &mut words)?;
        let loss = f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32);
        Ok((loss, f64::from(f32::from_bits(words[2]))))
    }

    fn set_loss(&mut self, loss: f64) -> Result<()> {
        let bits = loss.to_bits();
        self.device.write(self.parameters.report.prefix(2), &[bits as u32, (bits >> 32) as u32])
    }

    /// Copies tensors from the host into an arena, and weights also into their bf16 copy.
    fn upload(&mut self, part: ParamState, weights: &Weights) -> Result<()> {
        check_weights(&self.config.model, &self.specs(), weights)?;
        let arena = self.arena(part);
        for ParamRange { spec, range } in &self.layout.params {
            let words: Vec<u32> = weights[&spec.name].data.iter().map(|x| x.to_bits()).collect();
            let to = arena.slice(range.clone());
            self.device.write(DeviceSlice::new(to.address(), to.len()), &words)?;
        }
        if part == ParamState::Weight { self.round_weights() } else { Ok(()) }
    }

    /// The arena of weights, moments or averages.
    fn arena(&self, part: ParamState) -> DeviceSlice<f32> {
        match part {
            ParamState::Weight => self.parameters.weights,
            ParamState::FirstMoment => self.parameters.first_moments,
            ParamState::SecondMoment => self.parameters.second_moments,
            ParamState::Adapter => unreachable!("the engine has no adapters"),
            ParamState::Average => self.average.as_ref().expect("the engine has an average").values,
        }
    }

    /// Updates the bf16 copy of the weights, if there is one.
    fn round_weights(&mut self) -> Result<()> {
        if self.parameters.bf16_weights.is_null() {
            return Ok(());
        }
        let matrices = self.parameters.weights.slice(self.layout.layer_matrices.clone());
        weights_to_bf16(&mut self.device, matrices, self.parameters.bf16_weights)
    }

    /// Copies the class weights to the device.
    fn write_class_weights(&mut self, class_weights: &[f32]) -> Result<()> {
        let (found, to) = (class_weights.len(), self.parameters.class_weights);
        if found != to.len() {
            let problem = format!("{found} class weights for a model with {} outputs", to.len());
            return Err(Error::Training(problem));
        }
        let words: Vec<u32> = class_weights.iter().map(|weight| weight.to_bits()).collect();
        self.device.write(DeviceSlice::new(to.address(), to.len()), &words)
    }

    /// Marks the rows of the embeddings with moments other than 0. AdamW only decays the others.
    fn write_moment_flags(&mut self, state: &EngineState) -> Result<()> {
        let mut has_moments: Vec<u32> = Vec::with_capacity(self.parameters.has_moments.len());
        let (end, [_, width]) = (self.layout.embeddings().end, self.layout.embeddings_shape());
        for ParamRange { spec, .. } in self.layout.params.iter().filter(|param| param.range.end <= end) {
            let (first, second) =
                (&state.first_moments[&spec.name].data, &state.second_moments[&spec.name].data);
            let rows = first.chunks_exact(width).zip(second.chunks_exact(width));
            has_moments.extend(rows.map(|(m, v)| u32::from(m.iter().chain(v).any(|x| *x != 0.0))));
        }
        self.device.write(self.parameters.has_moments, &has_moments)
    }
}

impl<D: Device> Engine for CudaEngine<D> {
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport> {
        self.report()?;
        self.enqueue(input)?;
        Ok(self.report()?.expect("a step was enqueued"))
    }

    fn enqueue(&mut self, input: StepInput<'_>) -> Result<Option<StepReport>> {
        self.train(input, true)?;
        if let Some(average) = &self.average {
            average.update(&mut self.device, self.parameters.weights)?;
        }
        self.updates += 1;
        self.unreported_steps += 1;
        Ok(None)
    }

    fn report(&mut self) -> Result<Option<StepReport>> {
        if self.unreported_steps == 0 {
            return Ok(None);
        }
        let (loss, grad_norm) = self.read_report()?;
        self.set_loss(0.0)?;
        let steps = std::mem::take(&mut self.unreported_steps);
        let logits = self.step_logits.take(&self.device)?;
        Ok(Some(StepReport { loss: loss / steps as f64, grad_norm, logits }))
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        // The loss of these gradients must not enter the sum of the unreported steps.
        let (unreported_loss, _) = self.read_report()?;
        self.set_loss(0.0)?;
        self.train(input, false)?;
        let (loss, _) = self.read_report()?;
        self.set_loss(unreported_loss)?;
        let mut arena = read_f32s(&self.device, self.parameters.gradients)?;
        let mut stamps = vec![0; self.parameters.stamps.len()];
        self.device.read(self.parameters.stamps, &mut stamps)?;
        for (row, stamp) in arena.chunks_exact_mut(self.config.embedding_size).zip(stamps) {
            // The row is of an earlier step.
            if stamp != self.stamp {
                row.fill(0.0);
            }
        }
        let array = |param: &ParamRange| (param.spec.name.clone(), param.to_array(&arena));
        Ok((loss, self.layout.params.iter().map(array).collect()))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        let classes = self.layout.classes();
        let mut rows = Vec::with_capacity(batch.len());
        let max_tokens = self.limits.max_tokens.min(MAX_INFERENCE_TOKENS);
        for batch in batch.micro_batches(MAX_INFERENCE_EXAMPLES, max_tokens) {
            let key = GraphKey::Inference(self.bucket(&batch));
            self.run(key, &batch, StepScalars::default())?;
            let logits = self.workspaces.get(false).logits.prefix(batch.len() * classes);
            let logits = read_f32s(&self.device, logits)?;
            rows.extend(logits.chunks_exact(classes).map(<[f32]>::to_vec));
        }
        Ok(rows)
    }

    fn input_gradients(&mut self, _input: Interpolation<'_>, _class: usize) -> Result<InputGradients> {
        Err(Error::Usage(
            "engine = \"fast\" does not support word attributions on a GPU; set engine to \"plain\", or device to \
             \"cpu\""
                .into(),
        ))
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.specs().map(|spec| (spec.name.clone(), spec.shape.clone())).collect()
    }

    fn tensor(&self, name: &str, part: ParamState) -> Result<Array> {
        let param = self.layout.params.iter().find(|param| param.spec.name == name);
        let ParamRange { spec, range } = param.expect("a name of `shapes`");
        let data = read_f32s(&self.device, self.arena(part).slice(range.clone()))?;
        Ok(Array { shape: spec.shape.clone(), data })
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn has_average(&self) -> bool {
        self.average.is_some()
    }

    fn swap_average(&mut self) -> Result<()> {
        let average = self.average.as_ref().ok_or_else(no_average)?;
        average.swap(&mut self.device, self.parameters.weights)?;
        self.round_weights()
    }

    fn set_weights(&mut self, weights: &Weights) -> Result<()> {
        self.upload(ParamState::Weight, weights)
    }

    fn restore(&mut self, state: &EngineState) -> Result<()> {
        self.upload(ParamState::Weight, &state.weights)?;
        self.upload(ParamState::FirstMoment, &state.first_moments)?;
        self.upload(ParamState::SecondMoment, &state.second_moments)?;
        if self.average.is_some() {
            self.upload(ParamState::Average, &state.average)?;
        }
        self.write_moment_flags(state)?;
        self.updates = state.updates;
        Ok(())
    }

    /// The activations are those of the largest training pass and of the largest inference pass.
    fn memory_plan(&self, batch: &Batch, max_tokens: usize) -> Option<MemoryPlan> {
        if batch.is_empty() {
            return None;
        }
        let (_, parameters) = Parameters::new(&self.layout, self.is_bf16(), 0);
        let arena = self.layout.len() * size_of::<f32>();
        let training = WorkspaceSize { bucket: self.largest_bucket(batch, max_tokens), is_training: true };
        let tokens = max_tokens.min(MAX_INFERENCE_TOKENS).max(self.config.max_positions);
        let inference = WorkspaceSize {
            bucket: Bucket::with_size(tokens, MAX_INFERENCE_EXAMPLES.min(tokens), self.layout.classes()),
            is_training: false,
        };
        let activations = self.workspace_bytes(training) + self.workspace_bytes(inference);
        Some(MemoryPlan {
            weights: (parameters - 3 * arena + Constants::bytes(&self.config)) as u64,
            moments: 2 * arena as u64,
            average: self.average.as_ref().map_or(0, Average::bytes) as u64,
            gradients: arena as u64,
            activations: activations as u64,
        })
    }

    fn available_memory(&self) -> Option<MemoryInfo> {
        // The memory plan includes what is allocated already.
        let memory = self.device.available_memory()?;
        Some(MemoryInfo { available: memory.available + self.allocated_bytes() as u64, ..memory })
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.graphs.take_notes()
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.limits.max_tokens = max_tokens;
    }

    fn computed_tokens(&self, batch: &Batch) -> usize {
        let micro_batches = batch.micro_batches(self.limits.max_examples, self.limits.max_tokens);
        micro_batches.iter().map(|batch| self.bucket(batch).tokens).sum()
    }
}
