//! What this machine has of CUDA: the driver, the compiler, and the shared libraries that a CUDA build loads at start.

use serde::Serialize;
use std::path::PathBuf;
use std::process::Command;

/// A shared library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CudaLibrary {
    /// The name that the dynamic linker looks for.
    pub name: String,
    /// Whether it finds that name.
    pub found: bool,
}

/// What the machine has of CUDA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CudaInstallation {
    /// The version of CUDA that the driver supports: `13.0`; `None` without a driver.
    pub driver: Option<String>,
    /// The version of the first `nvcc` in `PATH` or in `CUDA_HOME`; `None` without a compiler.
    pub nvcc: Option<String>,
    /// The libraries that a program that is built with CUDA needs to start.
    pub libraries: Vec<CudaLibrary>,
}

impl CudaInstallation {
    /// Looks for all parts. `built_with` is the version of the toolkit that this program is built with; without it, the
    /// libraries are those of the compiler or of the driver.
    pub fn find(built_with: Option<&str>) -> Self {
        let (driver, nvcc) = (linker::driver_version().map(version_text), nvcc_version());
        let version = built_with.or(nvcc.as_deref()).or(driver.as_deref());
        let names = library_names(version);
        let library = |name: String| CudaLibrary { found: linker::finds(&name), name };
        CudaInstallation { libraries: names.into_iter().map(library).collect(), driver, nvcc }
    }

    /// The names of the libraries that are missing.
    pub fn missing(&self) -> Vec<&str> {
        self.libraries.iter().filter(|library| !library.found).map(|library| library.name.as_str()).collect()
    }
}

/// The libraries of a toolkit `13.0`. The driver's and cuRAND's have numbers of their own.
fn library_names(toolkit: Option<&str>) -> Vec<String> {
    let major = toolkit.and_then(|version| version.split('.').next()).unwrap_or("13");
    let versioned = ["libcublas", "libcublasLt", "libnvrtc", "libcudart"];
    let mut names = vec!["libcuda.so.1".to_owned(), "libcurand.so.10".to_owned()];
    names.extend(versioned.map(|name| format!("{name}.so.{major}")));
    names
}

/// `13.0` for 13000, the number that `cuDriverGetVersion` returns.
fn version_text(number: u32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

fn nvcc_version() -> Option<String> {
    let home = std::env::var_os("CUDA_HOME").map(|home| PathBuf::from(home).join("bin/nvcc"));
    let outputs = [Some("nvcc".into()), home].into_iter().flatten().filter_map(|nvcc: PathBuf| {
        let output = Command::new(nvcc).arg("--version").output().ok()?;
        release(&String::from_utf8_lossy(&output.stdout))
    });
    outputs.into_iter().next()
}

/// The version in the output of `nvcc --version`: `… release 13.0, V13.0.88`.
fn release(output: &str) -> Option<String> {
    let version = output.split("release ").nth(1)?.split(',').next()?.trim();
    version.contains('.').then(|| version.to_owned())
}

#[cfg(unix)]
mod linker {
    use std::ffi::{CString, c_int};

    /// Whether the dynamic linker finds a library.
    #[expect(unsafe_code, reason = "functions of the C library")]
    pub(super) fn finds(name: &str) -> bool {
        let Ok(name) = CString::new(name) else { return false };
        // SAFETY: the name ends in NUL. The libraries of CUDA may be loaded and unloaded at any time.
        unsafe {
            let library = libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL);
            !library.is_null() && libc::dlclose(library) == 0
        }
    }

    /// The number that `cuDriverGetVersion` of the driver returns.
    #[expect(unsafe_code, reason = "calls a function of the driver")]
    pub(super) fn driver_version() -> Option<u32> {
        type GetVersion = unsafe extern "C" fn(*mut c_int) -> c_int;
        // SAFETY: names end in NUL. The function has this type in every driver, needs no initialization, and writes one
        // integer. The library stays loaded.
        unsafe {
            let library = libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL);
            if library.is_null() {
                return None;
            }
            let function = libc::dlsym(library, c"cuDriverGetVersion".as_ptr());
            if function.is_null() {
                return None;
            }
            let get_version = std::mem::transmute::<*mut libc::c_void, GetVersion>(function);
            let mut version = 0;
            (get_version(&raw mut version) == 0 && version > 0).then_some(version as u32)
        }
    }
}

#[cfg(not(unix))]
mod linker {
    pub(super) fn finds(_name: &str) -> bool {
        false
    }

    pub(super) fn driver_version() -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_have_the_major_version_of_the_toolkit() {
        assert!(library_names(Some("12.9")).contains(&"libcublas.so.12".to_owned()));
        assert!(library_names(None).contains(&"libnvrtc.so.13".to_owned()));
        assert!(CudaInstallation::find(Some("99.0")).missing().contains(&"libcudart.so.99"));
    }

    #[test]
    fn versions_are_parsed() {
        assert_eq!(version_text(12_040), "12.4");
        let output =
            "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 13.0, V13.0.88\n";
        assert_eq!(release(output), Some("13.0".into()));
        assert_eq!(release("not a compiler"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linker_finds_the_c_library_only() {
        assert!(linker::finds("libc.so.6"));
        assert!(!linker::finds("libnothing.so.1"));
    }
}
