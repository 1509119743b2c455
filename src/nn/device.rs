//! Where the work runs: `auto`, `cpu`, `cuda:N` or `metal` → a device of candle, in words too.

use super::stored::first_line;
use crate::error::{Error, Result};
use candle_core::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;

/// A device with its description.
pub(crate) struct Place {
    pub(crate) device: Device,
    /// For people: `cpu, 2 threads`.
    pub(crate) words: String,
    /// The CPU's threads, when their number was asked for.
    pub(crate) pool: Option<Arc<ThreadPool>>,
    /// Why it is not what `auto` would rather have.
    pub(crate) note: Option<String>,
}

/// Finds the device of that name; one that is asked for and not there is an error.
pub(crate) fn open(name: &str, threads: Option<usize>) -> Result<Place> {
    match name {
        "auto" => auto(threads),
        "cpu" => cpu(threads),
        "metal" => metal(),
        _ => {
            let ordinal = name.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
            cuda(ordinal.ok_or_else(|| {
                Error::Usage(format!("device \"{name}\" is unknown; auto, cpu, cuda:0 or metal is expected"))
            })?)
        }
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
    Ok(Place { device: Device::Cpu, words, pool, note: None })
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
    Ok(Place { device, words, pool: None, note: None })
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
    Ok(Place { device, words: "metal".into(), pool: None, note: None })
}

/// Every device by name: in words, or why it cannot be used.
pub fn devices() -> Vec<(String, Result<String, String>)> {
    let tried = |name: String| {
        let place = open(&name, None).map(|place| place.words).map_err(|error| error.to_string());
        (name, place)
    };
    let mut devices = vec![tried("cpu".into()), tried("cuda:0".into())];
    // Ordinals have no gaps, so the first that is missing is one too many.
    while devices.last().is_some_and(|(_, place)| place.is_ok()) {
        let next = tried(format!("cuda:{}", devices.len() - 1));
        if next.1.is_err() {
            break;
        }
        devices.push(next);
    }
    devices.push(tried("metal".into()));
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_or_refused() {
        assert_eq!(open("cpu", Some(3)).expect("the CPU").words, "cpu, 3 threads");
        assert_eq!(open("cpu", Some(1)).expect("the CPU").words, "cpu, 1 thread");
        for name in ["gpu", "cuda", "cuda:x", "cuda:-1", ""] {
            assert!(matches!(open(name, None), Err(Error::Usage(_))), "{name}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn what_is_not_built_in_says_how_to_get_it() {
        let Err(Error::Device(problem)) = open("cuda:1", None) else { panic!("a device out of nothing") };
        assert!(problem.contains("cuda:1") && problem.contains("--features cuda"), "{problem}");
        assert!(open("auto", None).expect("the CPU").device.is_cpu());
    }
}
