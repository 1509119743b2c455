//! Clipping and AdamW.

use super::{Ops, THREADS};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Bf16, Device, Kernel, Launch, Module, Span};

/// Blocks that add up the squares of the gradient.
pub(in crate::nn::cuda) const SQUARES: usize = 1024;

/// Numbers of the dense part that a block of AdamW moves.
const CHUNK: usize = 4 * THREADS;

/// What AdamW works on. Arenas are as in [`crate::nn::cuda::layout`].
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct Training {
    pub(in crate::nn::cuda) weights: Span<f32>,
    pub(in crate::nn::cuda) gradients: Span<f32>,
    pub(in crate::nn::cuda) first: Span<f32>,
    pub(in crate::nn::cuda) second: Span<f32>,
    /// The matrices from `matrices` on, where there is a copy of them.
    pub(in crate::nn::cuda) operands: Span<Bf16>,
    pub(in crate::nn::cuda) matrices: usize,
    /// Where what does not decay begins.
    pub(in crate::nn::cuda) vectors: usize,
    /// Rows of the word embedding and their width.
    pub(in crate::nn::cuda) words: [usize; 2],
    /// Of each such row: the last step that had a gradient for it, and whether AdamW ever saw one.
    pub(in crate::nn::cuda) stamps: Span<u32>,
    pub(in crate::nn::cuda) seen: Span<u32>,
    /// The structure `Report`.
    pub(in crate::nn::cuda) report: Span<u32>,
    /// (SQUARES)
    pub(in crate::nn::cuda) squares: Span<f32>,
}

impl<D: Device> Ops<'_, D> {
    /// Norm of the gradient and its scale → the report; then AdamW with `[1 - beta1, beta2, 1 - beta2, epsilon]`.
    pub(in crate::nn::cuda) fn update(
        &mut self,
        training: Training,
        limit: f32,
        adamw: [f32; 4],
    ) -> Result<()> {
        let Training { weights, gradients, words: [rows, width], stamps, seen, report, squares, .. } =
            training;
        let total = weights.len();
        let [first, second] = [training.first, training.second].map(|moments| moments.first(total));
        let arguments =
            self.start().span(gradients.first(total)).int(rows).int(width).span(stamps.first(rows));
        let arguments = arguments.long(total as u64).span(squares.first(SQUARES));
        self.launch(Module::Optimizer, "squares", [SQUARES, 1, 1], arguments)?;
        let arguments = Arguments::default().span(squares).int(SQUARES).float(limit).span(report);
        self.launch(Module::Optimizer, "clip", [1, 1, 1], arguments)?;
        let copied = [training.matrices, training.matrices + training.operands.len()];
        let arguments = self.start().span(report).words(&adamw.map(f32::to_bits)).int(rows).int(width);
        let arguments =
            arguments.span(stamps).span(seen.first(rows)).long(copied[0] as u64).long(copied[1] as u64);
        let arguments = arguments.long(training.vectors as u64).long(total as u64);
        let arguments =
            arguments.span(gradients).span(weights).span(first).span(second).span(training.operands);
        let grid = [rows + (total - rows * width).div_ceil(CHUNK), 1, 1];
        self.launch(Module::Optimizer, "adamw", grid, arguments)
    }
}

/// `operands` = `weights`, rounded.
pub(in crate::nn::cuda) fn round_weights<D: Device>(
    device: &mut D,
    weights: Span<f32>,
    operands: Span<Bf16>,
) -> Result<()> {
    let count = weights.len();
    let arguments = Arguments::default().span(weights).long(count as u64).span(operands.first(count));
    let kernel = Kernel { module: Module::Optimizer, name: "round_weights" };
    device.launch(Launch { kernel, grid: [count.div_ceil(THREADS), 1, 1], threads: THREADS, arguments })
}
