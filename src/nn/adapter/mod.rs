//! LoRA adapters in the format of the Python package peft, merged with the weights of their base model as these are read.
//!
//! The adapter of a linear layer adds scaling · B A to its weight (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>).

mod config;

use super::engine::Array;
use super::error_text::shortened;
use super::weight_files::{StoredTensor, adapter_tensors};
use crate::error::{Error, Result};
use crate::files::{ADAPTER_CONFIG, ADAPTER_WEIGHTS, ModelFolder, Root};
pub use config::{AdapterConfig, TargetModules};
use std::collections::BTreeMap;

/// What the names of all tensors of an adapter begin with.
const PREFIX: &str = "base_model.model.";
const LORA_A: &str = ".lora_A.weight";
const LORA_B: &str = ".lora_B.weight";

/// The matrices of an adapter for one weight.
#[derive(Debug)]
struct LowRankUpdate {
    /// (rank, inputs)
    a: StoredTensor,
    /// (outputs, rank)
    b: StoredTensor,
    scaling: f64,
}

/// A tensor of a model, with what an adapter does to it.
#[derive(Debug)]
pub(super) struct ModelTensor {
    stored: StoredTensor,
    update: Option<LowRankUpdate>,
    is_of_adapter: bool,
}

/// The tensors of a model by name.
type ModelTensors = BTreeMap<String, ModelTensor>;

impl ModelTensor {
    pub(super) fn new(stored: StoredTensor) -> Self {
        ModelTensor { stored, update: None, is_of_adapter: false }
    }

    /// Name in the file.
    pub(super) fn name(&self) -> &str {
        self.stored.name()
    }

    pub(super) fn shape(&self) -> &[usize] {
        self.stored.shape()
    }

    /// The name of a tensor of the adapter that this one is made of.
    pub(super) fn adapter_tensor(&self) -> Option<&str> {
        match &self.update {
            Some(update) => Some(update.a.name()),
            None => self.is_of_adapter.then(|| self.name()),
        }
    }

    /// Reads the tensor as f32, merged with its adapter. `model` is the name of the model in errors.
    ///
    /// # Errors
    /// Those of [`StoredTensor::read`].
    pub(super) fn read(&self, model: &str) -> Result<Array> {
        let mut weight = self.stored.read(model)?;
        if let Some(LowRankUpdate { a, b, scaling }) = &self.update {
            add_product(&mut weight, &a.read(model)?, &b.read(model)?, *scaling);
        }
        Ok(weight)
    }
}

/// Adds `scaling` · B A to a weight: (outputs, inputs) += (outputs, rank) · (rank, inputs).
fn add_product(weight: &mut Array, a: &Array, b: &Array, scaling: f64) {
    let [rank, inputs] = a.shape[..] else { return };
    if rank == 0 || inputs == 0 {
        return;
    }
    let rows = weight.data.chunks_exact_mut(inputs).zip(b.data.chunks_exact(rank));
    for (row, coefficients) in rows {
        for (coefficient, direction) in coefficients.iter().zip(a.data.chunks_exact(inputs)) {
            let factor = (scaling * f64::from(*coefficient)) as f32;
            row.iter_mut().zip(direction).for_each(|(element, x)| *element += factor * x);
        }
    }
}

/// The tensors of an adapter. Only the header of the file is read.
struct Adapter {
    /// Name in errors.
    model: String,
    config: AdapterConfig,
    /// Whole parameters, by their names in the base model.
    saved: BTreeMap<String, StoredTensor>,
    /// The matrices A and B, by the names of their modules.
    pairs: BTreeMap<String, (Option<StoredTensor>, Option<StoredTensor>)>,
}

impl Adapter {
    /// The adapter of `folder`; `None` if the folder has a complete model.
    ///
    /// # Errors
    /// A missing or damaged file, an unsupported configuration or tensor.
    fn open(folder: &ModelFolder) -> Result<Option<Self>> {
        if !matches!(folder.root, Root::Adapter { .. }) {
            return Ok(None);
        }
        let model = folder.name.clone();
        let config = AdapterConfig::parse(&model, &folder.require(ADAPTER_CONFIG)?)?;
        let mut adapter = Adapter { model, config, saved: BTreeMap::new(), pairs: BTreeMap::new() };
        for (name, tensor) in adapter_tensors(folder)? {
            let Some(name) = name.strip_prefix(PREFIX) else {
                let problem = format!("does not begin with {PREFIX}; save the adapter with peft");
                return Err(adapter.wrong(&tensor, &problem));
            };
            if let Some(module) = name.strip_suffix(LORA_A) {
                adapter.pairs.entry(module.to_owned()).or_default().0 = Some(tensor);
            } else if let Some(module) = name.strip_suffix(LORA_B) {
                adapter.pairs.entry(module.to_owned()).or_default().1 = Some(tensor);
            } else if name.contains("lora_embedding_") {
                let problem =
                    "is of an adapter of an embedding, which is not supported; merge the adapter with peft";
                return Err(adapter.wrong(&tensor, problem));
            } else if name.contains(".lora_") {
                return Err(adapter.wrong(&tensor, "is not supported; merge the adapter with peft"));
            } else {
                adapter.saved.insert(name.to_owned(), tensor);
            }
        }
        Ok(Some(adapter))
    }

