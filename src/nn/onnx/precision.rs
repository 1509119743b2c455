//! The precision of a graph.

/// Precision of the word embedding and of the products of the encoder layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnnxPrecision {
    /// Single precision.
    F32,
    /// Weights in int8 with a scale for each output, inputs quantized when the graph runs.
    Int8,
}
