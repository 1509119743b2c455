//! The forward and backward pass of a whole model over one micro-batch.

use super::device::Device;
use super::device::DeviceSlice;
use super::layer::EncoderLayer;
use super::layout::WeightBias;
use super::model::Model;
use super::ops::{DropoutSite, Loss, NormColumns, Ops, Rows};
use super::tensor::{MixedTensor, PartialSums, SavedNorm};
use super::workspace::{Workspace, last_rows};
use crate::error::Result;

impl<'a> Model<'a> {
    /// Computes the logits of the input, (E, classes), in `workspace.logits`.
    pub(super) fn forward<D: Device>(&self, ops: &mut Ops<'_, D>, workspace: &Workspace) -> Result<()> {
        let layers = self.config.layers;
        self.embed(ops, workspace)?;
        for index in 0..layers {
            let (x, out) = (workspace.hidden_state(index, layers), workspace.hidden_state(index + 1, layers));
            self.layer(index, workspace).forward(ops, workspace, [x, out])?;
        }
        self.head(ops, workspace)
    }

    /// Adds the loss to the report and computes the gradients of all weights, which are added to the arena's values
    /// if `accumulate` is set. [`Model::forward`] must have run in training on the same input and workspace.
    pub(super) fn backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        loss: Loss,
        accumulate: bool,
    ) -> Result<()> {
        let [mut d, mut dx] = workspace.grad_ping_pong;
        self.head_backward(ops, workspace, loss, accumulate)?;
        let layers = self.config.layers;
        // Whether there is a gradient of a parameter set already, which other layers of the set add to.
        let mut has_gradient = vec![accumulate; self.config.sharing.parameter_sets()];
        for index in (0..layers).rev() {
            let layer = self.layer(index, workspace);
            let x = workspace.hidden_state(index, layers);
            let accumulate = &mut has_gradient[self.config.sharing.parameter_set(index)];
            layer.backward(ops, x, workspace, [d, dx], *accumulate)?;
            *accumulate = true;
            if layer.gradient_is_in_dx() {
                std::mem::swap(&mut d, &mut dx);
            }
        }
        self.embed_backward(ops, workspace, d, accumulate)
    }

    /// The backward pass of a LayerNorm outside of the layers, with dropout of its output: `d` becomes the gradient of its
    /// input. Computes the gradients of its parameters.
    pub(super) fn norm_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        (rows, dropout): (Rows, DropoutSite),
        (saved, params): (SavedNorm, &WeightBias),
        d: DeviceSlice<f32>,
        (sums, accumulate): (PartialSums, bool),
    ) -> Result<()> {
        let width = params.weight.len();
        let saved = (saved, self.weight(&params.weight));
        let columns = NormColumns { weight: 0, bias: width, linear_bias: 0 };
        let dropout = [dropout, DropoutSite::DISABLED];
        ops.layer_norm_backward(rows, dropout, saved, d, MixedTensor::NULL, (sums, columns))?;
        ops.reduce_partial_sums((sums, 0), self.gradient(&params.weight), accumulate)?;
        if params.bias.is_empty() {
            return Ok(());
        }
        ops.reduce_partial_sums((sums, width), self.gradient(&params.bias), accumulate)
    }

    fn layer<'b>(&self, index: usize, workspace: &'b Workspace) -> EncoderLayer<'b>
    where
        'a: 'b,
    {
        let layers = self.config.layers;
        EncoderLayer {
            model: *self,
            index,
            layout: &self.layout.layers[self.config.sharing.parameter_set(index)],
            tape: workspace.tape(index, layers),
            rows: if index + 1 == layers { last_rows(self.config) } else { Rows::All },
        }
    }
}
