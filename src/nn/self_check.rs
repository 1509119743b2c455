//! The self-check of the fast engine on a GPU: one step of the real model, compared with the plain engine.
//!
//! Kernels that compute something else than they should, on a GPU or with a driver that nobody has tried, would spoil a
//! training without an error. So `engine = "auto"` selects the fast engine only after this check.

use super::ModelConfig;
use super::architecture::is_key_bias;
use super::engine::{Array, Engine, StepInput, StepReport, Weights};
use crate::batch::{Batch, Encoded, Label};
use crate::catalog::ProblemType;
use crate::error::{Error, Result, catch_library_panic};
use kernels::rng::{Rng, Stream};

/// Lengths of the examples of the check, cut to the model's maximum. They are not multiples of the kernels' tiles.
const LENGTHS: [usize; 8] = [3, 64, 17, 33, 2, 128, 7, 50];

/// Learning rate of the step.
const LEARNING_RATE: f64 = 1e-4;

/// A tensor may differ this many times as much as all gradients together.
const TENSOR_FACTOR: f64 = 5.0;

/// Norms of tensors below this fraction of the norm of all gradients are rounding errors.
const NEGLIGIBLE: f64 = 0.01;

/// Largest differences to the plain engine in f32.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    /// Of the loss, relative to the loss or 1.
    loss: f64,
    /// Of all gradients together, of their norm, and of the logits: L2 norm of the difference over that of the gradient
    /// or of the logits.
    gradient: f64,
    /// Of the change of all weights in a step, in the same way. AdamW divides by the size of a gradient, so a rounding
    /// error may turn the sign of the change where the gradient is tiny.
    update: f64,
}

impl Tolerance {
    /// The tolerance of matrix products in `precision`: `f32`, `tf32` or `bf16`.
    pub(crate) fn of(precision: &str) -> Self {
        match precision {
            "bf16" => Tolerance { loss: 0.05, gradient: 0.15, update: 0.7 },
            "tf32" => Tolerance { loss: 0.01, gradient: 0.03, update: 0.4 },
            _ => Tolerance { loss: 1e-3, gradient: 3e-3, update: 0.1 },
        }
    }
}

/// Makes the fast engine; returns it with its precision.
type MakeFast<'a> = dyn Fn() -> Result<(Box<dyn Engine>, &'static str)> + 'a;

/// What an engine computes in the check.
struct Outcome {
    loss: f64,
    gradients: Weights,
    /// (examples, labels)
    logits: Array,
    report: StepReport,
    /// Weights after the step.
    weights: Weights,
}

/// Makes the fast engine if it agrees with the reference, the plain engine in f32; returns it with its precision and a
/// note for the log. `head` is what the model predicts and its number of outputs. There is never more than one engine in
/// memory.
///
/// # Errors
/// A warning that says why the plain engine is to be used.
pub(crate) fn select(
    config: &ModelConfig,
    head: (ProblemType, usize),
    before: &Weights,
    make_reference: &dyn Fn() -> Result<Box<dyn Engine>>,
    make_fast: &MakeFast<'_>,
) -> Result<(Box<dyn Engine>, &'static str, String), String> {
    let batch = batch(config, head);
    let check = || -> Result<String> {
        let expected = guarded(|| run(make_reference()?.as_mut(), &batch, 1))?;
        let (found, precision) = guarded(|| {
            let (mut fast, precision) = make_fast()?;
            // The first pass launches its kernels one by one, the second records them, and the third replays them.
            Ok((run(fast.as_mut(), &batch, 3)?, precision))
        })?;
        compare(&found, &expected, before, Tolerance::of(precision)).map_err(Error::Training)
    };
    match check().and_then(|note| Ok((guarded(make_fast)?, note))) {
        Ok(((engine, precision), note)) => {
            Ok((engine, precision, format!("engine = \"fast\" was selected: {note}")))
        }
        Err(error) => Err(format!(
            "engine = \"plain\" was selected, because the self-check of \"fast\" failed: {error}"
        )),
    }
}

/// Turns a panic into an error.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_library_panic(work).unwrap_or_else(|panic| Err(Error::Training(panic)))
}

