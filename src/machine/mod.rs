//! Hardware of the machine, and the resources that this process uses.

mod gauges;
mod gpu;

pub use gauges::{Gauges, Meter};
pub use gpu::Gpu;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Memory of the machine, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Installed memory.
    pub total: u64,
    /// Memory that programs can still allocate.
    pub available: u64,
}

/// Current memory of the machine, or `None` if the operating system is not supported.
pub fn memory() -> Option<Memory> {
    let wanted = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted).ok()?;
    Some(Memory { total: system.total_memory(), available: system.available_memory() })
}

/// Name of the processor's model.
pub fn processor() -> Option<String> {
    let wanted = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(wanted).ok()?;
    system.cpus().first().map(|cpu| cpu.brand().trim().to_owned())
}

/// Number of physical cores.
pub fn cores() -> Option<usize> {
    System::physical_core_count().ok()
}

/// Peak resident memory of this process, in bytes (Linux only).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_plausible() {
        let memory = memory().expect("the operating system is supported");
        assert!(memory.available > 0 && memory.available <= memory.total, "{memory:?}");
        if cfg!(target_os = "linux") {
            let peak = peak_memory().expect("Linux reports it");
            assert!(peak > 1 << 20 && peak < memory.total, "{peak}");
        }
    }
}
