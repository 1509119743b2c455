//! [`PlainEngine`]: the encoder, autograd and AdamW behind the [`Engine`] trait.

use super::adamw::{self, GradScale, Parameter};
use super::encoder::Encoder;
use super::ops::{loss, teacher_loss};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::nn::blas_guard::BlasGuard;
use crate::nn::check::{
    check_batch, check_interpolation, check_labels, check_state, check_teacher, check_weights,
};
use crate::nn::config::ModelConfig;
use crate::nn::engine::{
    Array, ByPhase, Distillation, Engine, EngineState, InputGradients, Interpolation, OptimizerConfig,
    ParamState, Profile, StepInput, StepReport, Weights, no_average,
};
use crate::nn::engine_config::{EngineConfig, MicroBatchLimits};
use crate::nn::error_text::first_line;
use crate::nn::lora::{Adapter, is_adapter};
use crate::nn::loss::loss_denominator;
use crate::nn::param_groups::FrozenPrefix;
use crate::nn::params::ParamSpec;
use crate::spec::Precision;
use candle_core::{DType, Device, Tensor, Var};
use kernels::dropout::Dropout;
use rayon::ThreadPool;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The plain engine, on any device of candle.
pub(crate) struct PlainEngine {
    config: ModelConfig,
    labels: usize,
    seed: u64,
    optimizer: OptimizerConfig,
    limits: MicroBatchLimits,
    _blas_guard: BlasGuard,
    device: Device,
    runner: Runner,
    specs: Vec<ParamSpec>,
    parameters: Vec<Parameter>,
    /// The moving average of each parameter, if there is one.
    average: Option<Vec<Var>>,
    model: EncoderSource,
    /// Over the variables, for training.
    training: Encoder,
    /// Over the same storage without a graph, for inference.
    inference: Encoder,
    updates: u64,
    pending: PendingReport,
    /// Time of the optimizer steps, measured on the host.
    by_phase: ByPhase,
}

/// Results of the steps since the last report, on the device.
#[derive(Default)]
struct PendingReport {
    steps: u64,
    /// Sum of their losses and norm of the last gradient, both scalars.
    loss_and_norm: Option<(Tensor, Tensor)>,
    /// Logits of each micro-batch: (examples, labels)
    logits: Vec<Tensor>,
}

/// Results of the backward pass of a step, on the device.
struct Backward {
    /// Mean loss, a scalar.
    loss: Tensor,
    /// In the order of the parameters.
    gradients: Vec<Option<Tensor>>,
    /// Of each micro-batch: (examples, labels)
    logits: Vec<Tensor>,
}

