//! The operations of an encoder layer on the CPU; [`crate::nn::encoder_layer`] says in which order.

use super::layer_buffers::LayerBuffers;
use super::layout::{LayerRanges, RelativeBiasRange, WeightBias};
use super::relative_embeddings::{RelativeEmbeddings, RelativeGrads};
use super::row_selection::RowSelection;
use super::tape::LayerTape;
use super::workspace::{GradSlices, Workspace};
use crate::nn::architecture::DropoutSite;
use crate::nn::config::ModelConfig;
use crate::nn::encoder_layer::{self, Buffer, LayerOps, Matrix, Norm, Store};
use kernels::Cpu;
use kernels::activation::{activate, activate_backward};
use kernels::attention::{Attention, AttentionBatch, AttentionGrads, HeadShape, Qkv};
use kernels::dropout::{self, Dropout, Site};
use kernels::matmul::{Matmul, WeightMatrix};
use kernels::norm::{
    DropoutMask, LayerNorm, LayerNormGrad, add_column_sums, dropout_add_norm, dropout_bias_backward,
    layer_norm_backward,
};
use kernels::relative_bias::RelativeBias;
use std::convert::Infallible;
use std::ops::Range;

/// An encoder layer of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) cpu: Cpu,
    pub(super) config: &'a ModelConfig,
    pub(super) index: usize,
    pub(super) params: &'a LayerRanges,
    pub(super) relative_bias: Option<&'a RelativeBiasRange>,
    /// The arena of all weights.
    pub(super) weights: &'a [f32],
    /// Dropout masks; `None` disables dropout.
    pub(super) dropout: Option<Dropout>,
}

impl Layer<'_> {
    /// `x` (T, H) → `out` (R, H). `tape` receives what the backward pass needs. `x` is not changed.
    pub(super) fn forward(
        &self,
        x: &mut [f32],
        rows: &RowSelection,
        tape: &mut LayerTape,
        workspace: &mut Workspace,
        out: &mut [f32],
    ) {
        let (h, i) = self.sizes();
        tape.resize(rows, (x.len() / h, h, i));
        let Workspace { matmul, attention, weight_grads, relative, relative_grads, .. } = workspace;
        let buffers = LayerBuffers::new(x, rows, tape, GradSlices::default(), out);
        let (relative, vector_grads) = ((&*relative, relative_grads), &mut []);
        let mut ops =
            CpuOps { layer: self, rows, matmul, attention, relative, buffers, vector_grads, weight_grads };
        let Ok(()) = encoder_layer::forward(&mut ops);
    }

    /// The backward pass of [`Layer::forward`]. The first buffer of `grad_ping_pong` holds the gradient of the output
    /// (R, H) on entry and that of the input `x` (T, H) on return. Adds the gradients of biases and LayerNorms to
    /// `vector_grads`; [`Layer::weight_grad_operands`] gives the operands of the gradients of the matrices.
    pub(super) fn backward(
        &self,
        x: &mut [f32],
        rows: &RowSelection,
        tape: &mut LayerTape,
        vector_grads: &mut [f32],
        workspace: &mut Workspace,
    ) {
        let Workspace { matmul, attention, grads, weight_grads, relative, relative_grads } = workspace;
        let relative = (&*relative, relative_grads);
        weight_grads.clear();
        let slices = grads.slices((x.len() / self.config.hidden, rows.len()), self.sizes());
        let buffers = LayerBuffers::new(x, rows, tape, slices, &mut []);
        let mut ops =
            CpuOps { layer: self, rows, matmul, attention, relative, buffers, vector_grads, weight_grads };
        let Ok(()) = encoder_layer::backward(&mut ops);
        grads.ping_pong.swap(0, 1);
    }

    /// After [`Layer::backward`], the operands d_y and x of the gradient d_W = d_yᵀ x of each matrix, in the order of
    /// [`LayerRanges::matrices`].
    pub(super) fn weight_grad_operands<'b>(
        &self,
        x: &'b mut [f32],
        rows: &RowSelection,
        tape: &'b mut LayerTape,
        workspace: &'b mut Workspace,
    ) -> [[&'b [f32]; 2]; 5] {
        let Workspace { grads, weight_grads, .. } = workspace;
        let slices = grads.slices((x.len() / self.config.hidden, rows.len()), self.sizes());
        let LayerBuffers { named, d_q, d_kv, .. } = LayerBuffers::new(x, rows, tape, slices, &mut []);
        let read = named.into_reader();
        let noted = |matrix: Matrix| {
            let (_, operands) =
                weight_grads.iter().find(|(noted, _)| *noted == matrix).expect("a backward pass");
            operands.map(&read)
        };
        [
            [d_q, read(Buffer::XRows)],  // Wq:  (R, H), (R, H)
            [d_kv, read(Buffer::X)],     // Wkv: (T, 2H), (T, H)
            noted(Matrix::AttentionOut), // (R, H), (R, H)
            noted(Matrix::Up),           // (R, I), (R, H)
            noted(Matrix::Down),         // (R, H), (R, I)
        ]
    }

    /// Hidden and intermediate size.
    fn sizes(&self) -> (usize, usize) {
        (self.config.hidden, self.config.intermediate)
    }

    /// A matrix of the layer.
    fn matrix(&self, matrix: Matrix) -> WeightMatrix<'_> {
        let LayerRanges { attention_out, up, down, .. } = self.params;
        let range = match matrix {
            Matrix::AttentionOut => &attention_out.weight,
            Matrix::Up => &up.weight,
            Matrix::Down => &down.weight,
        };
        WeightMatrix::new(self.slice(range), matrix.inputs(self.config))
    }

    /// (H, H)
    fn query(&self) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(&self.params.query), self.config.hidden)
    }

    /// (2H, H)
    fn key_value(&self) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(&self.params.key_value), self.config.hidden)
    }

    pub(super) fn slice(&self, range: &Range<usize>) -> &[f32] {
        &self.weights[range.clone()]
    }

    /// The parameters of a LayerNorm, and the bias of what is added to its residual connection.
    fn norm_params(&self, norm: Norm) -> (&WeightBias, &Range<usize>) {
        let LayerRanges { attention_norm, attention_out, output_norm, down, .. } = self.params;
        match norm {
            Norm::Attention => (attention_norm, &attention_out.bias),
            Norm::Output => (output_norm, &down.bias),
        }
    }

    /// The dropout of what is added to the residual connection of a LayerNorm.
    fn norm_mask<'r>(&self, norm: Norm, rows: &'r RowSelection) -> DropoutMask<'r> {
        DropoutMask { site: self.site(norm.dropout(self.index)), row_indices: &rows.token_indices }
    }

    fn attention_batch<'r>(&'r self, rows: &'r RowSelection) -> AttentionBatch<'r> {
        let config = self.config;
        AttentionBatch {
            heads: HeadShape {
                count: config.heads,
                size: config.head_size(),
                max_positions: config.max_positions,
            },
            examples: &rows.spans,
            dropout: self.site((dropout::attention(self.index), DropoutSite::Attention)),
            scale: config.score_scale(),
            bias: self.relative_bias.map(|bias| RelativeBias {
                table: self.slice(&bias.table),
                buckets: &bias.buckets,
                heads: config.heads,
            }),
            positions: None,
            token_indices: &rows.token_indices,
        }
    }

    /// The masks with that number, or `None` without dropout.
    pub(super) fn site(&self, (number, site): (u32, DropoutSite)) -> Option<Site> {
        self.dropout.and_then(|dropout| dropout.site(number, self.config.dropout_rate(site)))
    }
}

