//! The sizes of a layer's buffers.

use crate::nn::architecture::{FeedForward, LayerStructure, NormPosition};
use crate::nn::config::ModelConfig;

/// What the sizes of the buffers of a layer depend on, beside its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerSizes {
    /// Hidden size.
    pub(super) hidden: usize,
    /// Width of the feed-forward network.
    pub(super) intermediate: usize,
    pub(super) structure: LayerStructure,
    /// Whether a LayerNorm precedes attention.
    pub(super) has_norm_before_attention: bool,
}

impl LayerSizes {
    /// The sizes of layer `index`.
    pub(super) fn of(config: &ModelConfig, index: usize) -> Self {
        let structure = config.architecture.layer_structure;
        LayerSizes {
            hidden: config.hidden,
            intermediate: config.intermediate,
            structure,
            has_norm_before_attention: config.has_norm_before_attention(index),
        }
    }

    /// Whether the LayerNorms precede attention and feed-forward network.
    pub(super) fn is_pre_norm(self) -> bool {
        self.structure.norm_position == NormPosition::Pre
    }

    /// Whether the feed-forward network has gates.
    pub(super) fn is_gated(self) -> bool {
        self.structure.feed_forward == FeedForward::Gated
    }
}
