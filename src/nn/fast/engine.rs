//! [`FastEngine`]: shards, gradients, AdamW and the arenas behind the [`Engine`] interface.

use super::chunks::pieces;
use super::gradients::Gradients;
use super::kernels::adamw::{Moving, Update, sum_of_squares};
use super::kernels::huge_pages::zeros;
use super::kernels::packed::{Format, Packing};
use super::kernels::product::{Multiplier, Products};
use super::kernels::{Cpu, Spent};
use super::layout::Layout;
use super::memory::plan;
use super::shard::{Model, Origin, Shard, Target};
use super::sparse_embedding_grad::SparseEmbeddingGrad;
use super::{MOST_SHARDS, threads_each};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::nn::arena::ParamRange;
use crate::nn::check::{check_batch, check_labels, check_mix, check_weights};
use crate::nn::config::ModelConfig;
use crate::nn::dropout::Dropout;
use crate::nn::engine::{
    Array, ByOp, ByPhase, Engine, EngineState, InputGradients, Interpolation, MemoryPlan, OpCost, Optimizer,
    Part, Profile, StepInput, StepReport, Weights,
};
use crate::nn::names::ParamSpec;
use crate::nn::{Limits, Settings};
use crate::spec::Precision;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;

/// The engine of the CPU.
pub(crate) struct FastEngine {
    config: ModelConfig,
    layout: Layout,
    cpu: Cpu,
    format: Format,
    seed: u64,
    optimizer: Optimizer,
    limits: Limits,
    pool: ThreadPool,
    weights: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    gradients: Gradients,
    words: SparseEmbeddingGrad,
    shards: Vec<Shard>,
    updates: u64,
    /// What is done after the shards for their words.
    scattering: Spent,
    /// What steps took.
    passes: ByPhase,
}

