//! Which models the kernels support.

use super::ops::{MAX_HEAD_SIZE, MAX_HIDDEN};
use crate::error::{Error, Result};
use crate::nn::architecture::{AttentionBias, DropoutSite, LayerSharing, PoolerActivation, Positions};
use crate::nn::config::ModelConfig;

/// Checks that the kernels support the model's architecture and sizes.
pub(super) fn check_supported(config: &ModelConfig) -> Result<()> {
    let names = config.names();
    let is_supported = config.architecture.positions == Positions::Absolute
        && config.architecture.attention_bias == AttentionBias::None
        && matches!(config.pooler_activation, PoolerActivation::Tanh | PoolerActivation::Relu)
        && !config.architecture.dropout_sites.contains(&DropoutSite::Pooler)
        && config.sharing == LayerSharing::none(config.layers)
        && names.projection.is_none();
    if !is_supported {
        let problem = format!(
            "engine = \"fast\" does not support model_type \"{}\" on a GPU; set engine to \"plain\"",
            config.architecture.model_type
        );
        return Err(Error::model(&config.model, problem));
    }
    let (hidden, head_size) = (config.hidden, config.head_size());
    if hidden <= MAX_HIDDEN && head_size <= MAX_HEAD_SIZE {
        return Ok(());
    }
    let problem = format!(
        "engine = \"fast\" supports a hidden size of up to {MAX_HIDDEN} and a head size of up to {MAX_HEAD_SIZE} on a \
         GPU, but this model has {hidden} and {head_size}; set engine to \"plain\""
    );
    Err(Error::model(&config.model, problem))
}
