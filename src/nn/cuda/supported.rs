//! Which models the kernels support.

use super::ops::{MAX_HEAD_SIZE, MAX_HIDDEN};
use crate::error::{Error, Result};
use crate::nn::architecture::AttentionBias;
use crate::nn::config::ModelConfig;
use crate::nn::engine::OptimizerConfig;
use crate::nn::params::ParamSpec;

/// Checks that the kernels support the model's architecture and sizes.
pub(super) fn check_supported(config: &ModelConfig) -> Result<()> {
    let is_supported = !matches!(config.architecture.attention_bias, AttentionBias::Disentangled(_));
    if !is_supported {
        return Err(unsupported(config));
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

/// Checks that all parameters are trained at the same learning rate, and without a teacher.
pub(super) fn check_training(
    config: &ModelConfig,
    specs: &[ParamSpec],
    optimizer: &OptimizerConfig,
) -> Result<()> {
    let has_one_rate = specs.iter().all(|spec| spec.requires_grad && spec.lr_scale == 1.0);
    if has_one_rate && optimizer.distillation.is_none() && optimizer.lora.is_none() {
        return Ok(());
    }
    let problem = "engine = \"fast\" has neither frozen layers and adapters, nor several learning rates, nor distillation on a GPU; set \
                   engine to \"plain\"";
    Err(Error::model(&config.model, problem))
}

/// The model is one of a family that the kernels do not support.
pub(super) fn unsupported(config: &ModelConfig) -> Error {
    let problem = format!(
        "engine = \"fast\" does not support model_type \"{}\" on a GPU; set engine to \"plain\"",
        config.architecture.model_type
    );
    Error::model(&config.model, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::architecture::ARCHITECTURES;

    #[test]
    fn deberta_is_refused_by_name() {
        for architecture in ARCHITECTURES {
            let model_type = architecture.model_type;
            let config = format!(
                r#"{{"model_type": "{model_type}", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2,
                "num_attention_heads": 2, "intermediate_size": 16, "hidden_dim": 16, "max_position_embeddings": 8,
                "type_vocab_size": 2, "pad_token_id": 1}}"#
            );
            let config = ModelConfig::parse("m", config.as_bytes()).expect("a configuration");
            let problem = check_supported(&config).err().map(|error| error.to_string());
            if model_type == "deberta-v2" {
                let problem = problem.expect("an error");
                assert!(problem.contains("does not support model_type \"deberta-v2\""), "{problem}");
            } else {
                assert_eq!(problem, None);
            }
        }
    }
}
