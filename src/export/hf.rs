//! The files of a model in the Hugging Face layout.

use crate::catalog::Labels;
use crate::data::Tokenizer;
use crate::error::Result;
use crate::nn::{self, Built, ParamState, TensorSource};
use std::path::Path;

/// Writes configuration, weights and tokenizer to `folder`, which Hugging Face libraries load.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write), and those of the engine.
pub(super) fn write_hf_folder(
    model: &Built,
    labels: &Labels,
    tokenizer: &Tokenizer,
    folder: &Path,
) -> Result<()> {
    let weights = TensorSource::from_engine(model.engine.as_ref(), ParamState::Weight, "");
    nn::save_model(folder, &model.config, labels, &weights)?;
    tokenizer.save(folder)
}