    fn wrong(&self, tensor: &StoredTensor, problem: &str) -> Error {
        Error::model(&self.model, format!("tensor {} of {ADAPTER_WEIGHTS} {problem}", tensor.name()))
    }

    /// Replaces and updates `tensors`, whose names `normalized` makes from those of a file.
    ///
    /// # Errors
    /// A matrix without its partner or its weight, or of another shape. The message names the tensor.
    fn merge(mut self, tensors: &mut ModelTensors, normalized: &dyn Fn(&str) -> String) -> Result<()> {
        for (name, stored) in std::mem::take(&mut self.saved) {
            tensors.insert(normalized(&name), ModelTensor { stored, update: None, is_of_adapter: true });
        }
        for (module, pair) in std::mem::take(&mut self.pairs) {
            let (a, b) = match pair {
                (Some(a), Some(b)) => (a, b),
                (Some(found), None) | (None, Some(found)) => {
                    let partner = if found.name().ends_with(LORA_A) { LORA_B } else { LORA_A };
                    return Err(self.wrong(&found, &format!("has no partner {PREFIX}{module}{partner}")));
                }
                (None, None) => continue,
            };
            let Some(weight) = tensors.get_mut(&normalized(&format!("{module}.weight"))) else {
                return Err(self.wrong(&a, &format!("is for {module}.weight, which the base model lacks")));
            };
            let update = self.update(&module, (a, b), weight.shape())?;
            weight.update = Some(update);
        }
        Ok(())
    }

    /// The update of a weight of that shape.
    fn update(
        &self,
        module: &str,
        (a, b): (StoredTensor, StoredTensor),
        weight: &[usize],
    ) -> Result<LowRankUpdate> {
        let module = &shortened(module);
        let &[outputs, inputs] = weight else {
            let problem =
                format!("is for {module}.weight, which is no linear layer: its shape is {weight:?}");
            return Err(self.wrong(&a, &problem));
        };
        let rank = self.config.rank(module);
        for (tensor, expected) in [(&a, [rank, inputs]), (&b, [outputs, rank])] {
            if tensor.shape() != expected {
                let found = tensor.shape();
                let problem = format!(
                    "has shape {found:?}; {ADAPTER_CONFIG} and the base model imply {expected:?}, of rank {rank}"
                );
                return Err(self.wrong(tensor, &problem));
            }
        }
        Ok(LowRankUpdate { a, b, scaling: self.config.scaling(module) })
    }
}

/// Merges the adapter of `folder`, if it has one, with the tensors of its base model, whose names `normalized` makes from
/// those of a file.
///
/// # Errors
/// A missing or damaged file, an unsupported configuration, a tensor that does not match. The message names the key or the
/// tensor.
pub(super) fn merge_adapter(
    folder: &ModelFolder,
    tensors: &mut ModelTensors,
    normalized: &dyn Fn(&str) -> String,
) -> Result<()> {
    Adapter::open(folder)?.map_or(Ok(()), |adapter| adapter.merge(tensors, normalized))
}

/// The number of outputs of the head that the adapter of `folder` has for a base model with another `config.json`; `None`
/// without an adapter, without a head, and for an adapter with a `config.json` of its own. `classifier` is the name of the
/// linear layer that computes the logits.
///
/// # Errors
/// A missing or damaged file.
pub(super) fn adapter_outputs(folder: &ModelFolder, classifier: &str) -> Result<Option<usize>> {
    let Root::Adapter { folder: adapter, .. } = &folder.root else { return Ok(None) };
    if adapter.join("config.json").is_file() {
        return Ok(None);
    }
    let name = format!("{PREFIX}{classifier}.weight");
    let tensors = adapter_tensors(folder)?;
    let head = tensors.iter().find(|(found, _)| *found == name);
    Ok(head.and_then(|(_, tensor)| tensor.shape().first().copied()))
}
