//! A copy of the weights during a training, for inference.

use crate::catalog::{Labels, ProblemType};
use crate::error::Result;
use crate::files::ModelFolder;
use crate::nn::{Engine, ParamState, Weights};
use crate::spec::RunSpec;
use std::sync::Arc;

/// A copy of the weights during a training, with everything that inference needs.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Optimizer steps done.
    pub step: u64,
    /// Every tensor.
    pub weights: Arc<Weights>,
    /// The folder of the configuration and the tokenizer.
    pub folder: ModelFolder,
    /// Names of the outputs: one for each class, or a single one for a regression.
    pub labels: Vec<String>,
    /// What the outputs mean.
    pub problem_type: ProblemType,
    /// Lowest and highest label of a regression.
    pub scale: Option<(f32, f32)>,
    /// Whether an example is a pair of texts.
    pub pair: bool,
    /// Inputs are truncated to this number of tokens.
    pub max_seq_length: usize,
}

impl Snapshot {
    /// The current weights of an engine, which has them as `state`: as averages while it evaluates those.
    pub(super) fn of(
        (engine, state): (&dyn Engine, ParamState),
        step: u64,
        spec: &RunSpec,
        folder: &ModelFolder,
        labels: &Labels,
    ) -> Result<Self> {
        Ok(Snapshot {
            step,
            weights: Arc::new(engine.tensors(state)?),
            folder: folder.clone(),
            labels: labels.names(),
            problem_type: labels.problem_type(),
            scale: labels.scale(),
            pair: spec.is_pair(),
            max_seq_length: spec.max_seq_length,
        })
    }
}
