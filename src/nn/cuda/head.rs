//! Pooler, classifier and loss, forward and backward. Shapes as in [`super::workspace`].

use super::device::{Device, DeviceSlice, GemmOperand};
use super::model::Model;
use super::ops::{DropoutSite, Loss, Ops, Rows};
use super::tensor::MixedTensor;
use super::workspace::{Workspace, last_rows};
use crate::error::Result;
use crate::nn::architecture::{self, Pooling};
use kernels::dropout;

impl Model<'_> {
    /// Computes `workspace.logits` (E, classes) = dropout(norm(f(dropout(x) Wpᵀ + bp))) Wcᵀ + bc for the pooled states x of
    /// the last layer's output, where f is the activation function of the pooler, which some models have a LayerNorm
    /// after.
    pub(super) fn head<D: Device>(&self, ops: &mut Ops<'_, D>, workspace: &Workspace) -> Result<()> {
        let (config, layout, h) = (self.config, self.layout, self.config.hidden);
        let examples = ops.len(Rows::First);
        let x = GemmOperand::F32(self.pool(ops, workspace)?.prefix(examples * h));
        ops.linear(workspace.pooled, x, self.f32_matrix(&layout.pooler.weight), h)?;
        let bias = self.bias(&layout.pooler.bias, h);
        let (function, dropout) = (config.pooler_activation, self.classifier_dropout());
        let Workspace { pooled, pooled_dropout, pooler_norm, .. } = *workspace;
        if let Some(params) = &layout.pooler_norm {
            ops.pooler(function, bias, DropoutSite::DISABLED, pooled, pooled_dropout)?;
            let (params, y) = (self.layer_norm(params), MixedTensor::f32_only(pooled_dropout));
            ops.layer_norm(Rows::First, pooled_dropout, params, pooler_norm, y)?;
            if dropout.is_enabled() {
                ops.example_dropout(dropout, h, [pooled_dropout; 2])?;
            }
        } else {
            ops.pooler(function, bias, dropout, pooled, pooled_dropout)?;
        }
        let pooled = GemmOperand::F32(workspace.pooled_dropout.prefix(examples * h));
        ops.linear(workspace.logits, pooled, self.f32_matrix(&layout.classifier.weight), h)?;
        let logits = MixedTensor::f32_only(workspace.logits);
        ops.add_bias(Rows::First, self.weight(&layout.classifier.bias), logits)
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
        ops.reduce_partial_sums((sums, 0), self.gradient(&layout.classifier.bias), accumulate)?;
        let d = GemmOperand::F32(dlogits.prefix(examples * classes));
        let x = GemmOperand::F32(pooled_dropout.prefix(examples * h));
        ops.linear_weight_grad(self.gradient(&layout.classifier.weight), d, x, examples, accumulate)?;
        ops.linear_input_grad(dpooled, d, self.f32_matrix(&layout.classifier.weight), h, false)?;
        let mut dropout = self.classifier_dropout();
        if let Some(params) = &layout.pooler_norm {
            if dropout.is_enabled() {
                ops.example_dropout(std::mem::replace(&mut dropout, DropoutSite::DISABLED), h, [dpooled; 2])?;
            }
            let (rows, saved) = ((Rows::First, DropoutSite::DISABLED), (workspace.pooler_norm, params));
            self.norm_backward(ops, rows, saved, dpooled, (sums, accumulate))?;
        }
        ops.pooler_backward(dropout, pooled, h, dpooled)?;
        if !layout.pooler.bias.is_empty() {
            ops.column_sums(Rows::First, h, None, MixedTensor::f32_only(dpooled), (sums, 0))?;
            ops.reduce_partial_sums((sums, 0), self.gradient(&layout.pooler.bias), accumulate)?;
        }
        let x = GemmOperand::F32(self.pooler_input(workspace).prefix(examples * h));
        let d = GemmOperand::F32(dpooled.prefix(examples * h));
        ops.linear_weight_grad(self.gradient(&layout.pooler.weight), d, x, examples, accumulate)?;
        self.pool_backward(ops, workspace, d, accumulate)
    }

    /// Computes the input of the pooler, (E, H), from the output of the last layer: its final LayerNorm, if the model has
    /// one, the mean of the tokens, unless the layer outputs the first tokens only, and dropout.
    fn pool<D: Device>(&self, ops: &mut Ops<'_, D>, workspace: &Workspace) -> Result<DeviceSlice<f32>> {
        let (config, h) = (self.config, self.config.hidden);
        let mut x = workspace.hidden_state(config.layers, config.layers).f32;
        if let Some(params) = &self.layout.final_norm {
            let y = MixedTensor::f32_only(workspace.normalized);
            ops.layer_norm(last_rows(config), x, self.layer_norm(params), workspace.final_norm, y)?;
            x = workspace.normalized;
        }
        if config.pooling == Pooling::Mean {
            ops.mean_pool(x, h, workspace.pooler_input)?;
            x = workspace.pooler_input;
        }
        let dropout = self.pooler_dropout();
        if dropout.is_enabled() {
            ops.example_dropout(dropout, h, [x, workspace.pooler_input])?;
        }
        Ok(self.pooler_input(workspace))
    }

    /// The backward pass of [`Model::pool`] and of the product after it, whose output has the gradient `d`, (E, H).
    fn pool_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        d: GemmOperand,
        accumulate: bool,
    ) -> Result<()> {
        let (config, h, d_states) = (self.config, self.config.hidden, workspace.grad_ping_pong[0]);
        let has_mean = config.pooling == Pooling::Mean;
        let d_x = if has_mean { workspace.d_pooler_input } else { d_states };
        ops.linear_input_grad(d_x, d, self.f32_matrix(&self.layout.pooler.weight), h, false)?;
        let dropout = self.pooler_dropout();
        if dropout.is_enabled() {
            ops.example_dropout(dropout, h, [d_x; 2])?;
        }
        if has_mean {
            ops.mean_pool_backward(d_x, h, d_states)?;
        }
        let Some(params) = &self.layout.final_norm else { return Ok(()) };
        let (rows, saved) = ((last_rows(config), DropoutSite::DISABLED), (workspace.final_norm, params));
        self.norm_backward(ops, rows, saved, d_states, (self.partial_sums(workspace), accumulate))
    }

    /// Where [`Model::pool`] puts its result: (E, H)
    fn pooler_input(&self, workspace: &Workspace) -> DeviceSlice<f32> {
        let layers = self.config.layers;
        if self.pooler_dropout().is_enabled() || self.config.pooling == Pooling::Mean {
            workspace.pooler_input
        } else if self.layout.final_norm.is_some() {
            workspace.normalized
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
