//! [`FastEngine`]: shards, gradients and AdamW behind the [`Engine`] trait.

use super::adapters::Adapters;
use super::average::Average;
use super::frozen_outputs::FrozenOutputs;
use super::gradients::Gradients;
use super::int8::{self, QuantizedWeights};
use super::layout::Layout;
use super::loss::{LossConfig, Objective, TeacherLoss};
use super::memory_plan::memory_plan;
use super::model::Model;
use super::shard::Shard;
use super::sparse_embedding_grad::SparseEmbeddingGrad;
use super::threads::{MAX_SHARDS, thread_count, threads_per_shard};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::nn::arena::ParamRange;
use crate::nn::check::{
    check_batch, check_interpolation, check_labels, check_state, check_teacher, check_weights,
};
use crate::nn::config::ModelConfig;
use crate::nn::engine::{
    Array, ByOp, ByPhase, Distillation, Engine, EngineState, InputGradients, Interpolation, MemoryPlan,
    OptimizerConfig, ParamState, Profile, StepInput, StepReport, Weights, no_average,
};
use crate::nn::engine_config::{EngineConfig, MicroBatchLimits};
use crate::nn::lora::is_adapter;
use crate::nn::loss::loss_denominator;
use crate::nn::params::ParamSpec;
use crate::spec::Precision;
use kernels::Cpu;
use kernels::dropout::Dropout;
use kernels::element_type::ElementType;
use kernels::huge_pages::zeros;
use kernels::int8::Int8Kernel;
use kernels::matmul::{Matmul, MatmulBackend};
use kernels::op_cost::OpCost;
use kernels::packed::PackedGemm;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;

/// The fast engine of the CPU.
pub(crate) struct FastEngine {
    config: ModelConfig,
    layout: Layout,
    cpu: Cpu,
    element_type: ElementType,
    seed: u64,
    optimizer: OptimizerConfig,
    limits: MicroBatchLimits,
    pool: ThreadPool,
    /// Arenas of weights and moments.
    weights: Vec<f32>,
    first_moments: Vec<f32>,
    second_moments: Vec<f32>,
    /// The low-rank adapters of the weights, if there are any.
    adapters: Option<Adapters>,
    /// The moving average of the weights, if there is one.
    average: Option<Average>,
    /// The matrices of the layers with precision int8.
    quantized: Option<QuantizedWeights>,
    gradients: Gradients,
    word_grad: SparseEmbeddingGrad,
    /// Of the part of the model that is not trained, if there is one.
    frozen_outputs: Option<FrozenOutputs>,
    shards: Vec<Shard>,
    updates: u64,
    /// Cost of adding the word gradients of all shards.
    word_grad_cost: OpCost,
    /// Time of the optimizer steps.
    by_phase: ByPhase,
}

