//! The operations of an encoder layer on a GPU; [`crate::nn::encoder_layer`] says in which order.

use super::device::{Device, DeviceSlice, GemmOperand};
use super::layout::LayerLayout;
use super::model::Model;
use super::ops::{Attention, AttentionGrads, DropoutSite, LayerNorm, NormColumns, Ops, Residual, Rows};
use super::tensor::{MixedTensor, PartialSums, SavedNorm};
use super::workspace::{Tape, Workspace};
use crate::error::{Error, Result};
use crate::nn::architecture;
use crate::nn::encoder_layer::{self, BackwardOps, Buffer, ForwardOps, Matrix, Norm, Store};
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
        x: MixedTensor,
        out: MixedTensor,
    ) -> Result<()> {
        encoder_layer::forward(&mut CudaForward { layer: *self, ops, x, out })
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
        let sums = self.model.partial_sums(workspace);
        let mut pass = CudaBackward { layer: *self, ops, x, workspace, sums, d, dx, accumulate };
        encoder_layer::backward(&mut pass)?;
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

    /// Number of columns of a matrix.
    fn inputs(&self, matrix: Matrix) -> usize {
        match matrix {
            Matrix::AttentionOut | Matrix::Up => self.model.config.hidden,
            Matrix::Down => self.model.config.intermediate,
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
        let (index, model) = (self.index, self.model);
        match norm {
            Norm::Attention => {
                let site = architecture::DropoutSite::AttentionOutput;
                let dropout = model.dropout(dropout::attention_output(index), site);
                (attention_norm, attention_out_bias, dropout)
            }
            Norm::Output => {
                let site = architecture::DropoutSite::FeedForward;
                (output_norm, down_bias, model.dropout(dropout::feed_forward(index), site))
            }
        }
    }

    fn saved_norm(&self, norm: Norm) -> SavedNorm {
        match norm {
            Norm::Attention => self.tape.ln1,
            Norm::Output => self.tape.ln2,
        }
    }

    fn attention(&self) -> Attention {
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
            dropout: model.dropout(dropout::attention(index), architecture::DropoutSite::Attention),
            is_bf16: !model.bf16_weights.is_null(),
        }
    }
}

/// A buffer of the tape in the type that GEMMs read.
fn operand<D: Device>(layer: &EncoderLayer<'_>, ops: &Ops<'_, D>, buffer: Buffer) -> GemmOperand {
    let (h, i, r) = (layer.model.config.hidden, layer.model.config.intermediate, ops.len(layer.rows));
    match buffer {
        Buffer::Context => layer.tape.context.gemm_operand(r * h),
        Buffer::Ln1Out => layer.tape.ln1_out.gemm_operand(r * h),
        Buffer::FfnAct => layer.tape.ffn_act.gemm_operand(r * i),
        other => unreachable!("{other:?} is no operand of a product in the forward pass"),
    }
}

/// The forward pass of a layer.
struct CudaForward<'o, 'd, 'l, D: Device> {
    layer: EncoderLayer<'l>,
    ops: &'o mut Ops<'d, D>,
    /// (T, H)
    x: MixedTensor,
    /// (R, H)
    out: MixedTensor,
}

impl<D: Device> CudaForward<'_, '_, '_, D> {
    /// A buffer that a product is written to. `Proj` and `FfnOut` become x̂ of their LayerNorms, and `PreAct` the
    /// derivative of the activation function.
    fn product(&self, buffer: Buffer) -> DeviceSlice<f32> {
        let tape = self.layer.tape;
        match buffer {
            Buffer::Proj => tape.ln1.x_hat,
            Buffer::PreAct => tape.act_grad,
            Buffer::FfnOut => tape.ln2.x_hat,
            other => unreachable!("{other:?} is no product of the forward pass"),
        }
    }
}

