//! The engines and devices to test: the CPU, and the first GPU if the program is built for it.

use glue_tui::files::ModelFolder;
use glue_tui::nn::{self, BuildOptions, Built, OptimizerConfig};
use glue_tui::spec::{DeviceSpec, EngineChoice, Precision};
use std::path::Path;
use std::sync::OnceLock;

/// An engine and the device that it computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backend {
    /// The engine.
    pub(crate) engine: EngineChoice,
    /// The device.
    pub(crate) device: DeviceSpec,
}

/// Both engines of the CPU.
pub(crate) const ON_CPU: [Backend; 2] = [
    Backend { engine: EngineChoice::Plain, device: DeviceSpec::Cpu },
    Backend { engine: EngineChoice::Fast, device: DeviceSpec::Cpu },
];

/// Both engines of the GPU.
const ON_GPU: [Backend; 2] = [
    Backend { engine: EngineChoice::Plain, device: DeviceSpec::Cuda(0) },
    Backend { engine: EngineChoice::Fast, device: DeviceSpec::Cuda(0) },
];

/// The engines on the GPU; empty, with a message, if this machine has no GPU.
pub(crate) fn on_gpu() -> &'static [Backend] {
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
        Err(reason) => {
            eprintln!("SKIPPED: engines on a GPU: {reason}");
            &[]
        }
    }
}

/// All engines that can be tested on this machine.
pub(crate) fn all() -> Vec<Backend> {
    ON_CPU.iter().chain(on_gpu()).copied().collect()
}

/// Whether the engine supports [`nn::Engine::input_gradients`].
#[allow(dead_code, reason = "not used by every test that includes this module")]
pub(crate) fn has_input_gradients(backend: Backend) -> bool {
    backend != ON_GPU[1]
}

/// Whether the engine supports frozen parameters and several learning rates.
#[allow(dead_code, reason = "not used by every test that includes this module")]
pub(crate) fn has_param_groups(backend: Backend) -> bool {
    backend != ON_GPU[1]
}

/// Whether the engine supports models of that name or `model_type`. The fast engine of a GPU has only the parts of BERT and
/// DistilBERT.
#[allow(dead_code, reason = "not used by every test that includes this module")]
pub(crate) fn supports(backend: Backend, model: &str) -> bool {
    backend != ON_GPU[1] || model.starts_with("bert") || model.starts_with("distilbert")
}

/// An engine for the model in a folder, with its own labels; `tokens` limits the size of micro-batches.
#[allow(dead_code, reason = "not used by every test that includes this module")]
pub(crate) fn build(
    Backend { engine, device }: Backend,
    folder: &Path,
    seed: u64,
    optimizer: OptimizerConfig,
    tokens: Option<usize>,
) -> Built {
    let folder = ModelFolder::on_disk(folder);
    let config = nn::ModelConfig::read(&folder).expect("a configuration");
    let labels = config.id2label.for_outputs(config.id2label.num_labels() as usize).expect("names");
    nn::build(&BuildOptions {
        seed,
        optimizer,
        device,
        precision: Precision::F32,
        engine,
        max_examples_per_pass: 64,
        max_tokens_per_pass: tokens,
        ..BuildOptions::new(&folder, (&labels, config.problem_type(labels.len()).expect("a problem type")))
    })
    .expect("an engine")
}
