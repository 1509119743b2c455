//! The interface between training and what computes.

use crate::batch::Batch;
use crate::error::Result;
use crate::machine::{self, MemoryInfo};
use serde::Serialize;
use std::collections::BTreeMap;

/// A tensor on the host, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Array {
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub data: Vec<f32>,
}

/// Tensors by their Hugging Face names, in a fixed order.
pub type Weights = BTreeMap<String, Array>;

/// What AdamW and the loss are set to for a whole training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Divisor floor.
    pub epsilon: f64,
    /// Decoupled decay of all but biases and LayerNorm.
    pub weight_decay: f64,
    /// Global L2 norm that gradients are scaled down to; 0 is off.
    pub max_grad_norm: f64,
    /// Share of the target spread evenly over all classes; nothing to a regression.
    pub label_smoothing: f64,
}

impl Default for Optimizer {
    /// AdamW as PyTorch has it, without decay, clipping and smoothing.
    fn default() -> Self {
        Optimizer {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 0.0,
            label_smoothing: 0.0,
        }
    }
}

/// One optimizer step's input.
#[derive(Debug, Clone, Copy)]
pub struct StepInput<'a> {
    /// All examples of the step, labelled.
    pub batch: &'a Batch,
    /// Number of the step, from 0: the place of its dropout masks.
    pub step: u64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// What a step, or several together, say of themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Mean cross-entropy of the batch before the update; of a regression the mean squared error.
    pub loss: f64,
    /// Global L2 norm of the gradient, before clipping.
    pub grad_norm: f64,
}

/// Examples whose embedded words are mixed with other words. The embeddings of positions and segments stay.
#[derive(Debug, Clone, Copy)]
pub struct Interpolation<'a> {
    /// The examples.
    pub batch: &'a Batch,
    /// For each token the word, by its id, that it is mixed with: (tokens).
    pub others: &'a [u32],
    /// For each token the share of its own word; the rest is the other's. All at 1 it is the batch as it
    /// is: (tokens).
    pub shares: &'a [f32],
}

impl<'a> Interpolation<'a> {
    /// The other words and the shares of the tokens of `part`, which is one of the batch's parts.
    pub(crate) fn of(&self, part: &Batch) -> (&'a [u32], &'a [f32]) {
        let first = part.first_token - self.batch.first_token;
        let tokens = first..first + part.tokens();
        (&self.others[tokens.clone()], &self.shares[tokens])
    }
}

/// What an engine says of a [`Interpolation`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InputGradients {
    /// (examples, labels), row by row.
    pub logits: Vec<Vec<f32>>,
    /// For each token, the derivative of a logit of its example with respect to its share: the gradient of the
    /// embedded word, times own word − other word: (tokens).
    pub slopes: Vec<f32>,
}

/// What one kind of work has cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OpCost {
    /// Seconds on the clock: those of threads beside each other count once.
    pub seconds: f64,
    /// Multiplications and additions of its products, on all threads.
    pub operations: f64,
}

/// Seconds of the ways that every step takes, one after the other, on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ByPhase {
    /// From tokens to logits.
    pub forward: f64,
    /// The loss, and from there to the gradients.
    pub backward: f64,
    /// Sum of gradients, clipping and AdamW.
    pub optimizer: f64,
}

impl ByPhase {
    /// What came since `earlier`.
    pub fn since(&self, earlier: &ByPhase) -> ByPhase {
        ByPhase {
            forward: self.forward - earlier.forward,
            backward: self.backward - earlier.backward,
            optimizer: self.optimizer - earlier.optimizer,
        }
    }
}

/// Where an engine's time went by the kind of work, that of scoring included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ByOp {
    /// Embeddings, their norm, and the gradients of their rows.
    pub embedding: OpCost,
    /// Scores, softmax, dropout and context of attention.
    pub attention: OpCost,
    /// Matrix products of the layers.
    pub products: OpCost,
    /// Bias, activation, dropout, residual and norm of the layers.
    pub norm_activation: OpCost,
    /// Pooler, classifier and loss.
    pub head: OpCost,
    /// Sum of gradients, clipping and AdamW.
    pub optimizer: OpCost,
}

impl ByOp {
    /// What came since `earlier`.
    pub fn since(&self, earlier: &ByOp) -> ByOp {
        let part = |part: fn(&ByOp) -> OpCost| OpCost {
            seconds: part(self).seconds - part(earlier).seconds,
            operations: part(self).operations - part(earlier).operations,
        };
        ByOp {
            embedding: part(|kinds| kinds.embedding),
            attention: part(|kinds| kinds.attention),
            products: part(|kinds| kinds.products),
            norm_activation: part(|kinds| kinds.norm_activation),
            head: part(|kinds| kinds.head),
            optimizer: part(|kinds| kinds.optimizer),
        }
    }
}

/// Where an engine's time went since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Profile {
    /// That of the steps.
    pub passes: ByPhase,
    /// All of it by the kind of work, if the engine tells that apart.
    pub kinds: Option<ByOp>,
}

