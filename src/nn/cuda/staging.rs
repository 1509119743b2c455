//! [`Staging`]: uploads through two page-locked buffers. A copy from pageable memory may wait for the stream; a copy
//! from page-locked memory runs while the host fills the other buffer.

use super::device::DeviceSlice;
use crate::error::Result;

/// A page-locked buffer in host memory.
pub(super) trait StagingBuffer {
    /// Waits until the last copy from the buffer has finished; returns its words.
    fn words(&mut self) -> Result<&mut [u32]>;

    /// Enqueues a copy of the first words of the buffer to all of `to`.
    fn copy(&mut self, to: DeviceSlice<u32>) -> Result<()>;
}

/// Two buffers that are used in turn.
pub(super) struct Staging<B> {
    buffers: [B; 2],
    next: usize,
}

impl<B: StagingBuffer> Staging<B> {
    pub(super) fn new(buffers: [B; 2]) -> Self {
        Staging { buffers, next: 0 }
    }

    /// Copies `words` to `to`, in pieces of the size of a buffer. The last copies may still run when this returns.
    pub(super) fn upload(&mut self, to: DeviceSlice<u32>, words: &[u32]) -> Result<()> {
        let mut done = 0;
        while done < words.len() {
            let buffer = &mut self.buffers[self.next];
            self.next = 1 - self.next;
            let free = buffer.words()?;
            let count = free.len().min(words.len() - done);
            free[..count].copy_from_slice(&words[done..done + count]);
            buffer.copy(to.slice(done..done + count))?;
            done += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Buffers with a device that copies as late as possible: when the host waits, or at the end.
    #[derive(Default)]
    struct LateDevice {
        memory: Vec<u32>,
        /// Copies in flight: buffer, first word in `memory`, count.
        in_flight: Vec<(usize, usize, usize)>,
        most_in_flight: usize,
    }

    struct FakeBuffer {
        number: usize,
        words: Vec<u32>,
        device: Rc<RefCell<LateDevice>>,
    }

    impl FakeBuffer {
        /// Performs the copies in flight from this buffer.
        fn finish(&self) {
            let device = &mut *self.device.borrow_mut();
            device.in_flight.retain(|(number, first, count)| {
                if *number == self.number {
                    device.memory[*first..first + count].copy_from_slice(&self.words[..*count]);
                }
                *number != self.number
            });
        }
    }

    impl StagingBuffer for FakeBuffer {
        fn words(&mut self) -> Result<&mut [u32]> {
            self.finish();
            Ok(&mut self.words)
        }

        fn copy(&mut self, to: DeviceSlice<u32>) -> Result<()> {
            let mut device = self.device.borrow_mut();
            device.in_flight.push((self.number, to.address() as usize / 4, to.len()));
            device.most_in_flight = device.most_in_flight.max(device.in_flight.len());
            Ok(())
        }
    }

    #[test]
    fn uploads_overlap_and_never_overwrite_a_copy_in_flight() {
        for len in [0, 1, 4, 5, 8, 23] {
            let device = Rc::new(RefCell::new(LateDevice { memory: vec![0; 40], ..LateDevice::default() }));
            let buffer = |number| FakeBuffer { number, words: vec![0; 4], device: device.clone() };
            let mut staging = Staging::new([buffer(0), buffer(1)]);
            let sent: Vec<u32> = (1..=len as u32).collect();
            staging.upload(DeviceSlice::new(40, len), &sent).expect("an upload");
            staging.upload(DeviceSlice::new(8, 1), &[99]).expect("an upload");
            staging.buffers.iter().for_each(FakeBuffer::finish);
            let device = device.borrow();
            assert_eq!(device.memory[10..10 + len], sent);
            assert_eq!(device.memory[2], 99);
            assert_eq!(device.most_in_flight, if len == 0 { 1 } else { 2 });
        }
    }
}
