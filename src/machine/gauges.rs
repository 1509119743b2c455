//! Current use of the processor, the memory and the GPUs.

use super::gpu::{Gpu, GpuSource, Nvml, round_fraction};
use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::time::Instant;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// One reading of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gauges {
    /// Seconds since 1970.
    pub time: f64,
    /// Fraction of all cores that were busy since the previous reading.
    pub cpu: f64,
    /// Fraction of the cores available to this process that it kept busy since the previous reading.
    pub process_cpu: f64,
    /// Resident memory of this process, in bytes.
    pub process_memory: u64,
    /// Available memory, in bytes.
    pub available_memory: u64,
    /// Total memory, in bytes.
    pub total_memory: u64,
    /// The GPUs that the driver lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
}

/// Reads [`Gauges`]. Fractions refer to the time between two readings.
pub struct SystemMonitor {
    system: System,
    process: Pid,
    cores: f64,
    gpus: Option<Box<dyn GpuSource + Send>>,
    /// Time of the previous reading, and the CPU time of the process then, in milliseconds.
    previous: (Instant, u64),
}

impl std::fmt::Debug for SystemMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemMonitor").field("previous", &self.previous).finish_non_exhaustive()
    }
}

impl SystemMonitor {
    /// A monitor of this machine and, if NVIDIA's driver is installed, its GPUs. `None` if the operating system
    /// is not supported.
    pub fn new() -> Option<Self> {
        Self::with(Nvml::open().map(|nvml| Box::new(nvml) as Box<dyn GpuSource + Send>))
    }

    fn with(gpus: Option<Box<dyn GpuSource + Send>>) -> Option<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get) as f64;
        let (system, process) = (System::new().ok()?, sysinfo::get_current_pid().ok()?);
        let mut monitor = SystemMonitor { system, process, cores, gpus, previous: (Instant::now(), 0) };
        monitor.refresh();
        monitor.previous.1 = monitor.cpu_time();
        Some(monitor)
    }

    /// Reads all gauges, as of `time` in seconds since 1970.
    pub fn read(&mut self, time: f64) -> Gauges {
        let (before, used) = self.previous;
        self.refresh();
        self.previous = (Instant::now(), self.cpu_time());
        let available = (self.previous.0 - before).as_secs_f64() * self.cores;
        let spent = self.previous.1.saturating_sub(used) as f64 / 1e3;
        let process = self.system.process(self.process);
        Gauges {
            time,
            cpu: round_fraction(f64::from(self.system.global_cpu_usage()) / 100.0),
            process_cpu: if available > 0.0 { round_fraction(spent / available) } else { 0.0 },
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

    fn cpu_time(&self) -> u64 {
        self.system.process(self.process).map_or(0, sysinfo::Process::accumulated_cpu_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct TwoGpus;

    impl GpuSource for TwoGpus {
        fn read(&mut self) -> Vec<Gpu> {
            let gpu = |name: &str, busy| Gpu {
                name: name.into(),
                busy,
                memory: 3 << 30,
                total_memory: 80 << 30,
                watts: Some(412.5),
                celsius: Some(61.0),
            };
            vec![gpu("one", 0.97), gpu("other", 0.0)]
        }
    }

    #[test]
    fn meter_measures_a_busy_process() {
        let mut monitor =
            SystemMonitor::with(Some(Box::new(TwoGpus))).expect("the operating system is supported");
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
        assert_eq!(names, ["one", "other"]);
    }

    #[test]
    fn gauges_round_trip_through_json() {
        let mut monitor = SystemMonitor::with(None).expect("the operating system is supported");
        let gauges = monitor.read(1.5);
        let text = serde_json::to_string(&gauges).unwrap();
        assert!(!text.contains("gpus"), "{text}");
        assert_eq!(serde_json::from_str::<Gauges>(&text).unwrap(), gauges);
        let with_gpus = Gauges { gpus: TwoGpus.read(), ..gauges };
        assert_eq!(
            serde_json::from_str::<Gauges>(&serde_json::to_string(&with_gpus).unwrap()).unwrap(),
            with_gpus
        );
    }
}