impl PlainEngine {
    /// An engine with the given weights, which must hold every parameter of `specs`.
    pub(crate) fn new(
        config: &ModelConfig,
        specs: &[ParamSpec],
        weights: &Weights,
        EngineConfig { seed, optimizer, limits, precision, .. }: EngineConfig,
        device: &Device,
        pool: Option<Arc<ThreadPool>>,
    ) -> Result<Self> {
        let precision = MatmulPrecision::supported(precision, device);
        let runner = Runner { pool, is_cuda: device.is_cuda(), precision };
        let operand_dtype = if precision == MatmulPrecision::Bf16 { DType::BF16 } else { DType::F32 };
        let parameter = |spec: &ParamSpec| {
            let array = &weights[&spec.name];
            let shape = spec.shape.as_slice();
            let zeros = || Var::zeros(shape, candle_core::DType::F32, device);
            Ok(Parameter {
                name: spec.name.clone(),
                value: Var::from_slice(&array.data, shape, device)?,
                first_moment: zeros()?,
                second_moment: zeros()?,
                has_weight_decay: spec.has_weight_decay,
                lr_scale: spec.lr_scale,
                requires_grad: spec.requires_grad,
            })
        };
        let parameters: Vec<Parameter> =
            specs.iter().map(parameter).collect::<candle_core::Result<_>>().map_err(|e| device_error(&e))?;
        let copy = |parameter: &Parameter| Var::from_tensor(&parameter.value.as_detached_tensor().copy()?);
        let average = optimizer.ema_decay.map(|_| parameters.iter().map(copy).collect());
        let average = average.transpose().map_err(|e: candle_core::Error| device_error(&e))?;
        let model = EncoderSource {
            config: config.clone(),
            device: device.clone(),
            operand_dtype,
            frozen: FrozenPrefix::of(config, specs),
            adapters: Adapter::all(specs),
            scaling: optimizer.lora.map_or(0.0, |lora| lora.scaling()),
        };
        let encoders = [true, false].map(|is_training| model.encoder(&parameters, is_training));
        let [training, inference] = encoders.map(|encoder| encoder.map_err(|e| device_error(&e)));
        let classifier = format!("{}.weight", config.names().classifier);
        let labels = specs.iter().find(|spec| spec.name == classifier).map_or(0, |spec| spec.shape[0]);
        Ok(PlainEngine {
            config: config.clone(),
            labels,
            seed,
            optimizer,
            limits,
            _blas_guard: BlasGuard::new(device),
            device: device.clone(),
            runner,
            specs: specs.to_vec(),
            parameters,
            average,
            model,
            training: training?,
            inference: inference?,
            updates: 0,
            pending: PendingReport::default(),
            by_phase: ByPhase::default(),
        })
    }

