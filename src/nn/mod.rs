//! Batches → logits and gradients. Knows no rows, no runs, no terminal.
//!
//! Everything outside talks to an [`Engine`]; plain numbers go in and out.

mod engine;

pub use engine::{Array, Engine, EngineState, Optimizer, StepInput, StepReport, Weights};
