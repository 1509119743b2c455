//! The [`Engine`] trait and the types of its arguments and results.

use super::lora::Lora;
use super::param_groups::ParamGroups;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::machine::{self, MemoryInfo};
use crate::spec::RunSpec;
use kernels::op_cost::OpCost;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tensor in host memory, in row-major order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Array {
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<f32>,
}

/// Tensors by their Hugging Face names, sorted by name.
pub type Weights = BTreeMap<String, Array>;

/// Settings of AdamW and of the loss. They stay the same for a whole training.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerConfig {
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment before the division.
    pub epsilon: f64,
    /// Decoupled weight decay of all parameters but biases and LayerNorm.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global L2 norm; 0 disables clipping.
    pub max_grad_norm: f64,
    /// Share of the target that is spread evenly over all classes. Only the cross-entropy uses it.
    pub label_smoothing: f64,
    /// A weight for each output: `weight` of `torch.nn.CrossEntropyLoss` for classes, `pos_weight` of
    /// `torch.nn.BCEWithLogitsLoss` for sets of labels. Regressions ignore it. `None` is 1 for each.
    pub class_weights: Option<Arc<[f32]>>,
    /// Decay of an exponential moving average of all weights, which starts as a copy of the initial weights. After each
    /// step, average ← decay · average + (1 − decay) · weights, as `torch.optim.swa_utils.get_ema_multi_avg_fn`. `None`
    /// keeps no average.
    pub ema_decay: Option<f64>,
    /// How much the loss follows a teacher whose logits the batches have.
    pub distillation: Option<Distillation>,
    /// Which parameters are trained, and at which learning rate.
    pub param_groups: ParamGroups,
    /// The adapters that are trained in place of the weights of the layers.
    pub lora: Option<Lora>,
}

/// A loss that follows the logits t of a teacher as well as the labels (Hinton, Vinyals and Dean 2015,
/// <https://arxiv.org/abs/1503.02531>): (1 − weight) · loss + weight · distance, with the temperature T and the logits s of
/// the model. The distance is the mean over the examples of
///
/// - T² · KL(softmax(t / T) ‖ softmax(s / T)) for classes,
/// - T² · KL(σ(t / T) ‖ σ(s / T)), as the mean over the labels, for sets of labels,
/// - (s − t)² for a regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distillation {
    /// Share of the distance in the loss, from 0 to 1.
    pub weight: f64,
    /// Divides the logits of both models, and so makes their probabilities more alike.
    pub temperature: f64,
}

impl Distillation {
    /// That of a specification, if it has a teacher.
    pub(crate) fn from_spec(spec: &RunSpec) -> Option<Self> {
        spec.teacher.as_ref()?;
        Some(Distillation {
            weight: spec.distillation_weight.unwrap_or(0.5),
            temperature: spec.distillation_temperature.unwrap_or(2.0),
        })
    }
}

impl Default for OptimizerConfig {
    /// The defaults of `torch.optim.AdamW` for all parameters, without weight decay, clipping, label smoothing, class weights,
    /// average and teacher.
    fn default() -> Self {
        OptimizerConfig {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 0.0,
            label_smoothing: 0.0,
            class_weights: None,
            distillation: None,
            param_groups: ParamGroups::default(),
            lora: None,
            ema_decay: None,
        }
    }
}

/// Input of one optimizer step.
#[derive(Debug, Clone, Copy)]
pub struct StepInput<'a> {
    /// All examples of the step, with labels.
    pub batch: &'a Batch,
    /// Index of the step, from 0. It selects the dropout masks.
    pub step: u64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// Loss, gradient norm and logits of one step, or of several steps together.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Mean loss of the batch before the update: cross-entropy, binary cross-entropy for sets of labels, or squared
    /// error for a regression.
    pub loss: f64,
    /// Global L2 norm of the gradient, before clipping.
    pub grad_norm: f64,
    /// Logits of the forward passes, with dropout, row by row: (examples of all steps, labels)
    pub logits: Vec<f32>,
}

