//! [`PlainEngine`]: the encoder, autograd and AdamW behind the [`Engine`] interface.

use super::adamw::{self, Parameter, Scale};
use super::encoder::Encoder;
use super::ops::loss;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::nn::check::{check_batch, check_interpolation, check_labels, check_weights};
use crate::nn::config::ModelConfig;
use crate::nn::dropout::Dropout;
use crate::nn::engine::{
    Array, ByPhase, Engine, EngineState, InputGradients, Interpolation, OptimizerConfig, ParamState, Profile,
    StepInput, StepReport, Weights,
};
use crate::nn::error_text::first_line;
use crate::nn::params::ParamSpec;
use crate::nn::{EngineConfig, MicroBatchLimits};
use crate::spec::Precision;
use candle_core::{DType, Device, Tensor, Var};
use rayon::ThreadPool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Candle's autograd over composed operations, on any of its devices.
pub(crate) struct PlainEngine {
    config: ModelConfig,
    labels: usize,
    seed: u64,
    optimizer: OptimizerConfig,
    limits: MicroBatchLimits,
    device: Device,
    runner: Runner,
    specs: Vec<ParamSpec>,
    parameters: Vec<Parameter>,
    /// Over the variables.
    learning: Encoder,
    /// Over the same storage, without a graph.
    frozen: Encoder,
    updates: u64,
    untold: Untold,
    /// What steps took, as the host saw it.
    passes: ByPhase,
}

/// What steps have come to that nobody was told of, where it was computed.
#[derive(Default)]
struct Untold {
    steps: u64,
    /// Sum of their losses, and the norm of the last gradient: scalars.
    sums: Option<(Tensor, Tensor)>,
}

impl PlainEngine {
    /// Puts `weights`, which hold every tensor of `specs`, on the device.
    pub(crate) fn new(
        config: &ModelConfig,
        specs: &[ParamSpec],
        weights: &Weights,
        EngineConfig { seed, optimizer, limits, precision, .. }: EngineConfig,
        device: &Device,
        pool: Option<Arc<ThreadPool>>,
    ) -> Result<Self> {
        let runner = Runner { pool, on_cuda: device.is_cuda(), format: Format::of(precision, device) };
        let factors = if runner.format == Format::Bf16 { DType::BF16 } else { DType::F32 };
        let parameter = |spec: &ParamSpec| {
            let array = &weights[&spec.name];
            let shape = spec.shape.as_slice();
            let zeros = || Var::zeros(shape, candle_core::DType::F32, device);
            Ok(Parameter {
                name: spec.name.clone(),
                value: Var::from_slice(&array.data, shape, device)?,
                first: zeros()?,
                second: zeros()?,
                decay: spec.has_weight_decay,
            })
        };
        let parameters: Vec<Parameter> =
            specs.iter().map(parameter).collect::<candle_core::Result<_>>().map_err(|e| compute(&e))?;
        let find = |name: &str| {
            let found = parameters.iter().find(|parameter| parameter.name == name);
            &found.expect("the table has every name that the encoder asks for").value
        };
        let learning = Encoder::new(config, device, factors, |name| find(name).as_tensor().clone());
        let frozen = Encoder::new(config, device, factors, |name| find(name).as_detached_tensor());
        let labels = specs.last().map_or(0, |classifier| classifier.shape[0]);
        Ok(PlainEngine {
            config: config.clone(),
            labels,
            seed,
            optimizer,
            limits,
            device: device.clone(),
            runner,
            specs: specs.to_vec(),
            parameters,
            learning,
            frozen,
            updates: 0,
            untold: Untold::default(),
            passes: ByPhase::default(),
        })
    }

