//! The ops of the engine: each launches a kernel, or does a matrix product, with the blocks that it asks for, and
//! holds the lengths of what it is given against the sizes. A file here for each of `kernels/`. Shapes as in
//! [`super::buffers`].

mod attention;
mod columns;
mod head;
mod norm;
mod optimizer;

pub(super) use attention::{Attention, WIDEST_HEAD};
pub(super) use norm::{Norm, Normed, WIDEST_ROW};
pub(super) use optimizer::{SQUARES, Training, round_weights};

use super::buffers::{MOST_PARTS, Rounded};
use super::device::{Arguments, Device, GemmKind, GemmOperand, Kernel, Launch, Module, Product, Span};
use super::input::Input;
use crate::error::Result;

/// Threads of a block, but for attention.
const THREADS: usize = 256;

/// Dropout of one place in the model: the structure `Site` of the kernels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site([u32; 3]);

impl Site {
    /// Nothing is dropped.
    pub(super) const OFF: Self = Site([0, 0, 0x3f80_0000]);

    pub(super) fn new(number: u32, threshold: u32, kept: f32) -> Self {
        Site([number, threshold, kept.to_bits()])
    }
}

/// The rows that a layer turns out: one for each token, or for each example's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    All,
    First,
}

/// Where the sums over rows of a kernel go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    /// (parts, stride)
    pub(super) partial: Span<f32>,
    pub(super) stride: usize,
}

/// A device, and the input of the pass that it works on.
pub(super) struct Ops<'a, D> {
    pub(super) device: &'a mut D,
    pub(super) input: Input,
    /// Whether products of f32 may be rounded to TF32.
    pub(super) is_rounded: bool,
}

impl<D: Device> Ops<'_, D> {
    /// Rows of the bucket, real or not.
    pub(super) fn len(&self, rows: Rows) -> usize {
        match rows {
            Rows::All => self.input.bucket.tokens,
            Rows::First => self.input.bucket.examples,
        }
    }

    /// How many there are really, on the device.
    fn count(&self, rows: Rows) -> Span<u32> {
        match rows {
            Rows::All => self.input.tokens(),
            Rows::First => self.input.examples(),
        }
    }

    /// The tokens that have a row, unless all have.
    fn tokens(&self, rows: Rows) -> Span<u32> {
        match rows {
            Rows::All => Span::NONE,
            Rows::First => self.input.offsets,
        }
    }

    /// Blocks that share a sum over rows: enough for a large GPU, and the same for all sums of a bucket.
    fn parts(&self) -> usize {
        (self.input.bucket.tokens / 4).clamp(32, MOST_PARTS)
    }

    fn launch(
        &mut self,
        module: Module,
        name: &'static str,
        grid: [usize; 3],
        arguments: Arguments,
    ) -> Result<()> {
        let is_attention = matches!(module, Module::Attention | Module::AttentionBf16);
        let threads = if is_attention { attention::THREADS } else { THREADS };
        self.device.launch(Launch { kernel: Kernel { module, name }, grid, threads, arguments })
    }

    fn start(&self) -> Arguments {
        Arguments::default().span(self.input.step)
    }

    /// One of the three products of a linear layer with `weight` (outs, ins), or of its weights.
    fn multiply(
        &mut self,
        way: GemmKind,
        (rows, outs, ins): (usize, usize, usize),
        factors: [GemmOperand; 2],
        out: Span<f32>,
        is_added: bool,
    ) -> Result<()> {
        let is_rounded = self.is_rounded;
        let product = Product { way, rows, outs, ins, factors, out, is_added, is_rounded };
        product.check();
        self.device.multiply(product)
    }

    /// `out` (rows, outs) = `x` (rows, ins) · Wᵀ
    pub(super) fn forward(
        &mut self,
        out: Span<f32>,
        x: GemmOperand,
        weight: GemmOperand,
        ins: usize,
    ) -> Result<()> {
        let (rows, outs) = (x.len() / ins, weight.len() / ins);
        self.multiply(GemmKind::Forward, (rows, outs, ins), [x, weight], out.first(rows * outs), false)
    }

    /// `dx` (rows, ins) = `d` (rows, outs) · W, or added to what is there.
    pub(super) fn backward(
        &mut self,
        dx: Span<f32>,
        d: GemmOperand,
        weight: GemmOperand,
        ins: usize,
        is_added: bool,
    ) -> Result<()> {
        let outs = weight.len() / ins;
        let rows = d.len() / outs;
        self.multiply(GemmKind::Backward, (rows, outs, ins), [d, weight], dx.first(rows * ins), is_added)
    }

    /// `dw` (outs, ins) = `d`ᵀ · `x`, of (rows, outs) and (rows, ins), or added to what is there.
    pub(super) fn weights(
        &mut self,
        dw: Span<f32>,
        d: GemmOperand,
        x: GemmOperand,
        rows: usize,
        is_added: bool,
    ) -> Result<()> {
        let sizes = (rows, d.len() / rows, x.len() / rows);
        self.multiply(GemmKind::Weights, sizes, [d, x], dw, is_added)
    }
}

/// Both forms of the first `len` numbers, of which one may be missing.
fn rounded(arguments: Arguments, x: Rounded, len: usize) -> Arguments {
    let wide = if x.wide.is_none() { x.wide } else { x.wide.first(len) };
    let operand = if x.operand.is_none() { x.operand } else { x.operand.first(len) };
    arguments.span(wide).span(operand)
}
