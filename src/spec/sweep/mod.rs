//! Sweeps: experiments in which a key has several values, and the trials that follow from them.
//!
//! ```toml
//! [experiment.tune]
//! learning_rate = { min = 1e-5, max = 1e-4, scale = "log" }   # a range
//! weight_decay = [0.0, 0.01]                                  # a list
//! search = "random"
//! trials = 12
//! scheduler = "asha"
//! ```
//!
//! With `search = "zip"` the task may be swept too, each with its own settings: such a sweep is a benchmark, whose trials
//! are not compared.

mod description;
mod draw;
mod problem;
mod scheduler;
mod settings;
mod swept;
mod tasks;
#[cfg(test)]
mod tests;

pub use description::Sweep;
pub use draw::MAX_TRIALS;
pub use problem::SweepProblem;
pub use scheduler::AshaSettings;
pub(in crate::spec) use settings::{SEARCH, sweep_key_named, sweep_key_names};
pub use settings::{Search, SweepSettings, is_sweep_key, sweep_keys};
pub use swept::{Axis, Scale, SweptValues, ValueRange};
