//! What the machine has, and what this process takes of it.

mod gauges;
mod gpu;

pub use gauges::{Gauges, Meter};
pub use gpu::Gpu;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Memory of the machine, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What a program can still have.
    pub available: u64,
}

/// Memory as it is now, if the system tells.
pub fn memory() -> Option<Memory> {
    let wanted = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted).ok()?;
    Some(Memory { total: system.total_memory(), available: system.available_memory() })
}

/// What the processor calls itself.
pub fn processor() -> Option<String> {
    let wanted = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(wanted).ok()?;
    system.cpus().first().map(|cpu| cpu.brand().trim().to_owned())
}

/// Cores, without the threads that share one.
pub fn cores() -> Option<usize> {
    System::physical_core_count().ok()
}

/// The most memory that this process ever had resident, in bytes, where the system keeps count.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_of_this_machine() {
        let memory = memory().expect("this system tells");
        assert!(memory.available > 0 && memory.available <= memory.total, "{memory:?}");
        if cfg!(target_os = "linux") {
            let peak = peak_memory().expect("Linux keeps count");
            assert!(peak > 1 << 20 && peak < memory.total, "{peak}");
        }
    }
}