/// Examples whose word embeddings are interpolated with those of a baseline: token t uses
/// `baseline[t] + alphas[t] · (word[t] − baseline[t])`. Position and segment embeddings are unchanged.
#[derive(Debug, Clone, Copy)]
pub struct Interpolation<'a> {
    /// The examples.
    pub batch: &'a Batch,
    /// Word id of the baseline for each token: (tokens).
    pub baseline_ids: &'a [u32],
    /// Weight α of each token's own word; with α = 1 everywhere, the embeddings are those of the batch: (tokens).
    pub alphas: &'a [f32],
}

impl<'a> Interpolation<'a> {
    /// Baseline ids and alphas of the tokens of `micro_batch`, which is a part of the batch.
    pub(crate) fn of_micro_batch(&self, micro_batch: &Batch) -> (&'a [u32], &'a [f32]) {
        let first = micro_batch.first_token - self.batch.first_token;
        let tokens = first..first + micro_batch.tokens();
        (&self.baseline_ids[tokens.clone()], &self.alphas[tokens])
    }
}

/// Result of [`Engine::input_gradients`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InputGradients {
    /// (examples, labels), row by row.
    pub logits: Vec<Vec<f32>>,
    /// For each token, the derivative of its example's logit with respect to the token's α: the gradient of the
    /// word embedding · (word − baseline): (tokens).
    pub alpha_grads: Vec<f32>,
}

/// Wall-clock seconds of the phases of the optimizer steps, which run one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ByPhase {
    /// From tokens to logits.
    pub forward: f64,
    /// Loss and gradients.
    pub backward: f64,
    /// Reduction of gradients, clipping and AdamW.
    pub optimizer: f64,
}

impl ByPhase {
    /// The difference to an `earlier` measurement.
    pub fn since(&self, earlier: &ByPhase) -> ByPhase {
        ByPhase {
            forward: self.forward - earlier.forward,
            backward: self.backward - earlier.backward,
            optimizer: self.optimizer - earlier.optimizer,
        }
    }
}

/// Cost of an engine's work by kind of operation, inference included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ByOp {
    /// Embeddings, their LayerNorm, and the gradients of their rows.
    pub embedding: OpCost,
    /// Scores, softmax, dropout and context of attention.
    pub attention: OpCost,
    /// Matrix products of the linear layers of the encoder.
    pub matmul: OpCost,
    /// Bias, activation, dropout, residual and LayerNorm of the encoder layers.
    pub norm_activation: OpCost,
    /// Pooler, classifier and loss.
    pub head: OpCost,
    /// Reduction of gradients, clipping and AdamW.
    pub optimizer: OpCost,
}

impl ByOp {
    /// The difference to an `earlier` measurement.
    pub fn since(&self, earlier: &ByOp) -> ByOp {
        let difference = |op: fn(&ByOp) -> OpCost| OpCost {
            seconds: op(self).seconds - op(earlier).seconds,
            flops: op(self).flops - op(earlier).flops,
        };
        ByOp {
            embedding: difference(|ops| ops.embedding),
            attention: difference(|ops| ops.attention),
            matmul: difference(|ops| ops.matmul),
            norm_activation: difference(|ops| ops.norm_activation),
            head: difference(|ops| ops.head),
            optimizer: difference(|ops| ops.optimizer),
        }
    }
}

/// Where an engine has spent its time since it was created.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Profile {
    /// Time of the optimizer steps by phase.
    pub by_phase: ByPhase,
    /// All time by kind of operation, if the engine measures it.
    pub by_op: Option<ByOp>,
}

impl Profile {
    /// The difference to an `earlier` measurement.
    pub fn since(&self, earlier: &Profile) -> Profile {
        Profile {
            by_phase: self.by_phase.since(&earlier.by_phase),
            by_op: self.by_op.zip(earlier.by_op).map(|(later, earlier)| later.since(&earlier)),
        }
    }
}

