//! Bias and nonlinearity, sums over rows, gradients of embeddings, and copies of rows.

use super::{Ops, Rows, Sums, THREADS, rounded};
use crate::error::Result;
use crate::nn::config::Activation;
use crate::nn::cuda::buffers::Rounded;
use crate::nn::cuda::device::{Arguments, Device, Module, Span};
use crate::nn::cuda::input::Input;

impl<D: Device> Ops<'_, D> {
    /// `out` (R, I) = f(x + bias); `x` becomes the derivative there.
    pub(in crate::nn::cuda) fn activate(
        &mut self,
        rows: Rows,
        kind: Activation,
        bias: Span<f32>,
        x: Span<f32>,
        out: Rounded,
    ) -> Result<()> {
        let (r, width) = (self.len(rows), bias.len());
        let kind = match kind {
            Activation::Gelu => 0,
            Activation::GeluTanh => 1,
            Activation::Relu => 2,
        };
        let arguments = Arguments::default().span(self.count(rows)).int(kind).span(bias).int(width);
        let arguments = rounded(arguments.span(x.first(r * width)), out, r * width);
        self.launch(Module::Columns, "activate", [r, width.div_ceil(THREADS), 1], arguments)
    }

    /// `x` (R, width), times `slopes` if there are some, in place and as an operand; its column sums go to
    /// column `at`.
    pub(in crate::nn::cuda) fn columns(
        &mut self,
        rows: Rows,
        width: usize,
        slopes: Option<Span<f32>>,
        x: Rounded,
        (sums, at): (Sums, usize),
    ) -> Result<()> {
        let r = self.len(rows);
        let slopes = slopes.map_or(Span::NONE, |slopes| slopes.first(r * width));
        let arguments = Arguments::default().span(self.count(rows)).span(slopes).int(r).int(width);
        let arguments = rounded(arguments, x, r * width).span(sums.partial).int(sums.stride).int(at);
        self.launch(Module::Columns, "columns", [self.parts(), width.div_ceil(THREADS), 1], arguments)
    }

    /// Column sums of `d` (T, H) for each of so many segments, from column `at` on.
    pub(in crate::nn::cuda) fn segment_columns(
        &mut self,
        d: Span<f32>,
        (h, segments): (usize, usize),
        (sums, at): (Sums, usize),
    ) -> Result<()> {
        let arguments = self.start().span(self.input.types).span(d).int(h);
        let arguments = arguments.span(sums.partial).int(sums.stride).int(at);
        let grid = [self.parts(), h.div_ceil(THREADS), segments];
        self.launch(Module::Columns, "segment_columns", grid, arguments)
    }

    /// `gradient` = the sums from column `at` on, or added to what is there.
    pub(in crate::nn::cuda) fn finish(
        &mut self,
        (sums, at): (Sums, usize),
        gradient: Span<f32>,
        is_added: bool,
    ) -> Result<()> {
        let (parts, width) = (self.parts(), gradient.len());
        assert!(at + width <= sums.stride && parts * sums.stride <= sums.partial.len(), "room for sums");
        let arguments =
            Arguments::default().span(sums.partial).int(parts).int(sums.stride).int(at).int(width);
        let arguments = arguments.int(usize::from(is_added)).span(gradient);
        self.launch(Module::Columns, "finish", [width.div_ceil(32), 1, 1], arguments)
    }

    /// `picked` (E, H) = the rows of `x` of each example's first token.
    pub(in crate::nn::cuda) fn pick(&mut self, x: Span<f32>, h: usize, picked: Rounded) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.start().span(self.input.offsets).span(x).int(h);
        self.launch(Module::Columns, "pick", [rows, 1, 1], rounded(arguments, picked, rows * h))
    }

    /// The way back: `dx` (T, H), zeros but for first tokens.
    pub(in crate::nn::cuda) fn unpick(&mut self, d: Span<f32>, h: usize, dx: Span<f32>) -> Result<()> {
        let rows = self.len(Rows::All);
        let arguments = self.start().span(self.input.positions).span(self.input.owners);
        let arguments = arguments.span(d.first(self.len(Rows::First) * h)).int(h).span(dx.first(rows * h));
        self.launch(Module::Columns, "unpick", [rows, 1, 1], arguments)
    }

    /// The gradient of the words that are there: rows of `gradient`, marked in `stamps`.
    pub(in crate::nn::cuda) fn scatter_words(
        &mut self,
        d: Span<f32>,
        h: usize,
        stamps: Span<u32>,
        gradient: Span<f32>,
    ) -> Result<()> {
        let Input { words, starts, order, .. } = self.input;
        let arguments = self.start().span(words).span(starts).span(order).span(d).int(h);
        let grid = [self.len(Rows::All), 1, 1];
        self.launch(Module::Columns, "scatter_words", grid, arguments.span(stamps).span(gradient))
    }

    /// The gradient of each position.
    pub(in crate::nn::cuda) fn scatter_positions(
        &mut self,
        d: Span<f32>,
        h: usize,
        gradient: Span<f32>,
        is_added: bool,
    ) -> Result<()> {
        let arguments = self.start().span(self.input.offsets).span(d).int(h).int(usize::from(is_added));
        let grid = [gradient.len() / h, 1, 1];
        self.launch(Module::Columns, "scatter_positions", grid, arguments.span(gradient))
    }
}
