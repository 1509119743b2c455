//! What the binary carries: the demo model, the demo data and the shipped experiments.

/// The shipped experiments.toml.
pub const EXPERIMENTS: &str = include_str!("../experiments.toml");
