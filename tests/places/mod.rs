//! Where engines are tested: on the CPU, and on the first GPU of a program that is built for one.

use glue_tui::nn;
use glue_tui::spec::{DeviceSpec, EngineChoice};
use std::sync::OnceLock;

/// An engine and the device that it computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which engine.
    pub(crate) engine: EngineChoice,
    /// As `device` names it.
    pub(crate) device: DeviceSpec,
}

/// Both engines of the CPU.
pub(crate) const ON_CPU: [Place; 2] = [
    Place { engine: EngineChoice::Plain, device: DeviceSpec::Cpu },
    Place { engine: EngineChoice::Fast, device: DeviceSpec::Cpu },
];

/// Both engines of the GPU.
const ON_GPU: [Place; 2] = [
    Place { engine: EngineChoice::Plain, device: DeviceSpec::Cuda(0) },
    Place { engine: EngineChoice::Fast, device: DeviceSpec::Cuda(0) },
];

/// The engines that a GPU has here; none, and a word about it, where there is no GPU.
pub(crate) fn on_gpu() -> &'static [Place] {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let devices = nn::devices();
        devices
            .into_iter()
            .find(|(name, _)| *name == ON_GPU[0].device.to_string())
            .map_or(Ok(()), |(_, found)| found.map(|_| ()))
    });
    match found {
        Ok(()) => &ON_GPU,
        Err(why) => {
            eprintln!("SKIPPED: engines on a GPU: {why}");
            &[]
        }
    }
}

/// All engines that can be tested here.
pub(crate) fn all() -> Vec<Place> {
    ON_CPU.iter().chain(on_gpu()).copied().collect()
}

/// Whether the engine there tells what an answer rests on.
#[allow(dead_code, reason = "not every test that uses this module asks")]
pub(crate) fn explains(place: Place) -> bool {
    place != ON_GPU[1]
}
