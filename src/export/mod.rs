//! Export of runs to the formats of other tools.

pub mod chart;
mod hf;
mod model_card;

pub use hf::hf;
