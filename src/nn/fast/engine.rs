//! [`FastEngine`]: shards, AdamW and the arenas behind the [`Engine`] interface.

use super::kernels::adamw::{Moving, Update, adamw, add, sum_of_squares};
use super::kernels::packed::{Format, Packing};
use super::kernels::{Cpu, Spent};
use super::layout::{Layout, Place};
use super::memory::plan;
use super::shard::{Model, Shard, Target};
use super::{MOST_SHARDS, threads_each};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::nn::check::{check_batch, check_labels, check_weights};
use crate::nn::config::ModelConfig;
use crate::nn::dropout::Dropout;
use crate::nn::engine::{
    Array, Cost, Costs, Engine, EngineState, MemoryPlan, Optimizer, Part, StepInput, StepReport, Weights,
};
use crate::nn::names::Slot;
use crate::nn::{Limits, Settings};
use crate::spec::Precision;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;

/// Numbers that one task of an update works on. Sums add them in order, so it is part of their result.
const CHUNK: usize = 1 << 14;

/// Why a piece can be had: the arenas are as long as their layout.
const INSIDE: &str = "the arenas are as long as their layout";

/// Rows of the word embedding that one task works on.
const ROWS: usize = 256;

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
    words: WordGradient,
    shards: Vec<Shard>,
    updates: u64,
    /// What is done after the shards, for their words and for all weights.
    scattering: Spent,
    optimizing: Spent,
}

/// The gradient of the word embedding, row by row.
struct WordGradient {
    width: usize,
    /// (vocabulary, H); zeros but for rows that were touched.
    sums: Vec<f32>,
    /// Rows that this step has a gradient for.
    is_touched: Vec<bool>,
    /// Rows that any step had one for: the moments of the others are zero.
    is_seen: Vec<bool>,
}

impl FastEngine {
    /// An engine over `weights`, which hold every tensor of `slots`.
    pub(crate) fn new(
        config: &ModelConfig,
        slots: &[Slot],
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
        let (rows, width) = (config.vocab_size, config.hidden);
        let mut engine = FastEngine {
            config: config.clone(),
            cpu: Cpu::detect(),
            format,
            seed,
            optimizer,
            limits,
            pool,
            weights: vec![0.0; length],
            first: vec![0.0; length],
            second: vec![0.0; length],
            words: WordGradient {
                width,
                sums: vec![0.0; rows * width],
                is_touched: vec![false; rows],
                is_seen: vec![false; rows],
            },
            shards: (0..threads.min(MOST_SHARDS)).map(|_| Shard::new(format)).collect(),
            updates: 0,
            scattering: Spent::default(),
            optimizing: Spent::default(),
            layout,
        };
        engine.set_weights(weights)?;
        Ok(engine)
    }

