//! Pooler, classifier and loss.

use super::{Ops, Rows, Site};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Device, Module, Span};

impl<D: Device> Ops<'_, D> {
    /// `x` (E, width) += bias
    pub(in crate::nn::cuda) fn add_bias(&mut self, bias: Span<f32>, x: Span<f32>) -> Result<()> {
        let (rows, width) = (self.len(Rows::First), bias.len());
        let arguments = Arguments::default().span(bias).int(width).span(x.first(rows * width));
        self.launch(Module::Head, "add_bias", [rows, 1, 1], arguments)
    }

    /// `pooled` (E, H) = tanh(pooled + bias) or ReLU; `dropped` is that after dropout.
    pub(in crate::nn::cuda) fn pool(
        &mut self,
        is_tanh: bool,
        bias: Span<f32>,
        site: Site,
        pooled: Span<f32>,
        dropped: Span<f32>,
    ) -> Result<()> {
        let (rows, h) = (self.len(Rows::First), bias.len());
        let arguments = self.start().int(usize::from(is_tanh)).span(bias).words(&site.0).int(h);
        let arguments = arguments.span(pooled.first(rows * h)).span(dropped.first(rows * h));
        self.launch(Module::Head, "pool", [rows, 1, 1], arguments)
    }

    /// `d` (E, H), of what was dropped, becomes that of the pooler's product.
    pub(in crate::nn::cuda) fn pool_backward(
        &mut self,
        is_tanh: bool,
        site: Site,
        pooled: Span<f32>,
        h: usize,
        d: Span<f32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.start().int(usize::from(is_tanh)).words(&site.0);
        let arguments = arguments.span(pooled.first(rows * h)).int(h).span(d.first(rows * h));
        self.launch(Module::Head, "pool_backward", [rows, 1, 1], arguments)
    }

    /// Adds the loss of `logits` (E, outputs) to the report, squared errors of one output and cross-entropies of
    /// several; `d` takes their gradient.
    pub(in crate::nn::cuda) fn loss(
        &mut self,
        smoothing: f32,
        logits: Span<f32>,
        outputs: usize,
        d: Span<f32>,
        report: Span<u32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let (logits, d) = (logits.first(rows * outputs), d.first(rows * outputs));
        let arguments = self.start().span(self.input.labels);
        if outputs == 1 {
            let arguments = arguments.span(logits).int(rows).span(d).span(report);
            return self.launch(Module::Head, "squared_error", [1, 1, 1], arguments);
        }
        let arguments = arguments.float(smoothing).span(logits).int(rows).int(outputs).span(d).span(report);
        self.launch(Module::Head, "cross_entropy", [1, 1, 1], arguments)
    }
}
