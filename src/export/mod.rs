//! Export of runs to the formats of other tools.

mod hf;
mod model_card;

pub use hf::hf;
