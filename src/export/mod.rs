//! Export of runs to the formats of other tools.

mod hf;

pub use hf::hf;
