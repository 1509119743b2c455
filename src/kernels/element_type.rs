//! Data types of matrix products.

/// Data type that the operands of a matrix product are converted to. Sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// No conversion.
    F32,
    /// Rounded to the nearest bf16.
    Bf16,
}
