//! Utilization of NVIDIA GPUs, read through NVML. The library is loaded at run time; a machine without it reports
//! no GPUs.

use super::gauges::rounded;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;

/// The utilization of a GPU at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Product name.
    pub name: String,
    /// Share of the driver's last sampling period in which a kernel ran, 0 to 1.
    pub busy: f64,
    /// Memory used by all processes, in bytes.
    pub memory: u64,
    /// Installed memory in bytes.
    pub total_memory: u64,
    /// Power draw in watts, if reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
    /// Temperature in degrees Celsius, if reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
}

/// A source of GPU readings.
pub(super) trait GpuSource {
    /// Reads every GPU that responds.
    fn read(&mut self) -> Vec<Gpu>;
}

/// NVIDIA's management library.
pub(super) struct Nvml(nvml_wrapper::Nvml);

impl Nvml {
    /// Loads the library. `None` if it is not installed.
    pub(super) fn open() -> Option<Self> {
        // A driver installed without development files has only the versioned file name.
        let versioned = || nvml_wrapper::Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init();
        nvml_wrapper::Nvml::init().or_else(|_| versioned()).ok().map(Nvml)
    }

    fn gpu(&self, index: u32) -> Option<Gpu> {
        let device = self.0.device_by_index(index).ok()?;
        let memory = device.memory_info().ok()?;
        Some(Gpu {
            name: device.name().unwrap_or_else(|_| format!("GPU {index}")),
            busy: device.utilization_rates().map_or(0.0, |rates| rounded(f64::from(rates.gpu) / 100.0)),
            memory: memory.used,
            total_memory: memory.total,
            watts: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
            celsius: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        })
    }
}

impl GpuSource for Nvml {
    fn read(&mut self) -> Vec<Gpu> {
        let count = self.0.device_count().unwrap_or(0);
        (0..count).filter_map(|index| self.gpu(index)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_have_a_name_and_plausible_memory() {
        // Without a driver, the list is empty.
        let gpus = Nvml::open().map_or_else(Vec::new, |mut nvml| nvml.read());
        assert!(gpus.iter().all(|gpu| !gpu.name.is_empty() && gpu.memory <= gpu.total_memory), "{gpus:?}");
    }
}