/// A batch of random tokens with labels for a model with that many outputs. Of a multi-label classification, some
/// examples have several labels, and some have none.
fn batch(config: &ModelConfig, (problem_type, outputs): (ProblemType, usize)) -> Batch {
    let rng = Rng::new(0, Stream::Sample);
    let example = |(number, length): (usize, usize)| {
        let length = length.min(config.max_tokens());
        let id = |position: usize| {
            (rng.uniform(number as u32, 0, position as u64) * config.vocab_size as f64) as u32
        };
        let type_id = |position: usize| u32::from(config.type_vocab > 1 && position > length / 2);
        Encoded {
            ids: (0..length).map(id).collect(),
            type_ids: (0..length).map(type_id).collect(),
            label: Some(match problem_type {
                ProblemType::SingleLabelClassification => Label::Class((number % outputs) as u32),
                ProblemType::MultiLabelClassification => {
                    Label::set((0..outputs as u32).filter(|output| number >> (output % 3) & 1 == 1))
                }
                ProblemType::Regression => Label::Value(number as f32 / LENGTHS.len() as f32),
            }),
        }
    };
    Batch::new(&LENGTHS.into_iter().enumerate().map(example).collect::<Vec<_>>())
}

/// Gradients of the first step, and the step itself after `passes` - 1 steps that leave the weights as they are.
fn run(engine: &mut dyn Engine, batch: &Batch, passes: usize) -> Result<Outcome> {
    let input = StepInput { batch, step: 0, learning_rate: LEARNING_RATE };
    let (loss, gradients) = engine.gradients(input)?;
    for _ in 1..passes {
        engine.logits(batch)?;
        // Without changes of the weights, the moments stay proportional to the same gradient.
        engine.step(StepInput { learning_rate: 0.0, ..input })?;
    }
    let logits = engine.logits(batch)?;
    let shape = vec![logits.len(), logits.first().map_or(0, Vec::len)];
    let logits = Array { shape, data: logits.concat() };
    let report = engine.step(input)?;
    Ok(Outcome { loss, gradients, logits, report, weights: engine.weights()? })
}

/// Compares what two engines computed from the weights `before`; returns a note with the largest difference.
///
/// # Errors
/// The first difference above the tolerance.
fn compare(
    found: &Outcome,
    expected: &Outcome,
    before: &Weights,
    tolerance: Tolerance,
) -> Result<String, String> {
    check("the loss", (found.loss - expected.loss).abs() / expected.loss.abs().max(1.0), tolerance.loss)?;
    let losses = (found.report.loss - expected.loss).abs() / expected.loss.abs().max(1.0);
    check("the loss of the step", losses, tolerance.loss)?;
    let logits = distance(&found.logits, &expected.logits) / norm([&expected.logits]);
    check("the output without dropout", logits, tolerance.gradient)?;
    if !found.gradients.keys().eq(expected.gradients.keys()) {
        return Err("the parameters with a gradient differ".into());
    }
    let all = norm(expected.gradients.values());
    let mut total = 0.0;
    for (name, gradient) in &expected.gradients {
        let difference = distance(&found.gradients[name], gradient);
        total += difference * difference;
        let scale = norm([gradient]).max(NEGLIGIBLE * all);
        check(&format!("the gradient of {name}"), difference / scale, TENSOR_FACTOR * tolerance.gradient)?;
    }
    let gradient = total.sqrt() / all;
    check("the gradient", gradient, tolerance.gradient)?;
    let norms = (found.report.grad_norm - expected.report.grad_norm).abs() / expected.report.grad_norm;
    check("the gradient norm", norms, tolerance.gradient)?;
    let (mut difference, mut change) = (0.0, 0.0);
    // The gradient of a key bias is a rounding error.
    for (name, before) in before.iter().filter(|(name, _)| !is_key_bias(name)) {
        difference += distance(&found.weights[name], &expected.weights[name]).powi(2);
        change += distance(&expected.weights[name], before).powi(2);
    }
    check("the change of the weights", (difference / change).sqrt(), tolerance.update)?;
    Ok(format!("a step of this model agrees with \"plain\", its gradient to {gradient:.0e}"))
}

/// Checks a relative difference; NaN fails.
fn check(what: &str, difference: f64, tolerance: f64) -> Result<(), String> {
    if difference <= tolerance {
        return Ok(());
    }
    Err(format!("{what} differs by {difference:.1e} from the plain engine's, more than {tolerance:.1e}"))
}

fn norm<'a>(arrays: impl IntoIterator<Item = &'a Array>) -> f64 {
    let squares = arrays.into_iter().flat_map(|array| &array.data).map(|x| f64::from(*x).powi(2));
    squares.sum::<f64>().sqrt()
}

/// L2 norm of the difference; infinite if the shapes differ.
fn distance(a: &Array, b: &Array) -> f64 {
    if a.shape != b.shape {
        return f64::INFINITY;
    }
    let squares = a.data.iter().zip(&b.data).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests;
