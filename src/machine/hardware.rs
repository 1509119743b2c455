//! Processor and memory of this machine.

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The memory of a device, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryInfo {
    /// Installed memory.
    pub total: u64,
    /// Memory that a process can still allocate.
    pub available: u64,
}

/// The main memory of this machine, or `None` if the system does not report it.
pub fn memory() -> Option<MemoryInfo> {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds).ok()?;
    Some(MemoryInfo { total: system.total_memory(), available: system.available_memory() })
}

/// The memory that this process can still allocate, in bytes: what the system has available, within the limits of its
/// control group and of its address space (`ulimit -v`).
pub fn available_memory() -> Option<u64> {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds).ok()?;
    // The group's free memory does not count the page cache, which can be reclaimed.
    let group = system.cgroup_limits().map(|limits| limits.total_memory.saturating_sub(limits.rss));
    [Some(system.available_memory()), group, free_address_space()].into_iter().flatten().min()
}

/// The address space that is left to this process, where it is limited (Linux).
fn free_address_space() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let used = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let used = used.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024;
    Some(limit.saturating_sub(used))
}

/// The model name of the processor.
pub fn cpu_model() -> Option<String> {
    let kinds = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(kinds).ok()?;
    system.cpus().first().map(|cpu| cpu.brand().trim().to_owned())
}

/// The number of physical cores.
pub fn physical_cores() -> Option<usize> {
    System::physical_core_count().ok()
}

/// The peak resident memory of this process in bytes, where the system reports it (Linux).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_machine_is_consistent() {
        let memory = memory().expect("the system reports its memory");
        assert!(memory.available > 0 && memory.available <= memory.total, "{memory:?}");
        let available = available_memory().expect("the system reports its memory");
        assert!(available > 0 && available <= memory.total, "{available}");
        if cfg!(target_os = "linux") {
            let peak = peak_memory().expect("Linux reports the peak");
            assert!(peak > 1 << 20 && peak < memory.total, "{peak}");
        }
    }
}
