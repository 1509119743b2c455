//! Hardware of the machine and its use by this process, and other processes.

mod batch_task;
mod cuda;
mod gauges;
mod gpu;
mod hardware;
mod process;

pub use batch_task::BatchTask;
pub use cuda::{CudaInstallation, CudaLibrary};
pub use gauges::{Gauges, SystemMonitor};
pub use gpu::{Gpu, gpu_memory};
pub use hardware::{MemoryInfo, cpu_model, host_name, memory, peak_memory, physical_cores, start_threads};
#[cfg(unix)]
pub use process::is_ignored;
pub use process::{detach, this_program};
