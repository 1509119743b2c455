//! Embeddings and LayerNorm, fused with dropout and residual connection.

use super::context::{DropoutSite, Ops, Rows, THREADS, mixed_arguments};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Device, DeviceSlice, Module};
use crate::nn::cuda::input::Input;
use crate::nn::cuda::tensor::{MixedTensor, PartialSums, SavedNorm};

/// Largest hidden size that the kernels support.
pub(in crate::nn::cuda) const MAX_HIDDEN: usize = 2048;

/// Parameters of a LayerNorm.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct LayerNorm {
    /// (H)
    pub(in crate::nn::cuda) weight: DeviceSlice<f32>,
    /// (H)
    pub(in crate::nn::cuda) bias: DeviceSlice<f32>,
    pub(in crate::nn::cuda) eps: f32,
}

/// What is added to the output of a linear layer before a LayerNorm.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct Residual {
    /// Bias of the linear layer: (H)
    pub(in crate::nn::cuda) bias: DeviceSlice<f32>,
    /// Dropout of the linear layer's output.
    pub(in crate::nn::cuda) dropout: DropoutSite,
    /// The residual connection: (R, H)
    pub(in crate::nn::cuda) x: DeviceSlice<f32>,
}

/// Columns of the partial sums that [`Ops::layer_norm_backward`] writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct NormColumns {
    /// First of the H columns of the norm's weight.
    pub(in crate::nn::cuda) weight: usize,
    /// The same of the norm's bias.
    pub(in crate::nn::cuda) bias: usize,
    /// The same of the linear layer's bias.
    pub(in crate::nn::cuda) linear_bias: usize,
}

