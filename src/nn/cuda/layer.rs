//! The operations of an encoder layer on a GPU; [`crate::nn::encoder_layer`] says in which order.

use super::device::{Device, DeviceSlice, GemmOperand};
use super::layout::LayerLayout;
use super::model::Model;
use super::ops::{Attention, AttentionGrads, DropoutSite, LayerNorm, NormColumns, Ops, Residual, Rows};
use super::supported::unsupported;
use super::tensor::{MixedTensor, PartialSums, SavedNorm};
use super::workspace::{Tape, Workspace};
use crate::error::{Error, Result};
use crate::nn::architecture::{self, NormPosition};
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
    /// `d` is overwritten. The result is in `d` if R = T, and in `dx` in the last layer.
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

    /// The column of a vector parameter in the layer's partial sums.
    fn vector_column(&self, range: &Range<usize>) -> usize {
        range.start - self.layout.vectors.start
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

    /// The ranges of weight and bias of a LayerNorm and of the bias of what is added to its residual connection, and
    /// the dropout of the latter.
    fn norm(&self, norm: Norm) -> (&Range<usize>, &Range<usize>, DropoutSite) {
        let LayerLayout { attention_norm, attention_out_bias, output_norm, down_bias, .. } = self.layout;
        let (number, site) = norm.dropout(self.index);
        let dropout = self.model.dropout(number, site);
        match norm {
            Norm::Attention => (attention_norm, attention_out_bias, dropout),
            Norm::Output => (output_norm, down_bias, dropout),
        }
    }

    fn saved_norm(&self, norm: Norm) -> SavedNorm {
        match norm {
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
        Attention {
            rows,
            heads: config.heads,
            head_size: config.head_size(),
            max_positions: config.max_positions,
            queries,
            keys,
            values,
            strides,
            biases: model.weight(&layout.qkv_bias),
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
    /// A buffer. Some have the same memory: `Proj` and `FfnOut` become x̂ of their LayerNorms, and `PreAct` the derivative
    /// of the activation function.
    fn tensor(&self, buffer: Buffer) -> MixedTensor {
        let (tape, workspace) = (self.layer.tape, self.workspace);
        match buffer {
            Buffer::XRows | Buffer::AttnInRows if self.layer.rows == Rows::First => tape.x_cls,
            Buffer::X | Buffer::XRows | Buffer::AttnIn | Buffer::AttnInRows => self.x,
            Buffer::Context => tape.context,
            Buffer::Proj => MixedTensor::f32_only(tape.ln1.x_hat),
            Buffer::Ln1Out => tape.ln1_out,
            Buffer::PreAct => MixedTensor::f32_only(tape.act_grad),
            Buffer::FfnAct => tape.ffn_act,
            Buffer::FfnOut => MixedTensor::f32_only(tape.ln2.x_hat),
            Buffer::Out => self.out,
            // The last one is used with pre-norm only.
            Buffer::D | Buffer::DLn1Out => MixedTensor::f32_only(self.d),
            Buffer::DAttnIn => MixedTensor::f32_only(self.dx),
            Buffer::DFfnOut | Buffer::DProj => workspace.dh,
            Buffer::DFfn | Buffer::DPreAct => workspace.di,
            Buffer::DContext => MixedTensor::f32_only(workspace.dcontext),
        }
    }

    /// A buffer in the type that GEMMs read.
    fn operand(&self, buffer: Buffer) -> GemmOperand {
        let (rows, config) = (self.layer.rows, self.layer.model.config);
        let (rows, width) = match buffer {
            Buffer::X => (Rows::All, config.hidden),
            Buffer::FfnAct | Buffer::DFfn | Buffer::DPreAct => (rows, config.intermediate),
            _ => (rows, config.hidden),
        };
        self.tensor(buffer).gemm_operand(self.ops.len(rows) * width)
    }

    /// The layer has operations of pre-norm, which [`check_supported`](super::supported::check_supported) rejects.
    fn unsupported(&self) -> Error {
        unsupported(self.layer.model.config)
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

    /// The backward pass of the projections of all tokens. Adds the gradient of `X` to `D`.
    fn all_qkv_backward(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, .. } = self.layer;
        let (t, h) = (self.ops.len(Rows::All), model.config.hidden);
        let (dqkv, x) = (self.workspace.dqkv.gemm_operand(t * 3 * h), self.operand(Buffer::X));
        let gradient = model.gradient(&layout.qkv);
        self.ops.linear_weight_grad(gradient, dqkv, x, t, self.accumulate)?; //                  (3 H, H)
        self.ops.linear_input_grad(self.d, dqkv, self.layer.matrix(&layout.qkv), h, true) //     (T, H)
    }

    /// The backward pass of the projections where only first tokens have queries. Writes the gradient of `X` to `dx`.
    fn first_qkv_backward(&mut self) -> Result<()> {
        let EncoderLayer { model, rows, .. } = self.layer;
        let h = model.config.hidden;
        let (t, r) = (self.ops.len(Rows::All), self.ops.len(rows));
        let Workspace { dqkv, dq_cls, .. } = *self.workspace;
        let (dq, dkv) = (dq_cls.gemm_operand(r * h), dqkv.gemm_operand(t * 2 * h));
        let [query, key_value] = [0..1, 1..3].map(|part| self.layer.qkv_rows(part));
        let (x_rows, x) = (self.operand(Buffer::XRows), self.operand(Buffer::X));
        let accumulate = self.accumulate;
        self.ops.linear_weight_grad(model.gradient(&query), dq, x_rows, r, accumulate)?; //      (H, H)
        self.ops.linear_weight_grad(model.gradient(&key_value), dkv, x, t, accumulate)?; //      (2 H, H)
        // d becomes the gradient of XRows.
        self.ops.linear_input_grad(self.d, dq, model.layer_matrix(query), h, true)?; //          (R, H)
        self.ops.scatter_first_rows(self.d, h, self.dx)?; //                                     (T, H)
        self.ops.linear_input_grad(self.dx, dkv, model.layer_matrix(key_value), h, true) //      (T, H)
    }
}

impl<D: Device> LayerOps for CudaOps<'_, '_, '_, D> {
    type Error = Error;

    fn norm_position(&self) -> NormPosition {
        NormPosition::Post
    }

    fn has_norm_before_attention(&self) -> bool {
        false
    }

    fn project_qkv(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let (h, x) = (model.config.hidden, self.operand(Buffer::X));
        if rows == Rows::All {
            return self.ops.linear(tape.qkv, x, self.layer.matrix(&layout.qkv), h); //           (T, 3 H)
        }
        let [query, key_value] = [0..1, 1..3].map(|part| model.layer_matrix(self.layer.qkv_rows(part)));
        self.ops.gather_first_rows(self.x.f32, h, tape.x_cls)?; //                               (R, H)
        let x_rows = self.operand(Buffer::XRows);
        self.ops.linear(tape.q_cls, x_rows, query, h)?; //                                       (R, H)
        self.ops.linear(tape.qkv, x, key_value, h) //                                            (T, 2 H)
    }

    fn attention(&mut self) -> Result<()> {
        let tape = self.layer.tape;
        self.ops.attention(&self.layer.attention(self.workspace), tape.context, tape.lse)
    }

    fn linear(&mut self, y: Buffer, x: Buffer, weight: Matrix) -> Result<()> {
        let (y, x, inputs) = (self.tensor(y).f32, self.operand(x), weight.inputs(self.layer.model.config));
        self.ops.linear(y, x, self.layer.matrix(self.layer.matrix_range(weight)), inputs)
    }

    fn add_norm(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<()> {
        let EncoderLayer { model, rows, .. } = self.layer;
        let (range, bias, dropout) = self.layer.norm(norm);
        let residual = Residual { bias: model.weight(bias), dropout, x: self.tensor(residual).f32 };
        let params =
            LayerNorm { weight_and_bias: model.weight(range), eps: model.config.layer_norm_eps as f32 };
        let saved = SavedNorm { x_hat: self.tensor(x).f32, rstd: self.layer.saved_norm(norm).rstd };
        self.ops.add_layer_norm(rows, residual, params, saved, self.tensor(y))
    }

    fn norm(&mut self, _norm: Norm, _x: Buffer, _y: Buffer) -> Result<()> {
        Err(self.unsupported())
    }

    fn add(&mut self, _norm: Norm, _x: Buffer, _residual: Buffer, _y: Buffer) -> Result<()> {
        Err(self.unsupported())
    }

    fn activate(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let bias = model.weight(&layout.up_bias);
        self.ops.activation(rows, model.config.activation, bias, tape.act_grad, tape.ffn_act)
    }

    fn add_norm_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<()> {
        let EncoderLayer { model, rows, .. } = self.layer;
        let (range, bias, dropout) = self.layer.norm(norm);
        let columns =
            NormColumns { norm: self.layer.vector_column(range), bias: self.layer.vector_column(bias) };
        let weight = model.weight(&(range.start..range.start + range.len() / 2));
        let saved = (self.layer.saved_norm(norm), weight);
        let dropout = [DropoutSite::DISABLED, dropout];
        let (d_x, sums) = (self.tensor(d_x), (self.sums(), columns));
        self.ops.layer_norm_backward(rows, dropout, saved, self.d, d_x, sums)
    }

    fn norm_backward(&mut self, _norm: Norm, _d: Buffer) -> Result<()> {
        Err(self.unsupported())
    }

    fn add_backward(&mut self, _norm: Norm, _d_x: Buffer) -> Result<()> {
        Err(self.unsupported())
    }

    fn add_rows(&mut self, _sum: Buffer, _x: Buffer) -> Result<()> {
        Err(self.unsupported())
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
        self.ops.column_sums(rows, model.config.intermediate, Some(tape.act_grad), self.workspace.di, sums)
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
        if rows == Rows::All {
            return self.ops.column_sums(Rows::All, 3 * h, None, dqkv, (self.sums(), bias));
        }
        self.ops.column_sums(rows, h, None, dq_cls, (self.sums(), bias))?;
        self.ops.column_sums(Rows::All, 2 * h, None, dqkv, (self.sums(), bias + h))
    }

    fn qkv_backward(&mut self, _store: Store) -> Result<()> {
        if self.layer.rows == Rows::All { self.all_qkv_backward() } else { self.first_qkv_backward() }
    }
}
