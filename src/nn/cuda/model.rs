//! [`Model`]: the weights and gradients of a pass, with views of single tensors.

use super::constants::Constants;
use super::device::{Bf16, DeviceSlice, GemmOperand};
use super::layout::{Layout, WeightBias};
use super::ops::{DropoutSite, LayerNorm, RelativeBias};
use super::tensor::PartialSums;
use super::workspace::{Workspace, partial_stride};
use crate::nn::architecture;
use crate::nn::config::ModelConfig;
use kernels::dropout;
use std::ops::Range;

/// A model in device memory. Its arenas are laid out by [`Layout`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Model<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) layout: &'a Layout,
    pub(super) constants: &'a Constants,
    /// The arena of weights.
    pub(super) weights: DeviceSlice<f32>,
    /// The matrices of the layers in bf16, or null if GEMMs read f32.
    pub(super) bf16_weights: DeviceSlice<Bf16>,
    /// The arena of gradients.
    pub(super) gradients: DeviceSlice<f32>,
    /// For each row of the embeddings of words and positions, the stamp of the last step with a gradient for it.
    pub(super) stamps: DeviceSlice<u32>,
    /// The structure `Report` of the kernels.
    pub(super) report: DeviceSlice<u32>,
    /// Whether dropout is on and a backward pass follows.
    pub(super) is_training: bool,
}

impl Model<'_> {
    /// A range of the arena of weights.
    pub(super) fn weight(&self, range: &Range<usize>) -> DeviceSlice<f32> {
        self.weights.slice(range.clone())
    }

    /// A bias of `width` elements; zeros if the model has none.
    pub(super) fn bias(&self, range: &Range<usize>, width: usize) -> DeviceSlice<f32> {
        if range.is_empty() { self.constants.zeros.prefix(width) } else { self.weight(range) }
    }

    /// The parameters of a LayerNorm.
    pub(super) fn layer_norm(&self, WeightBias { weight, bias }: &WeightBias) -> LayerNorm {
        let eps = self.config.layer_norm_eps as f32;
        LayerNorm { weight: self.weight(weight), bias: self.bias(bias, weight.len()), eps }
    }

    /// A range of the arena of gradients.
    pub(super) fn gradient(&self, range: &Range<usize>) -> DeviceSlice<f32> {
        self.gradients.slice(range.clone())
    }

    /// A range within the matrices of the layers, in the type that GEMMs read.
    pub(super) fn layer_matrix(&self, range: Range<usize>) -> GemmOperand {
        if self.bf16_weights.is_null() {
            return GemmOperand::F32(self.weights.slice(range));
        }
        let first = self.layout.layer_matrices.start;
        GemmOperand::Bf16(self.bf16_weights.slice(range.start - first..range.end - first))
    }

    /// A matrix that GEMMs always read in f32.
    pub(super) fn f32_matrix(&self, range: &Range<usize>) -> GemmOperand {
        GemmOperand::F32(self.weight(range))
    }

    /// The buffer of partial sums.
    pub(super) fn partial_sums(&self, workspace: &Workspace) -> PartialSums {
        PartialSums {
            sums: workspace.partial_sums,
            stride: partial_stride(self.config, self.layout.classes()),
        }
    }

    /// What relative positions add to the scores of attention.
    pub(super) fn relative_bias(&self, workspace: &Workspace) -> RelativeBias {
        let Some(table) = &self.layout.relative_bias else { return RelativeBias::NONE };
        RelativeBias { buckets: self.constants.buckets, table: self.weight(table), sums: workspace.bias_sums }
    }

    /// The dropout site `id` with the rate of `site`; disabled in inference.
    pub(super) fn dropout(&self, id: u32, site: architecture::DropoutSite) -> DropoutSite {
        let rate = self.config.dropout_rate(site);
        if !self.is_training || rate == 0.0 {
            return DropoutSite::DISABLED;
        }
        DropoutSite::new(id, dropout::threshold(rate), dropout::keep_scale(rate))
    }
}
