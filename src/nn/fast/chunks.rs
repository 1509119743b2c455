//! Divides the arenas into chunks that threads update in parallel.

use super::layout::Layout;
use crate::nn::params::ParamSpec;
use kernels::Cpu;
use kernels::adamw::{AdamWStep, ParamSlices, adamw};

/// Elements of a chunk. The norm of the gradient adds the chunks in order, so the value affects its rounding.
const CHUNK: usize = 1 << 14;

/// Why a chunk can be split off.
const IN_BOUNDS: &str = "arenas have the length of the layout";

/// Part of a parameter with its gradient and moments.
pub(super) struct Chunk<'a> {
    pub(super) spec: &'a ParamSpec,
    weight: &'a mut [f32],
    first_moment: &'a mut [f32],
    second_moment: &'a mut [f32],
    pub(super) gradient: &'a mut [f32],
}

impl Chunk<'_> {
    /// AdamW update of the chunk.
    pub(super) fn update(&mut self, cpu: Cpu, step: AdamWStep) {
        let Chunk { weight, first_moment, second_moment, gradient, .. } = self;
        adamw(cpu, ParamSlices { weight, first_moment, second_moment }, gradient, step);
    }
}

/// The chunks of all trained parameters but the word embedding.
pub(super) fn chunks<'a>(
    layout: &'a Layout,
    mut weights: &'a mut [f32],
    mut first_moments: &'a mut [f32],
    mut second_moments: &'a mut [f32],
    mut gradients: &'a mut [f32],
) -> Vec<Chunk<'a>> {
    let mut chunks = Vec::new();
    let mut end = 0;
    let dense = layout.params.iter().filter(|param| param.range.end <= layout.dense_len());
    for param in dense.filter(|param| param.spec.requires_grad) {
        // Zeros before all parameters, and parameters that are not trained.
        let skipped = param.range.start - end;
        for arena in [&mut weights, &mut first_moments, &mut second_moments, &mut gradients] {
            arena.split_off_mut(..skipped).expect(IN_BOUNDS);
        }
        end = param.range.end;
        for start in param.range.clone().step_by(CHUNK) {
            let length = CHUNK.min(param.range.end - start);
            chunks.push(Chunk {
                spec: &param.spec,
                weight: weights.split_off_mut(..length).expect(IN_BOUNDS),
                first_moment: first_moments.split_off_mut(..length).expect(IN_BOUNDS),
                second_moment: second_moments.split_off_mut(..length).expect(IN_BOUNDS),
                gradient: gradients.split_off_mut(..length).expect(IN_BOUNDS),
            });
        }
    }
    chunks
}
