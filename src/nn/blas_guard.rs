//! [`BlasGuard`]: keeps a cuBLAS handle from being destroyed after its GPU has failed.

use candle_core::Device;
#[cfg(any(test, feature = "cuda"))]
use std::sync::Arc;

/// Keeps a shared value forever if it must not be dropped.
#[cfg(any(test, feature = "cuda"))]
struct KeepUnless<T> {
    value: Arc<T>,
    /// Whether the value may be dropped.
    can_drop: Box<dyn Fn() -> bool + Send + Sync>,
}

#[cfg(any(test, feature = "cuda"))]
impl<T> Drop for KeepUnless<T> {
    fn drop(&mut self) {
        if !(self.can_drop)() {
            std::mem::forget(self.value.clone());
        }
    }
}

/// Every owner of a CUDA device holds one. The handle's destructor panics if cuBLAS reports an error, which it does
/// once the GPU has failed; in the middle of another panic that would end the program.
pub(crate) struct BlasGuard {
    #[cfg(feature = "cuda")]
    _handle: Option<KeepUnless<candle_core::cuda_backend::cudarc::cublas::CudaBlas>>,
}

impl BlasGuard {
    /// The guard of a device; it does nothing on other devices than GPUs of NVIDIA.
    #[cfg(feature = "cuda")]
    pub(crate) fn new(device: &Device) -> Self {
        let Ok(device) = device.as_cuda_device() else { return BlasGuard { _handle: None } };
        let stream = device.cuda_stream();
        let can_drop = Box::new(move || stream.synchronize().is_ok());
        BlasGuard { _handle: Some(KeepUnless { value: device.cublas_handle(), can_drop }) }
    }

    /// The guard of a device; it does nothing on other devices than GPUs of NVIDIA.
    #[cfg(not(feature = "cuda"))]
    pub(crate) fn new(_device: &Device) -> Self {
        BlasGuard {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_dropped_only_if_allowed() {
        for can_drop in [true, false] {
            let value = Arc::new(());
            let weak = Arc::downgrade(&value);
            let guard = KeepUnless { value: value.clone(), can_drop: Box::new(move || can_drop) };
            drop(value);
            assert!(weak.upgrade().is_some());
            drop(guard);
            assert_eq!(weak.upgrade().is_none(), can_drop);
        }
    }
}
