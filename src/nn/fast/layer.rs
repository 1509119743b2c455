//! The operations of an encoder layer on the CPU; [`crate::nn::encoder_layer`] says in which order.

use super::int8::QuantizedWeights;
use super::layer_buffers::LayerBuffers;
use super::layer_sizes::LayerSizes;
use super::layout::{LayerRanges, RelativeBiasRange, WeightBias};
use super::relative_embeddings::{LayerPositions, RelativeEmbeddings, RelativeGrads};
use super::row_selection::{RowSelection, is_tiled};
use super::tape::LayerTape;
use super::workspace::Workspace;
use crate::nn::architecture::{BiasSite, DropoutSite, NormPosition};
use crate::nn::config::ModelConfig;
use crate::nn::encoder_layer::{self, Buffer, LayerOps, Matrix, Norm, Store};
use crate::nn::rotary::RotaryTable;
use kernels::Cpu;
use kernels::activation::{activate, activate_backward, activate_gated, activate_gated_backward};
use kernels::adamw::add_assign;
use kernels::attention::{Attention, AttentionBatch, AttentionGrads, HeadShape, Qkv};
use kernels::dropout::{self, Dropout, Site};
use kernels::int8::Epilogue;
use kernels::matmul::{Matmul, WeightMatrix};
use kernels::norm::{
    DropoutMask, LayerNorm, add_column_sums, apply_dropout, dropout_add, dropout_add_norm,
    dropout_bias_backward, layer_norm_backward, layer_norm_of,
};
use kernels::relative_bias::RelativeBias;
use kernels::tiled_attention::{Rotation, SavedAttention, TiledAttention, TiledBatch};
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
    pub(super) rotary_table: Option<&'a RotaryTable>,
    /// The arena of all weights.
    pub(super) weights: &'a [f32],
    /// The matrices that products use instead, in inference only.
    pub(super) quantized: Option<&'a QuantizedWeights>,
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
        let sizes = self.sizes();
        tape.resize(rows, x.len() / sizes.hidden, sizes);
        let Workspace { matmul, attention, tiled_attention, grads, weight_grads, relative, relative_grads } =
            workspace;
        let slices = grads.forward_slices(rows.len(), sizes);
        let buffers = LayerBuffers::new(x, rows, sizes, tape, slices, out);
        let (layer, vector_grads, attention) = (self, &mut [][..], (attention, tiled_attention));
        let relative = (&*relative, relative_grads);
        let mut ops =
            CpuOps { layer, rows, matmul, attention, relative, buffers, vector_grads, weight_grads };
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
        let Workspace { matmul, attention, tiled_attention, grads, weight_grads, relative, relative_grads } =
            workspace;
        weight_grads.clear();
        let sizes = self.sizes();
        let slices = grads.slices((x.len() / self.config.hidden, rows.len()), sizes);
        let buffers = LayerBuffers::new(x, rows, sizes, tape, slices, &mut []);
        let (layer, attention) = (self, (attention, tiled_attention));
        let relative = (&*relative, relative_grads);
        let mut ops =
            CpuOps { layer, rows, matmul, attention, relative, buffers, vector_grads, weight_grads };
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
        let sizes = self.sizes();
        let slices = grads.slices((x.len() / self.config.hidden, rows.len()), sizes);
        let LayerBuffers { named, d_q, d_kv, .. } = LayerBuffers::new(x, rows, sizes, tape, slices, &mut []);
        let read = named.into_reader();
        let noted = |matrix: Matrix| {
            let (_, operands) =
                weight_grads.iter().find(|(noted, _)| *noted == matrix).expect("a backward pass");
            operands.map(&read)
        };
        [
            [d_q, read(Buffer::AttnInRows)], // Wq:  (R, H), (R, H)
            [d_kv, read(Buffer::AttnIn)],    // Wkv: (T, 2H), (T, H)
            noted(Matrix::AttentionOut),     // (R, H), (R, H)
            noted(Matrix::Up),               // (R, U), (R, H)
            noted(Matrix::Down),             // (R, H), (R, I)
        ]
    }

    fn sizes(&self) -> LayerSizes {
        LayerSizes::of(self.config, self.index)
    }

    /// A matrix of the layer.
    fn matrix(&self, matrix: Matrix) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(self.range(matrix)), matrix.inputs(self.config))
    }

    /// Whether the product that computes the input of the activation function computes its output too: with int8, unless there
    /// are gates.
    fn is_activated_by_product(&self) -> bool {
        self.quantized.is_some() && !self.sizes().is_gated()
    }

    /// Where a matrix is in the arena.
    fn range(&self, matrix: Matrix) -> &Range<usize> {
        let LayerRanges { attention_out, up, down, .. } = self.params;
        match matrix {
            Matrix::AttentionOut => &attention_out.weight,
            Matrix::Up => &up.weight,
            Matrix::Down => &down.weight,
        }
    }

    /// (H, H)
    fn query(&self) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(&self.params.query), self.config.hidden)
    }

    /// (2H, H)
    fn key_value(&self) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(&self.params.key_value), self.config.hidden)
    }

    fn slice(&self, range: &Range<usize>) -> &[f32] {
        &self.weights[range.clone()]
    }

    /// The parameters of a LayerNorm that the layer has.
    fn norm_params(&self, norm: Norm) -> &WeightBias {
        match norm {
            Norm::Attention => self.params.attention_norm.as_ref().expect("a layer with this LayerNorm"),
            Norm::Output => &self.params.output_norm,
        }
    }

    fn norm(&self, norm: Norm) -> LayerNorm<'_> {
        let WeightBias { weight, bias } = self.norm_params(norm);
        LayerNorm { weight: self.slice(weight), bias: self.slice(bias), eps: self.config.layer_norm_eps }
    }

    /// The bias of what is added to the residual connection of a LayerNorm.
    fn added_bias(&self, norm: Norm) -> &Range<usize> {
        match norm {
            Norm::Attention => &self.params.attention_out.bias,
            Norm::Output => &self.params.down.bias,
        }
    }

    /// The dropout of what is added to the residual connection of a LayerNorm.
    fn norm_mask<'r>(&self, norm: Norm, rows: &'r RowSelection) -> DropoutMask<'r> {
        DropoutMask { site: self.site(norm.dropout(self.index)), row_indices: &rows.token_indices }
    }

    /// The dropout within the feed-forward network.
    fn activation_mask<'r>(&self, rows: &'r RowSelection) -> DropoutMask<'r> {
        let number = dropout::activation(self.config.layers, self.index);
        let site = self.site((number, DropoutSite::Activation));
        DropoutMask { site, row_indices: &rows.token_indices }
    }

    fn heads(&self) -> HeadShape {
        let config = self.config;
        HeadShape { count: config.heads, size: config.head_size(), max_positions: config.max_positions }
    }

    fn tiled_batch<'r>(&'r self, rows: &'r RowSelection) -> TiledBatch<'r> {
        TiledBatch {
            heads: self.heads(),
            examples: &rows.spans,
            window: self.config.layer_attention(self.index).window,
            rotation: self.rotary_table.map(|table| Rotation { cos: &table.cos, sin: &table.sin }),
            dropout: self.site((dropout::attention(self.index), DropoutSite::Attention)),
            token_indices: &rows.token_indices,
        }
    }

    fn attention_batch<'r>(&'r self, rows: &'r RowSelection) -> AttentionBatch<'r> {
        AttentionBatch {
            heads: self.heads(),
            examples: &rows.spans,
            dropout: self.site((dropout::attention(self.index), DropoutSite::Attention)),
            scale: self.config.score_scale(),
            bias: self.relative_bias.map(|bias| RelativeBias {
                table: self.slice(&bias.table),
                buckets: &bias.buckets,
                heads: self.config.heads,
            }),
            positions: None,
            token_indices: &rows.token_indices,
        }
    }

    /// What the embeddings of relative positions are projected with.
    fn positions(&self) -> LayerPositions<'_> {
        let Layer { cpu, config, weights, .. } = *self;
        let number = dropout::relative_embeddings(config.layers, self.index);
        let dropout = self.site((number, DropoutSite::RelativeEmbeddings));
        LayerPositions { cpu, config, ranges: &self.params.positions, weights, dropout }
    }

    /// The masks with that number, or `None` without dropout.
    fn site(&self, (number, site): (u32, DropoutSite)) -> Option<Site> {
        self.dropout.and_then(|dropout| dropout.site(number, self.config.dropout_rate(site)))
    }
}

