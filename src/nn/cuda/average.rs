//! [`Average`]: the exponential moving average of the weights in device memory.

use super::device::{Device, DeviceSlice};
use super::ops::{exchange, update_average};
use crate::error::Result;

/// The exponential moving average of the weights, in a buffer of its own.
pub(super) struct Average<B> {
    /// An arena like that of the weights.
    pub(super) values: DeviceSlice<f32>,
    /// 1 − decay
    one_minus_decay: f32,
    _buffer: B,
}

impl<B> Average<B> {
    /// An average whose values are not set yet, for an arena of `len` elements.
    ///
    /// # Errors
    /// The device has too little memory.
    pub(super) fn new<D: Device<Buffer = B>>(device: &mut D, decay: f64, len: usize) -> Result<Self> {
        let buffer = device.allocate(len * size_of::<f32>())?;
        let values = DeviceSlice::new(D::address(&buffer), len);
        Ok(Average { values, one_minus_decay: (1.0 - decay) as f32, _buffer: buffer })
    }

    /// Moves the average towards the weights.
    pub(super) fn update<D: Device>(&self, device: &mut D, weights: DeviceSlice<f32>) -> Result<()> {
        update_average(device, weights, self.values, self.one_minus_decay)
    }

    /// Exchanges the average and the weights. Their addresses stay the same, because captured graphs contain them.
    pub(super) fn swap<D: Device>(&self, device: &mut D, weights: DeviceSlice<f32>) -> Result<()> {
        exchange(device, weights, self.values)
    }

    /// Its memory.
    pub(super) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}
