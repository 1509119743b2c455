//! The forward and backward pass of a whole model over one micro-batch.

use super::device::{Device, DeviceSlice, GemmOperand};
use super::layer::EncoderLayer;
use super::model::Model;
use super::ops::{DropoutSite, LayerNorm, Loss, NormColumns, Ops, Rows};
use super::tensor::MixedTensor;
use super::workspace::Workspace;
use crate::error::Result;
use crate::nn::architecture::{self, PoolerActivation};
use kernels::dropout;
use std::ops::Range;

impl<'a> Model<'a> {
    /// Computes the logits of the input, (E, classes), in `workspace.logits`.
    pub(super) fn forward<D: Device>(&self, ops: &mut Ops<'_, D>, workspace: &Workspace) -> Result<()> {
        let (layout, layers, h) = (self.layout, self.config.layers, self.config.hidden);
        let segments = layout.segments.as_ref().map_or(DeviceSlice::NULL, |range| self.weight(range));
        let tables = [self.weight(&layout.words), self.weight(&layout.positions), segments];
        let (norm, dropout) = (self.embedding_norm(), self.embedding_dropout());
        ops.embeddings(tables, norm, dropout, workspace.embedding_norm, workspace.hidden_state(0, layers))?;
        for index in 0..layers {
            let (x, out) = (workspace.hidden_state(index, layers), workspace.hidden_state(index + 1, layers));
            self.layer(index, workspace).forward(ops, workspace, [x, out])?;
        }
        let examples = ops.len(Rows::First);
        let output = GemmOperand::F32(workspace.hidden_state(layers, layers).f32.prefix(examples * h));
        ops.linear(workspace.pooled, output, self.head_matrix(&layout.pooler), h)?;
        let bias = self.weight(&layout.pooler_bias);
        let dropout = self.classifier_dropout();
        ops.pooler(self.is_tanh(), bias, dropout, workspace.pooled, workspace.pooled_dropout)?;
        let pooled = GemmOperand::F32(workspace.pooled_dropout.prefix(examples * h));
        ops.linear(workspace.logits, pooled, self.head_matrix(&layout.classifier), h)?;
        ops.add_bias(self.weight(&layout.classifier_bias), workspace.logits)
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
        for index in (0..layers).rev() {
            let layer = self.layer(index, workspace);
            let x = workspace.hidden_state(index, layers);
            layer.backward(ops, x, workspace, [d, dx], accumulate)?;
            // The last layer writes its result to the other buffer.
            if layer.rows == Rows::First {
                std::mem::swap(&mut d, &mut dx);
            }
        }
        self.embeddings_backward(ops, workspace, d, accumulate)
    }

    /// The loss, and the backward pass of classifier and pooler. Writes the gradient of the last layer's output,
    /// (E, H), to the first buffer of `workspace.grad_ping_pong`.
    fn head_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        loss: Loss,
        accumulate: bool,
    ) -> Result<()> {
        let (layout, layers, h, classes) =
            (self.layout, self.config.layers, self.config.hidden, self.layout.classes());
        let examples = ops.len(Rows::First);
        let sums = self.partial_sums(workspace);
        let Workspace { logits, dlogits, pooled_dropout, dpooled, pooled, .. } = *workspace;
        ops.loss(loss, logits, classes, dlogits, self.report)?;
        ops.column_sums(Rows::First, classes, None, MixedTensor::f32_only(dlogits), (sums, 0))?;
        ops.reduce_partial_sums((sums, 0), self.gradient(&layout.classifier_bias), accumulate)?;
        let d = GemmOperand::F32(dlogits.prefix(examples * classes));
        let x = GemmOperand::F32(pooled_dropout.prefix(examples * h));
        ops.linear_weight_grad(self.gradient(&layout.classifier), d, x, examples, accumulate)?;
        ops.linear_input_grad(dpooled, d, self.head_matrix(&layout.classifier), h, false)?;
        ops.pooler_backward(self.is_tanh(), self.classifier_dropout(), pooled, h, dpooled)?;
        ops.column_sums(Rows::First, h, None, MixedTensor::f32_only(dpooled), (sums, 0))?;
        ops.reduce_partial_sums((sums, 0), self.gradient(&layout.pooler_bias), accumulate)?;
        let x = GemmOperand::F32(workspace.hidden_state(layers, layers).f32.prefix(examples * h));
        let d = GemmOperand::F32(dpooled.prefix(examples * h));
        ops.linear_weight_grad(self.gradient(&layout.pooler), d, x, examples, accumulate)?;
        ops.linear_input_grad(workspace.grad_ping_pong[0], d, self.head_matrix(&layout.pooler), h, false)
    }

    /// The gradients of the embeddings, from the gradient `d` of the first layer's input, (T, H).
    fn embeddings_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        d: DeviceSlice<f32>,
        accumulate: bool,
    ) -> Result<()> {
        let (layout, h) = (self.layout, self.config.hidden);
        let sums = self.partial_sums(workspace);
        let weight = self.weight(&layout.embedding_norm).prefix(h);
        let dropout = [self.embedding_dropout(), DropoutSite::DISABLED];
        let saved = (workspace.embedding_norm, weight);
        let columns = NormColumns { norm: 0, bias: 0 };
        ops.layer_norm_backward(Rows::All, dropout, saved, d, MixedTensor::NULL, (sums, columns))?;
        ops.reduce_partial_sums((sums, 0), self.gradient(&layout.embedding_norm), accumulate)?;
        ops.word_embedding_backward(d, h, self.stamps, self.gradient(&layout.words))?;
        ops.position_embedding_backward(d, h, self.gradient(&layout.positions), accumulate)?;
        if let Some(segments) = &layout.segments {
            ops.segment_sums(d, (h, segments.len() / h), (sums, 2 * h))?;
            ops.reduce_partial_sums((sums, 2 * h), self.gradient(segments), accumulate)?;
        }
        Ok(())
    }

    fn layer<'b>(&self, index: usize, workspace: &'b Workspace) -> EncoderLayer<'b>
    where
        'a: 'b,
    {
        let layers = self.config.layers;
        EncoderLayer {
            model: *self,
            index,
            layout: &self.layout.layers[index],
            tape: workspace.tape(index, layers),
            rows: if index + 1 == layers { Rows::First } else { Rows::All },
        }
    }

    fn embedding_norm(&self) -> LayerNorm {
        LayerNorm {
            weight_and_bias: self.weight(&self.layout.embedding_norm),
            eps: self.config.layer_norm_eps as f32,
        }
    }

    fn embedding_dropout(&self) -> DropoutSite {
        self.dropout(dropout::EMBEDDINGS, architecture::DropoutSite::Embeddings)
    }

    fn classifier_dropout(&self) -> DropoutSite {
        let site = architecture::DropoutSite::Classifier;
        self.dropout(dropout::classifier(self.config.layers), site)
    }

    /// Whether the pooler's activation is tanh; otherwise it is ReLU.
    fn is_tanh(&self) -> bool {
        self.config.pooler_activation == PoolerActivation::Tanh
    }

    /// A matrix of the head, whose GEMMs always read f32.
    fn head_matrix(&self, range: &Range<usize>) -> GemmOperand {
        GemmOperand::F32(self.weight(range))
    }
}
