//! The operations of an encoder layer on a GPU; [`crate::nn::encoder_layer`] says in which order.

use super::device::{Device, DeviceSlice, GemmOperand};
use super::layout::{LayerLayout, WeightBias};
use super::model::Model;
use super::ops::{Attention, AttentionGrads, DropoutSite, NormColumns, Ops, Residual, RotaryAngles, Rows};
use super::tensor::{MixedTensor, PartialSums, SavedNorm};
use super::workspace::{Tape, Workspace};
use crate::error::{Error, Result};
use crate::nn::architecture::{self, FeedForward, NormPosition};
use crate::nn::encoder_layer::{self, Buffer, LayerOps, Matrix, Norm, Store};
use kernels::dropout;
use std::ops::Range;

/// One encoder layer of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct EncoderLayer<'a> {
    pub(super) model: Model<'a>,
    pub(super) index: usize,
    pub(super) layout: &'a LayerLayout,
    pub(super) tape: &'a Tape,
    /// The rows of the output.
    pub(super) rows: Rows,
}

impl EncoderLayer<'_> {
    /// Computes `out` (R, H) from `x` (T, H) and writes the tape.
    pub(super) fn forward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        workspace: &Workspace,
        [x, out]: [MixedTensor; 2],
    ) -> Result<()> {
        let [d, dx] = [DeviceSlice::NULL; 2];
        let layer = *self;
        encoder_layer::forward(&mut CudaOps { layer, ops, workspace, x, out, d, dx, accumulate: false })
    }

    /// Computes the gradient of the input `x` (T, H) from the gradient `d` of the output (R, H), and the gradients of
    /// the weights, which are added to the arena's values if `accumulate` is set.
    ///
    /// `d` is overwritten. The result is in `d` or in `dx`; [`EncoderLayer::gradient_is_in_dx`] says which.
    pub(super) fn backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        x: MixedTensor,
        workspace: &Workspace,
        [d, dx]: [DeviceSlice<f32>; 2],
        accumulate: bool,
    ) -> Result<()> {
        let (layer, out) = (*self, MixedTensor::NULL);
        let mut pass = CudaOps { layer, ops, workspace, x, out, d, dx, accumulate };
        encoder_layer::backward(&mut pass)?;
        let sums = pass.sums();
        pass.ops.reduce_partial_sums((sums, 0), self.model.gradient(&self.layout.vectors), accumulate)
    }

    /// Whether [`EncoderLayer::backward`] leaves the gradient of the input in `dx` rather than `d`.
    pub(super) fn gradient_is_in_dx(&self) -> bool {
        self.rows == Rows::First || self.has_norm_before_attention()
    }

    fn has_norm_before_attention(&self) -> bool {
        self.model.config.has_norm_before_attention(self.index)
    }

    /// The column of a vector parameter in the layer's partial sums; after all others if the model does not have it.
    fn vector_column(&self, range: &Range<usize>) -> usize {
        let vectors = &self.layout.vectors;
        if range.is_empty() { vectors.len() } else { range.start - vectors.start }
    }

    fn matrix_range(&self, matrix: Matrix) -> &Range<usize> {
        match matrix {
            Matrix::AttentionOut => &self.layout.attention_out,
            Matrix::Up => &self.layout.up,
            Matrix::Down => &self.layout.down,
        }
    }

    fn matrix(&self, range: &Range<usize>) -> GemmOperand {
        self.model.layer_matrix(range.clone())
    }

    /// The rows `part` of the matrices of queries, keys and values, each of which has H.
    fn qkv_rows(&self, part: Range<usize>) -> Range<usize> {
        let square = self.model.config.hidden.pow(2);
        let start = self.layout.qkv.start;
        start + part.start * square..start + part.end * square
    }

    /// The parameters of a LayerNorm that the layer has.
    fn norm_params(&self, norm: Norm) -> &WeightBias {
        match norm {
            Norm::Attention => self.layout.attention_norm.as_ref().expect("a layer with this LayerNorm"),
            Norm::Output => &self.layout.output_norm,
        }
    }

    /// The bias of what is added to the residual connection of a LayerNorm.
    fn added_bias(&self, norm: Norm) -> &Range<usize> {
        match norm {
            Norm::Attention => &self.layout.attention_out_bias,
            Norm::Output => &self.layout.down_bias,
        }
    }

    /// The dropout of what is added to the residual connection of a LayerNorm.
    fn norm_dropout(&self, norm: Norm) -> DropoutSite {
        let (number, site) = norm.dropout(self.index);
        self.model.dropout(number, site)
    }

    /// The columns of a LayerNorm, and of the bias of what is added before it, in the layer's partial sums.
    fn norm_columns(&self, norm: Norm) -> NormColumns {
        let WeightBias { weight, bias } = self.norm_params(norm);
        let [weight, bias, linear_bias] =
            [weight, bias, self.added_bias(norm)].map(|range| self.vector_column(range));
        NormColumns { weight, bias, linear_bias }
    }

    /// The residual connection to which the output of a linear layer is added.
    fn residual(&self, norm: Norm, x: DeviceSlice<f32>) -> Residual {
        let bias = self.model.bias(self.added_bias(norm), self.model.config.hidden);
        Residual { bias, dropout: self.norm_dropout(norm), x }
    }

    /// The angles of the rotary positions, if the model has them.
    fn rotary_angles(&self) -> Option<RotaryAngles> {
        let theta = self.model.config.layer_attention(self.index).rope_theta;
        theta.and_then(|theta| self.model.constants.rotary(theta))
    }

    fn saved_norm(&self, norm: Norm) -> SavedNorm {
        match norm {
            Norm::Attention if self.has_norm_before_attention() => self.tape.attn_norm,
            Norm::Attention => self.tape.ln1,
            Norm::Output => self.tape.ln2,
        }
    }

    fn attention(&self, workspace: &Workspace) -> Attention {
        let EncoderLayer { model, layout, tape, rows, index } = *self;
        let config = model.config;
        let h = config.hidden;
        let column = |column: usize| tape.qkv.slice(column..tape.qkv.len());
        let (queries, keys, values, strides) = match rows {
            Rows::All => (column(0), column(h), column(2 * h), [3 * h, 3 * h]),
            Rows::First => (tape.q_cls, column(0), column(h), [h, 2 * h]),
        };
        // Rotated queries and keys have their biases already.
        let has_biases = !layout.qkv_bias.is_empty() && self.rotary_angles().is_none();
        Attention {
            rows,
            heads: config.heads,
            head_size: config.head_size(),
            max_positions: config.max_positions,
            queries,
            keys,
            values,
            strides,
            biases: if has_biases { model.weight(&layout.qkv_bias) } else { DeviceSlice::NULL },
            scale: config.score_scale(),
            window: config.layer_attention(index).window,
            bias: model.relative_bias(workspace),
            dropout: model.dropout(dropout::attention(index), architecture::DropoutSite::Attention),
            is_bf16: !model.bf16_weights.is_null(),
        }
    }
}