/// What the operations of a layer read and write.
struct CpuOps<'o> {
    layer: &'o Layer<'o>,
    rows: &'o RowSelection,
    matmul: &'o mut Matmul,
    attention: &'o mut Attention,
    /// Embeddings of relative positions, and their gradients.
    relative: (&'o RelativeEmbeddings, &'o mut RelativeGrads),
    buffers: LayerBuffers<'o>,
    vector_grads: &'o mut [f32],
    weight_grads: &'o mut Vec<(Matrix, [Buffer; 2])>,
}

impl LayerOps for CpuOps<'_> {
    type Error = Infallible;

    fn project_qkv(&mut self) -> Result<(), Infallible> {
        let LayerBuffers { named, q, kv, .. } = &mut self.buffers;
        let [x, x_rows] = named.select_rows(self.rows, self.layer.config.hidden);
        self.matmul.forward(q, x_rows, self.layer.query()); //       (R, H)
        self.matmul.forward(kv, x, self.layer.key_value()); //      (T, 2H)
        Ok(())
    }

    fn attention(&mut self) -> Result<(), Infallible> {
        let CpuOps { layer, rows, attention, matmul, relative: (embeddings, _), .. } = self;
        let LayerBuffers { named, q, kv, attn_probs, relative, .. } = &mut self.buffers;
        if layer.config.disentangled.is_some() {
            embeddings.project(layer, matmul, relative);
        }
        let positions = embeddings.positions(layer, relative);
        let batch = AttentionBatch { positions, ..layer.attention_batch(rows) };
        let [context] = named.get([Buffer::Context]);
        let qkv = Qkv { q, kv, bias: layer.slice(&layer.params.qkv_bias) };
        attention.forward(layer.cpu, batch, qkv, attn_probs, context);
        Ok(())
    }

    fn linear(&mut self, y: Buffer, x: Buffer, weight: Matrix) -> Result<(), Infallible> {
        let [y, x] = self.buffers.named.get([y, x]);
        self.matmul.forward(y, x, self.layer.matrix(weight));
        Ok(())
    }

    fn add_norm(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<(), Infallible> {
        let layer = self.layer;
        let (WeightBias { weight, bias }, added_bias) = layer.norm_params(norm);
        let eps = layer.config.layer_norm_eps;
        let params = LayerNorm { weight: layer.slice(weight), bias: layer.slice(bias), eps };
        let LayerBuffers { named, rstd, .. } = &mut self.buffers;
        let [x, residual, y] = named.get([x, residual, y]);
        let sum = (layer.slice(added_bias), layer.norm_mask(norm, self.rows), &*residual);
        dropout_add_norm(layer.cpu, x, sum, params, rstd[norm as usize], y);
        Ok(())
    }

    fn activate(&mut self) -> Result<(), Infallible> {
        let layer = self.layer;
        let [pre_act, ffn_act] = self.buffers.named.get([Buffer::PreAct, Buffer::FfnAct]);
        activate(layer.cpu, layer.config.activation, pre_act, layer.slice(&layer.params.up.bias), ffn_act);
        Ok(())
    }

    fn add_norm_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<(), Infallible> {
        let layer = self.layer;
        let (params, added_bias) = layer.norm_params(norm);
        let LayerBuffers { named, rstd, .. } = &mut self.buffers;
        // x̂ is replaced by d_x.
        let [d, xhat] = named.get([Buffer::D, d_x]);
        let (weight, bias) = self.vector_grads[params.both()].split_at_mut(params.weight.len());
        let grad = LayerNormGrad { weight, bias };
        layer_norm_backward(layer.cpu, d, xhat, rstd[norm as usize], layer.slice(&params.weight), grad);
        let (d_x, d_bias) = (xhat, &mut self.vector_grads[added_bias.clone()]);
        dropout_bias_backward(layer.cpu, d, layer.norm_mask(norm, self.rows), d_x, d_bias);
        Ok(())
    }

    /// The product is over the rows of all shards: see [`Layer::weight_grad_operands`].
    fn weight_grad(&mut self, weight: Matrix, d_y: Buffer, x: Buffer) -> Result<(), Infallible> {
        self.weight_grads.push((weight, [d_y, x]));
        Ok(())
    }

    fn input_grad(
        &mut self,
        d_x: Buffer,
        d_y: Buffer,
        weight: Matrix,
        store: Store,
    ) -> Result<(), Infallible> {
        let [d_x, d_y] = self.buffers.named.get([d_x, d_y]);
        self.matmul.backward_input(d_x, d_y, self.layer.matrix(weight), store == Store::Add);
        Ok(())
    }

    fn activation_backward(&mut self) -> Result<(), Infallible> {
        let [d, act_grad] = self.buffers.named.get([Buffer::DFfn, Buffer::PreAct]);
        let d_bias = &mut self.vector_grads[self.layer.params.up.bias.clone()];
        activate_backward(self.layer.cpu, d, act_grad, d_bias);
        Ok(())
    }

    fn attention_backward(&mut self) -> Result<(), Infallible> {
        let CpuOps {
            layer, rows, attention, matmul, vector_grads, relative: (embeddings, d_relative), ..
        } = self;
        let LayerBuffers { named, q, kv, attn_probs, relative, d_q, d_kv, .. } = &mut self.buffers;
        let positions = embeddings.positions(layer, relative);
        let batch = AttentionBatch { positions, ..layer.attention_batch(rows) };
        let [d_context] = named.get([Buffer::DContext]);
        let qkv = Qkv { q, kv, bias: layer.slice(&layer.params.qkv_bias) };
        let d_bias = layer.relative_bias.map_or(0..0, |bias| bias.table.clone());
        let d_positions = d_relative.projections();
        let grads = AttentionGrads { d_q, d_kv, d_bias: &mut vector_grads[d_bias], d_positions };
        attention.backward(layer.cpu, batch, qkv, (attn_probs, d_context), grads);
        if layer.config.disentangled.is_some() {
            embeddings.project_backward(layer, matmul, d_relative, vector_grads);
        }
        let (d_q_bias, d_kv_bias) =
            vector_grads[layer.params.qkv_bias.clone()].split_at_mut(layer.config.hidden);
        add_column_sums(layer.cpu, d_q, d_q_bias); //                d_bq += Σ_rows d_q
        add_column_sums(layer.cpu, d_kv, d_kv_bias); //              d_bkv += Σ_rows d_kv
        Ok(())
    }

    fn qkv_backward(&mut self) -> Result<(), Infallible> {
        let CpuOps { layer, rows, matmul, .. } = self;
        let LayerBuffers { named, d_q, d_kv, d_x, .. } = &mut self.buffers;
        let [d] = named.get([Buffer::D]);
        matmul.backward_input(d, d_q, layer.query(), true); //       (R, H)  d_x_rows = D + d_q Wq
        rows.scatter(d, layer.config.hidden, d_x); //                (T, H)
        matmul.backward_input(d_x, d_kv, layer.key_value(), true); // (T, H)  d_x = d_x_rows + d_kv Wkv
        Ok(())
    }
}
