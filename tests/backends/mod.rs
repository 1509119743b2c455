//! The engines and devices that tests run on: the CPU, and the first GPU of a build with CUDA.

use glue_tui::nn;
use glue_tui::spec::{DeviceSpec, EngineChoice};
use std::sync::OnceLock;

/// An engine with its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backend {
    /// The engine.
    pub(crate) engine: EngineChoice,
    /// The value of `device`.
    pub(crate) device: DeviceSpec,
}

/// Both engines of the CPU.
pub(crate) const CPU: [Backend; 2] = [
    Backend { engine: EngineChoice::Plain, device: DeviceSpec::Cpu },
    Backend { engine: EngineChoice::Fast, device: DeviceSpec::Cpu },
];

/// Both engines of the GPU.
const GPU: [Backend; 2] = [
    Backend { engine: EngineChoice::Plain, device: DeviceSpec::Cuda(0) },
    Backend { engine: EngineChoice::Fast, device: DeviceSpec::Cuda(0) },
];

/// The engines of the GPU. Empty, with a notice on stderr, where there is no GPU.
pub(crate) fn gpu() -> &'static [Backend] {
    static RESULT: OnceLock<Result<(), String>> = OnceLock::new();
    let result = RESULT.get_or_init(|| {
        let devices = nn::devices();
        devices
            .into_iter()
            .find(|(name, _)| *name == GPU[0].device.to_string())
            .map_or(Ok(()), |(_, found)| found.map(|_| ()))
    });
    match result {
        Ok(()) => &GPU,
        Err(error) => {
            eprintln!("SKIPPED: engines on a GPU: {error}");
            &[]
        }
    }
}

/// All engines that can be tested on this machine.
pub(crate) fn all() -> Vec<Backend> {
    CPU.iter().chain(gpu()).copied().collect()
}

/// Whether the engine computes gradients with respect to its inputs.
#[allow(dead_code, reason = "not every test that uses this module needs it")]
pub(crate) fn supports_attribution(backend: Backend) -> bool {
    backend != GPU[1]
}
