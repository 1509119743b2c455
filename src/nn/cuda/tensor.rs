//! Tensors in device memory that ops read and write: activations in mixed precision, saved LayerNorm statistics,
//! partial sums.

use super::device::{Bf16, DeviceSlice, GemmOperand};

/// Upper bound of the rows of [`PartialSums`].
pub(super) const MAX_PARTIAL_ROWS: usize = 512;

/// A tensor in f32 with an optional bf16 copy for GEMMs. Either slice may be null, but not both.
#[derive(Debug, Clone, Copy)]
pub(super) struct MixedTensor {
    pub(super) f32: DeviceSlice<f32>,
    pub(super) bf16: DeviceSlice<Bf16>,
}

impl MixedTensor {
    /// No tensor, for an optional output of a kernel.
    pub(super) const NULL: Self = MixedTensor { f32: DeviceSlice::NULL, bf16: DeviceSlice::NULL };

    /// A tensor without a bf16 copy.
    pub(super) fn f32_only(f32: DeviceSlice<f32>) -> Self {
        MixedTensor { f32, bf16: DeviceSlice::NULL }
    }

    /// The first `len` elements as an input of a GEMM: the bf16 copy if there is one, else f32.
    pub(super) fn gemm_operand(self, len: usize) -> GemmOperand {
        if self.bf16.is_null() {
            GemmOperand::F32(self.f32.prefix(len))
        } else {
            GemmOperand::Bf16(self.bf16.prefix(len))
        }
    }
}

/// What the forward pass of a LayerNorm saves for the backward pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct SavedNorm {
    /// Normalized input x̂ = (x - μ) / σ: (R, H)
    pub(super) x_hat: DeviceSlice<f32>,
    /// Reciprocal standard deviation 1/σ: (R)
    pub(super) rstd: DeviceSlice<f32>,
}

/// Partial sums over rows: each block of a kernel writes one row, and `Ops::reduce_partial_sums` adds them up.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartialSums {
    /// (blocks, stride)
    pub(super) sums: DeviceSlice<f32>,
    pub(super) stride: usize,
}
