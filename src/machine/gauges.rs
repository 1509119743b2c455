//! Current utilization of processor, memory and GPUs.

use super::gpu::{Gpu, GpuSource, Nvml};
use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::time::Instant;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The utilization of the machine at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gauges {
    /// Seconds since 1970.
    pub time: f64,
    /// Utilization of all cores by all processes since the previous reading, 0 to 1.
    pub cpu: f64,
    /// Utilization by this process of the cores available to it since the previous reading, 0 to 1.
    pub process_cpu: f64,
    /// Resident memory of this process in bytes.
    pub process_memory: u64,
    /// Memory that a process can still allocate, in bytes.
    pub available_memory: u64,
    /// Installed memory in bytes.
    pub total_memory: u64,
    /// The GPUs that the driver reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
}

/// Reads [`Gauges`]. Utilization is averaged over the time since the previous reading.
pub struct SystemMonitor {
    system: System,
    process: Pid,
    cores: f64,
    gpus: Option<Box<dyn GpuSource + Send>>,
    /// Time of the last reading.
    last_read: Instant,
    /// Processor time of the process at the last reading, in milliseconds.
    last_cpu_time: u64,
}

impl std::fmt::Debug for SystemMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemMonitor").field("last_read", &self.last_read).finish_non_exhaustive()
    }
}

impl SystemMonitor {
    /// Opens the sources of this machine: the operating system, and NVIDIA's driver if there is one. `None` if the
    /// operating system reports nothing.
    pub fn new() -> Option<Self> {
        Self::with(Nvml::open().map(|nvml| Box::new(nvml) as Box<dyn GpuSource + Send>))
    }

    fn with(gpus: Option<Box<dyn GpuSource + Send>>) -> Option<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get) as f64;
        let (system, process) = (System::new().ok()?, sysinfo::get_current_pid().ok()?);
        let mut monitor =
            SystemMonitor { system, process, cores, gpus, last_read: Instant::now(), last_cpu_time: 0 };
        monitor.refresh();
        monitor.last_cpu_time = monitor.cpu_time();
        Some(monitor)
    }

    /// Reads all gauges. `time` is the current time in seconds since 1970.
    pub fn read(&mut self, time: f64) -> Gauges {
        let (last_read, last_cpu_time) = (self.last_read, self.last_cpu_time);
        self.refresh();
        (self.last_read, self.last_cpu_time) = (Instant::now(), self.cpu_time());
        let available = (self.last_read - last_read).as_secs_f64() * self.cores;
        let used = self.last_cpu_time.saturating_sub(last_cpu_time) as f64 / 1e3;
        let process = self.system.process(self.process);
        Gauges {
            time,
            cpu: rounded(f64::from(self.system.global_cpu_usage()) / 100.0),
            process_cpu: if available > 0.0 { rounded(used / available) } else { 0.0 },
            process_memory: process.map_or(0, sysinfo::Process::memory),
            available_memory: self.system.available_memory(),
            total_memory: self.system.total_memory(),
            gpus: self.gpus.as_mut().map_or_else(Vec::new, |gpus| gpus.read()),
        }
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
        let kinds = ProcessRefreshKind::nothing().with_cpu().with_memory();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.process]), false, kinds);
    }

    /// Processor time of this process in milliseconds.
    fn cpu_time(&self) -> u64 {
        self.system.process(self.process).map_or(0, sysinfo::Process::accumulated_cpu_time)
    }
}

/// A utilization clamped to 0..=1 and rounded to three decimals.
pub(super) fn rounded(utilization: f64) -> f64 {
    (utilization.clamp(0.0, 1.0) * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct FakeGpus;

    impl GpuSource for FakeGpus {
        fn read(&mut self) -> Vec<Gpu> {
            let gpu = |name: &str, busy| Gpu {
                name: name.into(),
                busy,
                memory: 3 << 30,
                total_memory: 80 << 30,
                watts: Some(412.5),
                celsius: Some(61.0),
            };
            vec![gpu("first", 0.97), gpu("second", 0.0)]
        }
    }

    #[test]
    fn gauges_show_a_busy_process() {
        let mut monitor =
            SystemMonitor::with(Some(Box::new(FakeGpus))).expect("the system reports its processes");
        let start = Instant::now();
        let mut sum = 0u64;
        while start.elapsed() < Duration::from_millis(400) {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 7);
        }
        let gauges = monitor.read(5.0);
        assert_eq!(gauges.time, 5.0);
        assert!(gauges.process_cpu > 0.0 && gauges.process_cpu <= 1.0, "{gauges:?}");
        assert!((0.0..=1.0).contains(&gauges.cpu), "{gauges:?}");
        assert!(gauges.process_memory > 1 << 20 && gauges.process_memory < gauges.total_memory, "{gauges:?}");
        assert!(gauges.available_memory <= gauges.total_memory, "{gauges:?}");
        let names: Vec<_> = gauges.gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn gauges_round_trip_through_json() {
        let mut monitor = SystemMonitor::with(None).expect("the system reports its processes");
        let gauges = monitor.read(1.5);
        let text = serde_json::to_string(&gauges).unwrap();
        assert!(!text.contains("gpus"), "{text}");
        assert_eq!(serde_json::from_str::<Gauges>(&text).unwrap(), gauges);
        let with_gpus = Gauges { gpus: FakeGpus.read(), ..gauges };
        assert_eq!(
            serde_json::from_str::<Gauges>(&serde_json::to_string(&with_gpus).unwrap()).unwrap(),
            with_gpus
        );
    }
}
