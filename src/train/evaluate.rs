//! One pass over a split, dropout off.

use super::predictions::Predictions;
use crate::batch::{Batch, Encoded};
use crate::data::order::longest_first;
use crate::error::{Error, Result};
use crate::nn::Engine;

/// Judges `rows`, all labelled, by a model of so many `outputs`, in batches of `batch_size` examples of similar
/// length. `tick` is called before each batch with the examples done; when it returns false the pass ends with `None`.
pub fn evaluate(
    engine: &mut dyn Engine,
    rows: &[Encoded],
    outputs: usize,
    batch_size: usize,
    tick: &mut dyn FnMut(&mut dyn Engine, usize) -> Result<bool>,
) -> Result<Option<Predictions>> {
    let mut judged = Predictions::new(rows.len(), outputs);
    for (done, chunk) in longest_first(rows).chunks(batch_size).enumerate() {
        if !tick(engine, done * batch_size)? {
            return Ok(None);
        }
        let batch = Batch::new(chunk.iter().map(|row| &rows[*row]));
        if batch.labels.is_empty() {
            return Err(Error::Training("rows without a label cannot be scored".into()));
        }
        for ((row, logits), label) in chunk.iter().zip(engine.logits(&batch)?).zip(&batch.labels) {
            judged.set(*row, &logits, *label);
        }
    }
    Ok(Some(judged))
}
