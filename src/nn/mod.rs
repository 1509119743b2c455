//! Batches → logits and gradients. Knows no rows, no runs, no terminal.
//!
//! Everything outside talks to an [`Engine`]; plain numbers go in and out. [`build`] makes one from
//! a model folder, [`for_inference`] from a folder that already is a classifier.

mod build;
mod config;
pub mod coverage;
mod device;
mod engine;
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
