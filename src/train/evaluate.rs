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
    for (done, chunk) in longest_first(rows).chunks(batch_size).enumerate() {
        if !on_batch(engine, done * batch_size)? {
            return Ok(None);
        }
        let batch = Batch::new(chunk.iter().map(|row| &rows[*row]));
        if batch.labels.is_empty() {
            return Err(Error::Training("rows without a label cannot be evaluated".into()));
        }
        let logits = engine.logits(&batch)?;
        for ((row, logits), target) in chunk.iter().zip(logits).zip(batch.labels) {
            predictions.set(*row, &logits, target);
        }
    }
    Ok(Some(predictions))
}
