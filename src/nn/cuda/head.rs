//! Pooler, classifier and loss, forward and backward. Shapes as in [`super::workspace`].

use super::device::{Device, DeviceSlice, GemmOperand};
use super::model::Model;
use super::ops::{DropoutSite, Loss, Ops, Rows};
use super::tensor::MixedTensor;
use super::workspace::Workspace;
use crate::error::Result;
use crate::nn::architecture;
use kernels::dropout;

impl Model<'_> {
    /// Computes `workspace.logits` (E, classes) = dropout(f(dropout(x) Wpᵀ + bp)) Wcᵀ + bc for the output x of the last
    /// layer, where f is the activation function of the pooler.
    pub(super) fn head<D: Device>(&self, ops: &mut Ops<'_, D>, workspace: &Workspace) -> Result<()> {
        let (config, layout, h) = (self.config, self.layout, self.config.hidden);
        let examples = ops.len(Rows::First);
        let (dropout, x) = (self.pooler_dropout(), self.pooler_input(workspace));
        if dropout.is_enabled() {
            ops.example_dropout(dropout, h, [workspace.hidden_state(config.layers, config.layers).f32, x])?;
        }
        let x = GemmOperand::F32(x.prefix(examples * h));
        ops.linear(workspace.pooled, x, self.f32_matrix(&layout.pooler), h)?;
        let bias = self.weight(&layout.pooler_bias);
        let (function, dropout) = (config.pooler_activation, self.classifier_dropout());
        ops.pooler(function, bias, dropout, workspace.pooled, workspace.pooled_dropout)?;
        let pooled = GemmOperand::F32(workspace.pooled_dropout.prefix(examples * h));
        ops.linear(workspace.logits, pooled, self.f32_matrix(&layout.classifier), h)?;
        let logits = MixedTensor::f32_only(workspace.logits);
        ops.add_bias(Rows::First, self.weight(&layout.classifier_bias), logits)
    }

    /// The loss, and the backward pass of classifier and pooler. Writes the gradient of the last layer's output,
    /// (E, H), to the first buffer of `workspace.grad_ping_pong`.
    pub(super) fn head_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        loss: Loss,
        accumulate: bool,
    ) -> Result<()> {
        let (layout, h, classes) = (self.layout, self.config.hidden, self.layout.classes());
        let examples = ops.len(Rows::First);
        let sums = self.partial_sums(workspace);
        let Workspace { logits, dlogits, pooled_dropout, dpooled, pooled, .. } = *workspace;
        ops.loss(loss, logits, classes, dlogits, self.report)?;
        ops.column_sums(Rows::First, classes, None, MixedTensor::f32_only(dlogits), (sums, 0))?;
        ops.reduce_partial_sums((sums, 0), self.gradient(&layout.classifier_bias), accumulate)?;
        let d = GemmOperand::F32(dlogits.prefix(examples * classes));
        let x = GemmOperand::F32(pooled_dropout.prefix(examples * h));
        ops.linear_weight_grad(self.gradient(&layout.classifier), d, x, examples, accumulate)?;
        ops.linear_input_grad(dpooled, d, self.f32_matrix(&layout.classifier), h, false)?;
        ops.pooler_backward(self.classifier_dropout(), pooled, h, dpooled)?;
        ops.column_sums(Rows::First, h, None, MixedTensor::f32_only(dpooled), (sums, 0))?;
        ops.reduce_partial_sums((sums, 0), self.gradient(&layout.pooler_bias), accumulate)?;
        let x = GemmOperand::F32(self.pooler_input(workspace).prefix(examples * h));
        let d = GemmOperand::F32(dpooled.prefix(examples * h));
        ops.linear_weight_grad(self.gradient(&layout.pooler), d, x, examples, accumulate)?;
        let d_x = workspace.grad_ping_pong[0];
        ops.linear_input_grad(d_x, d, self.f32_matrix(&layout.pooler), h, false)?;
        let dropout = self.pooler_dropout();
        if dropout.is_enabled() { ops.example_dropout(dropout, h, [d_x; 2]) } else { Ok(()) }
    }

    /// The output of the last layer after dropout: (E, H)
    fn pooler_input(&self, workspace: &Workspace) -> DeviceSlice<f32> {
        let layers = self.config.layers;
        if self.pooler_dropout().is_enabled() {
            workspace.pooler_input
        } else {
            workspace.hidden_state(layers, layers).f32
        }
    }

    fn pooler_dropout(&self) -> DropoutSite {
        self.dropout(dropout::pooler(self.config.layers), architecture::DropoutSite::Pooler)
    }

    fn classifier_dropout(&self) -> DropoutSite {
        let site = architecture::DropoutSite::Classifier;
        self.dropout(dropout::classifier(self.config.layers), site)
    }
}
