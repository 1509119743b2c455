//! Embedding, dropout, residual and LayerNorm.

use super::{Ops, Rows, Site, Sums, rounded};
use crate::error::Result;
use crate::nn::cuda::buffers::Rounded;
use crate::nn::cuda::device::{Arguments, Device, Module, Span};
use crate::nn::cuda::input::Input;

/// Widest row that a block takes whole.
pub(in crate::nn::cuda) const WIDEST_ROW: usize = 2048;

/// Scale, shift and floor of a LayerNorm.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct Norm {
    /// Weight and bias: (2 H)
    pub(in crate::nn::cuda) places: Span<f32>,
    pub(in crate::nn::cuda) eps: f32,
}

/// x̂ and 1/σ that a LayerNorm leaves.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct Normed {
    /// (R, H)
    pub(in crate::nn::cuda) x: Span<f32>,
    /// (R)
    pub(in crate::nn::cuda) deviations: Span<f32>,
}

impl<D: Device> Ops<'_, D> {
    /// `y` (T, H) = dropout(norm(word + position + segment))
    pub(in crate::nn::cuda) fn embed(
        &mut self,
        [words, positions, segments]: [Span<f32>; 3],
        norm: Norm,
        site: Site,
        normed: Normed,
        y: Rounded,
    ) -> Result<()> {
        let (rows, h) = (self.len(Rows::All), norm.places.len() / 2);
        let Input { ids, positions: places, types, .. } = self.input;
        let arguments = self.start().span(ids).span(places).span(types);
        let arguments = arguments.span(words).span(positions).span(segments);
        let arguments = norm_arguments(arguments, norm).int(h).words(&site.0);
        let arguments = arguments.span(normed.x.first(rows * h)).span(normed.deviations.first(rows));
        self.launch(Module::Norm, "embed", [rows, 1, 1], rounded(arguments, y, rows * h))
    }

    /// `y` (R, H) = norm(dropout(product + bias) + residual); the product, `normed.x`, becomes x̂.
    pub(in crate::nn::cuda) fn add_norm(
        &mut self,
        rows: Rows,
        (bias, site, residual): (Span<f32>, Site, Span<f32>),
        norm: Norm,
        normed: Normed,
        y: Rounded,
    ) -> Result<()> {
        let (r, h) = (self.len(rows), bias.len());
        let arguments = self.start().span(self.count(rows)).span(self.tokens(rows)).span(bias).words(&site.0);
        let arguments = norm_arguments(arguments.span(residual.first(r * h)), norm).int(h);
        let arguments = arguments.span(normed.x.first(r * h)).span(normed.deviations.first(r));
        self.launch(Module::Norm, "add_norm", [r, 1, 1], rounded(arguments, y, r * h))
    }

    /// `d` (R, H), of the output of a norm, becomes that of its sum; `dh`, if it is there, that of the product in
    /// it. Sums for weight and bias of the norm go to column `at.0`, those for the product's bias to `at.1`.
    pub(in crate::nn::cuda) fn norm_backward(
        &mut self,
        rows: Rows,
        [before, after]: [Site; 2],
        (normed, weight): (Normed, Span<f32>),
        d: Span<f32>,
        dh: Option<Rounded>,
        (sums, at): (Sums, (usize, usize)),
    ) -> Result<()> {
        let (r, h) = (self.len(rows), weight.len());
        let arguments = self.start().span(self.count(rows)).span(self.tokens(rows));
        let arguments = arguments.words(&before.0).words(&after.0);
        let arguments = arguments.span(normed.x.first(r * h)).span(normed.deviations.first(r)).span(weight);
        let arguments = arguments.int(r).int(h).span(d.first(r * h));
        let none = Rounded { wide: Span::NONE, operand: Span::NONE };
        let arguments = rounded(arguments, dh.unwrap_or(none), r * h);
        let arguments = arguments.span(sums.partial).int(sums.stride).int(at.0).int(at.1);
        self.launch(Module::Norm, "norm_backward", [self.parts(), 1, 1], arguments)
    }
}

fn norm_arguments(arguments: Arguments, norm: Norm) -> Arguments {
    let h = norm.places.len() / 2;
    arguments.span(norm.places.slice(0..h)).span(norm.places.slice(h..2 * h)).float(norm.eps)
}