impl<D: Device> ForwardOps for CudaForward<'_, '_, '_, D> {
    type Error = Error;

    fn project_qkv(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let h = model.config.hidden;
        let (t, r) = (self.ops.len(Rows::All), self.ops.len(rows));
        if rows == Rows::All {
            let qkv = self.layer.matrix(&layout.qkv);
            return self.ops.linear(tape.qkv, self.x.gemm_operand(t * h), qkv, h); //             (T, 3 H)
        }
        let [query, key_value] = [0..1, 1..3].map(|part| model.layer_matrix(self.layer.qkv_rows(part)));
        self.ops.gather_first_rows(self.x.f32, h, tape.x_cls)?; //                               (R, H)
        self.ops.linear(tape.q_cls, tape.x_cls.gemm_operand(r * h), query, h)?; //               (R, H)
        self.ops.linear(tape.qkv, self.x.gemm_operand(t * h), key_value, h) //                   (T, 2 H)
    }

    fn attention(&mut self) -> Result<()> {
        let tape = self.layer.tape;
        self.ops.attention(&self.layer.attention(), tape.context, tape.lse)
    }

    fn linear(&mut self, y: Buffer, x: Buffer, weight: Matrix) -> Result<()> {
        let (y, x) = (self.product(y), operand(&self.layer, self.ops, x));
        let matrix = self.layer.matrix(self.layer.matrix_range(weight));
        self.ops.linear(y, x, matrix, self.layer.inputs(weight))
    }

    fn add_norm(&mut self, norm: Norm, _x: Buffer, residual: Buffer, y: Buffer) -> Result<()> {
        let EncoderLayer { model, tape, rows, .. } = self.layer;
        let (range, bias, dropout) = self.layer.norm(norm);
        let x = match residual {
            Buffer::XRows if rows == Rows::All => self.x.f32,
            Buffer::XRows => tape.x_cls.f32,
            _ => tape.ln1_out.f32,
        };
        let residual = Residual { bias: model.weight(bias), dropout, x };
        let norm_params =
            LayerNorm { weight_and_bias: model.weight(range), eps: model.config.layer_norm_eps as f32 };
        let y = if y == Buffer::Out { self.out } else { tape.ln1_out };
        self.ops.add_layer_norm(rows, residual, norm_params, self.layer.saved_norm(norm), y)
    }

    fn activate(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let bias = model.weight(&layout.up_bias);
        self.ops.activation(rows, model.config.activation, bias, tape.act_grad, tape.ffn_act)
    }
}

/// The backward pass of a layer.
struct CudaBackward<'o, 'd, 'l, D: Device> {
    layer: EncoderLayer<'l>,
    ops: &'o mut Ops<'d, D>,
    /// (T, H)
    x: MixedTensor,
    workspace: &'o Workspace,
    sums: PartialSums,
    /// Gradient of the residual stream: (R, H)
    d: DeviceSlice<f32>,
    /// Gradient of the input in the last layer: (T, H)
    dx: DeviceSlice<f32>,
    /// Whether gradients are added to those in the arena.
    accumulate: bool,
}

