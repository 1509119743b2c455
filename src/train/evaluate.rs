//! One pass over a split, dropout off.

use super::scores::Tally;
use crate::batch::{Batch, Encoded};
use crate::catalog::Task;
use crate::data::order::by_length;
use crate::error::{Error, Result};
use crate::event::Scores;
use crate::nn::Engine;

/// Scores `rows`, all labelled, in batches of `batch_size` examples of similar length. `tick` is
/// called before each batch with the examples done; when it returns false the pass ends with `None`.
pub fn score(
    engine: &mut dyn Engine,
    rows: &[Encoded],
    task: &Task,
    batch_size: usize,
    tick: &mut dyn FnMut(&mut dyn Engine, usize) -> Result<bool>,
) -> Result<Option<Scores>> {
    let mut tally = Tally::new(task.labels.len());
    for (done, chunk) in by_length(rows).chunks(batch_size).enumerate() {
        if !tick(engine, done * batch_size)? {
            return Ok(None);
        }
        let batch = Batch::new(chunk.iter().map(|row| &rows[*row]));
        if batch.labels.is_empty() {
            return Err(Error::Training("rows without a label cannot be scored".into()));
        }
        for (logits, label) in engine.logits(&batch)?.iter().zip(&batch.labels) {
            tally.add(logits, *label);
        }
    }
    Ok(Some(tally.scores(task)))
}