impl FastEngine {
    /// An engine with the given weights, which must hold every parameter of `specs`.
    pub(crate) fn new(
        config: &ModelConfig,
        specs: &[ParamSpec],
        weights: &Weights,
        engine_config: EngineConfig,
    ) -> Result<Self> {
        let EngineConfig { seed, optimizer, limits, precision, threads } = engine_config;
        let layout = Layout::new(config, specs);
        let threads = thread_count(threads);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("train-{index}"))
            .build()
            .map_err(|e| Error::Device(format!("cannot start {threads} threads: {e}")))?;
        let element_type = match precision {
            Precision::Bf16 if PackedGemm::detect(ElementType::Bf16).is_some() => ElementType::Bf16,
            _ => ElementType::F32,
        };
        if precision == Precision::Int8 {
            int8::check_supported(config)?;
        }
        let length = layout.len();
        let matmuls = [element_type, ElementType::F32].map(|of| Matmul::new(MatmulBackend::fastest(of)));
        let average = optimizer.ema_decay.map(|decay| Average::new(decay, length));
        let mut engine = FastEngine {
            config: config.clone(),
            cpu: Cpu::detect(),
            element_type,
            seed,
            optimizer,
            limits,
            pool,
            weights: zeros(length, length),
            // Most rows of the word embedding never get moments.
            first_moments: zeros(length, layout.dense_len()),
            second_moments: zeros(length, layout.dense_len()),
            adapters: None,
            average,
            quantized: (precision == Precision::Int8).then(QuantizedWeights::default),
            gradients: Gradients::new(&layout, Matmul::new(MatmulBackend::fastest(element_type))),
            word_grad: SparseEmbeddingGrad::new(
                (config.vocab_size, config.embedding_size),
                config.padding_id,
            ),
            frozen_outputs: FrozenOutputs::new(config, layout.frozen, &matmuls),
            shards: (0..threads.min(MAX_SHARDS)).map(|_| Shard::new(element_type)).collect(),
            updates: 0,
            word_grad_cost: OpCost::default(),
            by_phase: ByPhase::default(),
            layout,
        };
        check_weights(&config.model, &specs.iter(), weights)?;
        engine.replace_weights(weights);
        engine.adapters = engine.new_adapters();
        if let Some(average) = &mut engine.average {
            average.values.copy_from_slice(&engine.weights);
        }
        Ok(engine)
    }

    /// Description to display: threads and instruction set.
    pub(crate) fn describe(&self) -> String {
        let threads = self.pool.current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        let extension = match self.quantized {
            Some(_) => Int8Kernel::fastest().name(),
            None => PackedGemm::detect(self.element_type).and_then(PackedGemm::name),
        };
        let extension = extension.map_or(String::new(), |name| format!(" with {name}"));
        format!("cpu, {threads} thread{plural}, {}{extension}", self.cpu.name())
    }

    /// Precision of the matrix products of the encoder: `f32`, `bf16` or `int8`.
    pub(crate) fn precision(&self) -> &'static str {
        match self.element_type {
            _ if self.quantized.is_some() => "int8",
            ElementType::F32 => "f32",
            ElementType::Bf16 => "bf16",
        }
    }

    /// Checks that the engine has a backward pass.
    ///
    /// # Errors
    /// [`Error::Usage`] with precision int8.
    fn check_backward(&self, what: &str) -> Result<()> {
        if self.quantized.is_none() {
            return Ok(());
        }
        Err(Error::Usage(format!("precision int8 has no gradients, which {what} need; use f32 or bf16")))
    }

    /// Adapters that add nothing to the weights yet.
    fn new_adapters(&self) -> Option<Adapters> {
        let lora = self.optimizer.lora.as_ref()?;
        Some(Adapters::new(lora, &self.layout, &self.weights))
    }

    /// Adds the adapters to the weights.
    fn add_adapters(&mut self) {
        let FastEngine { adapters, pool, layout, weights, .. } = self;
        if let Some(adapters) = adapters {
            pool.install(|| adapters.add(layout, weights));
        }
    }

    /// Replaces the weights and what is computed from them.
    fn replace_weights(&mut self, new: &Weights) {
        let FastEngine { quantized, pool, layout, weights, .. } = self;
        copy_to_arena(layout, new, weights);
        if let Some(frozen_outputs) = &self.frozen_outputs {
            frozen_outputs.clear();
        }
        if let Some(quantized) = quantized {
            *quantized = pool.install(|| QuantizedWeights::new(layout, weights));
        }
    }

    /// The parameter `name`, which must be one of [`Engine::shapes`].
    fn param(&self, name: &str) -> &ParamRange {
        let param = self.layout.params.iter().find(|param| param.spec.name == name);
        param.expect("the name is one of `shapes`")
    }

    fn specs(&self) -> impl Iterator<Item = &ParamSpec> + Clone {
        self.layout.params.iter().map(|param| &param.spec)
    }

    /// Forward and backward pass of a step. Returns the loss and the logits, (examples, labels), and leaves the
    /// gradients in `gradients` and `word_grad`.
    ///
    /// Shards run in parallel and synchronize after the backward pass of each layer, because the gradients of its
    /// matrices are products over the rows of all shards.
    fn forward_backward(&mut self, input: StepInput<'_>) -> (f64, Vec<f32>) {
        let FastEngine { config, layout, cpu, weights, shards, gradients, word_grad, pool, limits, .. } =
            self;
        let frozen_outputs = self.frozen_outputs.as_ref();
        let start = Instant::now();
        let mut forward_seconds = 0.0;
        let mut logits = Vec::with_capacity(input.batch.len() * layout.labels());
        let OptimizerConfig { distillation, label_smoothing, .. } = self.optimizer;
        let class_weights = self.optimizer.class_weights.as_deref();
        let teacher = distillation.map(|Distillation { weight, temperature }| TeacherLoss {
            scale: (weight / input.batch.len() as f64) as f32,
            temperature: temperature as f32,
        });
        let label_share = distillation.map_or(1.0, |distillation| 1.0 - distillation.weight);
        let denominator = loss_denominator(input.batch, layout.labels(), class_weights);
        let pass = Pass {
            model: Model { cpu: *cpu, config, layout, weights, quantized: None, frozen_outputs },
            dropout: Some(Dropout::new(self.seed, input.step)),
            objective: Objective::Loss(LossConfig {
                scale: (label_share / denominator) as f32,
                label_smoothing: label_smoothing as f32,
                class_weights,
                teacher,
            }),
        };
        for shard in shards.iter_mut() {
            shard.zero_grad(layout);
        }
        gradients.matmul.threads = pool.current_num_threads();
        for micro_batch in input.batch.micro_batches(limits.max_examples, limits.max_tokens) {
            let shard_batches = micro_batch.split_by_tokens(shards.len());
            let threads = threads_per_shard(pool.current_num_threads(), shard_batches.len());
            let shards = &mut shards[..shard_batches.len()];
            forward_seconds += pool.install(|| {
                shards.par_iter_mut().for_each(|shard| shard.set_threads(threads));
                let seconds = pass.forward_backward(shards, &shard_batches, gradients);
                if !layout.frozen.has_embeddings() {
                    let start = Instant::now();
                    word_grad.add(&shard_batches, shards);
                    self.word_grad_cost.add_time_since(start);
                }
                seconds
            });
            for shard in shards.iter() {
                logits.extend_from_slice(&shard.logits);
            }
        }
        pool.install(|| {
            gradients.finish_step(*cpu, layout, shards);
            if let Some(adapters) = &mut self.adapters {
                adapters.backward(layout, weights, &mut gradients.arena);
            }
        });
        self.by_phase.forward += forward_seconds;
        self.by_phase.backward += start.elapsed().as_secs_f64() - forward_seconds;
        (shards.iter().map(|shard| shard.loss).sum(), logits)
    }
}

