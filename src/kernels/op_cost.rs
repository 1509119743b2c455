//! The time and the arithmetic of the kernels.

use std::time::Instant;

/// Cost of one kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OpCost {
    /// Wall-clock seconds; threads that run at the same time count once.
    pub seconds: f64,
    /// Floating-point operations of its matrix products, on all threads.
    pub flops: f64,
}

impl OpCost {
    /// Runs `work` and adds its time and `flops`.
    pub fn measure(&mut self, flops: usize, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.add_time_since(start);
        self.flops += flops as f64;
    }

    /// Adds the time since `start`.
    pub fn add_time_since(&mut self, start: Instant) {
        self.seconds += start.elapsed().as_secs_f64();
    }
}
