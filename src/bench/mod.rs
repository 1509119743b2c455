//! How fast this machine trains and judges a model of some shape: random weights, inputs of chosen
//! lengths, nothing to download.

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

/// Steps that are not counted: buffers grow, and the machine wakes up.
const WARM_UP: u64 = 3;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sizes of the model.
    pub shape: &'static Shape,
    /// Tokens of the inputs.
    pub lengths: Lengths,
    /// About how long each of the measurements takes.
    pub seconds: f64,
    /// Whether each kernel of the engine is measured alone too.
    pub has_kernels: bool,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the shape.
    pub shape: &'static str,
    /// The device, in words.
    pub device: String,
    /// Number format of the layers' products.
    pub precision: String,
    /// What was chosen otherwise than asked, a sentence each.
    pub notes: Vec<String>,
    /// Numbers that training changes.
    pub parameters: u64,
    /// Examples of a step.
    pub batch: usize,
    /// The distribution of lengths.
    pub lengths: String,
    /// Mean tokens of an example.
    pub tokens_per_example: f64,
    /// Optimizer steps.
    pub training: Speed,
    /// Where a step's time goes, one way after the other; empty when the engine does not tell.
    pub passes: Vec<Phase>,
    /// The same by the kind of work.
    pub phases: Vec<Phase>,
    /// Each kernel alone on one thread, over half the tokens of a step; empty when not asked for.
    pub kernels: Vec<KernelRate>,
    /// Arithmetic of matrix products and attention over the whole step, in 10⁹ operations a second.
    pub gflops: Option<f64>,
    /// The layers' products alone, on the same shapes and threads.
    pub product_gflops: Option<f64>,
    /// The first in the second.
    pub share_of_products: Option<f64>,
    /// The same products by the `gemm` crate alone, in f32.
    pub gemm_gflops: Option<f64>,
    /// Scoring of batches.
    pub inference: Speed,
    /// One input at a time.
    pub one_input: Speed,
    /// The most memory that the process ever had, in bytes, once it had trained.
    pub peak_memory: Option<u64>,
}

/// How fast something was.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Speed {
    /// How many batches were timed.
    pub rounds: usize,
    /// Median of one.
    pub median_ms: f64,
    /// Examples in a second.
    pub examples_per_second: f64,
    /// Tokens in a second.
    pub tokens_per_second: f64,
}

/// A part of a step.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// What is done.
    pub name: &'static str,
    /// Of one step.
    pub ms: f64,
    /// Of the whole step.
    pub share: f64,
    /// In 10⁹ operations a second, where the phase is arithmetic.
    pub gflops: Option<f64>,
}

/// Measures a model of `options.shape` with the batch sizes, optimizer, precision, engine and threads of
/// `spec`. Its task, model and data are not looked at.
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
    let rows = (texts.mean() * size as f64) as usize;
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

/// Makes batches of random tokens.
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
            // As often as its place in the vocabulary is early: Zipf's law.
            let token = |place: usize| {
                let place = rng.uniform(1, place as u32, index);
                f64::from(self.vocabulary).powf(place) as u32 - 1
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

    /// Mean tokens of an example.
    fn mean(&self) -> f64 {
        self.batch(0, 1000).tokens() as f64 / 1000.0
    }
}

/// Optimizer steps, and where their time went. As in training, the loss is asked for as often as
/// `logging_steps` says, and a device may be behind until then.
fn train(engine: &mut dyn Engine, texts: &Texts<'_>, size: usize) -> Result<(Speed, Option<Profile>)> {
    let steps = match texts.spec.logging_steps {
        IntervalStrategy::Steps(steps) => steps,
        IntervalStrategy::Epoch => 1,
    };
    let round = |engine: &mut dyn Engine, first: u64, steps: u64| -> Result<Round> {
        let batches: Vec<Batch> = (first..first + steps).map(|number| texts.batch(number, size)).collect();
        let begun = Instant::now();
        for (step, batch) in (first..).zip(&batches) {
            engine.enqueue(StepInput { batch, step, learning_rate: 1e-5 })?;
        }
        engine.report()?;
        Ok(Round::since(begun, &batches))
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
        let begun = Instant::now();
        engine.logits(&batch)?;
        Ok(Round::since(begun, std::slice::from_ref(&batch)))
    };
    for number in 0..WARM_UP {
        pass(number)?;
    }
    repeat(seconds, |done| pass(WARM_UP + done))
}

/// What was timed together: a pass, or steps that the loss was asked for at the end of.
struct Round {
    seconds: f64,
    batches: usize,
    examples: usize,
    tokens: usize,
}

impl Round {
    fn since(begun: Instant, batches: &[Batch]) -> Self {
        let seconds = begun.elapsed().as_secs_f64();
        let sum = |count: fn(&Batch) -> usize| batches.iter().map(count).sum();
        Round { seconds, batches: batches.len(), examples: sum(Batch::len), tokens: sum(Batch::tokens) }
    }

    fn seconds_each(&self) -> f64 {
        self.seconds / self.batches as f64
    }
}

/// Calls, with the number of batches done, for about so long, and at least five times.
fn repeat(seconds: f64, mut round: impl FnMut(u64) -> Result<Round>) -> Result<Speed> {
    let mut rounds: Vec<Round> = Vec::new();
    let mut done = 0;
    let begun = Instant::now();
    while rounds.len() < 5 || begun.elapsed().as_secs_f64() < seconds {
        let next = round(done)?;
        done += next.batches as u64;
        rounds.push(next);
    }
    let whole: f64 = rounds.iter().map(|round| round.seconds).sum();
    let sum = |count: fn(&Round) -> usize| rounds.iter().map(count).sum::<usize>() as f64;
    let (examples, tokens) = (sum(|round| round.examples), sum(|round| round.tokens));
    rounds.sort_by(|a, b| a.seconds_each().total_cmp(&b.seconds_each()));
    Ok(Speed {
        rounds: done as usize,
        median_ms: rounds[rounds.len() / 2].seconds_each() * 1e3,
        examples_per_second: examples / whole,
        tokens_per_second: tokens / whole,
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
    let whole: f64 = parts.iter().map(|(_, cost)| cost.seconds).sum();
    let phase = |(name, OpCost { seconds, flops }): &(&'static str, OpCost)| Phase {
        name,
        ms: seconds / steps * 1e3,
        share: seconds / whole,
        gflops: (*flops > 0.0).then(|| flops / seconds / 1e9),
    };
    parts.iter().map(phase).collect()
}