impl Profile {
    /// What came since `earlier`.
    pub fn since(&self, earlier: &Profile) -> Profile {
        Profile {
            passes: self.passes.since(&earlier.passes),
            kinds: self.kinds.zip(earlier.kinds).map(|(now, before)| now.since(&before)),
        }
    }
}

/// How fast a kernel of the engine is alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KernelRate {
    /// What it does.
    pub name: &'static str,
    /// Median time of a call, in milliseconds.
    pub ms: f64,
    /// What it reads and writes, in 10⁹ bytes a second.
    pub gbytes: f64,
    /// Multiplications and additions of its products, in 10⁹ a second.
    pub gflops: Option<f64>,
}

/// Bytes that training takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryPlan {
    /// Weights, in every form that they are kept in.
    pub weights: u64,
    /// AdamW's moments.
    pub moments: u64,
    /// Gradients, those of small tensors for every share of a batch.
    pub gradients: u64,
    /// What a pass forward leaves for the way back. Grows with the tokens of a pass.
    pub activations: u64,
}

impl MemoryPlan {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.moments + self.gradients + self.activations
    }
}

/// What an engine keeps of each trainable tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The tensor itself.
    Weight,
    /// AdamW's first moments.
    FirstMoment,
    /// AdamW's second moments.
    SecondMoment,
}

/// All that a training needs to go on exactly where it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EngineState {
    /// Every trainable tensor.
    pub weights: Weights,
    /// AdamW's first moments.
    pub first_moments: Weights,
    /// AdamW's second moments.
    pub second_moments: Weights,
    /// AdamW updates done, for its bias correction.
    pub updates: u64,
}

/// Computes. Implementations differ in device and speed, never in meaning.
pub trait Engine: Send {
    /// One optimizer step: forward, loss, backward, clipping, AdamW. Dropout is on.
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport>;

    /// Begins what [`Engine::step`] does. A device may be at it still when this returns; then nothing is said
    /// of the step here, and [`Engine::report`] has to be asked.
    fn enqueue(&mut self, input: StepInput<'_>) -> Result<Option<StepReport>> {
        self.step(input).map(Some)
    }

    /// Waits for the steps that were enqueued without a word since the last report: the mean of their losses,
    /// and the gradient norm of the last. Nothing if there were none.
    fn report(&mut self) -> Result<Option<StepReport>> {
        Ok(None)
    }

    /// The loss and the gradient of every trainable tensor, as a step would see them before
    /// clipping, without changing anything. A tensor that the loss does not reach has no entry.
    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)>;

    /// Logits of each example, dropout off: (examples, outputs), row by row.
    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>>;

    /// The logits of mixed words, and how the logit of `class` changes with the share of each; dropout off. It
    /// changes nothing that is learned.
    fn slopes(&mut self, mix: Interpolation<'_>, class: usize) -> Result<InputGradients>;

    /// Name and shape of every trainable tensor.
    fn shapes(&self) -> Vec<(String, Vec<usize>)>;

    /// A copy of what is kept of the tensor of that name, which has to be one of [`Engine::shapes`].
    fn tensor(&self, name: &str, part: Part) -> Result<Array>;

    /// AdamW updates done.
    fn updates(&self) -> u64;

    /// A copy of what is kept of every trainable tensor.
    fn tensors(&self, part: Part) -> Result<Weights> {
        self.shapes()
            .into_iter()
            .map(|(name, _)| self.tensor(&name, part).map(|array| (name, array)))
            .collect()
    }

    /// A copy of every trainable tensor.
    fn weights(&self) -> Result<Weights> {
        self.tensors(Part::Weight)
    }

    /// Replaces every trainable tensor; names and shapes must be the engine's own.
    fn set_weights(&mut self, weights: &Weights) -> Result<()>;

    /// A copy of all that training changes.
    fn state(&self) -> Result<EngineState> {
        Ok(EngineState {
            weights: self.tensors(Part::Weight)?,
            first_moments: self.tensors(Part::FirstMoment)?,
            second_moments: self.tensors(Part::SecondMoment)?,
            updates: self.updates(),
        })
    }

    /// Puts back what [`Engine::state`] gave.
    fn restore(&mut self, state: &EngineState) -> Result<()>;

    /// What training takes when its largest batch is `batch`, done in parts of at most `max_tokens`, if the
    /// engine can tell.
    fn memory(&self, _batch: &Batch, _max_tokens: usize) -> Option<MemoryPlan> {
        None
    }

    /// The memory that the plan is made for, if it is known.
    fn available_memory(&self) -> Option<MemoryInfo> {
        machine::memory()
    }

    /// From now on a pass takes at most so many tokens; a larger batch is done in parts, with the same
    /// result.
    fn set_max_tokens(&mut self, max_tokens: usize);

    /// Where the time went since the engine was made, if it keeps count. A device that works while the host
    /// goes on can not be timed so.
    fn profile(&self) -> Option<Profile> {
        None
    }

    /// Tokens that a step on `batch` computes anywhere in the model: its own, and the padding.
    fn computed_tokens(&self, batch: &Batch) -> usize {
        batch.tokens()
    }
}
