//! Opens the device that an engine computes on.

#[cfg(feature = "cuda")]
use super::cuda_requirements::{check_capability, check_driver, explain};
use super::error_text::first_line;
use crate::error::{Error, Result};
use crate::machine::MemoryInfo;
#[cfg(feature = "cuda")]
use crate::machine::gpu_memory;
use crate::spec::DeviceSpec;
use crate::text::plural;
use candle_core::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;

/// The kind of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// Apple's GPU.
    Metal,
}

/// An open device.
pub(crate) struct DeviceContext {
    pub(crate) device: Device,
    pub(crate) kind: DeviceKind,
    /// Description to display: `cpu, 2 threads`.
    pub(crate) description: String,
    /// The CPU's thread pool, when the number of threads was given.
    pub(crate) pool: Option<Arc<ThreadPool>>,
    /// Why `auto` fell back to the CPU.
    pub(crate) note: Option<String>,
}

/// Opens a device.
///
/// # Errors
/// A device that does not exist, or that this program is built without support for.
pub(crate) fn open(device: DeviceSpec, threads: Option<usize>) -> Result<DeviceContext> {
    match device {
        DeviceSpec::Auto => auto(threads),
        DeviceSpec::Cpu => cpu(threads),
        DeviceSpec::Cuda(ordinal) => cuda(ordinal),
        DeviceSpec::Metal => metal(),
    }
}

/// The first CUDA device if the program is built with CUDA and the device can be used, else the CPU.
fn auto(threads: Option<usize>) -> Result<DeviceContext> {
    if cfg!(not(feature = "cuda")) {
        return cpu(threads);
    }
    match cuda(0) {
        Ok(context) => Ok(context),
        Err(error) => {
            let note = Some(format!("falling back to the CPU: {error}"));
            Ok(DeviceContext { note, ..cpu(threads)? })
        }
    }
}

fn cpu(threads: Option<usize>) -> Result<DeviceContext> {
    let pool = match threads {
        None => None,
        Some(threads) => {
            let built = ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
            let failed = |e| Error::Device(format!("cannot start {threads} threads: {e}"));
            Some(Arc::new(built.map_err(failed)?))
        }
    };
    let count = pool.as_ref().map_or_else(rayon::current_num_threads, |pool| pool.current_num_threads());
    let description = format!("cpu, {}", plural(count as u64, "thread"));
    Ok(DeviceContext { device: Device::Cpu, kind: DeviceKind::Cpu, description, pool, note: None })
}

#[cfg(not(feature = "cuda"))]
fn cuda(ordinal: usize) -> Result<DeviceContext> {
    let problem = format!(
        "cuda:{ordinal} cannot be used: this program is built without CUDA; build it with --features cuda, or \
         set device to cpu"
    );
    Err(Error::Device(problem))
}

#[cfg(feature = "cuda")]
fn cuda(ordinal: usize) -> Result<DeviceContext> {
    let unusable = |cause: String| {
        let text = format!("cuda:{ordinal} cannot be used ({cause}); see nvidia-smi, or set device to cpu");
        Error::Device(text)
    };
    check_requirements(ordinal).map_err(unusable)?;
    let opened = || -> candle_core::Result<_> {
        // One stream for all threads; the per-thread default stream would differ between callers.
        let device = Device::new_cuda_with_stream(ordinal)?;
        let name = prepare(&device)?;
        Ok((device, format!("cuda:{ordinal}, {name}")))
    };
    let (device, description) = opened().map_err(|e| unusable(explain(&first_line(&e))))?;
    Ok(DeviceContext { device, kind: DeviceKind::Cuda, description, pool: None, note: None })
}

/// Checks the driver, then the compute capability of a GPU, before anything is loaded.
#[cfg(feature = "cuda")]
fn check_requirements(ordinal: usize) -> Result<(), String> {
    use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute;
    use candle_core::cuda_backend::cudarc::driver::{result, result::DriverError, sys};
    let error = |e: DriverError| explain(&first_line(&format!("{e:?}")));
    let mut version = 0;
    #[expect(unsafe_code, reason = "the driver writes to a pointer")]
    // SAFETY: the pointer is to an integer that outlives the call.
    let status = unsafe { sys::cuDriverGetVersion(&raw mut version) };
    status.result().map_err(error)?;
    check_driver(version as u32, env!("GLUE_TUI_CUDA_VERSION"))?;
    result::init().map_err(error)?;
    let device = result::device::get(ordinal as i32).map_err(error)?;
    let attribute = |attribute| {
        #[expect(unsafe_code, reason = "the driver takes a device handle")]
        // SAFETY: the handle comes from the driver.
        let value = unsafe { result::device::get_attribute(device, attribute) };
        value.map(|value| value as u32).map_err(error)
    };
    let major = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    check_capability((major, minor), env!("GLUE_TUI_CUDA_COMPUTE_CAP"))
}