/// Throughput of one kernel of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KernelRate {
    /// What the kernel computes.
    pub name: &'static str,
    /// Median time of a call, in milliseconds.
    pub ms: f64,
    /// Memory traffic, in 10⁹ bytes per second.
    pub gbytes: f64,
    /// Floating-point operations of its matrix products, in 10⁹ per second.
    pub gflops: Option<f64>,
}

/// Memory that training needs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryPlan {
    /// Weights, in every format that the engine keeps.
    pub weights: u64,
    /// AdamW moments.
    pub moments: u64,
    /// The moving average of the weights, if there is one.
    pub average: u64,
    /// Gradients, including the copies of the vector gradients that shards accumulate.
    pub gradients: u64,
    /// What the forward pass saves for the backward pass. Grows with the tokens of a micro-batch.
    pub activations: u64,
}

impl MemoryPlan {
    /// The sum.
    pub fn total(&self) -> u64 {
        self.weights + self.moments + self.average + self.gradients + self.activations
    }
}

/// The tensors that an engine stores for each parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamState {
    /// The parameter itself, with its adapter added.
    Weight,
    /// AdamW's first moment (`exp_avg` in PyTorch).
    FirstMoment,
    /// AdamW's second moment (`exp_avg_sq` in PyTorch).
    SecondMoment,
    /// A factor of a low-rank adapter, for engines with [`OptimizerConfig::lora`].
    Adapter,
    /// The exponential moving average of the parameter, for engines with [`OptimizerConfig::ema_decay`].
    Average,
}

/// Everything that training changes in an engine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EngineState {
    /// Every parameter, with its adapter added.
    pub weights: Weights,
    /// AdamW's first moments of the trained parameters, by name.
    pub first_moments: Weights,
    /// AdamW's second moments of the trained parameters, by name.
    pub second_moments: Weights,
    /// The factors of the adapters; empty without [`OptimizerConfig::lora`].
    pub adapters: Weights,
    /// The moving average of every parameter; empty without [`OptimizerConfig::ema_decay`].
    pub average: Weights,
    /// Number of AdamW updates done.
    pub updates: u64,
}

/// The error of [`Engine::swap_average`].
pub(crate) fn no_average() -> Error {
    Error::Usage("this engine keeps no average of the weights".into())
}

/// Computes logits and trains the model. Implementations differ in device and speed, not in results (up to
/// rounding).
pub trait Engine: Send {
    /// Runs one optimizer step with dropout: forward, loss, backward, clipping, AdamW, moving average.
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport>;

    /// Starts what [`Engine::step`] does. On an asynchronous device the step may still be running when this
    /// returns; the result is then `None`, and [`Engine::report`] waits for it.
    fn enqueue(&mut self, input: StepInput<'_>) -> Result<Option<StepReport>> {
        self.step(input).map(Some)
    }

    /// Waits for the steps that [`Engine::enqueue`] left running since the last report. Returns the mean of
    /// their losses, the gradient norm of the last step and the logits of all, or `None` if there were none.
    fn report(&mut self) -> Result<Option<StepReport>> {
        Ok(None)
    }

