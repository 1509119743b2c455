//! [`PlainEngine`]: the encoder, autograd and AdamW behind the [`Engine`] trait.

use super::adamw::{self, GradScale, Parameter};
use super::encoder::Encoder;
use super::ops::loss;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::nn::blas_guard::BlasGuard;
use crate::nn::check::{check_batch, check_interpolation, check_labels, check_weights};
use crate::nn::config::ModelConfig;
use crate::nn::engine::{
    Array, ByPhase, Engine, EngineState, InputGradients, Interpolation, OptimizerConfig, ParamState, Profile,
    StepInput, StepReport, Weights,
};
use crate::nn::engine_config::{EngineConfig, MicroBatchLimits};
use crate::nn::error_text::first_line;
use crate::nn::loss::loss_denominator;
use crate::nn::params::ParamSpec;
use crate::spec::Precision;
use candle_core::{DType, Device, Tensor, Var};
use kernels::dropout::Dropout;
use rayon::ThreadPool;
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
            })
        };
        let parameters: Vec<Parameter> =
            specs.iter().map(parameter).collect::<candle_core::Result<_>>().map_err(|e| device_error(&e))?;
        let find = |name: &str| {
            let found = parameters.iter().find(|parameter| parameter.name == name);
            &found.expect("`param_specs` lists every parameter of the encoder").value
        };
        let training = Encoder::new(config, device, operand_dtype, |name| find(name).as_tensor().clone());
        let inference = Encoder::new(config, device, operand_dtype, |name| find(name).as_detached_tensor());
        let labels = specs.last().map_or(0, |classifier| classifier.shape[0]);
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
            training,
            inference,
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
        let OptimizerConfig { label_smoothing, class_weights, .. } = &self.optimizer;
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
            let loss = (loss(&logits, &micro_batch.labels, *label_smoothing, class_weights)? * scale)?;
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

    /// Sets the tensor `which` of every parameter.
    fn set_tensors(&self, weights: &Weights, which: impl Fn(&Parameter) -> &Var) -> Result<()> {
        check_weights(&self.config.model, &self.specs.iter(), weights)?;
        for parameter in &self.parameters {
            let (array, var) = (&weights[&parameter.name], which(parameter));
            Tensor::from_slice(&array.data, array.shape.as_slice(), &self.device)
                .and_then(|tensor| var.set(&tensor))
                .map_err(|e| device_error(&e))?;
        }
        Ok(())
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
        let shape = |parameter: &Parameter| (parameter.name.clone(), parameter.value.dims().to_vec());
        self.parameters.iter().map(shape).collect()
    }

    fn tensor(&self, name: &str, state: ParamState) -> Result<Array> {
        let parameter = self.parameters.iter().find(|parameter| parameter.name == name);
        let parameter = parameter.expect("the name is one of `shapes`");
        let tensor = match state {
            ParamState::Weight => &parameter.value,
            ParamState::FirstMoment => &parameter.first_moment,
            ParamState::SecondMoment => &parameter.second_moment,
        };
        to_array(tensor).map_err(|e| device_error(&e))
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn set_weights(&mut self, weights: &Weights) -> Result<()> {
        self.set_tensors(weights, |parameter| &parameter.value)
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
        self.set_tensors(&state.weights, |parameter| &parameter.value)?;
        self.set_tensors(&state.first_moments, |parameter| &parameter.first_moment)?;
        self.set_tensors(&state.second_moments, |parameter| &parameter.second_moment)?;
        self.updates = state.updates;
        Ok(())
    }
}
