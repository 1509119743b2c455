//! Batches → logits and gradients. Knows no rows, no runs, no terminal.
//!
//! Everything outside talks to an [`Engine`]; plain numbers go in and out. [`build`] makes one from
//! a model folder, [`for_inference`] from a folder that already is a classifier.

mod arena;
mod build;
mod check;
mod config;
pub mod coverage;
#[cfg(any(test, feature = "cuda"))]
mod cuda;
mod device;
mod dropout;
mod engine;
mod fast;
mod load;
mod measured;
mod names;
mod operations;
mod plain;
mod saliency;
mod save;
mod stored;

pub use build::{Build, Built, build, for_inference, from_nothing};
pub use config::{Activation, Family, ModelConfig};
pub use device::{DeviceKind, devices};
pub use engine::{
    Array, ByOp, ByPhase, Engine, EngineState, InputGradients, Interpolation, KernelRate, MemoryPlan, OpCost,
    Optimizer, Part, Profile, StepInput, StepReport, Weights,
};
pub use load::LoadReport;
pub use measured::{known_product_rate, measure_product_rate};
pub use names::{Init, ParamSpec, is_key_bias, table};
pub use operations::step_operations;
pub use saliency::integrated_gradients;
pub use save::{Stored, read_arrays, save_model, write_arrays, write_stored};

use crate::batch::Batch;
use crate::spec::Precision;

/// Engines of this version, as `engine` names them.
pub const ENGINES: &[&str] = &["plain", "fast"];

/// Number formats of matrix products that this machine has, as `precision` names them.
pub fn precisions() -> &'static [&'static str] {
    if fast::has_bf16() { &["f32", "bf16"] } else { &["f32"] }
}

/// Operations a second that the CPU engine's matrix products of a layer reach alone, over so many tokens.
pub fn product_rate(config: &ModelConfig, tokens: usize, precision: &str, threads: Option<usize>) -> f64 {
    fast::product_rate(config, tokens, precision == "bf16", threads)
}

/// The same by the `gemm` crate, in f32.
pub fn gemm_rate(config: &ModelConfig, tokens: usize, threads: Option<usize>) -> f64 {
    fast::gemm_rate(config, tokens, threads)
}

/// How fast each kernel of the CPU engine is alone, on one thread, over the tokens of `batch`.
pub fn kernel_rates(config: &ModelConfig, batch: &Batch, precision: &str) -> Vec<KernelRate> {
    fast::kernel_rates(config, batch, precision == "bf16")
}

/// The instruction set of this machine that the CPU engine's kernels run on: `AVX-512`, `AVX2`, `NEON` or
/// `plain`.
pub fn instructions() -> &'static str {
    fast::instructions()
}

/// How much of a batch an engine works on at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Examples of a part, in learning.
    pub(crate) examples: usize,
    /// Tokens of a part.
    pub(crate) tokens: usize,
}

/// What an engine is set to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Key of dropout masks.
    pub(crate) seed: u64,
    pub(crate) optimizer: Optimizer,
    pub(crate) limits: Limits,
    pub(crate) precision: Precision,
    /// Threads of the CPU; all cores when absent.
    pub(crate) threads: Option<usize>,
}