/// What the operations of a layer read and write.
struct CudaOps<'o, 'd, 'l, D: Device> {
    layer: EncoderLayer<'l>,
    ops: &'o mut Ops<'d, D>,
    workspace: &'o Workspace,
    /// (T, H)
    x: MixedTensor,
    /// In the forward pass: (R, H)
    out: MixedTensor,
    /// Gradient of the residual stream, in the backward pass: (R, H)
    d: DeviceSlice<f32>,
    /// Gradient of the input, in the backward pass of the last layer: (T, H)
    dx: DeviceSlice<f32>,
    /// Whether gradients are added to those in the arena.
    accumulate: bool,
}

impl<D: Device> CudaOps<'_, '_, '_, D> {
    /// A buffer. Some have the same memory: with post-norm, `Proj` and `FfnOut` become x̂ of their LayerNorms; `PreAct` becomes
    /// the derivative of the activation function.
    fn tensor(&self, buffer: Buffer) -> MixedTensor {
        let (tape, workspace) = (self.layer.tape, self.workspace);
        let is_post_norm = self.norm_position() == NormPosition::Post;
        let (has_attn_norm, is_first_only) =
            (self.has_norm_before_attention(), self.layer.rows == Rows::First);
        match buffer {
            Buffer::AttnInRows if has_attn_norm && is_first_only => tape.attn_in_cls,
            Buffer::AttnIn | Buffer::AttnInRows if has_attn_norm => tape.attn_in,
            Buffer::XRows | Buffer::AttnInRows if is_first_only => tape.x_cls,
            Buffer::X | Buffer::XRows | Buffer::AttnIn | Buffer::AttnInRows => self.x,
            Buffer::Context => tape.context,
            Buffer::Proj if is_post_norm => MixedTensor::f32_only(tape.ln1.x_hat),
            Buffer::FfnOut if is_post_norm => MixedTensor::f32_only(tape.ln2.x_hat),
            Buffer::Proj | Buffer::FfnOut => MixedTensor::f32_only(workspace.branch),
            Buffer::Ln1Out => tape.ln1_out,
            Buffer::PreAct => MixedTensor::f32_only(tape.act_grad),
            Buffer::FfnAct => tape.ffn_act,
            Buffer::Out => self.out,
            Buffer::D => MixedTensor::f32_only(self.d),
            Buffer::DAttnIn => MixedTensor::f32_only(self.dx),
            Buffer::DFfnOut | Buffer::DProj => workspace.dh,
            Buffer::DFfn if self.has_gates() => MixedTensor::f32_only(workspace.d_ffn),
            Buffer::DFfn | Buffer::DPreAct => workspace.di,
            Buffer::DContext | Buffer::DLn1Out => MixedTensor::f32_only(workspace.dcontext),
        }
    }

    /// The rows of a buffer.
    fn rows(&self, buffer: Buffer) -> Rows {
        match buffer {
            Buffer::X | Buffer::AttnIn | Buffer::DAttnIn => Rows::All,
            _ => self.layer.rows,
        }
    }

    fn has_gates(&self) -> bool {
        self.layer.model.config.architecture.layer_structure.feed_forward == FeedForward::Gated
    }

    /// The dropout within the feed-forward network.
    fn activation_dropout(&self) -> DropoutSite {
        let EncoderLayer { model, index, .. } = self.layer;
        let number = dropout::activation(model.config.layers, index);
        model.dropout(number, architecture::DropoutSite::Activation)
    }

    /// A buffer in the type that GEMMs read.
    fn operand(&self, buffer: Buffer) -> GemmOperand {
        let config = self.layer.model.config;
        let width = match buffer {
            Buffer::FfnAct | Buffer::DFfn => config.intermediate,
            Buffer::DPreAct => config.architecture.layer_structure.up_width(config.intermediate),
            _ => config.hidden,
        };
        self.tensor(buffer).gemm_operand(self.ops.len(self.rows(buffer)) * width)
    }

    /// The gradient of the relative positions, to which all layers add. The last layer is the first one of the pass.
    fn relative_bias_backward(&mut self, attention: &Attention) -> Result<()> {
        let EncoderLayer { model, index, .. } = self.layer;
        let Some(table) = &model.layout.relative_bias else { return Ok(()) };
        let sums = PartialSums { sums: attention.bias.sums, stride: table.len() };
        let is_last = index + 1 == model.config.layers;
        let (rows, accumulate) = (self.ops.query_tiles(attention), self.accumulate || !is_last);
        self.ops.reduce_rows((sums, rows, 0), model.gradient(table), accumulate)
    }

    fn sums(&self) -> PartialSums {
        self.layer.model.partial_sums(self.workspace)
    }

    /// The backward pass of the projections of all tokens. Writes the gradient of `AttnIn` to `DAttnIn`, or adds it to `D`.
    fn all_qkv_backward(&mut self, store: Store) -> Result<()> {
        let EncoderLayer { model, layout, .. } = self.layer;
        let (t, h) = (self.ops.len(Rows::All), model.config.hidden);
        let (dqkv, x) = (self.workspace.dqkv.gemm_operand(t * 3 * h), self.operand(Buffer::AttnIn));
        self.ops.linear_weight_grad(model.gradient(&layout.qkv), dqkv, x, t, self.accumulate)?; // (3 H, H)
        let (to, matrix) =
            (if store == Store::Add { self.d } else { self.dx }, self.layer.matrix(&layout.qkv));
        self.ops.linear_input_grad(to, dqkv, matrix, h, store == Store::Add) //                    (T, H)
    }

    /// The backward pass of the projections where only first tokens have queries. Writes the gradient of `AttnIn` to
    /// `DAttnIn`, with `D` if `store` says so.
    fn first_qkv_backward(&mut self, store: Store) -> Result<()> {
        let EncoderLayer { model, rows, .. } = self.layer;
        let h = model.config.hidden;
        let (t, r) = (self.ops.len(Rows::All), self.ops.len(rows));
        let Workspace { dqkv, dq_cls, dcontext, .. } = *self.workspace;
        let (dq, dkv) = (dq_cls.gemm_operand(r * h), dqkv.gemm_operand(t * 2 * h));
        let [query, key_value] = [0..1, 1..3].map(|part| self.layer.qkv_rows(part));
        let (x_rows, x) = (self.operand(Buffer::AttnInRows), self.operand(Buffer::AttnIn));
        let accumulate = self.accumulate;
        self.ops.linear_weight_grad(model.gradient(&query), dq, x_rows, r, accumulate)?; //      (H, H)
        self.ops.linear_weight_grad(model.gradient(&key_value), dkv, x, t, accumulate)?; //      (2 H, H)
        // The gradient of the first tokens. That of the attention's output is not needed any more.
        let d_rows = if store == Store::Add { self.d } else { dcontext };
        self.ops.linear_input_grad(d_rows, dq, model.layer_matrix(query), h, store == Store::Add)?; // (R, H)
        self.ops.scatter_first_rows(d_rows, h, self.dx)?; //                                     (T, H)
        self.ops.linear_input_grad(self.dx, dkv, model.layer_matrix(key_value), h, true) //      (T, H)
    }

    /// Adds the biases to queries, keys and values and rotates queries and keys. That of a first token is rotated by 0.
    fn rotate(&mut self, angles: RotaryAngles) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let (h, bias) = (model.config.hidden, &layout.qkv_bias);
        let biases = |part: Range<usize>| {
            if bias.is_empty() {
                DeviceSlice::NULL
            } else {
                model.weight(bias).slice(part.start * h..part.end * h)
            }
        };
        if rows == Rows::All {
            return self.ops.rotate(angles, biases(0..3), (tape.qkv, 3 * h, 2 * h), false);
        }
        if !bias.is_empty() {
            self.ops.add_bias(rows, biases(0..1), MixedTensor::f32_only(tape.q_cls))?;
        }
        self.ops.rotate(angles, biases(1..3), (tape.qkv, 2 * h, h), false)
    }

    /// The backward pass of the rotation.
    fn rotate_backward(&mut self, angles: RotaryAngles) -> Result<()> {
        let (h, dqkv) = (self.layer.model.config.hidden, self.workspace.dqkv.f32);
        let (width, rotated) = if self.layer.rows == Rows::All { (3 * h, 2 * h) } else { (2 * h, h) };
        self.ops.rotate(angles, DeviceSlice::NULL, (dqkv, width, rotated), true)
    }
}

