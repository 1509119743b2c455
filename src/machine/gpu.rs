//! What NVIDIA's driver tells of its GPUs, by NVML. The library is looked for when it is asked for: a machine
//! without it has no GPUs to tell of, and nothing else changes.

use super::gauges::rounded;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;

/// A GPU at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// What it calls itself.
    pub name: String,
    /// Share of the last moments in which any program kept it busy.
    pub busy: f64,
    /// Bytes of its memory that are taken, by any program.
    pub memory: u64,
    /// Bytes of its memory in all.
    pub total_memory: u64,
    /// What it draws, in watts, if it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
    /// How warm it is, in degrees Celsius, if it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
}

/// Something that tells of GPUs.
pub(super) trait Source {
    /// Every GPU that answers now.
    fn read(&mut self) -> Vec<Gpu>;
}

/// The driver.
pub(super) struct Nvml(nvml_wrapper::Nvml);

impl Nvml {
    /// The driver, if there is one.
    pub(super) fn open() -> Option<Self> {
        // A driver alone, without what is needed to build against it, has only the name with its version.
        let versioned = || nvml_wrapper::Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init();
        nvml_wrapper::Nvml::init().or_else(|_| versioned()).ok().map(Nvml)
    }

    fn gpu(&self, number: u32) -> Option<Gpu> {
        let device = self.0.device_by_index(number).ok()?;
        let memory = device.memory_info().ok()?;
        Some(Gpu {
            name: device.name().unwrap_or_else(|_| format!("GPU {number}")),
            busy: device.utilization_rates().map_or(0.0, |rates| rounded(f64::from(rates.gpu) / 100.0)),
            memory: memory.used,
            total_memory: memory.total,
            watts: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
            celsius: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        })
    }
}

impl Source for Nvml {
    fn read(&mut self) -> Vec<Gpu> {
        let count = self.0.device_count().unwrap_or(0);
        (0..count).filter_map(|number| self.gpu(number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_driver_has_none() {
        // With one, every GPU has a name and memory.
        let gpus = Nvml::open().map_or_else(Vec::new, |mut nvml| nvml.read());
        assert!(gpus.iter().all(|gpu| !gpu.name.is_empty() && gpu.memory <= gpu.total_memory), "{gpus:?}");
    }
}
