//! Measures the speed of training and inference on this machine, with random weights and random inputs, without a
//! download.

mod lengths;

pub use lengths::Lengths;

use crate::batch::{Batch, Encoded, Label};
use crate::catalog::Shape;
use crate::error::Result;
use crate::files::{ModelFolder, Root};
use crate::machine::peak_memory;
use crate::nn::{self, BuildOptions, Built, ByOp, ByPhase, Engine, KernelRate, OpCost, Profile, StepInput};
use crate::spec::{IntervalStrategy, RunSpec};
use serde::Serialize;
use std::time::Instant;

/// Warm-up rounds, which are not measured.
const WARM_UP: u64 = 3;

/// The options of a measurement.
#[derive(Debug, Clone)]
pub struct Options {
    /// Architecture of the model.
    pub shape: &'static Shape,
    /// Distribution of the input lengths.
    pub lengths: Lengths,
    /// Approximate duration of the training measurement, and of the inference measurement.
    pub seconds: f64,
    /// Whether to measure each kernel of the engine too.
    pub has_kernels: bool,
}

/// The results of a measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the architecture.
    pub shape: &'static str,
    /// Description of the device.
    pub device: String,
    /// Number format of the matrix products.
    pub precision: String,
    /// Notes about choices that differ from the specification.
    pub notes: Vec<String>,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// Examples per step.
    pub batch: usize,
    /// Distribution of the input lengths.
    pub lengths: String,
    /// Mean number of tokens per example.
    pub tokens_per_example: f64,
    /// Speed of the training steps.
    pub training: Speed,
    /// Time per step of the forward pass, the backward pass and the optimizer; empty when the engine does not
    /// measure them.
    pub passes: Vec<Phase>,
    /// Time per step by kind of operation.
    pub phases: Vec<Phase>,
    /// Speed of each kernel on one thread with half the tokens of a step; empty when not requested.
    pub kernels: Vec<KernelRate>,
    /// Matrix products and attention over the time of the whole step, in GFLOP/s.
    pub gflops: Option<f64>,
    /// The matrix products of the layers alone, with the same shapes and threads, in GFLOP/s.
    pub product_gflops: Option<f64>,
    /// `gflops / product_gflops`.
    pub share_of_products: Option<f64>,
    /// The same products by the `gemm` crate, in f32, in GFLOP/s.
    pub gemm_gflops: Option<f64>,
    /// Speed of inference in batches.
    pub inference: Speed,
    /// Speed of inference with one input at a time.
    pub one_input: Speed,
    /// Peak memory of the process after training, in bytes.
    pub peak_memory: Option<u64>,
}

/// A measured speed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Speed {
    /// Number of measured batches.
    pub rounds: usize,
    /// Median time per batch.
    pub median_ms: f64,
    /// Examples per second.
    pub examples_per_second: f64,
    /// Tokens per second.
    pub tokens_per_second: f64,
}

/// A part of a training step.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// Time per step.
    pub ms: f64,
    /// Fraction of the step.
    pub share: f64,
    /// GFLOP/s, for matrix products and attention.
    pub gflops: Option<f64>,
}

