//! Bias and activation function, column sums, gradients of the embeddings, gather and scatter of first tokens.

use super::activation::activation_number;
use super::context::{DropoutSite, Ops, Rows, THREADS, mixed_arguments};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Device, DeviceSlice, Module};
use crate::nn::cuda::input::Input;
use crate::nn::cuda::tensor::{MixedTensor, PartialSums};
use kernels::activation::Activation;

/// cos and sin of the angles of rotary positions: (positions, head size / 2) each.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct RotaryAngles {
    pub(in crate::nn::cuda) cosines: DeviceSlice<f32>,
    pub(in crate::nn::cuda) sines: DeviceSlice<f32>,
    pub(in crate::nn::cuda) head_size: usize,
}

impl<D: Device> Ops<'_, D> {
    /// `out` (R, I) = f(x + bias); `x` (R, I) becomes f'(x + bias).
    pub(in crate::nn::cuda) fn activation(
        &mut self,
        rows: Rows,
        function: Activation,
        bias: DeviceSlice<f32>,
        x: DeviceSlice<f32>,
        out: MixedTensor,
    ) -> Result<()> {
        let (r, width) = (self.len(rows), bias.len());
        let arguments = Arguments::default().slice(self.count(rows)).int(activation_number(function));
        let arguments = arguments.slice(bias).int(width);
        let arguments = mixed_arguments(arguments.slice(x.prefix(r * width)), out, r * width);
        self.launch(Module::Columns, "bias_activation", [r, width.div_ceil(THREADS), 1], arguments)
    }

    /// `out` (R, I) = dropout(f(a) ⊙ g) for the halves a and g of `x` + bias, (R, 2 I); `x` becomes the derivatives of
    /// both.
    pub(in crate::nn::cuda) fn gated_activation(
        &mut self,
        rows: Rows,
        function: Activation,
        (bias, dropout): (DeviceSlice<f32>, DropoutSite),
        x: DeviceSlice<f32>,
        out: MixedTensor,
    ) -> Result<()> {
        let (r, width) = (self.len(rows), bias.len() / 2);
        let arguments = self.step_arguments().slice(self.count(rows)).slice(self.row_tokens(rows));
        let arguments = arguments.int(activation_number(function)).slice(bias).structure(&dropout.fields());
        let arguments = arguments.int(width).slice(x.prefix(2 * r * width));
        let arguments = mixed_arguments(arguments, out, r * width);
        self.launch(Module::Columns, "gated_activation", [r, width.div_ceil(THREADS), 1], arguments)
    }

    /// The backward pass of [`Ops::gated_activation`]: `dx` (R, 2 I) from `d` (R, I) and the derivatives.
    pub(in crate::nn::cuda) fn gated_activation_backward(
        &mut self,
        rows: Rows,
        width: usize,
        derivatives: DeviceSlice<f32>,
        [d, dx]: [DeviceSlice<f32>; 2],
    ) -> Result<()> {
        let r = self.len(rows);
        let arguments = Arguments::default().slice(derivatives.prefix(2 * r * width)).int(width);
        let arguments = arguments.slice(d.prefix(r * width)).slice(dx.prefix(2 * r * width));
        let grid = [r, width.div_ceil(THREADS), 1];
        self.launch(Module::Columns, "gated_activation_backward", grid, arguments)
    }

    /// Adds `bias`, unless null, to `x` (T, width), then rotates the first `rotated` columns, the heads of queries and keys,
    /// by the angles of the tokens' positions, or back if `is_inverse` is set, as the gradient is.
    pub(in crate::nn::cuda) fn rotate(
        &mut self,
        angles: RotaryAngles,
        bias: DeviceSlice<f32>,
        (x, width, rotated): (DeviceSlice<f32>, usize, usize),
        is_inverse: bool,
    ) -> Result<()> {
        let t = self.len(Rows::All);
        let RotaryAngles { cosines, sines, head_size } = angles;
        let arguments = Arguments::default().slice(self.count(Rows::All)).slice(self.input.positions);
        let arguments = arguments.slice(cosines).slice(sines).slice(bias);
        let arguments = arguments.int(head_size).int(rotated).int(width);
        let arguments = arguments.float(if is_inverse { -1.0 } else { 1.0 }).slice(x.prefix(t * width));
        self.launch(Module::Columns, "rotate", [t, 1, 1], arguments)
    }

    /// `sum` += `x` (R, width): on the rows of the same tokens, of which `sum` has those of `sum_rows`.
    pub(in crate::nn::cuda) fn add_rows(
        &mut self,
        rows: Rows,
        (x, width): (DeviceSlice<f32>, usize),
        (sum, sum_rows): (DeviceSlice<f32>, Rows),
    ) -> Result<()> {
        let r = self.len(rows);
        let tokens = if rows == sum_rows { DeviceSlice::NULL } else { self.row_tokens(rows) };
        let arguments = Arguments::default().slice(self.count(rows)).slice(tokens);
        let arguments = arguments.slice(x.prefix(r * width)).int(width);
        let arguments = arguments.slice(sum.prefix(self.len(sum_rows) * width));
        self.launch(Module::Columns, "add_rows", [r, 1, 1], arguments)
    }

    /// `x` (R, width) += bias
    pub(in crate::nn::cuda) fn add_bias(
        &mut self,
        rows: Rows,
        bias: DeviceSlice<f32>,
        x: MixedTensor,
    ) -> Result<()> {
        let (r, width) = (self.len(rows), bias.len());
        let arguments = Arguments::default().slice(self.count(rows)).slice(bias).int(width);
        let arguments = mixed_arguments(arguments, x, r * width);
        self.launch(Module::Columns, "add_bias", [r, width.div_ceil(THREADS), 1], arguments)
    }

    /// `x` (R, width) is multiplied in place by `act_grad`, if given, and copied to bf16. The sums of its columns go
    /// to the partial sums from `column` on.
    pub(in crate::nn::cuda) fn column_sums(
        &mut self,
        rows: Rows,
        width: usize,
        act_grad: Option<DeviceSlice<f32>>,
        x: MixedTensor,
        (partial, column): (PartialSums, usize),
    ) -> Result<()> {
        let r = self.len(rows);
        let act_grad = act_grad.map_or(DeviceSlice::NULL, |act_grad| act_grad.prefix(r * width));
        let arguments = Arguments::default().slice(self.count(rows)).slice(act_grad).int(r).int(width);
        let arguments = mixed_arguments(arguments, x, r * width);
        let arguments = arguments.slice(partial.sums).int(partial.stride).int(column);
        let grid = [self.partial_rows(), width.div_ceil(THREADS), 1];
        self.launch(Module::Columns, "column_sums", grid, arguments)
    }

    /// Column sums of `d` (T, H) over the tokens of each segment, to the partial sums from `column` on.
    pub(in crate::nn::cuda) fn segment_sums(
        &mut self,
        d: DeviceSlice<f32>,
        (h, segments): (usize, usize),
        (partial, column): (PartialSums, usize),
    ) -> Result<()> {
        let arguments = self.step_arguments().slice(self.input.type_ids).slice(d).int(h);
        let arguments = arguments.slice(partial.sums).int(partial.stride).int(column);
        let grid = [self.partial_rows(), h.div_ceil(THREADS), segments];
        self.launch(Module::Columns, "segment_sums", grid, arguments)
    }

    /// `gradient` = the sum over the rows of the partial sums, from `column` on; `+=` if `accumulate` is set. A kernel
    /// has written [`Ops::partial_rows`] rows.
    pub(in crate::nn::cuda) fn reduce_partial_sums(
        &mut self,
        (partial, column): (PartialSums, usize),
        gradient: DeviceSlice<f32>,
        accumulate: bool,
    ) -> Result<()> {
        self.reduce_rows((partial, self.partial_rows(), column), gradient, accumulate)
    }

    /// As [`Ops::reduce_partial_sums`], for that many rows.
    pub(in crate::nn::cuda) fn reduce_rows(
        &mut self,
        (partial, rows, column): (PartialSums, usize, usize),
        gradient: DeviceSlice<f32>,
        accumulate: bool,
    ) -> Result<()> {
        let width = gradient.len();
        assert!(
            column + width <= partial.stride && rows * partial.stride <= partial.sums.len(),
            "the buffer of partial sums is too small"
        );
        let arguments = Arguments::default().slice(partial.sums).int(rows).int(partial.stride);
        let arguments = arguments.int(column).int(width).int(usize::from(accumulate)).slice(gradient);
        self.launch(Module::Columns, "reduce_partial_sums", [width.div_ceil(32), 1, 1], arguments)
    }

    /// `out` (E, H) = the rows of `x` (T, H) of each example's first token.
    pub(in crate::nn::cuda) fn gather_first_rows(
        &mut self,
        x: DeviceSlice<f32>,
        h: usize,
        out: MixedTensor,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.step_arguments().slice(self.input.offsets).slice(x).int(h);
        let arguments = mixed_arguments(arguments, out, rows * h);
        self.launch(Module::Columns, "gather_first_rows", [rows, 1, 1], arguments)
    }

    /// The gradient of [`Ops::gather_first_rows`]: `dx` (T, H) has the rows of `d` (E, H) at first tokens, and zeros
    /// elsewhere.
    pub(in crate::nn::cuda) fn scatter_first_rows(
        &mut self,
        d: DeviceSlice<f32>,
        h: usize,
        dx: DeviceSlice<f32>,
    ) -> Result<()> {
        let rows = self.len(Rows::All);
        let arguments = self.step_arguments().slice(self.input.offsets).slice(self.input.example_ids);
        let arguments =
            arguments.slice(d.prefix(self.len(Rows::First) * h)).int(h).slice(dx.prefix(rows * h));
        self.launch(Module::Columns, "scatter_first_rows", [rows, 1, 1], arguments)
    }

    /// The sparse gradient of the embeddings of words and positions: writes the rows of `gradient` (rows, width) that the
    /// input uses, from `d` (T, width), or adds to them if `stamps` marks them as written in this step. Marks them.
    pub(in crate::nn::cuda) fn embedding_rows_backward(
        &mut self,
        d: DeviceSlice<f32>,
        width: usize,
        stamps: DeviceSlice<u32>,
        gradient: DeviceSlice<f32>,
    ) -> Result<()> {
        let Input { embedding_rows, row_starts, tokens_by_row, .. } = self.input;
        let arguments = self.step_arguments().slice(embedding_rows).slice(row_starts).slice(tokens_by_row);
        let arguments = arguments.slice(d).int(width).slice(stamps).slice(gradient);
        let grid = [embedding_rows.len(), 1, 1];
        self.launch(Module::Columns, "embedding_rows_backward", grid, arguments)
    }
}