/// Configures a new CUDA device for use through its single stream; returns the name of the GPU.
#[cfg(feature = "cuda")]
fn prepare(device: &Device) -> candle_core::Result<String> {
    use candle_core::cuda_backend::{WrapErr, cudarc::driver};
    let device = device.as_cuda_device()?;
    let context = device.cuda_stream().context().clone();
    #[expect(
        unsafe_code,
        reason = "event tracking is unsafe to disable, and the pool attribute is passed by pointer"
    )]
    // SAFETY: every tensor of the device is created and used on its only stream, whose order replaces the events;
    // `threshold` has the size of this attribute (u64) and outlives the call that reads it.
    unsafe {
        // Otherwise each tensor has two events, and each launch waits for and records some of them.
        device.disable_event_tracking();
        if context.has_async_alloc() {
            // Keep freed memory in the pool; by default each synchronization returns it to the system.
            let mut threshold = u64::MAX;
            let attribute = driver::sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            let pool = driver::result::device::get_default_mem_pool(context.cu_device()).w()?;
            driver::result::mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast()).w()?;
        }
    }
    context.name().w()
}

fn metal() -> Result<DeviceContext> {
    if !candle_core::utils::metal_is_available() {
        let problem = "metal cannot be used: this program is built without Metal; build it on a Mac with \
                       --features metal, or set device to cpu";
        return Err(Error::Device(problem.into()));
    }
    let device = Device::new_metal(0).map_err(|e| {
        Error::Device(format!("metal cannot be used ({}); set device to cpu", first_line(&e)))
    })?;
    Ok(DeviceContext { device, kind: DeviceKind::Metal, description: "metal".into(), pool: None, note: None })
}

/// The memory of each NVIDIA GPU that this program can use, as far as it is known: an empty list without support for
/// CUDA, a driver or a GPU. Opens no GPU.
#[cfg(feature = "cuda")]
pub fn gpus() -> Vec<Option<MemoryInfo>> {
    use candle_core::cuda_backend::cudarc::driver::{CudaContext, result::device};
    let memory = |ordinal: i32| {
        let uuid = device::get(ordinal).and_then(device::get_uuid).ok()?;
        gpu_memory(uuid.bytes.map(|byte| byte as u8))
    };
    let count = CudaContext::device_count().unwrap_or(0);
    (0..count).map(memory).collect()
}

/// The memory of each NVIDIA GPU that this program can use: none, since it is built without CUDA.
#[cfg(not(feature = "cuda"))]
pub fn gpus() -> Vec<Option<MemoryInfo>> {
    Vec::new()
}

/// Every device by name, with its description or the reason why it cannot be used.
pub fn devices() -> Vec<(String, Result<String, String>)> {
    let try_open = |device: DeviceSpec| {
        let found = open(device, None).map(|context| context.description).map_err(|error| error.to_string());
        (device.to_string(), found)
    };
    let mut devices = vec![try_open(DeviceSpec::Cpu), try_open(DeviceSpec::Cuda(0))];
    // Ordinals have no gaps, so the search ends at the first one that is missing.
    while devices.last().is_some_and(|(_, found)| found.is_ok()) {
        let next = try_open(DeviceSpec::Cuda(devices.len() - 1));
        if next.1.is_err() {
            break;
        }
        devices.push(next);
    }
    devices.push(try_open(DeviceSpec::Metal));
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_described_with_its_threads() {
        assert_eq!(open(DeviceSpec::Cpu, Some(3)).expect("the CPU").description, "cpu, 3 threads");
        assert_eq!(open(DeviceSpec::Cpu, Some(1)).expect("the CPU").description, "cpu, 1 thread");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn error_for_cuda_names_the_build_feature() {
        let Err(Error::Device(problem)) = open(DeviceSpec::Cuda(1), None) else {
            panic!("cuda:1 opened without CUDA")
        };
        assert!(problem.contains("cuda:1") && problem.contains("--features cuda"), "{problem}");
        assert!(open(DeviceSpec::Auto, None).expect("the CPU").device.is_cpu());
    }
}
