//! Pooler, classifier and loss.

use super::context::{DropoutSite, Ops, Rows};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Device, DeviceSlice, Module};

impl<D: Device> Ops<'_, D> {
    /// `x` (E, width) += bias
    pub(in crate::nn::cuda) fn add_bias(
        &mut self,
        bias: DeviceSlice<f32>,
        x: DeviceSlice<f32>,
    ) -> Result<()> {
        let (rows, width) = (self.len(Rows::First), bias.len());
        let arguments = Arguments::default().slice(bias).int(width).slice(x.prefix(rows * width));
        self.launch(Module::Head, "add_bias", [rows, 1, 1], arguments)
    }

    /// `pooled` (E, H) = f(pooled + bias), where f is tanh or ReLU; `out` (E, H) = dropout(pooled).
    pub(in crate::nn::cuda) fn pooler(
        &mut self,
        is_tanh: bool,
        bias: DeviceSlice<f32>,
        dropout: DropoutSite,
        pooled: DeviceSlice<f32>,
        out: DeviceSlice<f32>,
    ) -> Result<()> {
        let (rows, h) = (self.len(Rows::First), bias.len());
        let arguments = self.step_arguments().int(usize::from(is_tanh)).slice(bias);
        let arguments = arguments.structure(&dropout.fields()).int(h);
        let arguments = arguments.slice(pooled.prefix(rows * h)).slice(out.prefix(rows * h));
        self.launch(Module::Head, "pooler", [rows, 1, 1], arguments)
    }

    /// `d` (E, H), the gradient of the output of [`Ops::pooler`], becomes the gradient of its input.
    pub(in crate::nn::cuda) fn pooler_backward(
        &mut self,
        is_tanh: bool,
        dropout: DropoutSite,
        pooled: DeviceSlice<f32>,
        h: usize,
        d: DeviceSlice<f32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.step_arguments().int(usize::from(is_tanh)).structure(&dropout.fields());
        let arguments = arguments.slice(pooled.prefix(rows * h)).int(h).slice(d.prefix(rows * h));
        self.launch(Module::Head, "pooler_backward", [rows, 1, 1], arguments)
    }

    /// Adds the mean loss of `logits` (E, outputs) to the report; `d` (E, outputs) becomes the gradient of the logits.
    /// The loss is the squared error if there is one output (label smoothing does not apply), else the cross-entropy.
    pub(in crate::nn::cuda) fn loss(
        &mut self,
        label_smoothing: f32,
        logits: DeviceSlice<f32>,
        outputs: usize,
        d: DeviceSlice<f32>,
        report: DeviceSlice<u32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let (logits, d) = (logits.prefix(rows * outputs), d.prefix(rows * outputs));
        let arguments = self.step_arguments().slice(self.input.labels);
        if outputs == 1 {
            let arguments = arguments.slice(logits).int(rows).slice(d).slice(report);
            return self.launch(Module::Head, "squared_error", [1, 1, 1], arguments);
        }
        let arguments = arguments.float(label_smoothing).slice(logits).int(rows).int(outputs);
        let arguments = arguments.slice(d).slice(report);
        self.launch(Module::Head, "cross_entropy", [1, 1, 1], arguments)
    }
}
