//! Progress of work that has a length.

use serde::{Deserialize, Serialize};

/// How far a piece of work is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The work as a short phrase: `downloading model.safetensors`.
    pub what: String,
    /// The amount that is done.
    pub done: u64,
    /// The amount at the end, if known.
    pub total: Option<u64>,
    /// The unit of both amounts.
    pub unit: Unit,
}

/// The unit of a [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Data rows or examples.
    Rows,
    /// None: the amount of work is unknown.
    Nothing,
}