/// Measures a model of `options.shape` with the batch sizes, optimizer, precision, engine and threads of `spec`. The
/// task, model and data of `spec` are ignored.
pub fn measure(spec: &RunSpec, options: &Options) -> Result<Report> {
    let folder = ModelFolder {
        name: options.shape.name.into(),
        commit: None,
        root: Root::Embedded(options.shape.files),
    };
    let labels = ["0".to_owned(), "1".to_owned()];
    let Built { mut engine, config, device, precision, notes, trainable_parameters, .. } =
        nn::from_config(&BuildOptions::from_spec(spec, &folder, &labels))?;
    let engine = engine.as_mut();
    let texts = Texts { spec, options, vocabulary: config.vocab_size as u32 };

    let size = spec.per_device_train_batch_size * spec.gradient_accumulation_steps;
    let (training, costs) = train(engine, &texts, size)?;
    let peak_memory = peak_memory();
    let rows = (texts.mean_tokens() * size as f64) as usize;
    let kinds = costs.and_then(|costs| costs.by_op);
    let product_gflops = kinds.map(|_| nn::matmul_rate(&config, rows, &precision, spec.threads) / 1e9);
    let gemm_gflops = kinds.map(|_| nn::gemm_crate_rate(&config, rows, spec.threads) / 1e9);
    let (step, steps) = (training.median_ms / 1e3, training.rounds as f64);
    let passes = costs.map_or_else(Vec::new, |costs| passes(&costs.by_phase, steps));
    let phases = kinds.map_or_else(Vec::new, |kinds| phases(&kinds, steps));
    let gflops = kinds.map(|kinds| {
        let operations = kinds.matmul.flops + kinds.attention.flops;
        operations / steps / step / 1e9
    });
    let kernels = match kinds {
        Some(_) if options.has_kernels => {
            nn::kernel_rates(&config, &texts.batch(0, size.div_ceil(2)), &precision)
        }
        _ => Vec::new(),
    };
    let inference = infer(engine, &texts, spec.per_device_eval_batch_size, options.seconds)?;
    let one_input = infer(engine, &texts, 1, options.seconds.min(3.0))?;
    Ok(Report {
        shape: options.shape.name,
        device,
        precision,
        notes,
        parameters: trainable_parameters,
        batch: size,
        lengths: options.lengths.to_string(),
        tokens_per_example: training.tokens_per_second / training.examples_per_second,
        training,
        passes,
        phases,
        kernels,
        gflops,
        product_gflops,
        gemm_gflops,
        share_of_products: gflops.zip(product_gflops).map(|(step, alone)| step / alone),
        inference,
        one_input,
        peak_memory,
    })
}

/// Generates batches of random tokens.
struct Texts<'a> {
    spec: &'a RunSpec,
    options: &'a Options,
    vocabulary: u32,
}

impl Texts<'_> {
    fn batch(&self, number: u64, size: usize) -> Batch {
        let rng = Lengths::rng(self.spec.seed);
        let example = |index: u64| {
            let length = self.options.lengths.draw(&rng, index).min(self.spec.max_seq_length.max(1));
            // Token ids follow Zipf's law: low ids are frequent.
            let token = |position: usize| {
                let exponent = rng.uniform(1, position as u32, index);
                f64::from(self.vocabulary).powf(exponent) as u32 - 1
            };
            Encoded {
                ids: (0..length).map(token).collect(),
                type_ids: vec![0; length],
                label: Some(Label::Class(rng.block(2, 0, index)[0] % 2)),
            }
        };
        let first = number * size as u64;
        Batch::new(&(first..first + size as u64).map(example).collect::<Vec<_>>())
    }

    /// Mean number of tokens per example.
    fn mean_tokens(&self) -> f64 {
        self.batch(0, 1000).tokens() as f64 / 1000.0
    }
}

/// Measures optimizer steps. As in training, the loss is read every `logging_steps` steps, and the device runs
/// asynchronously between these reads.
fn train(engine: &mut dyn Engine, texts: &Texts<'_>, size: usize) -> Result<(Speed, Option<Profile>)> {
    let steps = match texts.spec.logging_steps {
        IntervalStrategy::Steps(steps) => steps,
        IntervalStrategy::Epoch => 1,
    };
    let round = |engine: &mut dyn Engine, first: u64, steps: u64| -> Result<Round> {
        let batches: Vec<Batch> = (first..first + steps).map(|number| texts.batch(number, size)).collect();
        let start = Instant::now();
        for (step, batch) in (first..).zip(&batches) {
            engine.enqueue(StepInput { batch, step, learning_rate: 1e-5 })?;
        }
        engine.report()?;
        Ok(Round::since(start, &batches))
    };
    for number in 0..WARM_UP {
        round(engine, number * steps, steps)?;
    }
    let before = engine.profile();
    let speed = repeat(texts.options.seconds, |done| round(engine, WARM_UP * steps + done, steps))?;
    let costs = before.zip(engine.profile()).map(|(before, after)| after.since(&before));
    Ok((speed, costs))
}

