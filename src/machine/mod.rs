//! Hardware of the machine, and its use by this process.

mod cuda;
mod gauges;
mod gpu;
mod hardware;

pub use cuda::{CudaInstallation, CudaLibrary};
pub use gauges::{Gauges, SystemMonitor};
pub use gpu::{Gpu, gpu_memory};
pub use hardware::{MemoryInfo, cpu_model, host_name, memory, peak_memory, physical_cores, start_threads};