/// What the operations of a layer read and write.
struct CpuOps<'o> {
    layer: &'o Layer<'o>,
    rows: &'o RowSelection,
    matmul: &'o mut Matmul,
    attention: (&'o mut Attention, &'o mut TiledAttention),
    /// Embeddings of relative positions, and their gradients.
    relative: (&'o RelativeEmbeddings, &'o mut RelativeGrads),
    buffers: LayerBuffers<'o>,
    vector_grads: &'o mut [f32],
    weight_grads: &'o mut Vec<(Matrix, [Buffer; 2])>,
}

impl LayerOps for CpuOps<'_> {
    type Error = Infallible;

    fn norm_position(&self) -> NormPosition {
        self.layer.config.architecture.layer_structure.norm_position
    }

    fn has_norm_before_attention(&self) -> bool {
        self.layer.sizes().has_norm_before_attention
    }

    fn project_qkv(&mut self) -> Result<(), Infallible> {
        let LayerBuffers { named, q, kv, .. } = &mut self.buffers;
        let h = self.layer.config.hidden;
        let [x, x_rows] = named.select_rows(self.rows, h);
        if let Some(quantized) = self.layer.quantized {
            let LayerRanges { query, key_value, .. } = self.layer.params;
            self.matmul.quantize(x_rows, h);
            self.matmul.forward_int8(q, quantized.matrix(query), Epilogue::Store);
            if self.rows.selected.is_some() {
                self.matmul.quantize(x, h);
            }
            self.matmul.forward_int8(kv, quantized.matrix(key_value), Epilogue::Store);
            return Ok(());
        }
        self.matmul.forward(q, x_rows, self.layer.query()); //       (R, H)
        self.matmul.forward(kv, x, self.layer.key_value()); //      (T, 2H)
        Ok(())
    }

    fn attention(&mut self) -> Result<(), Infallible> {
        let CpuOps { layer, rows, attention: (attention, tiled), matmul, relative: (embeddings, _), .. } =
            self;
        let LayerBuffers { named, q, kv, attn_probs, relative, .. } = &mut self.buffers;
        let [context] = named.get([Buffer::Context]);
        let qkv = Qkv { q, kv, bias: layer.slice(&layer.params.qkv_bias) };
        if is_tiled(layer.config) {
            tiled.forward(layer.cpu, layer.tiled_batch(rows), qkv, attn_probs, context);
            return Ok(());
        }
        if layer.config.disentangled.is_some() {
            embeddings.project(layer.positions(), matmul, relative);
        }
        let positions = embeddings.positions(layer.positions(), relative);
        let batch = AttentionBatch { positions, ..layer.attention_batch(rows) };
        attention.forward(layer.cpu, batch, qkv, attn_probs, context);
        Ok(())
    }

    fn linear(&mut self, y: Buffer, x: Buffer, weight: Matrix) -> Result<(), Infallible> {
        let CpuOps { layer, matmul, buffers: LayerBuffers { named, .. }, .. } = self;
        let Some(quantized) = layer.quantized else {
            let [y, x] = named.get([y, x]);
            matmul.forward(y, x, layer.matrix(weight));
            return Ok(());
        };
        let (y, epilogue) = match weight {
            Matrix::Up if layer.is_activated_by_product() => {
                let bias = layer.slice(&layer.params.up.bias);
                (Buffer::FfnAct, Epilogue::Activate { function: layer.config.activation, bias })
            }
            Matrix::AttentionOut | Matrix::Up | Matrix::Down => (y, Epilogue::Store),
        };
        let [y, x] = named.get([y, x]);
        matmul.quantize(x, weight.inputs(layer.config));
        matmul.forward_int8(y, quantized.matrix(layer.range(weight)), epilogue);
        Ok(())
    }

    fn add_norm(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<(), Infallible> {
        let layer = self.layer;
        let LayerBuffers { named, rstd, .. } = &mut self.buffers;
        let [x, residual, y] = named.get([x, residual, y]);
        let sum = (layer.slice(layer.added_bias(norm)), layer.norm_mask(norm, self.rows), &*residual);
        dropout_add_norm(layer.cpu, x, sum, layer.norm(norm), rstd[norm as usize], y);
        Ok(())
    }

    fn norm(&mut self, norm: Norm, x: Buffer, y: Buffer) -> Result<(), Infallible> {
        let LayerBuffers { named, xhat, rstd, .. } = &mut self.buffers;
        let [x, y] = named.get([x, y]);
        let (xhat, rstd) = (&mut *xhat[norm as usize], &mut *rstd[norm as usize]);
        layer_norm_of(self.layer.cpu, x, xhat, self.layer.norm(norm), rstd, y);
        Ok(())
    }

    fn add(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<(), Infallible> {
        let layer = self.layer;
        let named = &mut self.buffers.named;
        if residual != y {
            let [residual, y] = named.get([residual, y]);
            y.copy_from_slice(residual);
        }
        let [x, y] = named.get([x, y]);
        let bias = layer.slice(layer.added_bias(norm));
        dropout_add(layer.cpu, x, (bias, layer.norm_mask(norm, self.rows)), y);
        Ok(())
    }

    fn activate(&mut self) -> Result<(), Infallible> {
        let layer = self.layer;
        if layer.is_activated_by_product() {
            return Ok(());
        }
        let [pre_act, ffn_act] = self.buffers.named.get([Buffer::PreAct, Buffer::FfnAct]);
        let (function, bias) = (layer.config.activation, layer.slice(&layer.params.up.bias));
        if layer.sizes().is_gated() {
            let bias_and_mask = (bias, layer.activation_mask(self.rows));
            activate_gated(layer.cpu, function, pre_act, bias_and_mask, ffn_act);
        } else {
            activate(layer.cpu, function, pre_act, bias, ffn_act);
            apply_dropout(layer.cpu, ffn_act, layer.config.intermediate, layer.activation_mask(self.rows));
        }
        Ok(())
    }

    fn add_norm_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<(), Infallible> {
        let layer = self.layer;
        let params = layer.norm_params(norm);
        let LayerBuffers { named, rstd, .. } = &mut self.buffers;
        // x̂ is replaced by d_x.
        let [d, xhat] = named.get([Buffer::D, d_x]);
        let grad = params.norm_grad(self.vector_grads);
        layer_norm_backward(layer.cpu, d, xhat, rstd[norm as usize], layer.slice(&params.weight), grad);
        self.add_backward(norm, d_x)
    }

    fn norm_backward(&mut self, norm: Norm, d: Buffer) -> Result<(), Infallible> {
        let layer = self.layer;
        let params = layer.norm_params(norm);
        let LayerBuffers { named, xhat, rstd, .. } = &mut self.buffers;
        let ([d], xhat, rstd) = (named.get([d]), &*xhat[norm as usize], &*rstd[norm as usize]);
        let grad = params.norm_grad(self.vector_grads);
        layer_norm_backward(layer.cpu, d, xhat, rstd, layer.slice(&params.weight), grad);
        Ok(())
    }

    fn add_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<(), Infallible> {
        let layer = self.layer;
        let [d, d_x] = self.buffers.named.get([Buffer::D, d_x]);
        let d_bias = &mut self.vector_grads[layer.added_bias(norm).clone()];
        dropout_bias_backward(layer.cpu, d, layer.norm_mask(norm, self.rows), d_x, d_bias);
        Ok(())
    }

    fn add_rows(&mut self, sum: Buffer, x: Buffer) -> Result<(), Infallible> {
        let [to, x] = self.buffers.named.get([sum, x]);
        let h = self.layer.config.hidden;
        if sum == Buffer::DAttnIn {
            self.rows.add(x, h, to); // (T, H) += (R, H)
        } else {
            add_assign(self.layer.cpu, to, x);
        }
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
        let layer = self.layer;
        let [d, act_grad] = self.buffers.named.get([Buffer::DFfn, Buffer::PreAct]);
        let d_bias = &mut self.vector_grads[layer.params.up.bias.clone()];
        if layer.sizes().is_gated() {
            activate_gated_backward(layer.cpu, d, act_grad, layer.config.intermediate);
            if layer.config.has_bias(BiasSite::FeedForward) {
                add_column_sums(layer.cpu, act_grad, d_bias); //     d_bup += Σ_rows DPreAct
            }
        } else {
            apply_dropout(layer.cpu, d, layer.config.intermediate, layer.activation_mask(self.rows));
            activate_backward(layer.cpu, d, act_grad, d_bias);
        }
        Ok(())
    }

    fn attention_backward(&mut self) -> Result<(), Infallible> {
        let CpuOps { layer, rows, attention: (attention, tiled), matmul, vector_grads, .. } = self;
        let (embeddings, d_relative) = &mut self.relative;
        let LayerBuffers { named, q, kv, attn_probs, relative, d_q, d_kv, .. } = &mut self.buffers;
        let [context, d_context] = named.get([Buffer::Context, Buffer::DContext]);
        let qkv = Qkv { q, kv, bias: layer.slice(&layer.params.qkv_bias) };
        if is_tiled(layer.config) {
            let saved = SavedAttention { log_sums: attn_probs, context, d_context };
            tiled.backward(layer.cpu, layer.tiled_batch(rows), qkv, saved, (d_q, d_kv));
        } else {
            let d_bias = layer.relative_bias.map_or(0..0, |bias| bias.table.clone());
            let d_positions = d_relative.projections();
            let grads = AttentionGrads { d_q, d_kv, d_bias: &mut vector_grads[d_bias], d_positions };
            let positions = embeddings.positions(layer.positions(), relative);
            let batch = AttentionBatch { positions, ..layer.attention_batch(rows) };
            attention.backward(layer.cpu, batch, qkv, (attn_probs, d_context), grads);
            if layer.config.disentangled.is_some() {
                embeddings.project_backward(layer.positions(), matmul, d_relative, vector_grads);
            }
        }
        if layer.config.has_bias(BiasSite::Attention) {
            let (d_q_bias, d_kv_bias) =
                vector_grads[layer.params.qkv_bias.clone()].split_at_mut(layer.config.hidden);
            add_column_sums(layer.cpu, d_q, d_q_bias); //            d_bq += Σ_rows d_q
            add_column_sums(layer.cpu, d_kv, d_kv_bias); //          d_bkv += Σ_rows d_kv
        }
        Ok(())
    }

    fn qkv_backward(&mut self, store: Store) -> Result<(), Infallible> {
        let CpuOps { layer, rows, matmul, .. } = self;
        let LayerBuffers { named, d_q, d_kv, .. } = &mut self.buffers;
        // With pre-norm, `DLn1Out` has been used.
        let d = if store == Store::Add { Buffer::D } else { Buffer::DLn1Out };
        let [d, d_x] = named.get([d, Buffer::DAttnIn]);
        matmul.backward_input(d, d_q, layer.query(), store == Store::Add); // (R, H)  d_x_rows = d_q Wq, + D
        rows.scatter(d, layer.config.hidden, d_x); //                (T, H)
        matmul.backward_input(d_x, d_kv, layer.key_value(), true); // (T, H)  d_x = d_x_rows + d_kv Wkv
        Ok(())
    }
}