impl<D: Device> CudaBackward<'_, '_, '_, D> {
    fn operand(&self, buffer: Buffer) -> GemmOperand {
        let (h, i) = (self.layer.model.config.hidden, self.layer.model.config.intermediate);
        let r = self.ops.len(self.layer.rows);
        match buffer {
            Buffer::DFfnOut | Buffer::DProj => self.workspace.dh.gemm_operand(r * h),
            Buffer::DFfn => self.workspace.di.gemm_operand(r * i),
            other => operand(&self.layer, self.ops, other),
        }
    }

    /// The backward pass of the projections of all tokens. Adds the gradient of `x` to `d`.
    fn all_qkv_backward(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, .. } = self.layer;
        let (t, h) = (self.ops.len(Rows::All), model.config.hidden);
        let (dqkv, x) = (self.workspace.dqkv.gemm_operand(t * 3 * h), self.x.gemm_operand(t * h));
        let gradient = model.gradient(&layout.qkv);
        self.ops.linear_weight_grad(gradient, dqkv, x, t, self.accumulate)?; //                  (3 H, H)
        self.ops.linear_input_grad(self.d, dqkv, self.layer.matrix(&layout.qkv), h, true) //     (T, H)
    }

    /// The backward pass of the projections where only first tokens have queries. Writes the gradient of `x` to `dx`.
    fn first_qkv_backward(&mut self) -> Result<()> {
        let EncoderLayer { model, tape, rows, .. } = self.layer;
        let h = model.config.hidden;
        let (t, r) = (self.ops.len(Rows::All), self.ops.len(rows));
        let Workspace { dqkv, dq_cls, .. } = *self.workspace;
        let (dq, dkv) = (dq_cls.gemm_operand(r * h), dqkv.gemm_operand(t * 2 * h));
        let [query, key_value] = [0..1, 1..3].map(|part| self.layer.qkv_rows(part));
        let (x_cls, x) = (tape.x_cls.gemm_operand(r * h), self.x.gemm_operand(t * h));
        let accumulate = self.accumulate;
        self.ops.linear_weight_grad(model.gradient(&query), dq, x_cls, r, accumulate)?; //       (H, H)
        self.ops.linear_weight_grad(model.gradient(&key_value), dkv, x, t, accumulate)?; //      (2 H, H)
        // d becomes the gradient of x_cls.
        self.ops.linear_input_grad(self.d, dq, model.layer_matrix(query), h, true)?; //          (R, H)
        self.ops.scatter_first_rows(self.d, h, self.dx)?; //                                     (T, H)
        self.ops.linear_input_grad(self.dx, dkv, model.layer_matrix(key_value), h, true) //      (T, H)
    }
}

impl<D: Device> BackwardOps for CudaBackward<'_, '_, '_, D> {
    type Error = Error;

    /// Both `DFfnOut` and `DProj` are `dh`.
    fn norm_backward(&mut self, norm: Norm, _d_x: Buffer) -> Result<()> {
        let EncoderLayer { model, rows, .. } = self.layer;
        let (range, bias, dropout) = self.layer.norm(norm);
        let columns =
            NormColumns { norm: self.layer.vector_column(range), bias: self.layer.vector_column(bias) };
        let weight = model.weight(&(range.start..range.start + range.len() / 2));
        let saved = (self.layer.saved_norm(norm), weight);
        let dropout = [DropoutSite::DISABLED, dropout];
        let sums = (self.sums, columns);
        self.ops.layer_norm_backward(rows, dropout, saved, self.d, self.workspace.dh, sums)
    }

    fn weight_grad(&mut self, weight: Matrix, d_y: Buffer, x: Buffer) -> Result<()> {
        let gradient = self.layer.model.gradient(self.layer.matrix_range(weight));
        let (d_y, x, r) = (self.operand(d_y), self.operand(x), self.ops.len(self.layer.rows));
        self.ops.linear_weight_grad(gradient, d_y, x, r, self.accumulate)
    }

    fn input_grad(&mut self, d_x: Buffer, d_y: Buffer, weight: Matrix, store: Store) -> Result<()> {
        let out = match d_x {
            Buffer::D => self.d,
            Buffer::DFfn => self.workspace.di.f32,
            Buffer::DContext => self.workspace.dcontext,
            other => unreachable!("{other:?} is no gradient of the input of a product"),
        };
        let (d_y, inputs) = (self.operand(d_y), self.layer.inputs(weight));
        let matrix = self.layer.matrix(self.layer.matrix_range(weight));
        self.ops.linear_input_grad(out, d_y, matrix, inputs, store == Store::Add)
    }

    fn activation_backward(&mut self) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = self.layer;
        let sums = (self.sums, self.layer.vector_column(&layout.up_bias));
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
        self.ops.attention_backward(&self.layer.attention(), context, (dcontext, delta), grads)?;
        if rows == Rows::All {
            return self.ops.column_sums(Rows::All, 3 * h, None, dqkv, (self.sums, bias));
        }
        self.ops.column_sums(rows, h, None, dq_cls, (self.sums, bias))?;
        self.ops.column_sums(Rows::All, 2 * h, None, dqkv, (self.sums, bias + h))
    }

    fn qkv_backward(&mut self) -> Result<()> {
        if self.layer.rows == Rows::All { self.all_qkv_backward() } else { self.first_qkv_backward() }
    }
}
