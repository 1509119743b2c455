//! The outputs of the frozen prefix of a model, which are the same in every epoch.

use super::row_selection::RowSelection;
use crate::batch::Batch;
use crate::machine;
use crate::nn::config::ModelConfig;
use crate::nn::param_groups::FrozenPrefix;
use kernels::matmul::Matmul;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The share of the available memory that outputs may take.
const MEMORY_SHARE: u64 = 2;

/// The outputs of the frozen prefix by example, as long as there is memory for them. A training that resumes computes them again,
/// in other batches, so only what is batch-invariant is stored.
#[derive(Debug)]
pub(super) struct FrozenOutputs {
    /// The layers whose outputs are stored: those of the prefix that compute a state for every token.
    pub(super) layers: usize,
    hidden: usize,
    /// Tokens of a batch from which on the products are batch-invariant.
    min_tokens: usize,
    by_example: Mutex<ByExample>,
}

#[derive(Debug, Default)]
struct ByExample {
    /// From the token ids and segments of an example to its rows: (tokens, H)
    outputs: HashMap<Box<[u32]>, Box<[f32]>>,
    bytes: u64,
    /// Set when the first output is stored.
    max_bytes: Option<u64>,
}

impl FrozenOutputs {
    /// An empty store, if `frozen` is a prefix of a model with the configuration `config`, and the products of all
    /// `matmuls` are batch-invariant.
    pub(super) fn new(config: &ModelConfig, frozen: FrozenPrefix, matmuls: &[Matmul]) -> Option<Self> {
        let whole_layers = config.layers - usize::from(RowSelection::has_first_tokens_only(config));
        let min_rows: Option<Vec<usize>> = matmuls.iter().map(Matmul::min_batch_invariant_rows).collect();
        let min_tokens = min_rows?.into_iter().max()?;
        frozen.has_embeddings().then(|| FrozenOutputs {
            layers: frozen.layers().min(whole_layers),
            hidden: config.hidden,
            min_tokens,
            by_example: Mutex::default(),
        })
    }

    /// Forgets all outputs, because the weights have changed.
    pub(super) fn clear(&self) {
        *self.lock() = ByExample::default();
    }

    /// Fills `state` with the rows of all examples of `batch`; returns false if it does not have all of them.
    pub(super) fn read(&self, batch: &Batch, state: &mut Vec<f32>) -> bool {
        if batch.tokens() < self.min_tokens {
            return false;
        }
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
        if batch.tokens() < self.min_tokens {
            return;
        }
        let mut by_example = self.lock();
        let max_bytes = *by_example
            .max_bytes
            .get_or_insert_with(|| machine::memory().map_or(0, |memory| memory.available / MEMORY_SHARE));
        for example in 0..batch.len() {
            let key = key(batch, example);
            let tokens = &batch.offsets[example..example + 2];
            let rows = &state[tokens[0] * self.hidden..tokens[1] * self.hidden];
            let bytes = (size_of_val(&*key) + size_of_val(rows)) as u64;
            if by_example.bytes + bytes > max_bytes {
                return;
            }
            if by_example.outputs.insert(key, rows.into()).is_none() {
                by_example.bytes += bytes;
            }
        }
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