impl<D: Device> LayerOps for CudaOps<'_, '_, '_, D> {
    type Error = Error;

    fn norm_position(&self) -> NormPosition {
        self.layer.model.config.architecture.layer_structure.norm_position
    }

    fn has_norm_before_attention(&self) -> bool {
        self.layer.has_norm_before_attention()
    }

    fn project_qkv(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let (h, x) = (model.config.hidden, self.operand(Buffer::AttnIn));
        if rows == Rows::All {
            return self.ops.linear(tape.qkv, x, self.layer.matrix(&layout.qkv), h); //           (T, 3 H)
        }
        let [query, key_value] = [0..1, 1..3].map(|part| model.layer_matrix(self.layer.qkv_rows(part)));
        self.ops.gather_first_rows(self.x.f32, h, tape.x_cls)?; //                               (R, H)
        if self.has_norm_before_attention() {
            self.ops.gather_first_rows(tape.attn_in.f32, h, tape.attn_in_cls)?; //               (R, H)
        }
        let x_rows = self.operand(Buffer::AttnInRows);
        self.ops.linear(tape.q_cls, x_rows, query, h)?; //                                       (R, H)
        self.ops.linear(tape.qkv, x, key_value, h) //                                            (T, 2 H)
    }

    fn attention(&mut self) -> Result<()> {
        let tape = self.layer.tape;
        if let Some(angles) = self.layer.rotary_angles() {
            self.rotate(angles)?;
        }
        self.ops.attention(&self.layer.attention(self.workspace), tape.context, tape.lse)
    }

    fn linear(&mut self, y: Buffer, x: Buffer, weight: Matrix) -> Result<()> {
        let (y, x, inputs) = (self.tensor(y).f32, self.operand(x), weight.inputs(self.layer.model.config));
        self.ops.linear(y, x, self.layer.matrix(self.layer.matrix_range(weight)), inputs)
    }

    fn add_norm(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<()> {
        let EncoderLayer { model, rows, .. } = self.layer;
        let residual = self.layer.residual(norm, self.tensor(residual).f32);
        let params = model.layer_norm(self.layer.norm_params(norm));
        let saved = SavedNorm { x_hat: self.tensor(x).f32, rstd: self.layer.saved_norm(norm).rstd };
        self.ops.add_layer_norm(rows, residual, params, saved, self.tensor(y))
    }

    fn norm(&mut self, norm: Norm, x: Buffer, y: Buffer) -> Result<()> {
        let params = self.layer.model.layer_norm(self.layer.norm_params(norm));
        let (rows, saved) = (self.rows(x), self.layer.saved_norm(norm));
        self.ops.layer_norm(rows, self.tensor(x).f32, params, saved, self.tensor(y))
    }

    fn add(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<()> {
        let residual = self.layer.residual(norm, self.tensor(residual).f32);
        self.ops.add_residual(self.layer.rows, residual, self.tensor(x).f32, self.tensor(y))
    }

    fn activate(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let config = model.config;
        let bias =
            model.bias(&layout.up_bias, config.architecture.layer_structure.up_width(config.intermediate));
        if self.has_gates() {
            let bias = (bias, self.activation_dropout());
            return self.ops.gated_activation(rows, config.activation, bias, tape.act_grad, tape.ffn_act);
        }
        self.ops.activation(rows, config.activation, bias, tape.act_grad, tape.ffn_act)
    }

    fn add_norm_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<()> {
        let EncoderLayer { model, rows, .. } = self.layer;
        let saved = (self.layer.saved_norm(norm), model.weight(&self.layer.norm_params(norm).weight));
        let dropout = [DropoutSite::DISABLED, self.layer.norm_dropout(norm)];
        let (d_x, sums) = (self.tensor(d_x), (self.sums(), self.layer.norm_columns(norm)));
        self.ops.layer_norm_backward(rows, dropout, saved, self.d, d_x, sums)
    }

    fn norm_backward(&mut self, norm: Norm, d: Buffer) -> Result<()> {
        let weight = self.layer.model.weight(&self.layer.norm_params(norm).weight);
        let (saved, dropout) = ((self.layer.saved_norm(norm), weight), [DropoutSite::DISABLED; 2]);
        let (rows, d, sums) =
            (self.rows(d), self.tensor(d).f32, (self.sums(), self.layer.norm_columns(norm)));
        self.ops.layer_norm_backward(rows, dropout, saved, d, MixedTensor::NULL, sums)
    }

    fn add_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<()> {
        let (rows, h) = (self.layer.rows, self.layer.model.config.hidden);
        let sums = (self.sums(), self.layer.vector_column(self.layer.added_bias(norm)));
        let (dropout, d_x) = (self.layer.norm_dropout(norm), self.tensor(d_x));
        self.ops.residual_backward(rows, dropout, (self.d, h), d_x, sums)
    }

    fn add_rows(&mut self, sum: Buffer, x: Buffer) -> Result<()> {
        let h = self.layer.model.config.hidden;
        let (x, sum) = ((self.tensor(x).f32, h), (self.tensor(sum).f32, self.rows(sum)));
        self.ops.add_rows(self.layer.rows, x, sum)
    }

    fn weight_grad(&mut self, weight: Matrix, d_y: Buffer, x: Buffer) -> Result<()> {
        let gradient = self.layer.model.gradient(self.layer.matrix_range(weight));
        let (d_y, x, r) = (self.operand(d_y), self.operand(x), self.ops.len(self.layer.rows));
        self.ops.linear_weight_grad(gradient, d_y, x, r, self.accumulate)
    }

    fn input_grad(&mut self, d_x: Buffer, d_y: Buffer, weight: Matrix, store: Store) -> Result<()> {
        let (d_x, d_y) = (self.tensor(d_x).f32, self.operand(d_y));
        let matrix = self.layer.matrix(self.layer.matrix_range(weight));
        let inputs = weight.inputs(self.layer.model.config);
        self.ops.linear_input_grad(d_x, d_y, matrix, inputs, store == Store::Add)
    }

    fn activation_backward(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let sums = (self.sums(), self.layer.vector_column(&layout.up_bias));
        let Workspace { d_ffn, di, .. } = *self.workspace;
        let width = model.config.intermediate;
        if !self.has_gates() {
            return self.ops.column_sums(rows, width, Some(tape.act_grad), di, sums);
        }
        self.ops.gated_activation_backward(rows, width, tape.act_grad, [d_ffn, di.f32])?;
        self.ops.column_sums(rows, 2 * width, None, di, sums)
    }

    fn attention_backward(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let (h, bias) = (model.config.hidden, self.layer.vector_column(&layout.qkv_bias));
        let Workspace { dcontext, delta, dqkv, dq_cls, .. } = *self.workspace;
        let column = |column: usize| dqkv.f32.slice(column..dqkv.f32.len());
        let grads = match rows {
            Rows::All => AttentionGrads { dq: column(0), dk: column(h), dv: column(2 * h) }, // (T, 3 H)
            Rows::First => AttentionGrads { dq: dq_cls.f32, dk: column(0), dv: column(h) }, //  (R, H), (T, 2 H)
        };
        let context = (tape.context.f32, tape.lse);
        let attention = self.layer.attention(self.workspace);
        self.ops.attention_backward(&attention, context, (dcontext, delta), grads)?;
        self.relative_bias_backward(&attention)?;
        if let Some(angles) = self.layer.rotary_angles() {
            self.rotate_backward(angles)?;
        }
        if rows == Rows::All {
            return self.ops.column_sums(Rows::All, 3 * h, None, dqkv, (self.sums(), bias));
        }
        self.ops.column_sums(rows, h, None, dq_cls, (self.sums(), bias))?;
        self.ops.column_sums(Rows::All, 2 * h, None, dqkv, (self.sums(), bias + h))
    }

    fn qkv_backward(&mut self, store: Store) -> Result<()> {
        match self.layer.rows {
            Rows::All => self.all_qkv_backward(store),
            Rows::First => self.first_qkv_backward(store),
        }
    }
}
