//! An exported folder, read back by code that did not write it: the reference engine on candle for weights, ONNX Runtime
//! for graphs.

use crate::batch::{Batch, Encoded};
use crate::data::order::longest_first;
use crate::data::{Example, Tokenizer};
use crate::error::{Error, Result};
use crate::event::{Progress, Unit};
use crate::export::onnx::{OnnxSession, Unavailable};
use crate::export::options::ModelFormat;
use crate::files::ModelFolder;
use crate::hub::Hub;
use crate::nn::{self, BuildOptions, Engine, ModelConfig};
use crate::spec::{EngineChoice, Precision};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Most texts of a forward pass, and most tokens with padding, so that long texts fit into memory.
const MAX_EXAMPLES: usize = 64;
const MAX_PADDED_TOKENS: usize = 8192;

/// A model that was read from an exported folder.
pub(in crate::export) struct ReadBack {
    backend: Backend,
    tokenizer: Tokenizer,
    config: ModelConfig,
}

enum Backend {
    Plain(Box<dyn Engine>),
    OnnxRuntime(OnnxSession),
}

impl ReadBack {
    /// Reads a folder, which has `outputs` labels.
    ///
    /// # Errors
    /// [`Error::Model`] for a folder that cannot be read; [`Unavailable`] if there is nothing that reads it.
    pub(in crate::export) fn open(
        folder: &Path,
        format: ModelFormat,
        outputs: usize,
    ) -> Result<Result<Self, Unavailable>> {
        let model = match format {
            // An adapter is read together with its base model.
            ModelFormat::Peft => {
                let name = folder.display().to_string();
                Hub::cache_only().model(&name, "main", &mut |_| {}, &AtomicBool::new(false))?
            }
            ModelFormat::Hf | ModelFormat::Onnx(_) => ModelFolder::on_disk(folder),
        };
        let config = ModelConfig::read(&model)?;
        let tokenizer = Tokenizer::from_pretrained(&model)?;
        let backend = match format {
            ModelFormat::Hf | ModelFormat::Peft => Backend::Plain(plain_engine(&model, &config, outputs)?),
            ModelFormat::Onnx(_) => match OnnxSession::open(folder) {
                Ok(session) => Backend::OnnxRuntime(session?),
                Err(unavailable) => return Ok(Err(unavailable)),
            },
        };
        Ok(Ok(ReadBack { backend, tokenizer, config }))
    }

    /// What computes the logits.
    pub(in crate::export) fn reader(&self) -> String {
        match &self.backend {
            Backend::Plain(_) => "candle".into(),
            Backend::OnnxRuntime(session) => session.runtime.clone(),
        }
    }

    /// The names of the outputs in the configuration that was written, or what is wrong with them.
    pub(in crate::export) fn labels(&self, outputs: usize) -> Result<Vec<String>, String> {
        self.config.id2label.for_outputs(outputs)
    }

    /// The number of tokens to which texts are truncated.
    pub(in crate::export) fn max_length(&self) -> usize {
        self.tokenizer.max_length()
    }

    /// The logits of rows, by the tokenizer and the model that were written: (rows, labels)
    ///
    /// # Errors
    /// Those of the tokenizer and of the model.
    pub(in crate::export) fn logits(
        &mut self,
        rows: &[Example],
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Vec<f32>>> {
        let encoded = self.tokenizer.encode_batch(rows, watch, &AtomicBool::new(false))?.rows;
        // A batch is padded with any token, which the mask hides.
        let padding = self.tokenizer.pad_token_id().unwrap_or_default();
        let backend = &mut self.backend;
        logits_of(&encoded, watch, "verifying the export", &mut |batch| match backend {
            Backend::Plain(engine) => engine.logits(batch),
            Backend::OnnxRuntime(session) => session.logits(batch, padding),
        })
    }
}

/// The reference engine with the weights of a folder.
fn plain_engine(model: &ModelFolder, config: &ModelConfig, outputs: usize) -> Result<Box<dyn Engine>> {
    let names = config.id2label.for_outputs(outputs);
    let labels = names.map_err(|problem| Error::model(&model.name, format!("config.json: {problem}")))?;
    let built = nn::build(&BuildOptions {
        precision: Precision::F32,
        engine: EngineChoice::Plain,
        max_examples_per_pass: MAX_EXAMPLES,
        ..BuildOptions::new(model, (&labels, config.problem_type(outputs)?))
    })?;
    match built.report.missing.first() {
        None => Ok(built.engine),
        Some(name) => {
            Err(Error::model(&model.name, format!("the tensor {name} is missing in what was written")))
        }
    }
}

/// The logits of rows in their order, computed by `compute` in batches of texts of similar length: (rows, labels)
///
/// # Errors
/// Those of `compute`, and [`Error::Training`] if it has no logits for a text.
pub(in crate::export) fn logits_of(
    rows: &[Encoded],
    watch: &mut dyn FnMut(Progress),
    what: &str,
    compute: &mut dyn FnMut(&Batch) -> Result<Vec<Vec<f32>>>,
) -> Result<Vec<Vec<f32>>> {
    let mut logits = vec![Vec::new(); rows.len()];
    let order = longest_first(rows);
    let mut rest = &order[..];
    while let Some(first) = rest.first() {
        let longest = rows[*first].ids.len().max(1);
        let count = (MAX_PADDED_TOKENS / longest).clamp(1, MAX_EXAMPLES).min(rest.len());
        let (batch, after) = rest.split_at(count);
        let found = compute(&Batch::new(batch.iter().map(|row| &rows[*row])))?;
        if found.len() != count {
            return Err(Error::Training(format!("{what}: {} rows of logits for {count} texts", found.len())));
        }
        for (row, found) in batch.iter().zip(found) {
            logits[*row] = found;
        }
        rest = after;
        let (done, total) = ((rows.len() - rest.len()) as u64, Some(rows.len() as u64));
        watch(Progress { what: what.into(), done, total, unit: Unit::Rows });
    }
    Ok(logits)
}