fn infer(engine: &mut dyn Engine, texts: &Texts<'_>, size: usize, seconds: f64) -> Result<Speed> {
    let mut pass = |number: u64| -> Result<Round> {
        let batch = texts.batch(number, size);
        let start = Instant::now();
        engine.logits(&batch)?;
        Ok(Round::since(start, std::slice::from_ref(&batch)))
    };
    for number in 0..WARM_UP {
        pass(number)?;
    }
    repeat(seconds, |done| pass(WARM_UP + done))
}

/// One timed interval: a forward pass, or the steps between two reads of the loss.
struct Round {
    seconds: f64,
    batches: usize,
    examples: usize,
    tokens: usize,
}

impl Round {
    fn since(start: Instant, batches: &[Batch]) -> Self {
        let seconds = start.elapsed().as_secs_f64();
        let sum = |count: fn(&Batch) -> usize| batches.iter().map(count).sum();
        Round { seconds, batches: batches.len(), examples: sum(Batch::len), tokens: sum(Batch::tokens) }
    }

    fn seconds_per_batch(&self) -> f64 {
        self.seconds / self.batches as f64
    }
}

/// Calls `round` with the number of completed batches for about `seconds`, and at least five times.
fn repeat(seconds: f64, mut round: impl FnMut(u64) -> Result<Round>) -> Result<Speed> {
    let mut rounds: Vec<Round> = Vec::new();
    let mut done = 0;
    let start = Instant::now();
    while rounds.len() < 5 || start.elapsed().as_secs_f64() < seconds {
        let next = round(done)?;
        done += next.batches as u64;
        rounds.push(next);
    }
    let total: f64 = rounds.iter().map(|round| round.seconds).sum();
    let sum = |count: fn(&Round) -> usize| rounds.iter().map(count).sum::<usize>() as f64;
    let (examples, tokens) = (sum(|round| round.examples), sum(|round| round.tokens));
    rounds.sort_by(|a, b| a.seconds_per_batch().total_cmp(&b.seconds_per_batch()));
    Ok(Speed {
        rounds: done as usize,
        median_ms: rounds[rounds.len() / 2].seconds_per_batch() * 1e3,
        examples_per_second: examples / total,
        tokens_per_second: tokens / total,
    })
}

fn passes(passes: &ByPhase, steps: f64) -> Vec<Phase> {
    let pass = |seconds| OpCost { seconds, flops: 0.0 };
    let parts = [
        ("forward", pass(passes.forward)),
        ("backward", pass(passes.backward)),
        ("optimizer", pass(passes.optimizer)),
    ];
    table(&parts, steps)
}

fn phases(kinds: &ByOp, steps: f64) -> Vec<Phase> {
    let parts = [
        ("embedding", kinds.embedding),
        ("attention", kinds.attention),
        ("matrix products", kinds.matmul),
        ("norm and activation", kinds.norm_activation),
        ("head and loss", kinds.head),
        ("optimizer", kinds.optimizer),
    ];
    table(&parts, steps)
}

fn table(parts: &[(&'static str, OpCost)], steps: f64) -> Vec<Phase> {
    let total: f64 = parts.iter().map(|(_, cost)| cost.seconds).sum();
    let phase = |(name, OpCost { seconds, flops }): &(&'static str, OpCost)| Phase {
        name,
        ms: seconds / steps * 1e3,
        share: seconds / total,
        gflops: (*flops > 0.0).then(|| flops / seconds / 1e9),
    };
    parts.iter().map(phase).collect()
}