impl<D: Device> Ops<'_, D> {
    /// `y` (T, H) = dropout(LayerNorm(word + position + segment)). The tables are those of words, positions and
    /// segments; the last two may be null.
    pub(in crate::nn::cuda) fn embeddings(
        &mut self,
        [words, position_table, segments]: [DeviceSlice<f32>; 3],
        norm: LayerNorm,
        dropout: DropoutSite,
        saved: SavedNorm,
        y: MixedTensor,
    ) -> Result<()> {
        let (rows, h) = (self.len(Rows::All), norm.weight.len());
        let Input { ids, positions, type_ids, .. } = self.input;
        let arguments = self.step_arguments().slice(ids).slice(positions).slice(type_ids);
        let arguments = arguments.slice(words).slice(position_table).slice(segments);
        let arguments = norm_arguments(arguments, norm).int(h).structure(&dropout.fields());
        let arguments = arguments.slice(saved.x_hat.prefix(rows * h)).slice(saved.rstd.prefix(rows));
        let arguments = mixed_arguments(arguments, y, rows * h);
        self.launch(Module::Norm, "embeddings_forward", [rows, 1, 1], arguments)
    }

    /// `y` (R, H) = LayerNorm(dropout(h + bias) + residual). The input h, (R, H), is in `saved.x_hat`, which becomes
    /// x̂.
    pub(in crate::nn::cuda) fn add_layer_norm(
        &mut self,
        rows: Rows,
        residual: Residual,
        norm: LayerNorm,
        saved: SavedNorm,
        y: MixedTensor,
    ) -> Result<()> {
        let Residual { bias, dropout, x } = residual;
        let (r, h) = (self.len(rows), bias.len());
        let arguments = self.step_arguments().slice(self.count(rows)).slice(self.row_tokens(rows));
        let arguments = arguments.slice(bias).structure(&dropout.fields()).slice(x.prefix(r * h));
        let arguments = norm_arguments(arguments, norm).int(h);
        let arguments = arguments.slice(saved.x_hat.prefix(r * h)).slice(saved.rstd.prefix(r));
        self.launch(Module::Norm, "add_layer_norm", [r, 1, 1], mixed_arguments(arguments, y, r * h))
    }

    /// `y` (R, H) = LayerNorm(x)
    pub(in crate::nn::cuda) fn layer_norm(
        &mut self,
        rows: Rows,
        x: DeviceSlice<f32>,
        norm: LayerNorm,
        saved: SavedNorm,
        y: MixedTensor,
    ) -> Result<()> {
        let (r, h) = (self.len(rows), norm.weight.len());
        let arguments = self.step_arguments().slice(self.count(rows)).slice(x.prefix(r * h));
        let arguments = norm_arguments(arguments, norm).int(h);
        let arguments = arguments.slice(saved.x_hat.prefix(r * h)).slice(saved.rstd.prefix(r));
        self.launch(Module::Norm, "layer_norm", [r, 1, 1], mixed_arguments(arguments, y, r * h))
    }

    /// `y` (R, H) = dropout(h + bias) + residual, which `y` may be.
    pub(in crate::nn::cuda) fn add_residual(
        &mut self,
        rows: Rows,
        residual: Residual,
        h: DeviceSlice<f32>,
        y: MixedTensor,
    ) -> Result<()> {
        let Residual { bias, dropout, x } = residual;
        let (r, width) = (self.len(rows), bias.len());
        let arguments = self.step_arguments().slice(self.count(rows)).slice(self.row_tokens(rows));
        let arguments = arguments.slice(bias).structure(&dropout.fields()).slice(x.prefix(r * width));
        let arguments = mixed_arguments(arguments.int(width).slice(h.prefix(r * width)), y, r * width);
        self.launch(Module::Norm, "add_residual", [r, width.div_ceil(THREADS), 1], arguments)
    }

    /// The backward pass of [`Ops::add_residual`]: `dh` (R, H) = dropout(d). The gradient of the bias goes to the partial
    /// sums from `column` on.
    pub(in crate::nn::cuda) fn residual_backward(
        &mut self,
        rows: Rows,
        dropout: DropoutSite,
        (d, width): (DeviceSlice<f32>, usize),
        dh: MixedTensor,
        (partial, column): (PartialSums, usize),
    ) -> Result<()> {
        let r = self.len(rows);
        let arguments = self.step_arguments().slice(self.count(rows)).slice(self.row_tokens(rows));
        let arguments = arguments.structure(&dropout.fields()).int(r).int(width).slice(d.prefix(r * width));
        let arguments = mixed_arguments(arguments, dh, r * width);
        let arguments = arguments.slice(partial.sums).int(partial.stride).int(column);
        let grid = [self.partial_rows(), width.div_ceil(THREADS), 1];
        self.launch(Module::Norm, "residual_backward", grid, arguments)
    }

    /// The backward pass of a LayerNorm with dropout of its output (`after_norm`) and of the linear layer's output in
    /// its input (`before_norm`).
    ///
    /// `d` (R, H), the gradient of the output, becomes the gradient of the norm's input; `dh` (R, H), unless null,
    /// becomes the gradient of the linear layer's output. The gradients of the norm's weight and bias and of the
    /// linear layer's bias go to `columns` of the partial sums.
    pub(in crate::nn::cuda) fn layer_norm_backward(
        &mut self,
        rows: Rows,
        [after_norm, before_norm]: [DropoutSite; 2],
        (saved, weight): (SavedNorm, DeviceSlice<f32>),
        d: DeviceSlice<f32>,
        dh: MixedTensor,
        (partial, columns): (PartialSums, NormColumns),
    ) -> Result<()> {
        let (r, h) = (self.len(rows), weight.len());
        let arguments = self.step_arguments().slice(self.count(rows)).slice(self.row_tokens(rows));
        let arguments = arguments.structure(&after_norm.fields()).structure(&before_norm.fields());
        let arguments = arguments.slice(saved.x_hat.prefix(r * h)).slice(saved.rstd.prefix(r));
        let arguments = arguments.slice(weight).int(r).int(h).slice(d.prefix(r * h));
        let arguments = mixed_arguments(arguments, dh, r * h);
        let arguments = arguments.slice(partial.sums).int(partial.stride);
        let arguments = arguments.int(columns.weight).int(columns.bias).int(columns.linear_bias);
        self.launch(Module::Norm, "layer_norm_backward", [self.partial_rows(), 1, 1], arguments)
    }
}

/// Adds weight, bias and eps.
fn norm_arguments(arguments: Arguments, norm: LayerNorm) -> Arguments {
    arguments.slice(norm.weight).slice(norm.bias).float(norm.eps)
}