    /// Precision of the matrix products of the encoder: `f32`, `tf32` or `bf16`.
    pub(crate) fn precision(&self) -> &'static str {
        match self.runner.precision {
            MatmulPrecision::F32 => "f32",
            MatmulPrecision::Tf32 => "tf32",
            MatmulPrecision::Bf16 => "bf16",
        }
    }

    /// Replaces the softmax of attention, to test the detection of missing gradients.
    #[cfg(test)]
    pub(crate) fn set_softmax(&mut self, softmax: fn(&Tensor) -> candle_core::Result<Tensor>) {
        self.training.softmax = softmax;
    }

    /// Forward and backward pass of a step. Gradients of micro-batches are added in order. Does not wait for the device;
    /// adds the time on the host to `by_phase`.
    fn backward(&self, input: StepInput<'_>, by_phase: &mut ByPhase) -> candle_core::Result<Backward> {
        let dropout = Dropout::new(self.seed, input.step);
        let OptimizerConfig { label_smoothing, class_weights, distillation, .. } = &self.optimizer;
        let class_weights = class_weights.as_deref();
        let scale = 1.0 / loss_denominator(input.batch, self.labels, class_weights);
        let mut total = Tensor::zeros((), adamw::scalar_dtype(&self.device), &self.device)?;
        let mut sums: Vec<Option<Tensor>> = vec![None; self.parameters.len()];
        let mut all_logits = Vec::new();
        for micro_batch in input.batch.micro_batches(self.limits.max_examples, self.limits.max_tokens) {
            let start = Instant::now();
            let logits = self.training.logits(&micro_batch, Some(dropout))?;
            by_phase.forward += start.elapsed().as_secs_f64();
            let start = Instant::now();
            let mut loss = (loss(&logits, &micro_batch.labels, *label_smoothing, class_weights)? * scale)?;
            if let Some(Distillation { weight, temperature }) = *distillation {
                let distance = teacher_loss(&logits, &micro_batch, temperature)?;
                loss = ((loss * (1.0 - weight))? + (distance * (weight / input.batch.len() as f64))?)?;
            }
            all_logits.push(logits.detach());
            total = (&total + loss.detach().to_dtype(total.dtype())?)?;
            let mut gradients = loss.backward()?;
            for (sum, parameter) in sums.iter_mut().zip(&self.parameters) {
                let gradient = gradients.remove(&parameter.value);
                *sum = match (sum.take(), gradient) {
                    (Some(sum), Some(gradient)) => Some((sum + gradient)?),
                    (sum, gradient) => sum.or(gradient),
                };
            }
            by_phase.backward += start.elapsed().as_secs_f64();
        }
        Ok(Backward { loss: total, gradients: sums, logits: all_logits })
    }

    fn run_step(&mut self, input: StepInput<'_>) -> candle_core::Result<()> {
        let mut by_phase = self.by_phase;
        let Backward { loss, gradients, logits } = self.backward(input, &mut by_phase)?;
        let start = Instant::now();
        let norm = adamw::norm(&gradients, &self.device)?;
        let scale = GradScale::clipping(&norm, self.optimizer.max_grad_norm)?;
        let update = (self.updates + 1, input.learning_rate, scale);
        adamw::update(&self.parameters, &gradients, &self.optimizer, update)?;
        self.update_average()?;
        self.add_adapters()?;
        by_phase.optimizer += start.elapsed().as_secs_f64();
        self.by_phase = by_phase;
        self.updates += 1;
        let loss_sum = match self.pending.loss_and_norm.take() {
            Some((loss_sum, _)) => (loss_sum + loss)?,
            None => loss,
        };
        self.pending.loss_and_norm = Some((loss_sum, norm));
        self.pending.steps += 1;
        self.pending.logits.extend(logits);
        Ok(())
    }

    /// Moves the average towards the weights: average ← average + (1 − decay)(weights − average).
    fn update_average(&self) -> candle_core::Result<()> {
        let (Some(decay), Some(average)) = (self.optimizer.ema_decay, &self.average) else { return Ok(()) };
        for (average, parameter) in average.iter().zip(&self.parameters) {
            let weight = parameter.value.as_detached_tensor();
            let old = average.as_detached_tensor();
            average.set(&(&old + ((weight - &old)? * (1.0 - decay))?)?)?;
        }
        Ok(())
    }

    /// Exchanges the values of the parameters and their averages.
    fn exchange(parameters: &[Parameter], average: &[Var]) -> candle_core::Result<()> {
        for (average, parameter) in average.iter().zip(parameters) {
            let weight = parameter.value.as_detached_tensor().copy()?;
            parameter.value.set(&average.as_detached_tensor())?;
            average.set(&weight)?;
        }
        Ok(())
    }

    /// Adds the adapters to the weights that the encoders use.
    fn add_adapters(&mut self) -> candle_core::Result<()> {
        if !self.model.adapters.is_empty() {
            self.training = self.model.encoder(&self.parameters, true)?;
            self.inference = self.model.encoder(&self.parameters, false)?;
        }
        Ok(())
    }

    /// Waits for the device.
    fn take_report(&mut self) -> candle_core::Result<Option<StepReport>> {
        let PendingReport { steps, loss_and_norm, logits } = std::mem::take(&mut self.pending);
        let Some((loss_sum, norm)) = loss_and_norm else { return Ok(None) };
        Ok(Some(StepReport {
            loss: to_f64(&loss_sum)? / steps as f64,
            grad_norm: to_f64(&norm)?,
            logits: Tensor::cat(&logits, 0)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?,
        }))
    }

    fn run_logits(&self, batch: &Batch) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut rows = Vec::with_capacity(batch.len());
        for micro_batch in batch.micro_batches(usize::MAX, self.limits.max_tokens) {
            rows.extend(self.inference.logits(&micro_batch, None)?.to_vec2::<f32>()?);
        }
        Ok(rows)
    }

    /// The alphas are the only variables, so no gradients of parameters are computed.
    fn run_input_gradients(
        &self,
        input: &Interpolation<'_>,
        class: usize,
    ) -> candle_core::Result<InputGradients> {
        let mut result = InputGradients::default();
        for micro_batch in input.batch.micro_batches(usize::MAX, self.limits.max_tokens) {
            let (baseline_ids, alphas) = input.of_micro_batch(&micro_batch);
            let alphas = Var::from_slice(alphas, (micro_batch.tokens(), 1), &self.device)?;
            let logits = self.inference.interpolated_logits(&micro_batch, baseline_ids, &alphas)?;
            let gradients = logits.narrow(1, class, 1)?.sum_all()?.backward()?;
            let alpha_grads = gradients.get(&alphas).expect("the logits depend on the alphas");
            result.logits.extend(logits.to_vec2::<f32>()?);
            result.alpha_grads.extend(alpha_grads.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(result)
    }

    /// Names and shapes of some parameters.
    fn shapes_where(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<usize>)> {
        let wanted = self.parameters.iter().filter(|parameter| is_wanted(&parameter.name));
        wanted.map(|parameter| (parameter.name.clone(), parameter.value.dims().to_vec())).collect()
    }

    /// The index of the parameter `name`, which must be one of [`Engine::shapes`].
    fn index(&self, name: &str) -> usize {
        let index = self.parameters.iter().position(|parameter| parameter.name == name);
        index.expect("the name is one of `shapes`")
    }

    /// The value of every parameter.
    fn values(&self) -> Vec<&Var> {
        self.parameters.iter().map(|parameter| &parameter.value).collect()
    }

    /// Sets `vars`, one for each parameter, as far as `weights` has them.
    fn set_tensors(&self, weights: &Weights, vars: &[&Var]) -> Result<()> {
        for (parameter, var) in self.parameters.iter().zip(vars) {
            let Some(array) = weights.get(&parameter.name) else { continue };
            Tensor::from_slice(&array.data, array.shape.as_slice(), &self.device)
                .and_then(|tensor| var.set(&tensor))
                .map_err(|e| device_error(&e))?;
        }
        Ok(())
    }
}

/// What the encoders of an engine are made of, beside the parameters.
struct EncoderSource {
    config: ModelConfig,
    device: Device,
    operand_dtype: DType,
    frozen: FrozenPrefix,
    adapters: Vec<Adapter>,
    /// Factor of the adapters.
    scaling: f64,
}

impl EncoderSource {
    /// The encoder with the current values of `parameters`. For training, those that are trained are in the graph; for
    /// inference none.
    fn encoder(&self, parameters: &[Parameter], is_training: bool) -> candle_core::Result<Encoder> {
        // What is not trained is outside the graph, so no gradients are computed for it, nor for what comes before.
        let tensor = |name: &str| {
            let parameter = parameters.iter().find(|parameter| parameter.name == name);
            let parameter = parameter.expect("`param_specs` lists every parameter of the encoder");
            let is_in_graph = is_training && parameter.requires_grad;
            if is_in_graph {
                parameter.value.as_tensor().clone()
            } else {
                parameter.value.as_detached_tensor()
            }
        };
        let sum = |adapter: &Adapter| {
            let [a, b] = [adapter.a(), adapter.b()].map(|module| tensor(&format!("{module}.weight")));
            let name = format!("{}.weight", adapter.module);
            let sum = (tensor(&name) + (b.matmul(&a)? * self.scaling)?)?;
            Ok((name, sum))
        };
        let sums: BTreeMap<String, Tensor> =
            self.adapters.iter().map(sum).collect::<candle_core::Result<_>>()?;
        let weight = |name: &str| sums.get(name).cloned().unwrap_or_else(|| tensor(name));
        Ok(Encoder::new(&self.config, &self.device, (self.operand_dtype, self.frozen), weight))
    }

    /// The weight of a linear layer with its adapter; `None` without one.
    fn sum_of(&self, parameters: &[Parameter], name: &str) -> candle_core::Result<Option<Tensor>> {
        let module = name.strip_suffix(".weight").unwrap_or(name);
        let Some(adapter) = self.adapters.iter().find(|adapter| adapter.module == module) else {
            return Ok(None);
        };
        let value = |name: &str| {
            let found = parameters.iter().find(|parameter| parameter.name == name);
            found.expect("the factors of an adapter are parameters").value.as_detached_tensor()
        };
        let [a, b] = [adapter.a(), adapter.b()].map(|module| value(&format!("{module}.weight")));
        (value(name) + (b.matmul(&a)? * self.scaling)?).map(Some)
    }
}

/// Waits for a scalar.
fn to_f64(scalar: &Tensor) -> candle_core::Result<f64> {
    scalar.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_scalar()
}

/// Precision of the matrix products of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatmulPrecision {
    F32,
    Tf32,
    Bf16,
}

