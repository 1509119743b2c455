//! How an engine computes, independent of the model.

use super::engine::OptimizerConfig;
use crate::spec::Precision;

/// Sizes of a micro-batch, the part of a batch that one forward and backward pass processes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MicroBatchLimits {
    /// Most examples of a micro-batch in training.
    pub(crate) max_examples: usize,
    /// Most tokens of a micro-batch.
    pub(crate) max_tokens: usize,
}

/// Settings of an engine.
#[derive(Debug, Clone)]
pub(crate) struct EngineConfig {
    /// Seed of the dropout masks.
    pub(crate) seed: u64,
    pub(crate) optimizer: OptimizerConfig,
    pub(crate) limits: MicroBatchLimits,
    pub(crate) precision: Precision,
    /// Number of CPU threads; `None` uses all cores.
    pub(crate) threads: Option<usize>,
}
