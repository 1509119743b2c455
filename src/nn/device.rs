//! Where the work runs: `auto`, `cpu`, `cuda:N` or `metal` → a device of candle, in words too.

use super::stored::first_line;
use crate::error::{Error, Result};
use crate::spec::DeviceSpec;
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

/// A device with its description.
pub(crate) struct Place {
    pub(crate) device: Device,
    pub(crate) kind: DeviceKind,
    /// For people: `cpu, 2 threads`.
    pub(crate) words: String,
    /// The CPU's threads, when their number was asked for.
    pub(crate) pool: Option<Arc<ThreadPool>>,
    /// Why it is not what `auto` would rather have.
    pub(crate) note: Option<String>,
}

/// Opens a device.
///
/// # Errors
/// [`Error::Device`] when it does not exist or this program is built without support for it.
pub(crate) fn open(device: DeviceSpec, threads: Option<usize>) -> Result<Place> {
    match device {
        DeviceSpec::Auto => auto(threads),
        DeviceSpec::Cpu => cpu(threads),
        DeviceSpec::Cuda(ordinal) => cuda(ordinal),
        DeviceSpec::Metal => metal(),
    }
}

/// The first CUDA device when the program is built for them, else the CPU.
fn auto(threads: Option<usize>) -> Result<Place> {
    if cfg!(not(feature = "cuda")) {
        return cpu(threads);
    }
    match cuda(0) {
        Ok(place) => Ok(place),
        Err(error) => Ok(Place { note: Some(format!("computing on the CPU: {error}")), ..cpu(threads)? }),
    }
}

fn cpu(threads: Option<usize>) -> Result<Place> {
    let pool = match threads {
        None => None,
        Some(threads) => {
            let built = ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
            let failed = |e| Error::Device(format!("{threads} threads cannot be started: {e}"));
            Some(Arc::new(built.map_err(failed)?))
        }
    };
    let count = pool.as_ref().map_or_else(rayon::current_num_threads, |pool| pool.current_num_threads());
    let words = format!("cpu, {count} thread{}", if count == 1 { "" } else { "s" });
    Ok(Place { device: Device::Cpu, kind: DeviceKind::Cpu, words, pool, note: None })
}

#[cfg(not(feature = "cuda"))]
fn cuda(ordinal: usize) -> Result<Place> {
    let problem = format!(
        "cuda:{ordinal} cannot be used: this program is built without CUDA; build it with --features cuda, or \
         set device to cpu"
    );
    Err(Error::Device(problem))
}

#[cfg(feature = "cuda")]
fn cuda(ordinal: usize) -> Result<Place> {
    let opened = || -> candle_core::Result<_> {
        // A stream of its own: the per-thread one would be another for each thread that calls.
        let device = Device::new_cuda_with_stream(ordinal)?;
        let name = prepare(&device)?;
        Ok((device, format!("cuda:{ordinal}, {name}")))
    };
    let (device, words) = opened().map_err(|e| {
        let cause = cause(&first_line(&e));
        Error::Device(format!(
            "cuda:{ordinal} cannot be used ({cause}); see nvidia-smi, or set device to cpu"
        ))
    })?;
    Ok(Place { device, kind: DeviceKind::Cuda, words, pool: None, note: None })
}

/// What a code of the driver means, where people are likely to meet it.
#[cfg(feature = "cuda")]
fn cause(problem: &str) -> String {
    const KNOWN: &[(&str, &str)] = &[
        ("CUDA_ERROR_STUB_LIBRARY", "there is no NVIDIA driver"),
        ("CUDA_ERROR_NO_DEVICE", "there is no NVIDIA GPU"),
        ("CUDA_ERROR_INVALID_DEVICE", "there is no GPU of that number"),
    ];
    let known = KNOWN.iter().find(|(code, _)| problem.contains(code));
    known.map_or(problem, |(_, words)| *words).to_owned()
}

/// Sets a new CUDA device up for one stream that all work goes through; returns what it is called.
#[cfg(feature = "cuda")]
fn prepare(device: &Device) -> candle_core::Result<String> {
    use candle_core::cuda_backend::{WrapErr, cudarc::driver};
    let device = device.as_cuda_device()?;
    let context = device.cuda_stream().context().clone();
    #[expect(unsafe_code, reason = "a promise about streams, and a setting that is passed as a pointer")]
    // SAFETY: every tensor of the device is made and used on its one stream, whose order does what the events
    // would; and `keep`, a number of the size that this setting has, outlives the call that reads it.
    unsafe {
        // Else each tensor has two events, and each launch waits for and records some.
        device.disable_event_tracking();
        if context.has_async_alloc() {
            // Freed memory stays with the process; by default each synchronization gives it back.
            let mut keep = u64::MAX;
            let setting = driver::sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            let pool = driver::result::device::get_default_mem_pool(context.cu_device()).w()?;
            driver::result::mem_pool::set_attribute(pool, setting, (&raw mut keep).cast()).w()?;
        }
    }
    context.name().w()
}

fn metal() -> Result<Place> {
    if !candle_core::utils::metal_is_available() {
        let problem = "metal cannot be used: this program is built without it; build it on a Mac with \
                       --features metal, or set device to cpu";
        return Err(Error::Device(problem.into()));
    }
    let device = Device::new_metal(0).map_err(|e| {
        Error::Device(format!("metal cannot be used ({}); set device to cpu", first_line(&e)))
    })?;
    Ok(Place { device, kind: DeviceKind::Metal, words: "metal".into(), pool: None, note: None })
}

/// Every device by name, with its description or why it cannot be used.
pub fn devices() -> Vec<(String, Result<String, String>)> {
    let tried = |device: DeviceSpec| {
        let place = open(device, None).map(|place| place.words).map_err(|error| error.to_string());
        (device.to_string(), place)
    };
    let mut devices = vec![tried(DeviceSpec::Cpu), tried(DeviceSpec::Cuda(0))];
    // Ordinals have no gaps, so the first that is missing is one too many.
    while devices.last().is_some_and(|(_, place)| place.is_ok()) {
        let next = tried(DeviceSpec::Cuda(devices.len() - 1));
        if next.1.is_err() {
            break;
        }
        devices.push(next);
    }
    devices.push(tried(DeviceSpec::Metal));
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_described_with_its_threads() {
        assert_eq!(open(DeviceSpec::Cpu, Some(3)).expect("the CPU").words, "cpu, 3 threads");
        assert_eq!(open(DeviceSpec::Cpu, Some(1)).expect("the CPU").words, "cpu, 1 thread");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn what_is_not_built_in_says_how_to_get_it() {
        let Err(Error::Device(problem)) = open(DeviceSpec::Cuda(1), None) else {
            panic!("a device out of nothing")
        };
        assert!(problem.contains("cuda:1") && problem.contains("--features cuda"), "{problem}");
        assert!(open(DeviceSpec::Auto, None).expect("the CPU").device.is_cpu());
    }
}
