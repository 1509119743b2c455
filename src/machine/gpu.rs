//! State of NVIDIA GPUs through NVML, a library of the driver that is loaded at run time. Without it the list
//! of GPUs is empty.

use super::hardware::MemoryInfo;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::sync::OnceLock;

/// One reading of a GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Name of the model.
    pub name: String,
    /// Utilization, from 0 to 1.
    pub busy: f64,
    /// Memory in use by all programs, in bytes.
    pub memory: u64,
    /// Total memory, in bytes.
    pub total_memory: u64,
    /// Power draw, in watts, if the GPU reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
    /// Temperature, in degrees Celsius, if the GPU reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
}

/// A source of readings of GPUs.
pub(super) trait GpuSource {
    /// Reads every GPU that responds.
    fn read(&mut self) -> Vec<Gpu>;
}

/// The NVML library.
pub(super) struct Nvml(nvml_wrapper::Nvml);

impl Nvml {
    /// Loads the library, if it is installed.
    pub(super) fn open() -> Option<Self> {
        // Only development packages install the name without a version.
        let versioned = || nvml_wrapper::Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init();
        nvml_wrapper::Nvml::init().or_else(|_| versioned()).ok().map(Nvml)
    }

    fn gpu(&self, number: u32) -> Option<Gpu> {
        let device = self.0.device_by_index(number).ok()?;
        let memory = device.memory_info().ok()?;
        Some(Gpu {
            name: device.name().unwrap_or_else(|_| format!("GPU {number}")),
            busy: device
                .utilization_rates()
                .map_or(0.0, |rates| round_fraction(f64::from(rates.gpu) / 100.0)),
            memory: memory.used,
            total_memory: memory.total,
            watts: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
            celsius: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        })
    }
}

/// The memory of the GPU with that UUID, if NVML knows it.
pub fn gpu_memory(uuid: [u8; 16]) -> Option<MemoryInfo> {
    static NVML: OnceLock<Option<Nvml>> = OnceLock::new();
    let nvml = NVML.get_or_init(Nvml::open).as_ref()?;
    let memory = nvml.0.device_by_uuid(uuid_text(uuid)).ok()?.memory_info().ok()?;
    Some(MemoryInfo { total: memory.total, available: memory.free })
}

/// A UUID as NVML writes it: `GPU-` and groups of 8, 4, 4, 4 and 12 hexadecimal digits.
fn uuid_text(uuid: [u8; 16]) -> String {
    let digits = hex::encode(uuid);
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
    format!("GPU-{}", groups.join("-"))
}

/// A fraction between 0 and 1, to three decimal places.
pub(super) fn round_fraction(fraction: f64) -> f64 {
    (fraction.clamp(0.0, 1.0) * 1e3).round() / 1e3
}

impl GpuSource for Nvml {
    fn read(&mut self) -> Vec<Gpu> {
        let count = self.0.device_count().unwrap_or(0);
        (0..count).filter_map(|number| self.gpu(number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_is_written_as_in_nvidia_smi() {
        let uuid = std::array::from_fn(|i| i as u8 * 17);
        assert_eq!(uuid_text(uuid), "GPU-00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(gpu_memory(uuid), None);
    }

    #[test]
    fn gpus_have_names_and_memory() {
        // The list is empty without a driver.
        let gpus = Nvml::open().map_or_else(Vec::new, |mut nvml| nvml.read());
        assert!(gpus.iter().all(|gpu| !gpu.name.is_empty() && gpu.memory <= gpu.total_memory), "{gpus:?}");
    }
}
