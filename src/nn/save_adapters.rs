//! Writes adapters: those of a run beside its best weights, and in the format of PEFT.

use super::adapter::AdapterConfig;
use super::config::ModelConfig;
use super::engine::{Engine, ParamState};
use super::lora::{Adapter, Lora};
use super::save::{TensorSource, read_arrays, write_tensors};
use crate::error::Result;
use crate::files::ADAPTER_WEIGHTS;
use std::collections::BTreeMap;
use std::path::Path;

/// The file beside the best weights of a run that has the factors of its adapters.
const ADAPTERS_FILE: &str = "adapters.safetensors";
/// What the names of all tensors begin with in a file of PEFT.
const PREFIX: &str = "base_model.model.";

/// The modules of the head that PEFT saves whole. Where all layers of the head are in one module, it is that one.
fn head_modules(config: &ModelConfig) -> Vec<String> {
    let (names, prefix) = (config.names(), config.architecture.names.prefix);
    let all = [Some(&names.pooler), names.pooler_norm.as_ref(), Some(&names.classifier)];
    let all = all.into_iter().flatten();
    let whole = |name: &String| match name.split_once('.') {
        Some((module, _)) if !name.starts_with(&format!("{prefix}.")) => module.to_owned(),
        _ => name.clone(),
    };
    let mut modules: Vec<String> = all.map(whole).collect();
    modules.dedup();
    modules
}

/// Writes the factors of the adapters of `engine` to [`ADAPTERS_FILE`] in the existing folder `folder`, if it has any.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write), and those of the engine.
pub fn save_adapters(folder: &Path, engine: &dyn Engine) -> Result<()> {
    let tensors = TensorSource::from_engine(engine, ParamState::Adapter, "");
    if !tensors.is_empty() {
        write_tensors(&folder.join(ADAPTERS_FILE), &tensors, &BTreeMap::new())?;
    }
    Ok(())
}

/// Writes the adapters that [`save_adapters`] stored in the folder `best`, and the head of `engine`, to the existing folder
/// `to`, in the format of PEFT. `base_model` is the model that they were trained on.
///
/// # Errors
/// [`Error::Usage`](crate::error::Error::Usage) if there are none; errors of reading and writing.
pub fn export_adapters(
    (best, to): (&Path, &Path),
    (engine, config): (&dyn Engine, &ModelConfig),
    lora: &Lora,
    base_model: &str,
) -> Result<()> {
    let (factors, _) = read_arrays(&best.join(ADAPTERS_FILE))?;
    let head = head_modules(config);
    let is_of_head = |name: &str| head.iter().any(|module| name.starts_with(&format!("{module}.")));
    let mut tensors = TensorSource::from_weights(&factors, PREFIX);
    tensors.extend(
        TensorSource::from_engine(engine, ParamState::Weight, PREFIX)
            .into_iter()
            .filter(|tensor| tensor.name().strip_prefix(PREFIX).is_some_and(is_of_head)),
    );
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    write_tensors(&to.join(ADAPTER_WEIGHTS), &tensors, &metadata)?;
    let modules = factors.keys().filter_map(|name| Adapter::module_of(name)).map(str::to_owned).collect();
    AdapterConfig::new((lora.rank, lora.alpha), modules, head, base_model).write(to)
}