    /// Instruction set and threads, for people.
    pub(crate) fn describe(&self) -> String {
        let threads = self.pool.current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!("cpu, {threads} thread{plural}, {}", self.cpu.name())
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

    fn slots(&self) -> impl Iterator<Item = &Slot> + Clone {
        self.layout.places.iter().map(|place| &place.slot)
    }

    /// Loss and gradients of the batch: the latter in the arenas of the first shards, whose number is
    /// returned too, and in the sums of words.
    fn learn(&mut self, input: StepInput<'_>) -> (f64, usize) {
        let FastEngine { config, layout, cpu, weights, shards, words, pool, limits, scattering, .. } = self;
        let model = Model { cpu: *cpu, config, layout, weights };
        let dropout = Dropout::new(self.seed, input.step);
        let target = Target {
            share: 1.0 / input.batch.len() as f32,
            label_smoothing: self.optimizer.label_smoothing as f32,
        };
        let count = shards.len();
        for shard in shards.iter_mut() {
            shard.loss = 0.0;
            shard.gradients.is_added = false;
        }
        for part in input.batch.parts(limits.examples, limits.tokens) {
            let shares = part.shares(count);
            let threads = threads_each(pool.current_num_threads(), shares.len());
            pool.install(|| {
                shards.par_iter_mut().zip(&shares).for_each(|(shard, share)| {
                    shard.set_threads(threads);
                    shard.begin(layout);
                    shard.forward(model, share, Some(dropout), true);
                    shard.backward(model, share, dropout, target);
                });
                let begun = Instant::now();
                words.add(&shares, shards);
                scattering.since(begun);
            });
        }
        // A batch of few examples leaves shards without any.
        let used = shards.iter().take_while(|shard| shard.gradients.is_added).count();
        (shards.iter().map(|shard| shard.loss).sum(), used)
    }

    /// One AdamW step from what [`FastEngine::learn`] left; returns the norm of the gradient.
    fn update(&mut self, used: usize, learning_rate: f64) -> f64 {
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
        let FastEngine { pool, layout, words, weights, first, second, shards, .. } = &mut *self;
        let dense = layout.dense();
        let (weights, word_weights) = weights.split_at_mut(dense);
        let (first, word_first) = first.split_at_mut(dense);
        let (second, word_second) = second.split_at_mut(dense);
        let (sums, others) = shards[..used].split_first_mut().expect("a step has an example");
        let others: Vec<&[f32]> = others.iter().map(|shard| &shard.gradients.arena[..]).collect();
        let mut pieces = pieces(layout, weights, first, second, &mut sums.gradients.arena);

        let norm = pool.install(|| {
            let dense_squares: Vec<f64> = pieces
                .par_iter_mut()
                .map(|piece| {
                    for other in &others {
                        add(cpu, piece.gradient, &other[piece.first_number..][..piece.gradient.len()]);
                    }
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

    /// The tensors of an arena by name.
    fn copy(&self, arena: &[f32]) -> Weights {
        let named = |place: &Place| (place.slot.name.clone(), place.copy(arena));
        self.layout.places.iter().map(named).collect()
    }
}

/// Copies tensors into an arena.
fn put(layout: &Layout, weights: &Weights, arena: &mut [f32]) {
    for place in &layout.places {
        arena[place.range.clone()].copy_from_slice(&weights[&place.slot.name].data);
    }
}

/// Part of a tensor with its gradient and moments.
struct Piece<'a> {
    first_number: usize,
    has_decay: bool,
    weight: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradient: &'a mut [f32],
}

impl Piece<'_> {
    fn update(&mut self, cpu: Cpu, update: Update) {
        let Piece { weight, first, second, gradient, .. } = self;
        adamw(cpu, Moving { weight, first, second }, gradient, update);
    }
}

/// All tensors but the word embedding, cut into pieces.
fn pieces<'a>(
    layout: &Layout,
    mut weights: &'a mut [f32],
    mut first: &'a mut [f32],
    mut second: &'a mut [f32],
    mut gradients: &'a mut [f32],
) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for place in layout.places.iter().filter(|place| place.range.end <= layout.dense()) {
        for first_number in place.range.clone().step_by(CHUNK) {
            let length = CHUNK.min(place.range.end - first_number);
            pieces.push(Piece {
                first_number,
                has_decay: place.slot.decay,
                weight: weights.split_off_mut(..length).expect(INSIDE),
                first: first.split_off_mut(..length).expect(INSIDE),
                second: second.split_off_mut(..length).expect(INSIDE),
                gradient: gradients.split_off_mut(..length).expect(INSIDE),
            });
        }
    }
    pieces
}

impl WordGradient {
    /// Adds the gradients of embedded words that the shards have, in the order of the batch.
    fn add(&mut self, shares: &[Batch], shards: &[Shard]) {
        let width = self.width;
        let mut occurrences: Vec<(u32, usize, usize)> = Vec::new();
        for (shard, share) in shares.iter().enumerate() {
            occurrences.extend(share.ids.iter().enumerate().map(|(token, id)| (*id, shard, token)));
        }
        occurrences.sort_unstable();
        for (id, ..) in &occurrences {
            self.is_touched[*id as usize] = true;
            self.is_seen[*id as usize] = true;
        }
        self.sums.par_chunks_mut(ROWS * width).enumerate().for_each(|(block, sums)| {
            let first = (block * ROWS) as u32;
            let from = occurrences.partition_point(|(id, ..)| *id < first);
            let to = occurrences.partition_point(|(id, ..)| *id < first + ROWS as u32);
            for (id, shard, token) in &occurrences[from..to] {
                let row = (id - first) as usize * width;
                let gradient = &shards[*shard].word_gradients()[token * width..(token + 1) * width];
                for (sum, x) in sums[row..row + width].iter_mut().zip(gradient) {
                    *sum += x;
                }
            }
        });
    }

    fn sum_of_squares(&self, cpu: Cpu) -> f64 {
        let blocks = self.sums.par_chunks(ROWS * self.width).zip(self.is_touched.par_chunks(ROWS));
        let squares: Vec<f64> = blocks
            .map(|(sums, is_touched)| {
                let rows = sums.chunks_exact(self.width).zip(is_touched);
                rows.filter(|(_, touched)| **touched).map(|(row, _)| sum_of_squares(cpu, row)).sum()
            })
            .collect();
        squares.iter().sum()
    }

    /// AdamW, and zeros for the next step. A row that never had a gradient would only decay.
    fn update(&mut self, cpu: Cpu, moving: Moving<'_>, update: Update) {
        let width = self.width;
        let Moving { weight, first, second } = moving;
        let moments = first.par_chunks_mut(ROWS * width).zip(second.par_chunks_mut(ROWS * width));
        let rows = self.is_touched.par_chunks_mut(ROWS).zip(self.is_seen.par_chunks(ROWS));
        let blocks = weight.par_chunks_mut(ROWS * width).zip(self.sums.par_chunks_mut(ROWS * width));
        blocks.zip(moments).zip(rows).for_each(
            |(((weight, sums), (first, second)), (is_touched, is_seen))| {
                for row in 0..is_seen.len() {
                    let at = row * width..(row + 1) * width;
                    if !is_seen[row] {
                        if update.decay != 1.0 {
                            weight[at].iter_mut().for_each(|x| *x *= update.decay);
                        }
                        continue;
                    }
                    let moving = Moving {
                        weight: &mut weight[at.clone()],
                        first: &mut first[at.clone()],
                        second: &mut second[at.clone()],
                    };
                    adamw(cpu, moving, &sums[at.clone()], update);
                    if std::mem::take(&mut is_touched[row]) {
                        sums[at].fill(0.0);
                    }
                }
            },
        );
    }

    /// The whole gradient, and zeros for the next step.
    fn take(&mut self) -> Vec<f32> {
        let whole = self.sums.clone();
        self.sums.fill(0.0);
        self.is_touched.fill(false);
        whole
    }

    /// Finds the rows with moments.
    fn look(&mut self, first: &[f32], second: &[f32]) {
        let moments = first.chunks_exact(self.width).zip(second.chunks_exact(self.width));
        for (seen, (first, second)) in self.is_seen.iter_mut().zip(moments) {
            *seen = first.iter().chain(second).any(|x| *x != 0.0);
        }
    }
}

impl Engine for FastEngine {
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.classes(), input.batch)?;
        let (loss, used) = self.learn(input);
        let begun = Instant::now();
        let grad_norm = self.update(used, input.learning_rate);
        self.optimizing.since(begun);
        Ok(StepReport { loss, grad_norm })
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.classes(), input.batch)?;
        let seen = self.words.is_seen.clone();
        let (loss, used) = self.learn(input);
        let mut sum = self.shards[0].gradients.arena.clone();
        for shard in &self.shards[1..used] {
            add(self.cpu, &mut sum, &shard.gradients.arena);
        }
        sum.extend(self.words.take());
        self.words.is_seen = seen;
        Ok((loss, self.copy(&sum)))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        let classes = self.classes();
        let FastEngine { config, layout, cpu, weights, shards, pool, limits, .. } = self;
        let model = Model { cpu: *cpu, config, layout, weights };
        let mut rows = Vec::with_capacity(batch.len());
        for part in batch.parts(usize::MAX, limits.tokens) {
            let shares = part.shares(shards.len());
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

    fn costs(&self) -> Option<Costs> {
        // Shards work beside each other, so the clock shows their mean.
        let share = 1.0 / self.shards.len() as f64;
        let mean = |part: fn(&Shard) -> Spent| {
            let spent = self.shards.iter().map(part);
            spent.fold(Cost::default(), |sum, spent| Cost {
                seconds: sum.seconds + spent.seconds * share,
                operations: sum.operations + spent.operations,
            })
        };
        let only = |spent: Spent| Cost { seconds: spent.seconds, operations: 0.0 };
        let (attention, products) = (mean(|s| s.work.attention.spent), mean(|s| s.work.products.spent));
        let (embedding, layers) = (mean(|s| s.parts.embedding), mean(|s| s.parts.layers));
        Some(Costs {
            embedding: Cost { seconds: embedding.seconds + self.scattering.seconds, ..embedding },
            attention,
            products,
            norm_activation: Cost {
                seconds: layers.seconds - attention.seconds - products.seconds,
                operations: 0.0,
            },
            head: mean(|s| s.parts.head),
            optimizer: only(self.optimizing),
        })
    }
}

#[cfg(test)]
mod tests;
