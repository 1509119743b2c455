//! Questions to all families.

use super::description::{Architecture, AttentionBias};
use super::families::ARCHITECTURES;

impl Architecture {
    /// The architecture of a `model_type`.
    pub fn of_model_type(model_type: &str) -> Option<&'static Architecture> {
        ARCHITECTURES.iter().copied().find(|architecture| architecture.model_type == model_type)
    }
}

/// Whether `name` is a parameter of the linear layer that computes the logits, in any architecture. Its rows belong to
/// the labels.
pub(crate) fn is_output_parameter(name: &str) -> bool {
    let module = name.rsplit_once('.').map_or(name, |(module, _)| module);
    ARCHITECTURES.iter().any(|architecture| architecture.names.classifier == module)
}

/// Whether `name` is the bias of a key projection. It adds a constant to all scores of a query, which softmax
/// cancels, so its exact gradient is zero and a computed gradient is rounding error, unless the keys are also multiplied by
/// relative positions.
pub fn is_key_bias(name: &str) -> bool {
    let Some(module) = name.strip_suffix(".bias") else { return false };
    let is_suffix = |key: &str| module.strip_suffix(key).is_some_and(|path| path.ends_with('.'));
    let is_key = |architecture: &&Architecture| {
        let layer = &architecture.names.layer;
        // Rotary positions make the added number depend on the distance.
        (layer.key != layer.query && is_suffix(layer.key))
            || matches!(architecture.attention_bias, AttentionBias::Disentangled(modules) if is_suffix(modules.key))
    };
    ARCHITECTURES.iter().any(is_key)
}
