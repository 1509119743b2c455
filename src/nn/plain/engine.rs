//! [`PlainEngine`]: the encoder, autograd and AdamW behind the [`Engine`] interface.

use super::adamw::{self, Parameter};
use super::encoder::Encoder;
use super::ops::cross_entropy;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::nn::check::{check_batch, check_labels, check_weights};
use crate::nn::config::ModelConfig;
use crate::nn::dropout::Dropout;
use crate::nn::engine::{Array, Engine, EngineState, Optimizer, Part, StepInput, StepReport, Weights};
use crate::nn::names::Slot;
use crate::nn::stored::first_line;
use crate::nn::{Limits, Settings};
use candle_core::{Device, Tensor, Var};
use rayon::ThreadPool;
use std::sync::Arc;

/// Candle's autograd over composed operations, on any of its devices.
pub(crate) struct PlainEngine {
    config: ModelConfig,
    labels: usize,
    seed: u64,
    optimizer: Optimizer,
    limits: Limits,
    device: Device,
    /// Where the CPU's work runs, when their number was asked for.
    pool: Option<Arc<ThreadPool>>,
    slots: Vec<Slot>,
    parameters: Vec<Parameter>,
    /// Over the variables.
    learning: Encoder,
    /// Over the same storage, without a graph.
    frozen: Encoder,
    updates: u64,
}

impl PlainEngine {
    /// Puts `weights`, which hold every tensor of `slots`, on the device.
    pub(crate) fn new(
        config: &ModelConfig,
        slots: &[Slot],
        weights: &Weights,
        Settings { seed, optimizer, limits, .. }: Settings,
        device: &Device,
        pool: Option<Arc<ThreadPool>>,
    ) -> Result<Self> {
        let parameter = |slot: &Slot| {
            let array = &weights[&slot.name];
            let shape = slot.shape.as_slice();
            let zeros = || Var::zeros(shape, candle_core::DType::F32, device);
            Ok(Parameter {
                name: slot.name.clone(),
                value: Var::from_slice(&array.data, shape, device)?,
                first: zeros()?,
                second: zeros()?,
                decay: slot.decay,
            })
        };
        let parameters: Vec<Parameter> =
            slots.iter().map(parameter).collect::<candle_core::Result<_>>().map_err(|e| compute(&e))?;
        let find = |name: &str| {
            let found = parameters.iter().find(|parameter| parameter.name == name);
            &found.expect("the table has every name that the encoder asks for").value
        };
        let learning = Encoder::new(config, device, |name| find(name).as_tensor().clone());
        let frozen = Encoder::new(config, device, |name| find(name).as_detached_tensor());
        let labels = slots.last().map_or(0, |classifier| classifier.shape[0]);
        Ok(PlainEngine {
            config: config.clone(),
            labels,
            seed,
            optimizer,
            limits,
            device: device.clone(),
            pool,
            slots: slots.to_vec(),
            parameters,
            learning,
            frozen,
            updates: 0,
        })
    }

    /// Replaces the softmax of attention, to see what a cut gradient does.
    #[cfg(test)]
    pub(crate) fn plant(&mut self, softmax: fn(&Tensor) -> candle_core::Result<Tensor>) {
        self.learning.softmax = softmax;
    }

    /// Mean loss and, in the order of the parameters, its gradients. Parts of the batch are summed
    /// in order.
    fn backward(&self, input: StepInput<'_>) -> candle_core::Result<(f64, Vec<Option<Tensor>>)> {
        let dropout = Dropout::new(self.seed, input.step);
        let share = 1.0 / input.batch.len() as f64;
        let mut total = 0.0;
        let mut sums: Vec<Option<Tensor>> = vec![None; self.parameters.len()];
        for part in input.batch.parts(self.limits.examples, self.limits.tokens) {
            let logits = self.learning.logits(&part, Some(dropout))?;
            let loss = (cross_entropy(&logits, &part.labels, self.optimizer.label_smoothing)? * share)?;
            total += f64::from(loss.to_scalar::<f32>()?);
            let mut gradients = loss.backward()?;
            for (sum, parameter) in sums.iter_mut().zip(&self.parameters) {
                let gradient = gradients.remove(&parameter.value);
                *sum = match (sum.take(), gradient) {
                    (Some(sum), Some(gradient)) => Some((sum + gradient)?),
                    (sum, gradient) => sum.or(gradient),
                };
            }
        }
        Ok((total, sums))
    }