    /// Warnings since the last call, one sentence each.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Loss, and the gradient of every parameter before clipping, as [`Engine::step`] would compute them, without
    /// changing anything. A parameter that is not trained, or that the loss does not depend on, has no entry.
    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)>;

    /// Logits of each example, without dropout: (examples, labels), row by row.
    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>>;

    /// Logits of interpolated inputs, and the derivative of the logit of `class` with respect to each token's α,
    /// without dropout and without changing the model.
    ///
    /// # Errors
    /// A token id or a class that the model does not have; an engine that does not support it.
    fn input_gradients(&mut self, input: Interpolation<'_>, class: usize) -> Result<InputGradients>;

    /// Name and shape of every parameter.
    fn shapes(&self) -> Vec<(String, Vec<usize>)>;

    /// Whether the parameter `name`, which must be one of [`Engine::shapes`], is trained.
    fn requires_grad(&self, _name: &str) -> bool {
        true
    }

    /// Copies one tensor of the parameter `name`, which must be one of [`Engine::shapes`]. A parameter that is not trained
    /// has no moments.
    fn tensor(&self, name: &str, state: ParamState) -> Result<Array>;

    /// Number of AdamW updates done.
    fn updates(&self) -> u64;

    /// Name and shape of every factor of an adapter.
    fn adapter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        Vec::new()
    }

    /// Name and shape of every parameter that has such a tensor: moments belong to trained parameters only.
    fn shapes_of(&self, state: ParamState) -> Vec<(String, Vec<usize>)> {
        let mut shapes = self.shapes();
        match state {
            ParamState::Weight | ParamState::Average => {}
            ParamState::Adapter => return self.adapter_shapes(),
            ParamState::FirstMoment | ParamState::SecondMoment => {
                shapes.retain(|(name, _)| self.requires_grad(name));
                shapes.extend(self.adapter_shapes());
            }
        }
        shapes
    }

    /// Copies one tensor of every parameter that has it.
    fn tensors(&self, state: ParamState) -> Result<Weights> {
        let shapes = self.shapes_of(state).into_iter();
        shapes.map(|(name, _)| self.tensor(&name, state).map(|array| (name, array))).collect()
    }

    /// Copies every parameter.
    fn weights(&self) -> Result<Weights> {
        self.tensors(ParamState::Weight)
    }

    /// Replaces every parameter.
    ///
    /// # Errors
    /// Names or shapes that differ from the engine's.
    fn set_weights(&mut self, weights: &Weights) -> Result<()>;

    /// Whether the engine keeps a moving average of the weights: those with [`OptimizerConfig::ema_decay`] do.
    fn has_average(&self) -> bool {
        false
    }

    /// Exchanges the weights and their moving average: [`Engine::logits`] then uses the average. A second call exchanges
    /// them back, which must happen before the next step.
    ///
    /// # Errors
    /// An engine without an average.
    fn swap_average(&mut self) -> Result<()> {
        Err(no_average())
    }

    /// Copies everything that training changes.
    fn state(&self) -> Result<EngineState> {
        Ok(EngineState {
            weights: self.tensors(ParamState::Weight)?,
            first_moments: self.tensors(ParamState::FirstMoment)?,
            second_moments: self.tensors(ParamState::SecondMoment)?,
            adapters: self.tensors(ParamState::Adapter)?,
            average: if self.has_average() { self.tensors(ParamState::Average)? } else { Weights::new() },
            updates: self.updates(),
        })
    }

    /// Restores a state that [`Engine::state`] returned. Training continues from it bit for bit.
    ///
    /// # Errors
    /// Names or shapes that differ from the engine's.
    fn restore(&mut self, state: &EngineState) -> Result<()>;

    /// Memory for training when the largest batch is `batch` and micro-batches have at most `max_tokens` tokens;
    /// `None` if the engine cannot estimate it.
    fn memory_plan(&self, _batch: &Batch, _max_tokens: usize) -> Option<MemoryPlan> {
        None
    }

    /// Memory of the device that [`Engine::memory_plan`] refers to, if known.
    fn available_memory(&self) -> Option<MemoryInfo> {
        machine::memory()
    }

    /// Limits micro-batches to `max_tokens` tokens. Larger batches are split; the gradient is the same up to the
    /// order of additions.
    fn set_max_tokens(&mut self, max_tokens: usize);

    /// Where the time was spent since the engine was created. `None` if the engine does not measure it, as on a
    /// device that runs asynchronously.
    fn profile(&self) -> Option<Profile> {
        None
    }

    /// Number of token positions that a step on `batch` computes: its tokens and the padding.
    fn computed_tokens(&self, batch: &Batch) -> usize {
        batch.tokens()
    }
}