/// What the passes of all shards of a step share.
#[derive(Clone, Copy)]
struct Pass<'a> {
    model: Model<'a>,
    dropout: Option<Dropout>,
    objective: Objective<'a>,
}

impl Pass<'_> {
    /// Forward and backward pass of a micro-batch, except for the gradient of the word embedding. Returns the seconds
    /// of the forward pass.
    fn forward_backward(self, shards: &mut [Shard], batches: &[Batch], gradients: &mut Gradients) -> f64 {
        let Pass { model, dropout, objective } = self;
        let frozen = model.layout.frozen;
        let forward = shards.par_iter_mut().zip(batches).map(|(shard, batch)| {
            let start = Instant::now();
            shard.forward(model, batch, dropout, frozen.layers());
            let seconds = start.elapsed().as_secs_f64();
            shard.head_backward(model, batch, dropout, objective);
            seconds
        });
        // Shards run in parallel, so the mean is the wall-clock time.
        let seconds = forward.sum::<f64>() / batches.len() as f64;
        for index in (frozen.layers()..model.config.layers).rev() {
            shards.par_iter_mut().for_each(|shard| shard.layer_backward(model, index, dropout));
            gradients.add_layer(model, index, shards);
        }
        if !frozen.has_embeddings() {
            shards.par_iter_mut().zip(batches).for_each(|(shard, batch)| {
                shard.relative_backward(model);
                shard.embed_backward(model, batch, dropout);
            });
        }
        seconds
    }
}

/// Copies the tensors that `weights` has into an arena.
fn copy_to_arena(layout: &Layout, weights: &Weights, arena: &mut [f32]) {
    for param in &layout.params {
        if let Some(array) = weights.get(&param.spec.name) {
            arena[param.range.clone()].copy_from_slice(&array.data);
        }
    }
}

