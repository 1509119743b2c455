//! The forward and backward pass of a whole model over one micro-batch.

use super::device::Device;
use super::layer::EncoderLayer;
use super::model::Model;
use super::ops::{Loss, Ops, Rows};
use super::workspace::Workspace;
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
            // The last layer writes its result to the other buffer.
            if layer.rows == Rows::First {
                std::mem::swap(&mut d, &mut dx);
            }
        }
        self.embed_backward(ops, workspace, d, accumulate)
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
            rows: if index + 1 == layers { Rows::First } else { Rows::All },
        }
    }
}
