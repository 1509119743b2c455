//! The embeddings of a model, forward and backward. Shapes as in [`super::workspace`], and W the width of the embeddings.

use super::device::{Device, DeviceSlice, GemmOperand};
use super::model::Model;
use super::ops::{DropoutSite, Ops, Rows};
use super::tensor::MixedTensor;
use super::workspace::Workspace;
use crate::error::Result;
use crate::nn::architecture;
use kernels::dropout;

impl Model<'_> {
    /// Computes the input of the first layer, (T, H) = dropout(LayerNorm(word + position + segment)) Wpᵀ + bp. Without a
    /// projection, W is H and the product is left out.
    pub(super) fn embed<D: Device>(&self, ops: &mut Ops<'_, D>, workspace: &Workspace) -> Result<()> {
        let (layout, config) = (self.layout, self.config);
        let table = |range: &Option<_>| range.as_ref().map_or(DeviceSlice::NULL, |range| self.weight(range));
        let tables = [self.weight(&layout.words), table(&layout.positions), table(&layout.segments)];
        let (norm, dropout, saved) =
            (self.layer_norm(&layout.embedding_norm), self.embedding_dropout(), workspace.embedding_norm);
        let out = workspace.hidden_state(0, config.layers);
        let Some(projection) = &layout.projection else {
            return ops.embeddings(tables, norm, dropout, saved, out);
        };
        let width = config.embedding_size;
        ops.embeddings(tables, norm, dropout, saved, MixedTensor::f32_only(workspace.embedded))?;
        let embedded = GemmOperand::F32(workspace.embedded.prefix(ops.len(Rows::All) * width));
        ops.linear(out.f32, embedded, self.f32_matrix(&projection.weight), width)?;
        ops.add_bias(Rows::All, self.weight(&projection.bias), out)
    }

    /// The backward pass of [`Model::embed`]: from the gradient `d` of the first layer's input, (T, H), to those of the
    /// parameters.
    pub(super) fn embed_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        d: DeviceSlice<f32>,
        accumulate: bool,
    ) -> Result<()> {
        let (layout, width) = (self.layout, self.config.embedding_size);
        let sums = self.partial_sums(workspace);
        let d = self.projection_backward(ops, workspace, d, accumulate)?;
        let dropout = self.embedding_dropout();
        let saved = (workspace.embedding_norm, &layout.embedding_norm);
        self.norm_backward(ops, (Rows::All, dropout), saved, d, (sums, accumulate))?;
        ops.embedding_rows_backward(d, width, self.stamps, self.gradient(&layout.embeddings()))?;
        if let Some(segments) = &layout.segments {
            ops.segment_sums(d, (width, segments.len() / width), (sums, 0))?;
            ops.reduce_partial_sums((sums, 0), self.gradient(segments), accumulate)?;
        }
        Ok(())
    }

    /// The backward pass of the projection, if there is one. Returns the gradient of its input, (T, W).
    fn projection_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        d: DeviceSlice<f32>,
        accumulate: bool,
    ) -> Result<DeviceSlice<f32>> {
        let Some(projection) = &self.layout.projection else { return Ok(d) };
        let (t, h, width) = (ops.len(Rows::All), self.config.hidden, self.config.embedding_size);
        let sums = (self.partial_sums(workspace), 0);
        ops.column_sums(Rows::All, h, None, MixedTensor::f32_only(d), sums)?;
        ops.reduce_partial_sums(sums, self.gradient(&projection.bias), accumulate)?;
        let (d, x) = (d.prefix(t * h), workspace.embedded.prefix(t * width));
        let [d, x] = [d, x].map(GemmOperand::F32);
        ops.linear_weight_grad(self.gradient(&projection.weight), d, x, t, accumulate)?;
        ops.linear_input_grad(workspace.d_embedded, d, self.f32_matrix(&projection.weight), width, false)?;
        Ok(workspace.d_embedded)
    }

    fn embedding_dropout(&self) -> DropoutSite {
        self.dropout(dropout::EMBEDDINGS, architecture::DropoutSite::Embeddings)
    }
}