    fn step_here(&mut self, input: StepInput<'_>) -> candle_core::Result<StepReport> {
        let (loss, gradients) = self.backward(input)?;
        let grad_norm = adamw::norm(&gradients)?;
        let scale = adamw::clip_scale(grad_norm, self.optimizer.max_grad_norm);
        let update = (self.updates + 1, input.learning_rate, scale);
        adamw::update(&self.parameters, &gradients, self.optimizer, update)?;
        self.updates += 1;
        Ok(StepReport { loss, grad_norm })
    }

    fn logits_here(&self, batch: &Batch) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut rows = Vec::with_capacity(batch.len());
        for part in batch.parts(usize::MAX, self.limits.tokens) {
            rows.extend(self.frozen.logits(&part, None)?.to_vec2::<f32>()?);
        }
        Ok(rows)
    }

    /// Sets one tensor of every parameter.
    fn put(&self, weights: &Weights, which: impl Fn(&Parameter) -> &Var) -> Result<()> {
        check_weights(&self.config.model, &self.slots.iter(), weights)?;
        for parameter in &self.parameters {
            let (array, var) = (&weights[&parameter.name], which(parameter));
            Tensor::from_slice(&array.data, array.shape.as_slice(), &self.device)
                .and_then(|tensor| var.set(&tensor))
                .map_err(|e| compute(&e))?;
        }
        Ok(())
    }
}

/// Runs `work` on the pool's threads, where there is one.
fn run<T: Send>(pool: Option<&ThreadPool>, work: impl FnOnce() -> T + Send) -> T {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
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
        check_batch(&self.config, input.batch)?;
        check_labels(self.labels, input.batch)?;
        let pool = self.pool.clone();
        run(pool.as_deref(), || self.step_here(input)).map_err(|e| compute(&e))
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.labels, input.batch)?;
        let gather = || {
            let (loss, gradients) = self.backward(input)?;
            let named = self.parameters.iter().zip(gradients);
            let array = |(parameter, gradient): (&Parameter, Option<Tensor>)| {
                gradient.map(|gradient| Ok((parameter.name.clone(), to_array(&gradient)?)))
            };
            Ok((loss, named.filter_map(array).collect::<candle_core::Result<Weights>>()?))
        };
        run(self.pool.as_deref(), gather).map_err(|e: candle_core::Error| compute(&e))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        run(self.pool.as_deref(), || self.logits_here(batch)).map_err(|e| compute(&e))
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let shape = |parameter: &Parameter| (parameter.name.clone(), parameter.value.dims().to_vec());
        self.parameters.iter().map(shape).collect()
    }

    fn tensor(&self, name: &str, part: Part) -> Result<Array> {
        let is_it = |parameter: &&Parameter| parameter.name == name;
        let parameter = self.parameters.iter().find(is_it).expect("a name of `shapes`");
        let tensor = match part {
            Part::Weight => &parameter.value,
            Part::FirstMoment => &parameter.first,
            Part::SecondMoment => &parameter.second,
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
        self.limits.tokens = max_tokens;
    }

    fn restore(&mut self, state: &EngineState) -> Result<()> {
        self.put(&state.weights, |parameter| &parameter.value)?;
        self.put(&state.first_moments, |parameter| &parameter.first)?;
        self.put(&state.second_moments, |parameter| &parameter.second)?;
        self.updates = state.updates;
        Ok(())
    }
}
