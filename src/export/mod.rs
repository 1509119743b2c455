//! A run written out for other tools.

mod hf;

pub use hf::hf;