impl Engine for FastEngine {
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport> {
        self.check_backward("training steps")?;
        check_batch(&self.config, input.batch)?;
        check_labels(self.layout.labels(), input.batch)?;
        check_teacher(self.layout.labels(), input.batch, self.optimizer.distillation)?;
        let (loss, logits) = self.forward_backward(input);
        let start = Instant::now();
        let grad_norm = self.update(input.learning_rate);
        self.add_adapters();
        if let Some(average) = &mut self.average {
            self.pool.install(|| average.update(self.cpu, &self.weights));
        }
        self.by_phase.optimizer += start.elapsed().as_secs_f64();
        Ok(StepReport { loss, grad_norm, logits })
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        self.check_backward("training steps")?;
        check_batch(&self.config, input.batch)?;
        check_labels(self.layout.labels(), input.batch)?;
        check_teacher(self.layout.labels(), input.batch, self.optimizer.distillation)?;
        let (has_moments, by_phase) = (self.word_grad.has_moments.clone(), self.by_phase);
        let (loss, _) = self.forward_backward(input);
        let word_grad = self.word_grad.take();
        self.word_grad.has_moments = has_moments;
        self.by_phase = by_phase;
        // The word embedding is the last parameter of the arena; its gradient is stored separately.
        let (words, dense) = self.layout.params.split_last().expect("a model has parameters");
        let trained = dense.iter().filter(|param| param.spec.requires_grad);
        let to_array = |param: &ParamRange| (param.spec.name.clone(), param.to_array(&self.gradients.arena));
        let mut gradients: Weights = trained.map(to_array).collect();
        if words.spec.requires_grad {
            let array = Array { shape: words.spec.shape.clone(), data: word_grad };
            gradients.insert(words.spec.name.clone(), array);
        }
        Ok((loss, gradients))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        let FastEngine { config, layout, cpu, weights, quantized, shards, pool, limits, .. } = self;
        let (quantized, frozen_outputs) = (quantized.as_ref(), self.frozen_outputs.as_ref());
        let model = Model { cpu: *cpu, config, layout, weights, quantized, frozen_outputs };
        let max_tokens = match quantized {
            Some(_) => limits.max_tokens.min(int8::MAX_TOKENS * shards.len()),
            None => limits.max_tokens,
        };
        let mut rows = Vec::with_capacity(batch.len());
        for micro_batch in batch.micro_batches(usize::MAX, max_tokens) {
            let shard_batches = micro_batch.split_by_tokens(shards.len());
            let threads = threads_per_shard(pool.current_num_threads(), shard_batches.len());
            pool.install(|| {
                shards.par_iter_mut().zip(&shard_batches).for_each(|(shard, batch)| {
                    shard.set_threads(threads);
                    shard.forward(model, batch, None, config.layers);
                });
            });
            for shard in &shards[..shard_batches.len()] {
                rows.extend(shard.logits.chunks_exact(layout.labels()).map(<[f32]>::to_vec));
            }
        }
        Ok(rows)
    }

    fn input_gradients(&mut self, input: Interpolation<'_>, class: usize) -> Result<InputGradients> {
        self.check_backward("word attributions")?;
        check_interpolation(&self.config, self.layout.labels(), &input, class)?;
        let FastEngine { config, layout, cpu, weights, shards, pool, limits, .. } = self;
        let model = Model { cpu: *cpu, config, layout, weights, quantized: None, frozen_outputs: None };
        let mut result = InputGradients::default();
        for micro_batch in input.batch.micro_batches(usize::MAX, limits.max_tokens) {
            let shard_batches = micro_batch.split_by_tokens(shards.len());
            let threads = threads_per_shard(pool.current_num_threads(), shard_batches.len());
            let shards = &mut shards[..shard_batches.len()];
            pool.install(|| {
                shards.par_iter_mut().zip(&shard_batches).for_each(|(shard, batch)| {
                    shard.set_threads(threads);
                    shard.input_gradients(model, batch, input.of_micro_batch(batch), class);
                });
            });
            for shard in shards {
                result.logits.extend(shard.logits.chunks_exact(layout.labels()).map(<[f32]>::to_vec));
                result.alpha_grads.extend_from_slice(&shard.alpha_grads);
            }
        }
        Ok(result)
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let specs = self.specs().filter(|spec| !is_adapter(&spec.name));
        specs.map(|spec| (spec.name.clone(), spec.shape.clone())).collect()
    }

