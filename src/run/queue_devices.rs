//! The devices among which the queue distributes its runs: one run for each device at a time.

use crate::catalog::known_model;
use crate::machine::MemoryInfo;
use crate::nn;
use crate::spec::{DeviceSpec, RunSpec};
use std::path::Path;

/// Bytes of training for a parameter: weight, gradient and two moments, in 32 bits each.
const BYTES_PER_PARAMETER: f64 = 16.0;

/// A device that trains runs of the queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueueDevice {
    /// The device.
    pub device: DeviceSpec,
    /// Its memory, if known.
    pub memory: Option<MemoryInfo>,
}

impl QueueDevice {
    /// The devices of this machine: its GPUs, if this program supports them, or else the CPU.
    pub fn all() -> Vec<QueueDevice> {
        let gpus = nn::gpus();
        if gpus.is_empty() {
            return vec![QueueDevice { device: DeviceSpec::Auto, memory: None }];
        }
        let gpu = |(ordinal, memory)| QueueDevice { device: DeviceSpec::Cuda(ordinal), memory };
        gpus.into_iter().enumerate().map(gpu).collect()
    }

    /// The devices that a program trains on which was started for `device`: that one, or all of `known`.
    pub fn chosen(known: Vec<QueueDevice>, device: Option<DeviceSpec>) -> Vec<QueueDevice> {
        match device {
            None | Some(DeviceSpec::Auto) => known,
            Some(device) => {
                let known = known.into_iter().find(|known| known.device == device);
                vec![known.unwrap_or(QueueDevice { device, memory: None })]
            }
        }
    }

    /// Whether a run that needs `needed` bytes can start. A run that needs more than the device has may start too: its
    /// error then says so, while a wait would never end.
    fn has_memory(&self, needed: Option<u64>) -> bool {
        let (Some(memory), Some(needed)) = (self.memory, needed) else { return true };
        needed <= memory.available || needed > memory.total
    }
}

/// The index of the device of a run, which is 0 for a device that is not in the list. `None` if any device will do.
pub(super) fn device_index(device: DeviceSpec, is_resumed: bool, devices: &[QueueDevice]) -> Option<usize> {
    if device == DeviceSpec::Auto && !is_resumed {
        return None;
    }
    Some(devices.iter().position(|known| known.device == device).unwrap_or(0))
}

/// The index of a device in `idle` for a run that requires the device with the index `required`, if that is given.
pub(super) fn choose(
    required: Option<usize>,
    spec: &RunSpec,
    devices: &[QueueDevice],
    idle: &[usize],
) -> Option<usize> {
    let needed = least_memory(spec);
    let is_allowed = |index: &&usize| required.is_none_or(|required| required == **index);
    idle.iter().filter(is_allowed).find(|index| devices[**index].has_memory(needed)).copied()
}

/// A lower bound of the memory of a training in bytes, if the size of the model is known. Activations are left out: a
/// batch is split until they fit.
fn least_memory(spec: &RunSpec) -> Option<u64> {
    let parameters = match known_model(&spec.model) {
        Some(model) => model.millions * 1e6,
        None => weight_bytes(Path::new(&spec.model))? as f64 / size_of::<f32>() as f64,
    };
    Some((parameters * BYTES_PER_PARAMETER) as u64)
}

/// Size of the weight files of a model folder.
fn weight_bytes(folder: &Path) -> Option<u64> {
    let is_weights = |name: &str| {
        name.starts_with("model") && Path::new(name).extension().is_some_and(|e| e == "safetensors")
    };
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let files = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_weights));
    let bytes: u64 = files.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum();
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    const GB: u64 = 1_000_000_000;

    fn gpu(ordinal: usize, available: u64) -> QueueDevice {
        let memory = Some(MemoryInfo { total: 24 * GB, available });
        QueueDevice { device: DeviceSpec::Cuda(ordinal), memory }
    }

    fn spec(model: &str) -> RunSpec {
        RunSpec { model: model.into(), ..built_in("x") }
    }

    #[test]
    fn run_goes_to_an_idle_device_with_enough_memory() {
        let devices = [gpu(0, 2 * GB), gpu(1, 20 * GB)];
        let large = spec("google-bert/bert-large-uncased");
        assert_eq!(least_memory(&large), Some(5_361_600_000));
        assert_eq!(choose(None, &large, &devices, &[0, 1]), Some(1));
        assert_eq!(choose(None, &large, &devices, &[0]), None, "waits for memory");
        assert_eq!(choose(Some(0), &large, &devices, &[0, 1]), None, "waits for its device");
        assert_eq!(choose(None, &spec("demo"), &devices, &[0, 1]), Some(0));
        assert_eq!(choose(None, &spec("someone/unknown"), &devices, &[1]), Some(1));
        assert_eq!(choose(None, &large, &devices, &[]), None);
        let small = [QueueDevice { memory: Some(MemoryInfo { total: 4 * GB, available: GB }), ..devices[0] }];
        assert_eq!(choose(None, &large, &small, &[0]), Some(0), "fails instead of waiting forever");
    }

    #[test]
    fn device_of_a_run() {
        let devices = [gpu(0, GB), gpu(1, GB)];
        assert_eq!(device_index(DeviceSpec::Auto, false, &devices), None);
        assert_eq!(device_index(DeviceSpec::Auto, true, &devices), Some(0));
        assert_eq!(device_index(DeviceSpec::Cuda(1), false, &devices), Some(1));
        assert_eq!(device_index(DeviceSpec::Cuda(7), false, &devices), Some(0));
        assert_eq!(device_index(DeviceSpec::Cpu, false, &devices), Some(0));
    }

    #[test]
    fn memory_of_a_local_model_follows_from_its_weights() {
        let folder = tempfile::tempdir().unwrap();
        let local = spec(folder.path().to_str().unwrap());
        assert_eq!(least_memory(&local), None);
        std::fs::write(folder.path().join("model.safetensors"), [0; 400]).unwrap();
        std::fs::write(folder.path().join("optimizer.pt"), [0; 400]).unwrap();
        assert_eq!(least_memory(&local), Some(1600));
    }
}
