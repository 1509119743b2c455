//! A bump allocator that divides one device buffer into aligned slices.

use super::device::{Bf16, DeviceSlice};
use super::tensor::{MixedTensor, SavedNorm};

/// Alignment of each slice in bytes.
const ALIGNMENT: u64 = 256;

/// Hands out consecutive slices from an address on. With address 0 it only measures the size.
pub(super) struct ArenaAllocator {
    base: u64,
    end: u64,
    is_bf16: bool,
}

impl ArenaAllocator {
    /// An allocator from the address `base` on; `is_bf16` is whether GEMMs read bf16.
    pub(super) fn new(base: u64, is_bf16: bool) -> Self {
        ArenaAllocator { base, end: base, is_bf16 }
    }

    /// Bytes handed out so far, with padding.
    pub(super) fn bytes(&self) -> usize {
        (self.end - self.base) as usize
    }

    pub(super) fn allocate<T>(&mut self, len: usize) -> DeviceSlice<T> {
        let slice = DeviceSlice::new(self.end, len);
        self.end = (self.end + (len * size_of::<T>()) as u64).next_multiple_of(ALIGNMENT);
        slice
    }

    pub(super) fn f32(&mut self, len: usize) -> DeviceSlice<f32> {
        self.allocate(len)
    }

    pub(super) fn u32(&mut self, len: usize) -> DeviceSlice<u32> {
        self.allocate(len)
    }

    /// A bf16 tensor if GEMMs read bf16, else null.
    pub(super) fn bf16(&mut self, len: usize) -> DeviceSlice<Bf16> {
        if self.is_bf16 { self.allocate(len) } else { DeviceSlice::NULL }
    }

    /// A tensor in f32, with a bf16 copy if GEMMs read bf16.
    pub(super) fn mixed(&mut self, len: usize) -> MixedTensor {
        MixedTensor { f32: self.f32(len), bf16: self.bf16(len) }
    }

    /// A tensor that only GEMMs read: in bf16 or f32, not both.
    pub(super) fn gemm_only(&mut self, len: usize) -> MixedTensor {
        if self.is_bf16 {
            MixedTensor { f32: DeviceSlice::NULL, bf16: self.bf16(len) }
        } else {
            MixedTensor::f32_only(self.f32(len))
        }
    }

    /// The statistics of a LayerNorm of `rows` rows, `width` wide.
    pub(super) fn saved_norm(&mut self, rows: usize, width: usize) -> SavedNorm {
        SavedNorm { x_hat: self.f32(rows * width), rstd: self.f32(rows) }
    }
}