    fn adapter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let specs = self.specs().filter(|spec| is_adapter(&spec.name));
        specs.map(|spec| (spec.name.clone(), spec.shape.clone())).collect()
    }

    fn requires_grad(&self, name: &str) -> bool {
        self.param(name).spec.requires_grad
    }

    fn tensor(&self, name: &str, state: ParamState) -> Result<Array> {
        let param = self.param(name);
        let arena = match state {
            ParamState::Weight | ParamState::Adapter => &self.weights,
            ParamState::FirstMoment => &self.first_moments,
            ParamState::SecondMoment => &self.second_moments,
            ParamState::Average => &self.average.as_ref().expect("the engine has an average").values,
        };
        Ok(param.to_array(arena))
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn has_average(&self) -> bool {
        self.average.is_some()
    }

    fn swap_average(&mut self) -> Result<()> {
        let average = self.average.as_mut().ok_or_else(no_average)?;
        std::mem::swap(&mut average.values, &mut self.weights);
        Ok(())
    }

    fn set_weights(&mut self, weights: &Weights) -> Result<()> {
        check_weights(&self.config.model, &self.specs().filter(|spec| !is_adapter(&spec.name)), weights)?;
        self.replace_weights(weights);
        // The adapters add nothing to the new weights at first.
        for adapter in &self.layout.adapters {
            self.weights[adapter.b.clone()].fill(0.0);
        }
        self.adapters = self.new_adapters();
        Ok(())
    }

    fn restore(&mut self, state: &EngineState) -> Result<()> {
        check_state(&self.config.model, &self.specs(), state, self.average.is_some())?;
        if let Some(average) = &mut self.average {
            copy_to_arena(&self.layout, &state.average, &mut average.values);
        }
        self.replace_weights(&state.weights);
        copy_to_arena(&self.layout, &state.adapters, &mut self.weights);
        self.add_adapters();
        copy_to_arena(&self.layout, &state.first_moments, &mut self.first_moments);
        copy_to_arena(&self.layout, &state.second_moments, &mut self.second_moments);
        let words = self.layout.words.clone();
        self.word_grad.find_moments(&self.first_moments[words.clone()], &self.second_moments[words]);
        self.updates = state.updates;
        Ok(())
    }

    fn memory_plan(&self, batch: &Batch, max_tokens: usize) -> Option<MemoryPlan> {
        let limits = MicroBatchLimits { max_tokens, ..self.limits };
        let average = self.average.as_ref().map_or(0, Average::bytes);
        let plan = memory_plan(&self.config, &self.layout, self.shards.len(), batch, limits);
        let weights = plan.weights + self.adapters.as_ref().map_or(0, Adapters::bytes);
        Some(MemoryPlan { weights, average, ..plan })
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.limits.max_tokens = max_tokens;
    }

    fn profile(&self) -> Option<Profile> {
        // Shards run in parallel, so their mean is the wall-clock time.
        let share = 1.0 / self.shards.len() as f64;
        let mean = |cost: fn(&Shard) -> OpCost| {
            let costs = self.shards.iter().map(cost);
            costs.fold(OpCost::default(), |sum, cost| OpCost {
                seconds: sum.seconds + cost.seconds * share,
                flops: sum.flops + cost.flops,
            })
        };
        let attention = mean(|shard| shard.workspace.attention_cost());
        let shard_matmul = mean(|shard| shard.workspace.matmul.cost);
        let (embedding, layers) = (mean(|shard| shard.costs.embedding), mean(|shard| shard.costs.layers));
        let weight_grads = self.gradients.matmul.cost;
        let by_op = ByOp {
            embedding: OpCost { seconds: embedding.seconds + self.word_grad_cost.seconds, ..embedding },
            attention,
            matmul: OpCost {
                seconds: shard_matmul.seconds + weight_grads.seconds,
                flops: shard_matmul.flops + weight_grads.flops,
            },
            norm_activation: OpCost {
                seconds: layers.seconds - attention.seconds - shard_matmul.seconds,
                flops: 0.0,
            },
            head: mean(|shard| shard.costs.head),
            optimizer: OpCost { seconds: self.by_phase.optimizer, flops: 0.0 },
        };
        Some(Profile { by_phase: self.by_phase, by_op: Some(by_op) })
    }
}

mod update;

#[cfg(test)]
mod tests;
