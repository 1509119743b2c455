//! Evaluation of a split, without dropout.

use super::predictions::Predictions;
use crate::batch::{Batch, Encoded};
use crate::catalog::Labels;
use crate::data::order::longest_first;
use crate::error::{Error, Result};
use crate::nn::Engine;

/// Computes the logits of `rows`, all labeled, with a model for `labels`, in batches of `batch_size`
/// examples of similar length. `on_batch` is called before each batch with the number of examples done; if it
/// returns false, the evaluation ends with `None`.
///
/// # Errors
/// Those of the engine and of `on_batch`, and [`Error::Training`] for a row without a label.
pub fn evaluate(
    engine: &mut dyn Engine,
    rows: &[Encoded],
    labels: &Labels,
    batch_size: usize,
    on_batch: &mut dyn FnMut(&mut dyn Engine, usize) -> Result<bool>,
) -> Result<Option<Predictions>> {
    let mut predictions = Predictions::new(labels.problem_type(), rows.len(), labels.outputs());
    let is_complete = each_logits(engine, rows, batch_size, on_batch, &mut |row, logits| {
        let Some(target) = rows[row].label.clone() else {
            return Err(Error::Training("rows without a label cannot be evaluated".into()));
        };
        predictions.set(row, logits, target);
        Ok(())
    })?;
    Ok(is_complete.then_some(predictions))
}

/// Computes the logits of `rows` in batches of `batch_size` examples of similar length, and passes those of each row to
/// `on_logits` with its index. `on_batch` is called before each batch with the number of examples done; if it returns false,
/// this ends and returns false.
///
/// # Errors
/// Those of the engine, of `on_batch` and of `on_logits`.
pub(super) fn each_logits(
    engine: &mut dyn Engine,
    rows: &[Encoded],
    batch_size: usize,
    on_batch: &mut dyn FnMut(&mut dyn Engine, usize) -> Result<bool>,
    on_logits: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
) -> Result<bool> {
    for (done, chunk) in longest_first(rows).chunks(batch_size).enumerate() {
        if !on_batch(engine, done * batch_size)? {
            return Ok(false);
        }
        let batch = Batch::new(chunk.iter().map(|row| &rows[*row]));
        for (row, logits) in chunk.iter().zip(engine.logits(&batch)?) {
            on_logits(*row, &logits)?;
        }
    }
    Ok(true)
}
