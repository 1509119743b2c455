//! Fuzz targets for every reader of untrusted bytes. `fuzz_targets/` has one binary for each; what they call is in
//! [`targets`], and how inputs are mutated in [`mutate`](mod@mutate). CONTRIBUTING.md says how to run them.

mod memory;
pub mod mutate;
mod samples;
pub mod targets;

pub use mutate::{Format, mutate};

use std::panic;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// Longest processor time of an input. The `-timeout` of libFuzzer is real time, which depends on other processes.
const MAX_TIME: Duration = Duration::from_secs(2);

/// The sources of glue-tui. A panic there is a finding even if glue-tui catches it.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/");

/// Defines the entry points of libFuzzer for one of [`targets`].
#[macro_export]
macro_rules! target {
    ($read:path, $format:expr) => {
        libfuzzer_sys::fuzz_target!(init: $crate::init(), |data: &[u8]| $crate::check($read, data));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate($format, data, size, max_size, seed)
        });
    };
}

/// Replaces the panic hook of libfuzzer-sys, which aborts at every panic: glue-tui catches a panic of a dependency and
/// reports it as a fault of the file.
pub fn init() {
    let sources = Path::new(SOURCES).canonicalize().unwrap_or_default();
    let default = panic::take_hook();
    drop(default);
    panic::set_hook(Box::new(move |info| {
        let location = info.location().map_or("", |location| location.file());
        let is_finding = Path::new(location).canonicalize().is_ok_and(|file| file.starts_with(&sources));
        if is_finding || std::env::var_os("GLUE_TUI_FUZZ_VERBOSE").is_some() {
            eprintln!("{info}");
        }
        if is_finding {
            std::process::abort();
        }
    }));
}

/// Calls `read` with a temporary folder and `data`. A panic that nothing catches and an input that takes too long end the
/// process, so that libFuzzer saves the input.
pub fn check(read: fn(&Path, &[u8]), data: &[u8]) {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder can be created"));
    let start = processor_time();
    let result = panic::catch_unwind(|| read(folder.path(), data));
    let time = processor_time().saturating_sub(start);
    if time > MAX_TIME {
        eprintln!("{time:?} of processor time");
        std::process::abort();
    }
    if let Err(panic) = result {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        eprintln!("{text}");
        std::process::abort();
    }
}

/// Processor time of all threads of this process.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
