//! Measures training and inference speed on this machine, with random weights and inputs of given lengths. Downloads
//! nothing.

mod lengths;

pub use lengths::Lengths;

use crate::batch::{Batch, Encoded, Label};
use crate::catalog::{ProblemType, Shape};
use crate::error::Result;
use crate::files::{ModelFolder, Root};
use crate::machine::peak_memory;
use crate::nn::{self, BuildOptions, Built, ByOp, ByPhase, Engine, KernelRate, OpCost, Profile, StepInput};
use crate::spec::{IntervalStrategy, Precision, RunSpec};
use serde::Serialize;
use std::time::Instant;

/// Batches that are not measured, while buffers grow and clock frequencies rise.
const WARM_UP: u64 = 3;

/// Settings of a measurement.
#[derive(Debug, Clone)]
pub struct Options {
    /// Configuration of the model.
    pub shape: &'static Shape,
    /// Distribution of the input lengths.
    pub lengths: Lengths,
    /// Approximate duration of each measurement in seconds.
    pub seconds: f64,
    /// Whether to measure each kernel of the engine separately.
    pub has_kernels: bool,
}

/// Results of a measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the shape.
    pub shape: &'static str,
    /// Description of the device.
    pub device: String,
    /// Precision of the matrix products.
    pub precision: String,
    /// One sentence for each setting that could not be applied.
    pub notes: Vec<String>,
    /// Number of trainable elements.
    pub parameters: u64,
    /// Examples per step.
    pub batch: usize,
    /// Distribution of the input lengths.
    pub lengths: String,
    /// Mean tokens per example.
    pub tokens_per_example: f64,
    /// Speed of optimizer steps; `None` with precision int8, which is for inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Speed>,
    /// Time of a step by phase; empty if the engine does not measure it.
    pub passes: Vec<Phase>,
    /// Time of a step by kind of operation.
    pub phases: Vec<Phase>,
    /// Each kernel on one thread, over half the tokens of a step; empty if not requested.
    pub kernels: Vec<KernelRate>,
    /// FLOPs of matrix products and attention divided by the time of the whole step, in GFLOP/s.
    pub gflops: Option<f64>,
    /// GFLOP/s of the matrix products of a layer alone, on the same shapes and threads.
    pub product_gflops: Option<f64>,
    /// `gflops` / `product_gflops`.
    pub share_of_products: Option<f64>,
    /// GFLOP/s of the same matrix products computed by the `gemm` crate in f32.
    pub gemm_gflops: Option<f64>,
    /// Speed of inference in batches.
    pub inference: Speed,
    /// Speed of inference with one input at a time.
    pub one_input: Speed,
    /// Peak memory of the process after training, in bytes.
    pub peak_memory: Option<u64>,
}

/// Speed of processing batches.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Speed {
    /// Number of measured batches.
    pub rounds: usize,
    /// Median time of a batch, in milliseconds.
    pub median_ms: f64,
    /// Examples per second.
    pub examples_per_second: f64,
    /// Tokens per second.
    pub tokens_per_second: f64,
}

/// Time of a part of a step.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Name of the phase or operation.
    pub name: &'static str,
    /// Milliseconds per step.
    pub ms: f64,
    /// Share of the whole step.
    pub share: f64,
    /// GFLOP/s of its matrix products, if it has any.
    pub gflops: Option<f64>,
}

