//! From an engine to the files of an ONNX model, and from a batch to the inputs of its graph.

use super::encoder::encoder;
use super::file::{Graph, write};
use super::inputs::{ATTENTION_MASK, INPUT_IDS, TOKEN_TYPE_IDS, input_names};
use super::precision::OnnxPrecision;
use crate::batch::Batch;
use crate::error::Result;
use crate::nn::config::ModelConfig;
use crate::nn::engine::{Engine, ParamState};
use std::path::Path;

/// The number of bytes of tensors from which on they are in a file of their own: a protocol buffer has at most 2 GiB.
pub const MAX_ONNX_BYTES: u64 = 2_000_000_000;

/// Writes the model of an engine with `outputs` outputs as `model.onnx` to an existing folder; with more than `max_bytes` of
/// tensors they are in `model.onnx_data`.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write), and those of the engine.
pub fn write_onnx(
    folder: &Path,
    (config, outputs): (&ModelConfig, usize),
    engine: &dyn Engine,
    precision: OnnxPrecision,
    max_bytes: u64,
) -> Result<()> {
    let (nodes, initializers) = encoder(config, outputs, precision);
    let graph = Graph { nodes, initializers, inputs: input_names(config), outputs };
    let parameters = |name: &str| engine.tensor(name, ParamState::Weight);
    write(folder, &graph, &parameters, max_bytes)
}

/// A batch as the inputs of a graph, padded at the end: whole numbers of the shape (examples, longest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxInputs {
    /// (examples, longest)
    pub shape: [usize; 2],
    ids: Vec<i64>,
    mask: Vec<i64>,
    type_ids: Vec<i64>,
}

impl OnnxInputs {
    /// Pads with the token `padding`.
    pub fn new(batch: &Batch, padding: u32) -> Self {
        let shape = [batch.len(), batch.longest()];
        let size = shape[0] * shape[1];
        let (mut ids, mut mask, mut type_ids) =
            (vec![i64::from(padding); size], vec![0; size], vec![0; size]);
        for (example, bounds) in batch.offsets.windows(2).enumerate() {
            for (at, token) in (example * shape[1]..).zip(bounds[0]..bounds[1]) {
                ids[at] = i64::from(batch.ids[token]);
                mask[at] = 1;
                type_ids[at] = i64::from(batch.type_ids[token]);
            }
        }
        OnnxInputs { shape, ids, mask, type_ids }
    }

    /// The values of an input; `None` for a name that no graph has.
    pub fn values(&self, name: &str) -> Option<&[i64]> {
        match name {
            INPUT_IDS => Some(&self.ids),
            ATTENTION_MASK => Some(&self.mask),
            TOKEN_TYPE_IDS => Some(&self.type_ids),
            _ => None,
        }
    }
}
