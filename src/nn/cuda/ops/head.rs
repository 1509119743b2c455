//! Pooler, classifier and loss.

use super::activation::pooler_activation_number;
use super::context::{DropoutSite, Ops, Rows};
use crate::batch::Label;
use crate::error::Result;
use crate::nn::architecture::PoolerActivation;
use crate::nn::cuda::device::{Device, DeviceSlice, Module};

/// The loss of a step.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct Loss {
    pub(in crate::nn::cuda) function: LossFunction,
    /// Only for the cross-entropy.
    pub(in crate::nn::cuda) label_smoothing: f32,
    /// As in [`OptimizerConfig`](crate::nn::OptimizerConfig), (outputs), or null.
    pub(in crate::nn::cuda) class_weights: DeviceSlice<f32>,
}

/// The loss of a kind of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::nn::cuda) enum LossFunction {
    /// Of classes.
    CrossEntropy,
    /// Of sets of labels.
    BinaryCrossEntropy,
    /// Of numbers.
    SquaredError,
}

impl LossFunction {
    /// The loss of labels that are all of the same kind.
    pub(in crate::nn::cuda) fn of(labels: &[Label]) -> Self {
        match labels.first() {
            Some(Label::Class(_)) => LossFunction::CrossEntropy,
            Some(Label::Set(_)) => LossFunction::BinaryCrossEntropy,
            Some(Label::Value(_)) | None => LossFunction::SquaredError,
        }
    }
}

impl<D: Device> Ops<'_, D> {
    /// `y` (E, H) = dropout(x), or the gradient of `x` for that of `y`. `y` may be `x`.
    pub(in crate::nn::cuda) fn example_dropout(
        &mut self,
        dropout: DropoutSite,
        width: usize,
        [x, y]: [DeviceSlice<f32>; 2],
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.step_arguments().structure(&dropout.fields()).int(width);
        let arguments = arguments.slice(x.prefix(rows * width)).slice(y.prefix(rows * width));
        self.launch(Module::Head, "example_dropout", [rows, 1, 1], arguments)
    }

    /// `pooled` (E, H) = the mean of `x` (T, H) over the tokens of each example.
    pub(in crate::nn::cuda) fn mean_pool(
        &mut self,
        x: DeviceSlice<f32>,
        h: usize,
        pooled: DeviceSlice<f32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.step_arguments().slice(self.input.offsets).slice(x).int(h);
        self.launch(Module::Head, "mean_pool", [rows, 1, 1], arguments.slice(pooled.prefix(rows * h)))
    }

    /// The backward pass of [`Ops::mean_pool`]: `dx` (T, H) from `d` (E, H).
    pub(in crate::nn::cuda) fn mean_pool_backward(
        &mut self,
        d: DeviceSlice<f32>,
        h: usize,
        dx: DeviceSlice<f32>,
    ) -> Result<()> {
        let rows = self.len(Rows::All);
        let arguments = self.step_arguments().slice(self.input.offsets).slice(self.input.example_ids);
        let arguments = arguments.slice(d.prefix(self.len(Rows::First) * h)).int(h);
        self.launch(Module::Head, "mean_pool_backward", [rows, 1, 1], arguments.slice(dx.prefix(rows * h)))
    }

    /// `out` (E, H) = dropout(f(pooled + bias)); `pooled` becomes f'(pooled + bias).
    pub(in crate::nn::cuda) fn pooler(
        &mut self,
        function: PoolerActivation,
        bias: DeviceSlice<f32>,
        dropout: DropoutSite,
        pooled: DeviceSlice<f32>,
        out: DeviceSlice<f32>,
    ) -> Result<()> {
        let (rows, h) = (self.len(Rows::First), bias.len());
        let arguments = self.step_arguments().int(pooler_activation_number(function)).slice(bias);
        let arguments = arguments.structure(&dropout.fields()).int(h);
        let arguments = arguments.slice(pooled.prefix(rows * h)).slice(out.prefix(rows * h));
        self.launch(Module::Head, "pooler", [rows, 1, 1], arguments)
    }

    /// `d` (E, H), the gradient of the output of [`Ops::pooler`], becomes the gradient of its input.
    pub(in crate::nn::cuda) fn pooler_backward(
        &mut self,
        dropout: DropoutSite,
        derivative: DeviceSlice<f32>,
        h: usize,
        d: DeviceSlice<f32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.step_arguments().structure(&dropout.fields());
        let arguments = arguments.slice(derivative.prefix(rows * h)).int(h).slice(d.prefix(rows * h));
        self.launch(Module::Head, "pooler_backward", [rows, 1, 1], arguments)
    }

    /// Adds the mean loss of `logits` (E, outputs) to the report; `d` (E, outputs) becomes the gradient of the logits.
    pub(in crate::nn::cuda) fn loss(
        &mut self,
        loss: Loss,
        logits: DeviceSlice<f32>,
        outputs: usize,
        d: DeviceSlice<f32>,
        report: DeviceSlice<u32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let (logits, d) = (logits.prefix(rows * outputs), d.prefix(rows * outputs));
        let arguments = self.step_arguments().slice(self.input.labels);
        let Loss { function, label_smoothing, class_weights } = loss;
        let (name, arguments) = match function {
            LossFunction::SquaredError => ("squared_error", arguments.slice(logits).int(rows)),
            LossFunction::CrossEntropy => {
                let arguments = arguments.float(label_smoothing).slice(class_weights);
                ("cross_entropy", arguments.slice(logits).int(rows).int(outputs))
            }
            LossFunction::BinaryCrossEntropy => {
                let arguments = arguments.int(self.input.bucket.label_words).slice(class_weights);
                ("binary_cross_entropy", arguments.slice(logits).int(rows).int(outputs))
            }
        };
        self.launch(Module::Head, name, [1, 1, 1], arguments.slice(d).slice(report))
    }
}
