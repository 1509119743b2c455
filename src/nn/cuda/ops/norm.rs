//! Embeddings and LayerNorm, fused with dropout and residual connection.

use super::context::{DropoutSite, Ops, Rows, mixed_arguments};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Device, DeviceSlice, Module};
use crate::nn::cuda::input::Input;
use crate::nn::cuda::tensor::{MixedTensor, PartialSums, SavedNorm};

/// Largest hidden size that the kernels support.
pub(in crate::nn::cuda) const MAX_HIDDEN: usize = 2048;

/// Parameters of a LayerNorm.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct LayerNorm {
    /// (2 H)
    pub(in crate::nn::cuda) weight_and_bias: DeviceSlice<f32>,
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
    /// First of the 2 H columns of the norm's weight and bias.
    pub(in crate::nn::cuda) norm: usize,
    /// First of the H columns of the linear layer's bias.
    pub(in crate::nn::cuda) bias: usize,
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
        let (rows, h) = (self.len(Rows::All), norm.weight_and_bias.len() / 2);
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
        let arguments = arguments.int(columns.norm).int(columns.bias);
        self.launch(Module::Norm, "layer_norm_backward", [self.partial_rows(), 1, 1], arguments)
    }
}

/// Adds weight, bias and eps.
fn norm_arguments(arguments: Arguments, norm: LayerNorm) -> Arguments {
    let h = norm.weight_and_bias.len() / 2;
    let (weight, bias) = (norm.weight_and_bias.slice(0..h), norm.weight_and_bias.slice(h..2 * h));
    arguments.slice(weight).slice(bias).float(norm.eps)
}
