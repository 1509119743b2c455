//! Batches → logits and gradients. Knows no rows, no runs, no terminal.
//!
//! Everything outside talks to an [`Engine`]; plain numbers go in and out. [`build`] makes one from
//! a model folder, [`for_inference`] from a folder that already is a classifier.

mod build;
mod check;
mod config;
pub mod coverage;
mod device;
mod dropout;
mod engine;
mod fast;
mod load;
mod names;
mod plain;
mod save;
mod stored;

pub use build::{Build, Built, build, for_inference, from_nothing};
pub use config::{Activation, Family, ModelConfig};
pub use device::devices;
pub use engine::{Array, Engine, EngineState, Optimizer, StepInput, StepReport, Weights};
pub use load::LoadReport;
pub use names::{Init, Slot, is_key_bias, table};
pub use save::{read_arrays, save_model, write_arrays};

/// Engines of this version, as `engine` names them.
pub const ENGINES: &[&str] = &["plain", "fast"];

/// Number formats of matrix products in this version, as `precision` names them.
pub const PRECISIONS: &[&str] = &["f32"];

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
