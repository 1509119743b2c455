//! What the machine is doing right now: processor, memory, GPUs.

use super::gpu::{Gpu, Nvml, Source};
use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::time::Instant;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The machine at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gauges {
    /// Seconds since 1970.
    pub time: f64,
    /// Share of all cores that any program kept busy since the gauges before.
    pub cpu: f64,
    /// Share of the cores which this process may use that it kept busy since then.
    pub process_cpu: f64,
    /// Bytes of memory that this process has resident.
    pub process_memory: u64,
    /// Bytes that a program can still have.
    pub available_memory: u64,
    /// Bytes of memory in all.
    pub total_memory: u64,
    /// Every GPU that the driver tells of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
}

/// Reads gauges. Shares are of the time between two readings.
pub struct Meter {
    system: System,
    process: Pid,
    cores: f64,
    gpus: Option<Box<dyn Source + Send>>,
    /// When it was read last, and milliseconds of processor time that the process had then.
    read: (Instant, u64),
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Meter {
    /// Of this machine, if the system tells; with its GPUs where there is a driver for them.
    pub fn new() -> Option<Self> {
        Self::with(Nvml::open().map(|nvml| Box::new(nvml) as Box<dyn Source + Send>))
    }

    fn with(gpus: Option<Box<dyn Source + Send>>) -> Option<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get) as f64;
        let (system, process) = (System::new().ok()?, sysinfo::get_current_pid().ok()?);
        let mut meter = Meter { system, process, cores, gpus, read: (Instant::now(), 0) };
        meter.refresh();
        meter.read.1 = meter.processor_time();
        Some(meter)
    }

    /// Reads all gauges, as of `time` in seconds since 1970.
    pub fn read(&mut self, time: f64) -> Gauges {
        let (before, used) = self.read;
        self.refresh();
        self.read = (Instant::now(), self.processor_time());
        let passed = (self.read.0 - before).as_secs_f64() * self.cores;
        let spent = self.read.1.saturating_sub(used) as f64 / 1e3;
        let process = self.system.process(self.process);
        Gauges {
            time,
            cpu: rounded(f64::from(self.system.global_cpu_usage()) / 100.0),
            process_cpu: if passed > 0.0 { rounded(spent / passed) } else { 0.0 },
            process_memory: process.map_or(0, sysinfo::Process::memory),
            available_memory: self.system.available_memory(),
            total_memory: self.system.total_memory(),
            gpus: self.gpus.as_mut().map_or_else(Vec::new, |gpus| gpus.read()),
        }
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.process]), false, wanted);
    }

    fn processor_time(&self) -> u64 {
        self.system.process(self.process).map_or(0, sysinfo::Process::accumulated_cpu_time)
    }
}

/// A share as finely as it is of use.
pub(super) fn rounded(share: f64) -> f64 {
    (share.clamp(0.0, 1.0) * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Two;

    impl Source for Two {
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
    fn a_busy_process_is_seen() {
        let mut meter = Meter::with(Some(Box::new(Two))).expect("this system tells");
        let begun = Instant::now();
        let mut sum = 0u64;
        while begun.elapsed() < Duration::from_millis(400) {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 7);
        }
        let gauges = meter.read(5.0);
        assert_eq!(gauges.time, 5.0);
        assert!(gauges.process_cpu > 0.0 && gauges.process_cpu <= 1.0, "{gauges:?}");
        assert!((0.0..=1.0).contains(&gauges.cpu), "{gauges:?}");
        assert!(gauges.process_memory > 1 << 20 && gauges.process_memory < gauges.total_memory, "{gauges:?}");
        assert!(gauges.available_memory <= gauges.total_memory, "{gauges:?}");
        let names: Vec<_> = gauges.gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        assert_eq!(names, ["one", "other"]);
    }

    #[test]
    fn gauges_are_read_as_they_were_written() {
        let mut meter = Meter::with(None).expect("this system tells");
        let gauges = meter.read(1.5);
        let text = serde_json::to_string(&gauges).unwrap();
        assert!(!text.contains("gpus"), "{text}");
        assert_eq!(serde_json::from_str::<Gauges>(&text).unwrap(), gauges);
        let with = Gauges { gpus: Two.read(), ..gauges };
        assert_eq!(serde_json::from_str::<Gauges>(&serde_json::to_string(&with).unwrap()).unwrap(), with);
    }
}
