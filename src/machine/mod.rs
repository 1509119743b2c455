//! Hardware of the machine, and its use by this process.

mod gauges;
mod gpu;
mod hardware;

pub use gauges::{Gauges, SystemMonitor};
pub use gpu::Gpu;
pub use hardware::{MemoryInfo, cpu_model, host_name, memory, peak_memory, physical_cores, start_threads};