/// Measures a model of `options.shape` with the batch sizes, optimizer, precision, engine and threads of `spec`, whose
/// task, model and data are ignored.
///
/// # Errors
/// Those of [`nn::from_config`], and errors of the device.
pub fn measure(spec: &RunSpec, options: &Options) -> Result<Report> {
    let folder = ModelFolder {
        name: options.shape.name.into(),
        commit: None,
        root: Root::Embedded(options.shape.files),
    };
    let labels = ["0".to_owned(), "1".to_owned()];
    let head = (&labels[..], ProblemType::SingleLabelClassification);
    let Built { mut engine, config, device, precision, mut notes, warnings, trainable_parameters, .. } =
        nn::from_config(&BuildOptions::from_spec(spec, &folder, head))?;
    notes.extend(warnings);
    let engine = engine.as_mut();
    let max_length = spec.max_seq_length.min(config.max_tokens()).max(1);
    let inputs = RandomInputs { spec, options, max_length, vocab_size: config.vocab_size as u32 };

    let size = spec.per_device_train_batch_size * spec.gradient_accumulation_steps;
    let is_trained = spec.precision != Precision::Int8;
    let (training, profile) = match is_trained.then(|| train(engine, &inputs, size)).transpose()? {
        Some((speed, profile)) => (Some(speed), profile),
        None => (None, None),
    };
    let peak_memory = peak_memory();
    let tokens = (inputs.mean_length() * size as f64) as usize;
    let by_op = profile.and_then(|profile| profile.by_op);
    let product_gflops = by_op.map(|_| nn::matmul_rate(&config, tokens, &precision, spec.threads) / 1e9);
    let gemm_gflops = by_op.map(|_| nn::gemm_crate_rate(&config, tokens, spec.threads) / 1e9);
    let (step, steps) =
        training.map_or((f64::NAN, f64::NAN), |speed| (speed.median_ms / 1e3, speed.rounds as f64));
    let passes = profile.map_or_else(Vec::new, |profile| phases(&profile.by_phase, steps));
    let phases = by_op.map_or_else(Vec::new, |by_op| operations(&by_op, steps));
    let gflops = by_op.map(|by_op| (by_op.matmul.flops + by_op.attention.flops) / steps / step / 1e9);
    let kernels = match by_op {
        Some(_) if options.has_kernels => {
            nn::kernel_rates(&config, &inputs.batch(0, size.div_ceil(2)), &precision)
        }
        _ => Vec::new(),
    };
    let inference = infer(engine, &inputs, spec.per_device_eval_batch_size, options.seconds)?;
    let one_input = infer(engine, &inputs, 1, options.seconds.min(3.0))?;
    let measured = training.unwrap_or(inference);
    Ok(Report {
        shape: options.shape.name,
        device,
        precision,
        notes,
        parameters: trainable_parameters,
        batch: size,
        lengths: options.lengths.to_string(),
        tokens_per_example: measured.tokens_per_second / measured.examples_per_second,
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
struct RandomInputs<'a> {
    spec: &'a RunSpec,
    options: &'a Options,
    max_length: usize,
    vocab_size: u32,
}

impl RandomInputs<'_> {
    /// Batch `index` of `size` examples.
    fn batch(&self, index: u64, size: usize) -> Batch {
        let rng = Lengths::rng(self.spec.seed);
        let example = |index: u64| {
            let length = self.options.lengths.draw(&rng, index).min(self.max_length);
            // Frequency is inversely proportional to the rank in the vocabulary: Zipf's law.
            let token = |position: usize| {
                let uniform = rng.uniform(1, position as u32, index);
                f64::from(self.vocab_size).powf(uniform) as u32 - 1
            };
            Encoded {
                ids: (0..length).map(token).collect(),
                type_ids: vec![0; length],
                label: Some(Label::Class(rng.block(2, 0, index)[0] % 2)),
            }
        };
        let first = index * size as u64;
        Batch::new(&(first..first + size as u64).map(example).collect::<Vec<_>>())
    }

    /// Mean tokens per example.
    fn mean_length(&self) -> f64 {
        self.batch(0, 1000).tokens() as f64 / 1000.0
    }
}

/// Measures optimizer steps and their profile. As in training, the loss is read every `logging_steps` steps, and the
/// device may run asynchronously in between.
fn train(
    engine: &mut dyn Engine,
    inputs: &RandomInputs<'_>,
    size: usize,
) -> Result<(Speed, Option<Profile>)> {
    let steps = match inputs.spec.logging_steps {
        IntervalStrategy::Steps(steps) => steps,
        IntervalStrategy::Epoch => 1,
    };
    let round = |engine: &mut dyn Engine, first: u64, steps: u64| -> Result<Round> {
        let batches: Vec<Batch> = (first..first + steps).map(|index| inputs.batch(index, size)).collect();
        let start = Instant::now();
        for (step, batch) in (first..).zip(&batches) {
            engine.enqueue(StepInput { batch, step, learning_rate: 1e-5 })?;
        }
        engine.report()?;
        Ok(Round::since(start, &batches))
    };
    for index in 0..WARM_UP {
        round(engine, index * steps, steps)?;
    }
    let before = engine.profile();
    let speed = repeat(inputs.options.seconds, |done| round(engine, WARM_UP * steps + done, steps))?;
    let profile = before.zip(engine.profile()).map(|(before, after)| after.since(&before));
    Ok((speed, profile))
}

/// Measures the computation of logits.
fn infer(engine: &mut dyn Engine, inputs: &RandomInputs<'_>, size: usize, seconds: f64) -> Result<Speed> {
    let mut pass = |index: u64| -> Result<Round> {
        let batch = inputs.batch(index, size);
        let start = Instant::now();
        engine.logits(&batch)?;
        Ok(Round::since(start, std::slice::from_ref(&batch)))
    };
    for index in 0..WARM_UP {
        pass(index)?;
    }
    repeat(seconds, |done| pass(WARM_UP + done))
}

/// Batches that are timed together: one inference batch, or the steps between two reads of the loss.
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

/// Calls `round` with the number of batches done, for about `seconds` and at least five times.
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

fn phases(by_phase: &ByPhase, steps: f64) -> Vec<Phase> {
    let cost = |seconds| OpCost { seconds, flops: 0.0 };
    let parts = [
        ("forward", cost(by_phase.forward)),
        ("backward", cost(by_phase.backward)),
        ("optimizer", cost(by_phase.optimizer)),
    ];
    table(&parts, steps)
}

fn operations(by_op: &ByOp, steps: f64) -> Vec<Phase> {
    let parts = [
        ("embedding", by_op.embedding),
        ("attention", by_op.attention),
        ("matrix products", by_op.matmul),
        ("norm and activation", by_op.norm_activation),
        ("head and loss", by_op.head),
        ("optimizer", by_op.optimizer),
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
