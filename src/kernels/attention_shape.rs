//! The rows and sizes of an example in attention.

use super::LANES;
use std::ops::Range;

/// Sizes that are the same for all examples.
#[derive(Debug, Clone, Copy)]
pub struct HeadShape {
    /// Number of heads.
    pub count: usize,
    /// Width of a head.
    pub size: usize,
    /// Maximum input length, which numbers the dropout masks.
    pub max_positions: usize,
}

/// The rows of one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionSpan {
    /// Rows of its queries.
    pub queries: Range<usize>,
    /// Rows of its keys and values.
    pub keys: Range<usize>,
    /// Index of its first attention probability. They are (heads, queries, [`padded`] keys).
    pub probs_start: usize,
}

/// Number of stored attention probabilities of a query over `keys` keys; also pads the width of a head.
pub fn padded(keys: usize) -> usize {
    keys.next_multiple_of(LANES)
}

/// Padded sides of the matrices of an example.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PaddedShape {
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    pub(crate) head_size: usize,
}
