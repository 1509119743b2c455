//! The outputs of the frozen prefix of a model, which are the same in every epoch.

use super::row_selection::RowSelection;
use crate::batch::Batch;
use crate::machine;
use crate::nn::config::ModelConfig;
use crate::nn::param_groups::FrozenPrefix;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The share of the available memory that outputs may take.
const MEMORY_SHARE: u64 = 2;

/// The outputs of the frozen prefix by example, as long as there is memory for them.
#[derive(Debug)]
pub(super) struct FrozenOutputs {
    hidden: usize,
    /// Whether an example has one row, that of its first token, instead of a row for each token.
    has_one_row: bool,
    by_example: Mutex<ByExample>,
}

#[derive(Debug, Default)]
struct ByExample {
    /// From the token ids and segments of an example to its rows: (tokens, H) or (1, H)
    outputs: HashMap<Box<[u32]>, Box<[f32]>>,
    bytes: u64,
    /// Set when the first output is stored.
    max_bytes: Option<u64>,
}

impl FrozenOutputs {
    /// An empty store, if `frozen` is a prefix of a model with the configuration `config`.
    pub(super) fn new(config: &ModelConfig, frozen: FrozenPrefix) -> Option<Self> {
        let is_whole = frozen == FrozenPrefix::Layers(config.layers);
        frozen.has_embeddings().then(|| FrozenOutputs {
            hidden: config.hidden,
            has_one_row: is_whole && RowSelection::has_first_tokens_only(config),
            by_example: Mutex::default(),
        })
    }

    /// Forgets all outputs, because the weights have changed.
    pub(super) fn clear(&self) {
        *self.lock() = ByExample::default();
    }

    /// Fills `state` with the rows of all examples of `batch`; returns false if it does not have all of them.
    pub(super) fn read(&self, batch: &Batch, state: &mut Vec<f32>) -> bool {
        let by_example = self.lock();
        let found: Option<Vec<&[f32]>> = (0..batch.len())
            .map(|example| by_example.outputs.get(&key(batch, example)).map(|rows| &**rows))
            .collect();
        let Some(found) = found else { return false };
        state.clear();
        for rows in found {
            state.extend_from_slice(rows);
        }
        true
    }

    /// Whether it has the rows of all examples of `batch`.
    #[cfg(test)]
    pub(super) fn contains(&self, batch: &Batch) -> bool {
        self.read(batch, &mut Vec::new())
    }

    /// Stores the rows of the examples of `batch`.
    pub(super) fn write(&self, batch: &Batch, state: &[f32]) {
        let mut by_example = self.lock();
        let max_bytes = *by_example
            .max_bytes
            .get_or_insert_with(|| machine::memory().map_or(0, |memory| memory.available / MEMORY_SHARE));
        for example in 0..batch.len() {
            let key = key(batch, example);
            let rows = &state[self.rows(batch, example)];
            let bytes = (size_of_val(&*key) + size_of_val(rows)) as u64;
            if by_example.bytes + bytes > max_bytes {
                return;
            }
            if by_example.outputs.insert(key, rows.into()).is_none() {
                by_example.bytes += bytes;
            }
        }
    }

    /// The elements of an example in the output of the prefix.
    fn rows(&self, batch: &Batch, example: usize) -> Range<usize> {
        if self.has_one_row {
            return example * self.hidden..(example + 1) * self.hidden;
        }
        batch.offsets[example] * self.hidden..batch.offsets[example + 1] * self.hidden
    }

    fn lock(&self) -> MutexGuard<'_, ByExample> {
        self.by_example.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Token ids and segments of an example.
fn key(batch: &Batch, example: usize) -> Box<[u32]> {
    let tokens = batch.offsets[example]..batch.offsets[example + 1];
    batch.ids[tokens.clone()].iter().chain(&batch.type_ids[tokens]).copied().collect()
}