impl MatmulPrecision {
    /// The requested precision if it is faster on the device, otherwise f32.
    fn supported(precision: Precision, device: &Device) -> Self {
        match precision {
            Precision::Tf32 if device.is_cuda() => MatmulPrecision::Tf32,
            Precision::Bf16 if device.is_cuda() => MatmulPrecision::Bf16,
            _ => MatmulPrecision::F32,
        }
    }
}

/// Runs work on the threads and with the settings of the engine.
#[derive(Clone)]
struct Runner {
    /// The CPU's thread pool, when the number of threads was given.
    pool: Option<Arc<ThreadPool>>,
    is_cuda: bool,
    precision: MatmulPrecision,
}

/// Held while work is submitted to a GPU, because candle's TF32 setting is global to the process.
static TF32_SETTING: Mutex<()> = Mutex::new(());

impl Runner {
    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if let Some(pool) = &self.pool {
            return pool.install(work);
        }
        if !self.is_cuda {
            return work();
        }
        let _guard = TF32_SETTING.lock().unwrap_or_else(PoisonError::into_inner);
        candle_core::cuda::set_gemm_reduced_precision_f32(self.precision == MatmulPrecision::Tf32);
        work()
    }
}

/// Converts an error of candle, most often out of memory, to a device error.
fn device_error(error: &candle_core::Error) -> Error {
    let problem = first_line(error);
    if problem.to_lowercase().contains("out of memory") || problem.to_lowercase().contains("out_of_memory") {
        return Error::Device(format!(
            "out of memory ({problem}); set max_tokens_per_batch to a smaller number"
        ));
    }
    Error::Device(format!("the device failed: {problem}"))
}

