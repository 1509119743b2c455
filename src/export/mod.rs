//! Export of runs to the formats of other tools.

pub mod chart;
pub mod glue;
mod hf;
mod model_card;

pub use hf::hf;