impl FastEngine {
    /// An engine over `weights`, which hold every tensor of `slots`.
    pub(crate) fn new(
        config: &ModelConfig,
        slots: &[ParamSpec],
        weights: &Weights,
        settings: Settings,
    ) -> Result<Self> {
        let Settings { seed, optimizer, limits, precision, threads } = settings;
        let layout = Layout::new(config, slots);
        let threads = super::threads(threads);
        let failed = |e| Error::Device(format!("{threads} threads cannot be started: {e}"));
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("train-{number}"))
            .build()
            .map_err(failed)?;
        let format = match precision {
            Precision::Bf16 if Packing::detect(Format::Bf16).is_some() => Format::Bf16,
            _ => Format::F32,
        };
        let length = layout.length();
        let mut engine = FastEngine {
            config: config.clone(),
            cpu: Cpu::detect(),
            format,
            seed,
            optimizer,
            limits,
            pool,
            weights: zeros(length, length),
            // Most words of the vocabulary never get moments.
            first: zeros(length, layout.dense()),
            second: zeros(length, layout.dense()),
            gradients: Gradients::new(&layout, Products::new(Multiplier::fastest(format))),
            words: SparseEmbeddingGrad::new(config.vocab_size, config.hidden),
            shards: (0..threads.min(MOST_SHARDS)).map(|_| Shard::new(format)).collect(),
            updates: 0,
            scattering: Spent::default(),
            passes: ByPhase::default(),
            layout,
        };
        engine.set_weights(weights)?;
        Ok(engine)
    }

    /// Instruction set and threads, for people.
    pub(crate) fn describe(&self) -> String {
        let threads = self.pool.current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        let products = Packing::detect(self.format).and_then(Packing::name);
        let products = products.map_or(String::new(), |name| format!(" with {name}"));
        format!("cpu, {threads} thread{plural}, {}{products}", self.cpu.name())
    }

    /// Number format of the layers' products: `f32` or `bf16`.
    pub(crate) fn precision(&self) -> &'static str {
        match self.format {
            Format::F32 => "f32",
            Format::Bf16 => "bf16",
        }
    }

    fn classes(&self) -> usize {
        self.layout.classifier.bias.len()
    }

    fn slots(&self) -> impl Iterator<Item = &ParamSpec> + Clone {
        self.layout.places.iter().map(|place| &place.slot)
    }

    /// Loss of the batch; leaves its gradients in `gradients` and `words`.
    ///
    /// Shards go their way beside each other, but wait after each layer on the way back, for the gradients of
    /// its matrices are products over all of them.
    fn learn(&mut self, input: StepInput<'_>) -> f64 {
        let FastEngine {
            config,
            layout,
            cpu,
            weights,
            shards,
            gradients,
            words,
            pool,
            limits,
            scattering,
            passes,
            ..
        } = self;
        let begun = Instant::now();
        let mut forward = 0.0;
        let model = Model { cpu: *cpu, config, layout, weights };
        let dropout = Some(Dropout::new(self.seed, input.step));
        let from = Origin::Loss(Target {
            share: 1.0 / input.batch.len() as f32,
            label_smoothing: self.optimizer.label_smoothing as f32,
        });
        for shard in shards.iter_mut() {
            shard.begin(layout);
        }
        gradients.products.threads = pool.current_num_threads();
        for part in input.batch.micro_batches(limits.examples, limits.tokens) {
            let shares = part.split_by_tokens(shards.len());
            let threads = threads_each(pool.current_num_threads(), shares.len());
            let shards = &mut shards[..shares.len()];
            forward += pool.install(|| {
                let ways = shards.par_iter_mut().zip(&shares).map(|(shard, share)| {
                    let begun = Instant::now();
                    shard.set_threads(threads);
                    shard.forward(model, share, dropout, true);
                    let forward = begun.elapsed().as_secs_f64();
                    shard.head_backward(model, share, dropout, from);
                    forward
                });
                // Shards work beside each other, so the clock shows their mean.
                let forward = ways.sum::<f64>() / shares.len() as f64;
                for number in (0..config.layers).rev() {
                    shards.par_iter_mut().for_each(|shard| shard.layer_backward(model, number, dropout));
                    gradients.add_layer(layout, number, shards);
                }
                shards.par_iter_mut().zip(&shares).for_each(|(shard, share)| {
                    shard.embed_backward(model, share, dropout);
                });
                let begun = Instant::now();
                words.add(&shares, shards);
                scattering.since(begun);
                forward
            });
            gradients.go_on();
        }
        pool.install(|| gradients.finish(*cpu, layout, shards));
        passes.forward += forward;
        passes.backward += begun.elapsed().as_secs_f64() - forward;
        shards.iter().map(|shard| shard.loss).sum()
    }

    /// One AdamW step from what [`FastEngine::learn`] left; returns the norm of the gradient.
    fn update(&mut self, learning_rate: f64) -> f64 {
        let number = (self.updates + 1) as f64;
        let optimizer = self.optimizer;
        let decay = 1.0 - learning_rate * optimizer.weight_decay;
        let update = |scale: f64, has_decay: bool| Update {
            first_gain: (1.0 - optimizer.beta1) as f32,
            second_keep: optimizer.beta2 as f32,
            second_gain: (1.0 - optimizer.beta2) as f32,
            decay: if has_decay { decay as f32 } else { 1.0 },
            step: (learning_rate / (1.0 - optimizer.beta1.powf(number))) as f32,
            root: (1.0 - optimizer.beta2.powf(number)).sqrt() as f32,
            epsilon: optimizer.epsilon as f32,
            scale: scale as f32,
        };
        let cpu = self.cpu;
        let is_clipped = optimizer.max_grad_norm > 0.0;
        let FastEngine { pool, layout, words, weights, first, second, gradients, .. } = &mut *self;
        let dense = layout.dense();
        let (weights, word_weights) = weights.split_at_mut(dense);
        let (first, word_first) = first.split_at_mut(dense);
        let (second, word_second) = second.split_at_mut(dense);
        let mut pieces = pieces(layout, weights, first, second, &mut gradients.arena);

        let norm = pool.install(|| {
            let dense_squares: Vec<f64> = pieces
                .par_iter_mut()
                .map(|piece| {
                    let squares = sum_of_squares(cpu, piece.gradient);
                    if !is_clipped {
                        piece.update(cpu, update(1.0, piece.has_decay));
                    }
                    squares
                })
                .collect();
            (dense_squares.iter().sum::<f64>() + words.sum_of_squares(cpu)).sqrt()
        });
        let scale = if is_clipped { (optimizer.max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        pool.install(|| {
            if is_clipped {
                pieces.par_iter_mut().for_each(|piece| piece.update(cpu, update(scale, piece.has_decay)));
            }
            words.update(
                cpu,
                Moving { weight: word_weights, first: word_first, second: word_second },
                update(scale, true),
            );
        });
        self.updates += 1;
        norm
    }
}

/// Copies tensors into an arena.
fn put(layout: &Layout, weights: &Weights, arena: &mut [f32]) {
    for place in &layout.places {
        arena[place.range.clone()].copy_from_slice(&weights[&place.slot.name].data);
    }
}

impl Engine for FastEngine {
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.classes(), input.batch)?;
        let loss = self.learn(input);
        let begun = Instant::now();
        let grad_norm = self.update(input.learning_rate);
        self.passes.optimizer += begun.elapsed().as_secs_f64();
        Ok(StepReport { loss, grad_norm })
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.classes(), input.batch)?;
        let (seen, passes) = (self.words.is_seen.clone(), self.passes);
        let loss = self.learn(input);
        let (dense, words) = (self.layout.dense(), self.words.take());
        self.words.is_seen = seen;
        self.passes = passes;
        // The word embedding, the largest tensor, ends an arena and is summed up elsewhere.
        let (last, others) = self.layout.places.split_last().expect("the words at least");
        debug_assert_eq!(last.range.start, dense);
        let named = |place: &ParamRange| (place.slot.name.clone(), place.copy(&self.gradients.arena));
        let mut gradients: Weights = others.iter().map(named).collect();
        gradients.insert(last.slot.name.clone(), Array { shape: last.slot.shape.clone(), data: words });
        Ok((loss, gradients))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        let classes = self.classes();
        let FastEngine { config, layout, cpu, weights, shards, pool, limits, .. } = self;
        let model = Model { cpu: *cpu, config, layout, weights };
        let mut rows = Vec::with_capacity(batch.len());
        for part in batch.micro_batches(usize::MAX, limits.tokens) {
            let shares = part.split_by_tokens(shards.len());
            let threads = threads_each(pool.current_num_threads(), shares.len());
            pool.install(|| {
                shards.par_iter_mut().zip(&shares).for_each(|(shard, share)| {
                    shard.set_threads(threads);
                    shard.forward(model, share, None, false);
                });
            });
            for shard in &shards[..shares.len()] {
                rows.extend(shard.logits.chunks_exact(classes).map(<[f32]>::to_vec));
            }
        }
        Ok(rows)
    }

    fn slopes(&mut self, mix: Interpolation<'_>, class: usize) -> Result<InputGradients> {
        let classes = self.classes();
        check_mix(&self.config, classes, &mix, class)?;
        let FastEngine { config, layout, cpu, weights, shards, pool, limits, .. } = self;
        let model = Model { cpu: *cpu, config, layout, weights };
        let mut found = InputGradients::default();
        for part in mix.batch.micro_batches(usize::MAX, limits.tokens) {
            let shares = part.split_by_tokens(shards.len());
            let threads = threads_each(pool.current_num_threads(), shares.len());
            let shards = &mut shards[..shares.len()];
            pool.install(|| {
                shards.par_iter_mut().zip(&shares).for_each(|(shard, share)| {
                    shard.set_threads(threads);
                    shard.slopes(model, share, mix.of(share), class);
                });
            });
            for shard in shards {
                found.logits.extend(shard.logits.chunks_exact(classes).map(<[f32]>::to_vec));
                found.slopes.extend_from_slice(&shard.slopes);
            }
        }
        Ok(found)
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.slots().map(|slot| (slot.name.clone(), slot.shape.clone())).collect()
    }

    fn tensor(&self, name: &str, part: Part) -> Result<Array> {
        let place = self.layout.places.iter().find(|place| place.slot.name == name);
        let place = place.expect("a name of `shapes`");
        let arena = match part {
            Part::Weight => &self.weights,
            Part::FirstMoment => &self.first,
            Part::SecondMoment => &self.second,
        };
        Ok(place.copy(arena))
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn set_weights(&mut self, weights: &Weights) -> Result<()> {
        check_weights(&self.config.model, &self.slots(), weights)?;
        put(&self.layout, weights, &mut self.weights);
        Ok(())
    }

    fn restore(&mut self, state: &EngineState) -> Result<()> {
        for weights in [&state.weights, &state.first_moments, &state.second_moments] {
            check_weights(&self.config.model, &self.slots(), weights)?;
        }
        put(&self.layout, &state.weights, &mut self.weights);
        put(&self.layout, &state.first_moments, &mut self.first);
        put(&self.layout, &state.second_moments, &mut self.second);
        let words = self.layout.words.clone();
        self.words.look(&self.first[words.clone()], &self.second[words]);
        self.updates = state.updates;
        Ok(())
    }

    fn memory(&self, batch: &Batch, max_tokens: usize) -> Option<MemoryPlan> {
        let limits = Limits { tokens: max_tokens, ..self.limits };
        Some(plan(&self.config, &self.layout, self.shards.len(), batch, limits))
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.limits.tokens = max_tokens;
    }

    fn profile(&self) -> Option<Profile> {
        // Shards work beside each other, so the clock shows their mean.
        let share = 1.0 / self.shards.len() as f64;
        let mean = |part: fn(&Shard) -> Spent| {
            let spent = self.shards.iter().map(part);
            spent.fold(OpCost::default(), |sum, spent| OpCost {
                seconds: sum.seconds + spent.seconds * share,
                operations: sum.operations + spent.operations,
            })
        };
        let (attention, shard_products) = (mean(|s| s.work.attention.spent), mean(|s| s.work.products.spent));
        let (embedding, layers) = (mean(|s| s.parts.embedding), mean(|s| s.parts.layers));
        let joint = self.gradients.products.spent;
        let kinds = ByOp {
            embedding: OpCost { seconds: embedding.seconds + self.scattering.seconds, ..embedding },
            attention,
            products: OpCost {
                seconds: shard_products.seconds + joint.seconds,
                operations: shard_products.operations + joint.operations,
            },
            norm_activation: OpCost {
                seconds: layers.seconds - attention.seconds - shard_products.seconds,
                operations: 0.0,
            },
            head: mean(|s| s.parts.head),
            optimizer: OpCost { seconds: self.passes.optimizer, operations: 0.0 },
        };
        Some(Profile { passes: self.passes, kinds: Some(kinds) })
    }
}

#[cfg(test)]
mod tests;
