//! [`StepLogits`]: the logits of the training passes since the last report.

use super::device::{Device, DeviceSlice, read_f32s};
use crate::error::Result;

/// Length of the buffer on the device. With two classes and 32 examples a step, it is read every 1,024 steps at the latest.
pub(super) const STEP_LOGITS: usize = 1 << 16;

/// Collects logits on the device, so that steps do not wait for each other.
#[derive(Debug)]
pub(super) struct StepLogits {
    /// ([`STEP_LOGITS`])
    buffer: DeviceSlice<f32>,
    /// Number of logits in `buffer`.
    buffered: usize,
    /// The logits before these.
    read: Vec<f32>,
}

impl StepLogits {
    /// No logits, with `buffer` for the next ones.
    pub(super) fn new(buffer: DeviceSlice<f32>) -> Self {
        StepLogits { buffer, buffered: 0, read: Vec::new() }
    }

    /// Appends `logits`, which a later pass overwrites. Waits for the device only if the buffer is full.
    pub(super) fn push<D: Device>(&mut self, device: &mut D, logits: DeviceSlice<f32>) -> Result<()> {
        if self.buffered + logits.len() > self.buffer.len() {
            self.read_buffer(device)?;
        }
        if logits.len() > self.buffer.len() {
            self.read.extend(read_f32s(device, logits)?);
            return Ok(());
        }
        let end = self.buffered + logits.len();
        device.copy(logits, self.buffer.slice(self.buffered..end))?;
        self.buffered = end;
        Ok(())
    }

    /// Waits for the device and removes all logits.
    pub(super) fn take<D: Device>(&mut self, device: &D) -> Result<Vec<f32>> {
        self.read_buffer(device)?;
        Ok(std::mem::take(&mut self.read))
    }

    fn read_buffer<D: Device>(&mut self, device: &D) -> Result<()> {
        self.read.extend(read_f32s(device, self.buffer.prefix(self.buffered))?);
        self.buffered = 0;
        Ok(())
    }
}
