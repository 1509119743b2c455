//! The files of a model for ONNX Runtime, and ONNX Runtime itself to read them back.

mod library;
mod session;
#[cfg(test)]
mod tests;

pub(super) use session::{OnnxSession, Unavailable};

use crate::catalog::Labels;
use crate::data::Tokenizer;
use crate::error::Result;
use crate::nn::{self, Built, OnnxPrecision};
use std::path::Path;

/// Writes the graph, the configuration and the tokenizer to `folder`, from which `optimum.onnxruntime` loads them.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write), and those of the engine.
pub(super) fn write_onnx_folder(
    model: &Built,
    labels: &Labels,
    tokenizer: &Tokenizer,
    (precision, max_bytes): (OnnxPrecision, u64),
    folder: &Path,
) -> Result<()> {
    let shape = (&model.config, model.labels.len());
    nn::write_onnx(folder, shape, model.engine.as_ref(), precision, max_bytes)?;
    nn::save_config(folder, &model.config, labels)?;
    tokenizer.save(folder)
}