fn to_array(tensor: &Tensor) -> candle_core::Result<Array> {
    Ok(Array { shape: tensor.dims().to_vec(), data: tensor.flatten_all()?.to_vec1()? })
}

impl Engine for PlainEngine {
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport> {
        self.report()?;
        self.enqueue(input)?;
        Ok(self.report()?.expect("a step was enqueued"))
    }

    fn enqueue(&mut self, input: StepInput<'_>) -> Result<Option<StepReport>> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.labels, input.batch)?;
        check_teacher(self.labels, input.batch, self.optimizer.distillation)?;
        let runner = self.runner.clone();
        runner.run(|| self.run_step(input)).map_err(|e| device_error(&e))?;
        Ok(None)
    }

    fn report(&mut self) -> Result<Option<StepReport>> {
        self.take_report().map_err(|e| device_error(&e))
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.labels, input.batch)?;
        check_teacher(self.labels, input.batch, self.optimizer.distillation)?;
        let gather = || {
            let Backward { loss, gradients, .. } = self.backward(input, &mut ByPhase::default())?;
            let named = self.parameters.iter().zip(gradients);
            let array = |(parameter, gradient): (&Parameter, Option<Tensor>)| {
                gradient.map(|gradient| Ok((parameter.name.clone(), to_array(&gradient)?)))
            };
            Ok((to_f64(&loss)?, named.filter_map(array).collect::<candle_core::Result<Weights>>()?))
        };
        self.runner.run(gather).map_err(|e: candle_core::Error| device_error(&e))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        self.runner.run(|| self.run_logits(batch)).map_err(|e| device_error(&e))
    }

    fn input_gradients(&mut self, input: Interpolation<'_>, class: usize) -> Result<InputGradients> {
        check_interpolation(&self.config, self.labels, &input, class)?;
        self.runner.run(|| self.run_input_gradients(&input, class)).map_err(|e| device_error(&e))
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.shapes_where(|name| !is_adapter(name))
    }

    fn adapter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.shapes_where(is_adapter)
    }

    fn requires_grad(&self, name: &str) -> bool {
        self.parameters[self.index(name)].requires_grad
    }

    fn tensor(&self, name: &str, state: ParamState) -> Result<Array> {
        let index = self.index(name);
        let parameter = &self.parameters[index];
        if state == ParamState::Weight
            && let Some(sum) = self.model.sum_of(&self.parameters, name).map_err(|e| device_error(&e))?
        {
            return to_array(&sum).map_err(|e| device_error(&e));
        }
        let tensor = match state {
            ParamState::Weight | ParamState::Adapter => &parameter.value,
            ParamState::FirstMoment => &parameter.first_moment,
            ParamState::SecondMoment => &parameter.second_moment,
            ParamState::Average => &self.average.as_ref().expect("the engine has an average")[index],
        };
        to_array(tensor).map_err(|e| device_error(&e))
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn has_average(&self) -> bool {
        self.average.is_some()
    }

    fn swap_average(&mut self) -> Result<()> {
        let average = self.average.as_ref().ok_or_else(no_average)?;
        self.runner.run(|| Self::exchange(&self.parameters, average)).map_err(|e| device_error(&e))
    }

    fn set_weights(&mut self, weights: &Weights) -> Result<()> {
        let of_model = self.specs.iter().filter(|spec| !is_adapter(&spec.name));
        check_weights(&self.config.model, &of_model, weights)?;
        self.set_tensors(weights, &self.values())?;
        // The adapters add nothing to the new weights at first.
        let zeros = self.model.adapters.iter().map(|adapter| {
            let value = &self.parameters[self.index(&format!("{}.weight", adapter.b()))].value;
            value.set(&value.zeros_like()?)
        });
        zeros
            .collect::<candle_core::Result<()>>()
            .and_then(|()| self.add_adapters())
            .map_err(|e| device_error(&e))
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.limits.max_tokens = max_tokens;
    }

    fn profile(&self) -> Option<Profile> {
        self.device.is_cpu().then_some(Profile { by_phase: self.by_phase, by_op: None })
    }

    /// Attention pads each micro-batch to its longest input; everything else processes real tokens only.
    fn computed_tokens(&self, batch: &Batch) -> usize {
        let micro_batches = batch.micro_batches(self.limits.max_examples, self.limits.max_tokens);
        micro_batches.iter().map(|batch| batch.len() * batch.longest()).sum()
    }

    fn restore(&mut self, state: &EngineState) -> Result<()> {
        check_state(&self.config.model, &self.specs.iter(), state, self.average.is_some())?;
        let (first, second): (Vec<&Var>, Vec<&Var>) = self
            .parameters
            .iter()
            .map(|parameter| (&parameter.first_moment, &parameter.second_moment))
            .unzip();
        self.set_tensors(&state.first_moments, &first)?;
        self.set_tensors(&state.second_moments, &second)?;
        if let Some(average) = &self.average {
            self.set_tensors(&state.average, &average.iter().collect::<Vec<_>>())?;
        }
        // The weights below adapters stay those of the model that the training starts from.
        let mut weights = state.weights.clone();
        weights.retain(|name, _| {
            !self.model.adapters.iter().any(|adapter| *name == format!("{}.weight", adapter.module))
        });
        self.set_tensors(&weights, &self.values())?;
        self.set_tensors(&state.adapters, &self.values())?;
        self.add_adapters().map_err(|e| device_error(&e))?;
        self.updates = state.updates;
        Ok(())
    }
}
