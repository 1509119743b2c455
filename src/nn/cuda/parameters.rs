//! [`Parameters`]: weights, gradients and optimizer state in device memory.

use super::arena::ArenaAllocator;
use super::device::{Bf16, DeviceSlice};
use super::layout::Layout;
use super::ops::{AdamWTensors, NORM_BLOCKS};
use super::step_logits::STEP_LOGITS;

/// 32-bit words of the kernels' structure `Report`: the summed loss (f64), norm and scale of the gradient (f32).
pub(super) const REPORT_WORDS: usize = 4;

/// The tensors that live as long as the engine. Arenas are laid out by [`Layout`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    pub(super) weights: DeviceSlice<f32>,
    pub(super) gradients: DeviceSlice<f32>,
    pub(super) first_moments: DeviceSlice<f32>,
    pub(super) second_moments: DeviceSlice<f32>,
    /// The bf16 copy of the matrices of the layers, or null if GEMMs read f32.
    pub(super) bf16_weights: DeviceSlice<Bf16>,
    /// For each row of the embeddings of words and positions, the stamp of the last step with a gradient for it.
    pub(super) stamps: DeviceSlice<u32>,
    /// For each of these rows, 1 if its moments may differ from 0.
    pub(super) has_moments: DeviceSlice<u32>,
    /// The structure `Report`: ([`REPORT_WORDS`])
    pub(super) report: DeviceSlice<u32>,
    square_sums: DeviceSlice<f32>,
    /// The buffer of [`StepLogits`](super::step_logits::StepLogits).
    pub(super) step_logits: DeviceSlice<f32>,
    /// The weight of each output in the loss: (outputs)
    pub(super) class_weights: DeviceSlice<f32>,
}

impl Parameters {
    /// The parameters from the address `base` on, and their size in bytes.
    pub(super) fn new(layout: &Layout, is_bf16: bool, base: u64) -> (Self, usize) {
        let mut arena = ArenaAllocator::new(base, is_bf16);
        let [rows, _] = layout.embeddings_shape();
        let [weights, gradients, first_moments, second_moments] = [(); 4].map(|()| arena.f32(layout.len()));
        let parameters = Parameters {
            weights,
            gradients,
            first_moments,
            second_moments,
            square_sums: arena.f32(NORM_BLOCKS),
            stamps: arena.u32(rows),
            has_moments: arena.u32(rows),
            report: arena.u32(REPORT_WORDS),
            bf16_weights: arena.bf16(layout.layer_matrices.len()),
            step_logits: arena.f32(STEP_LOGITS),
            class_weights: arena.f32(layout.classes()),
        };
        (parameters, arena.bytes())
    }

    /// The arguments of [`super::ops::Ops::adamw`].
    pub(super) fn adamw_tensors(&self, layout: &Layout) -> AdamWTensors {
        AdamWTensors {
            weights: self.weights,
            gradients: self.gradients,
            first_moments: self.first_moments,
            second_moments: self.second_moments,
            bf16_weights: self.bf16_weights,
            layer_matrices: layout.layer_matrices.start,
            no_decay: layout.no_decay(),
            embeddings: layout.embeddings_shape(),
            stamps: self.stamps,
            has_moments: self.has_moments,
            report: self.report,
            square_sums: self.square_sums,
        }
    }
}
