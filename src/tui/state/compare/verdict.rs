//! The comparison of two marked runs.

use crate::run::comparison::Comparison;
use std::path::PathBuf;

/// The two runs of a comparison, A and B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPair {
    /// The directory of A.
    pub a: PathBuf,
    /// The directory of B.
    pub b: PathBuf,
}

/// The comparison of a pair, once it is computed.
#[derive(Debug)]
pub struct Verdict {
    /// The pair.
    pub pair: RunPair,
    /// The comparison or the error; `None` until it is computed.
    pub result: Option<Result<Box<Comparison>, String>>,
    /// Number of finished runs when it was requested: a further seed may have changed it.
    pub(super) finished: usize,
}
