//! The adapters of a run in the layout of PEFT.

use crate::catalog::Labels;
use crate::data::Tokenizer;
use crate::error::Result;
use crate::nn::{self, Built, Lora};
use std::path::{Path, PathBuf};

/// The adapters of a run.
pub(super) struct SourceAdapters {
    /// The folder of the best weights.
    pub(super) best: PathBuf,
    pub(super) lora: Lora,
    /// The model that they were trained on.
    pub(super) base_model: String,
}

/// Writes adapters and head to `folder`, which PEFT loads on top of the base model, with the labels and the tokenizer.
///
/// # Errors
/// Errors of reading and writing, and those of the engine.
pub(super) fn write_peft_folder(
    model: &Built,
    (labels, tokenizer): (&Labels, &Tokenizer),
    adapters: &SourceAdapters,
    folder: &Path,
) -> Result<()> {
    let SourceAdapters { best, lora, base_model } = adapters;
    nn::export_adapters((best, folder), (model.engine.as_ref(), &model.config), lora, base_model)?;
    nn::save_config(folder, &model.config, labels)?;
    tokenizer.save(folder)
}