    /// Number format of the layers' products: `f32`, `tf32` or `bf16`.
    pub(crate) fn precision(&self) -> &'static str {
        match self.runner.format {
            Format::F32 => "f32",
            Format::Tf32 => "tf32",
            Format::Bf16 => "bf16",
        }
    }

    /// Replaces the softmax of attention, to see what a cut gradient does.
    #[cfg(test)]
    pub(crate) fn plant(&mut self, softmax: fn(&Tensor) -> candle_core::Result<Tensor>) {
        self.learning.softmax = softmax;
    }

    /// Mean loss, a scalar, and, in the order of the parameters, its gradients. Parts of the batch are
    /// summed in order. The host waits for nothing, and adds what it took to `passes`.
    fn backward(
        &self,
        input: StepInput<'_>,
        passes: &mut ByPhase,
    ) -> candle_core::Result<(Tensor, Vec<Option<Tensor>>)> {
        let dropout = Dropout::new(self.seed, input.step);
        let share = 1.0 / input.batch.len() as f64;
        let mut total = Tensor::zeros((), adamw::scalar_dtype(&self.device), &self.device)?;
        let mut sums: Vec<Option<Tensor>> = vec![None; self.parameters.len()];
        for part in input.batch.parts(self.limits.max_examples, self.limits.max_tokens) {
            let begun = Instant::now();
            let logits = self.learning.logits(&part, Some(dropout))?;
            passes.forward += begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            let loss = (loss(&logits, &part.labels, self.optimizer.label_smoothing)? * share)?;
            total = (&total + loss.detach().to_dtype(total.dtype())?)?;
            let mut gradients = loss.backward()?;
            for (sum, parameter) in sums.iter_mut().zip(&self.parameters) {
                let gradient = gradients.remove(&parameter.value);
                *sum = match (sum.take(), gradient) {
                    (Some(sum), Some(gradient)) => Some((sum + gradient)?),
                    (sum, gradient) => sum.or(gradient),
                };
            }
            passes.backward += begun.elapsed().as_secs_f64();
        }
        Ok((total, sums))
    }

    fn step_here(&mut self, input: StepInput<'_>) -> candle_core::Result<()> {
        let mut passes = self.passes;
        let (loss, gradients) = self.backward(input, &mut passes)?;
        let begun = Instant::now();
        let norm = adamw::norm(&gradients, &self.device)?;
        let scale = Scale::clipping(&norm, self.optimizer.max_grad_norm)?;
        let update = (self.updates + 1, input.learning_rate, scale);
        adamw::update(&self.parameters, &gradients, self.optimizer, update)?;
        passes.optimizer += begun.elapsed().as_secs_f64();
        self.passes = passes;
        self.updates += 1;
        let losses = match self.untold.sums.take() {
            Some((losses, _)) => (losses + loss)?,
            None => loss,
        };
        self.untold = Untold { steps: self.untold.steps + 1, sums: Some((losses, norm)) };
        Ok(())
    }

    /// Waits for the device.
    fn report_here(&mut self) -> candle_core::Result<Option<StepReport>> {
        let Untold { steps, sums } = std::mem::take(&mut self.untold);
        let Some((losses, norm)) = sums else { return Ok(None) };
        Ok(Some(StepReport { loss: number(&losses)? / steps as f64, grad_norm: number(&norm)? }))
    }

    fn logits_here(&self, batch: &Batch) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut rows = Vec::with_capacity(batch.len());
        for part in batch.parts(usize::MAX, self.limits.max_tokens) {
            rows.extend(self.frozen.logits(&part, None)?.to_vec2::<f32>()?);
        }
        Ok(rows)
    }

    /// The shares are the only variables: no gradient of a weight is computed.
    fn slopes_here(&self, input: &Interpolation<'_>, class: usize) -> candle_core::Result<InputGradients> {
        let mut found = InputGradients::default();
        for part in input.batch.parts(usize::MAX, self.limits.max_tokens) {
            let (others, shares) = input.of_micro_batch(&part);
            let shares = Var::from_slice(shares, (part.tokens(), 1), &self.device)?;
            let logits = self.frozen.logits_of_mix(&part, others, &shares)?;
            let gradients = logits.narrow(1, class, 1)?.sum_all()?.backward()?;
            let slopes = gradients.get(&shares).expect("the logits are made of the shares");
            found.logits.extend(logits.to_vec2::<f32>()?);
            found.alpha_grads.extend(slopes.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(found)
    }

    /// Sets one tensor of every parameter.
    fn put(&self, weights: &Weights, which: impl Fn(&Parameter) -> &Var) -> Result<()> {
        check_weights(&self.config.model, &self.specs.iter(), weights)?;
        for parameter in &self.parameters {
            let (array, var) = (&weights[&parameter.name], which(parameter));
            Tensor::from_slice(&array.data, array.shape.as_slice(), &self.device)
                .and_then(|tensor| var.set(&tensor))
                .map_err(|e| compute(&e))?;
        }
        Ok(())
    }
}

/// A scalar, once it is there.
fn number(scalar: &Tensor) -> candle_core::Result<f64> {
    scalar.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_scalar()
}

/// What the layers' products are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    F32,
    Tf32,
    Bf16,
}

