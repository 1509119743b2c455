//! Processor and memory of this machine.

use crate::error::{Error, Result};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The memory of a device, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryInfo {
    /// Installed memory.
    pub total: u64,
    /// Memory that a process can still allocate.
    pub available: u64,
}

/// The main memory that this process may use: that of the machine, within the limits of the process. `None` if the
/// system does not report it.
pub fn memory() -> Option<MemoryInfo> {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds).ok()?;
    let (mut total, mut available) = (system.total_memory(), system.available_memory());
    // The limit of a container.
    if let Some(limits) = system.cgroup_limits().filter(|limits| limits.total_memory > 0) {
        total = total.min(limits.total_memory);
        // What it reports as free does not count the page cache, which the system gives up for a program.
        available = available.min(total);
    }
    if let Some(limit) = address_space_limit() {
        total = total.min(limit);
        available = available.min(limit.saturating_sub(address_space().unwrap_or(0)));
    }
    Some(MemoryInfo { total, available })
}

/// The maximum size of the address space of this process in bytes (`ulimit -v`), if it is limited.
#[cfg(unix)]
fn address_space_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    #[expect(unsafe_code, reason = "system call")]
    // SAFETY: the call writes to a value that lives until it returns.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

#[cfg(not(unix))]
fn address_space_limit() -> Option<u64> {
    None
}

/// The size of the address space of this process in bytes, where the system reports it (Linux).
fn address_space() -> Option<u64> {
    status_bytes("VmSize:")
}

/// The model name of the processor.
pub fn cpu_model() -> Option<String> {
    let kinds = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(kinds).ok()?;
    system.cpus().first().map(|cpu| cpu.brand().trim().to_owned())
}

/// Starts the threads that tokenization and engines share, one for each core. They would start by themselves, with a
/// panic if the system has no memory or no thread left.
///
/// # Errors
/// [`Error::Device`] if they cannot be started.
pub fn start_threads() -> Result<()> {
    match rayon::ThreadPoolBuilder::new().build_global() {
        // Without a cause they were started before.
        Err(error) if std::error::Error::source(&error).is_some() => Err(Error::Device(format!(
            "cannot start the threads of the engines ({error}); close other programs, or raise the limits of memory and \
             processes (ulimit -v, ulimit -u)"
        ))),
        _ => Ok(()),
    }
}

/// The name of this machine in its network; `localhost` if the system does not report it.
pub fn host_name() -> String {
    System::host_name().unwrap_or_else(|_| "localhost".into())
}

/// The number of physical cores.
pub fn physical_cores() -> Option<usize> {
    System::physical_core_count().ok()
}

/// The peak resident memory of this process in bytes, where the system reports it (Linux).
pub fn peak_memory() -> Option<u64> {
    status_bytes("VmHWM:")
}

/// A line of `/proc/self/status` in bytes.
fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_machine_is_consistent() {
        let memory = memory().expect("the system reports its memory");
        assert!(memory.available > 0 && memory.available <= memory.total, "{memory:?}");
        if cfg!(target_os = "linux") {
            let peak = peak_memory().expect("Linux reports the peak");
            assert!(peak > 1 << 20 && peak < memory.total, "{peak}");
            assert!(address_space().is_some_and(|bytes| bytes > 1 << 20));
        }
    }
}