impl Format {
    /// What was asked for, where the device gains by it; else f32.
    fn of(precision: Precision, device: &Device) -> Self {
        match precision {
            Precision::Tf32 if device.is_cuda() => Format::Tf32,
            Precision::Bf16 if device.is_cuda() => Format::Bf16,
            _ => Format::F32,
        }
    }
}

/// How work is given to the device.
#[derive(Clone)]
struct Runner {
    /// Where the CPU's work runs, when the number of threads was asked for.
    pool: Option<Arc<ThreadPool>>,
    on_cuda: bool,
    format: Format,
}

/// Held while products are given to a GPU: candle has one switch for TF32, which all engines of the process
/// share.
static SWITCH: Mutex<()> = Mutex::new(());

impl Runner {
    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if let Some(pool) = &self.pool {
            return pool.install(work);
        }
        if !self.on_cuda {
            return work();
        }
        let _held = SWITCH.lock().unwrap_or_else(PoisonError::into_inner);
        candle_core::cuda::set_gemm_reduced_precision_f32(self.format == Format::Tf32);
        work()
    }
}

/// What candle could not do is a matter of the device: memory, most of all.
fn compute(error: &candle_core::Error) -> Error {
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
        runner.run(|| self.step_here(input)).map_err(|e| compute(&e))?;
        Ok(None)
    }

    fn report(&mut self) -> Result<Option<StepReport>> {
        self.report_here().map_err(|e| compute(&e))
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.labels, input.batch)?;
        let gather = || {
            let (loss, gradients) = self.backward(input, &mut ByPhase::default())?;
            let named = self.parameters.iter().zip(gradients);
            let array = |(parameter, gradient): (&Parameter, Option<Tensor>)| {
                gradient.map(|gradient| Ok((parameter.name.clone(), to_array(&gradient)?)))
            };
            Ok((number(&loss)?, named.filter_map(array).collect::<candle_core::Result<Weights>>()?))
        };
        self.runner.run(gather).map_err(|e: candle_core::Error| compute(&e))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        self.runner.run(|| self.logits_here(batch)).map_err(|e| compute(&e))
    }

    fn input_gradients(&mut self, input: Interpolation<'_>, class: usize) -> Result<InputGradients> {
        check_interpolation(&self.config, self.labels, &input, class)?;
        self.runner.run(|| self.slopes_here(&input, class)).map_err(|e| compute(&e))
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let shape = |parameter: &Parameter| (parameter.name.clone(), parameter.value.dims().to_vec());
        self.parameters.iter().map(shape).collect()
    }

    fn tensor(&self, name: &str, part: ParamState) -> Result<Array> {
        let is_it = |parameter: &&Parameter| parameter.name == name;
        let parameter = self.parameters.iter().find(is_it).expect("a name of `shapes`");
        let tensor = match part {
            ParamState::Weight => &parameter.value,
            ParamState::FirstMoment => &parameter.first,
            ParamState::SecondMoment => &parameter.second,
        };
        to_array(tensor).map_err(|e| compute(&e))
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn set_weights(&mut self, weights: &Weights) -> Result<()> {
        self.put(weights, |parameter| &parameter.value)
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.limits.max_tokens = max_tokens;
    }

    fn profile(&self) -> Option<Profile> {
        self.device.is_cpu().then_some(Profile { by_phase: self.passes, by_op: None })
    }

    /// Attention is over a rectangle of each part, all else over the real tokens.
    fn computed_tokens(&self, batch: &Batch) -> usize {
        let parts = batch.parts(self.limits.max_examples, self.limits.max_tokens);
        parts.iter().map(|part| part.len() * part.longest()).sum()
    }

    fn restore(&mut self, state: &EngineState) -> Result<()> {
        self.put(&state.weights, |parameter| &parameter.value)?;
        self.put(&state.first_moments, |parameter| &parameter.first)?;
        self.put(&state.second_moments, |parameter| &parameter.second)?;
        self.updates = state.updates;
        Ok(())
    }
}
