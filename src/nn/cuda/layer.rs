//! The forward and backward pass of one encoder layer, with the arithmetic of the CPU engine in [`crate::nn::fast`].
//!
//! Shapes: T tokens, R rows of the layer's output, H hidden size, I intermediate size. R is T, but in the last layer
//! the number of examples: it computes only the first token of each. Weights are (out_features, in_features).

use super::device::{Device, DeviceSlice, GemmOperand};
use super::layout::LayerLayout;
use super::model::Model;
use super::ops::{Attention, AttentionGrads, DropoutSite, LayerNorm, NormColumns, Ops, Residual, Rows};
use super::tensor::MixedTensor;
use super::workspace::{Tape, Workspace};
use crate::error::Result;
use crate::nn::architecture;
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
    /// Computes `out` (R, H) from `x` (T, H) and writes the tape:
    ///
    /// ```text
    /// a   = LayerNorm(dropout(attention(x) · Woᵀ + bo) + x)
    /// out = LayerNorm(dropout(f(a · Wupᵀ + bup) · Wdownᵀ + bdown) + a)
    /// ```
    pub(super) fn forward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        x: MixedTensor,
        out: MixedTensor,
    ) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = *self;
        let (h, i) = (model.config.hidden, model.config.intermediate);
        let (t, r) = (ops.len(Rows::All), ops.len(rows));
        let qkv = self.matrix(&layout.qkv);
        if rows == Rows::All {
            ops.linear(tape.qkv, x.gemm_operand(t * h), qkv, h)?; //                         (T, 3 H)
        } else {
            let [query, key_value] =
                [self.submatrix(&layout.qkv, 0..h * h), self.submatrix(&layout.qkv, h * h..3 * h * h)];
            ops.gather_first_rows(x.f32, h, tape.x_cls)?; //                                 (R, H)
            ops.linear(tape.q_cls, tape.x_cls.gemm_operand(r * h), query, h)?; //            (R, H)
            ops.linear(tape.qkv, x.gemm_operand(t * h), key_value, h)?; //                   (T, 2 H)
        }
        ops.attention(&self.attention(), tape.context, tape.lse)?; //                        (R, H)

        let weight = self.matrix(&layout.attention_out);
        ops.linear(tape.ln1.x_hat, tape.context.gemm_operand(r * h), weight, h)?; //         (R, H)
        let residual = Residual {
            bias: model.weight(&layout.attention_out_bias),
            dropout: self.attention_dropout(),
            x: if rows == Rows::All { x.f32 } else { tape.x_cls.f32 },
        };
        ops.add_layer_norm(rows, residual, self.norm(&layout.attention_norm), tape.ln1, tape.ln1_out)?;

        let weight = self.matrix(&layout.up);
        ops.linear(tape.act_grad, tape.ln1_out.gemm_operand(r * h), weight, h)?; //          (R, I)
        let bias = model.weight(&layout.up_bias);
        ops.activation(rows, model.config.activation, bias, tape.act_grad, tape.ffn_act)?; // (R, I)
        let weight = self.matrix(&layout.down);
        ops.linear(tape.ln2.x_hat, tape.ffn_act.gemm_operand(r * i), weight, i)?; //         (R, H)
        let residual = Residual {
            bias: model.weight(&layout.down_bias),
            dropout: self.output_dropout(),
            x: tape.ln1_out.f32,
        };
        ops.add_layer_norm(rows, residual, self.norm(&layout.output_norm), tape.ln2, out)
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
        let EncoderLayer { model, layout, tape, rows, .. } = *self;
        let (h, i) = (model.config.hidden, model.config.intermediate);
        let r = ops.len(rows);
        let Workspace { dh, di, dcontext, .. } = *workspace;
        let sums = model.partial_sums(workspace);
        let dh_operand = dh.gemm_operand(r * h);

        let columns = NormColumns {
            norm: self.vector_column(&layout.output_norm),
            bias: self.vector_column(&layout.down_bias),
        };
        let weight = self.norm_weight(&layout.output_norm);
        let dropout = [DropoutSite::DISABLED, self.output_dropout()];
        ops.layer_norm_backward(rows, dropout, (tape.ln2, weight), d, dh, (sums, columns))?; //  (R, H)
        let ffn_act = tape.ffn_act.gemm_operand(r * i);
        ops.linear_weight_grad(model.gradient(&layout.down), dh_operand, ffn_act, r, accumulate)?; // (H, I)
        ops.linear_input_grad(di.f32, dh_operand, self.matrix(&layout.down), i, false)?; //      (R, I)
        ops.column_sums(rows, i, Some(tape.act_grad), di, (sums, self.vector_column(&layout.up_bias)))?;
        let (di, ln1_out) = (di.gemm_operand(r * i), tape.ln1_out.gemm_operand(r * h));
        ops.linear_weight_grad(model.gradient(&layout.up), di, ln1_out, r, accumulate)?; //      (I, H)
        // d becomes the gradient of ln1_out.
        ops.linear_input_grad(d, di, self.matrix(&layout.up), h, true)?; //                      (R, H)

        let columns = NormColumns {
            norm: self.vector_column(&layout.attention_norm),
            bias: self.vector_column(&layout.attention_out_bias),
        };
        let weight = self.norm_weight(&layout.attention_norm);
        let dropout = [DropoutSite::DISABLED, self.attention_dropout()];
        ops.layer_norm_backward(rows, dropout, (tape.ln1, weight), d, dh, (sums, columns))?;
        let context = tape.context.gemm_operand(r * h);
        let gradient = model.gradient(&layout.attention_out);
        ops.linear_weight_grad(gradient, dh_operand, context, r, accumulate)?; //                (H, H)
        ops.linear_input_grad(dcontext, dh_operand, self.matrix(&layout.attention_out), h, false)?; // (R, H)

        if rows == Rows::All {
            self.qkv_backward(ops, x, workspace, d, accumulate)?;
        } else {
            self.last_qkv_backward(ops, x, workspace, [d, dx], accumulate)?;
        }
        ops.reduce_partial_sums((sums, 0), model.gradient(&layout.vectors), accumulate)
    }

    /// The backward pass of attention and the projections of all tokens. Adds the gradient of `x` to `d`.
    fn qkv_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        x: MixedTensor,
        workspace: &Workspace,
        d: DeviceSlice<f32>,
        accumulate: bool,
    ) -> Result<()> {
        let EncoderLayer { model, layout, tape, .. } = *self;
        let (t, h) = (ops.len(Rows::All), model.config.hidden);
        let Workspace { dcontext, delta, dqkv, .. } = *workspace;
        let sums = model.partial_sums(workspace);
        let [dq, dk, dv] = [0, h, 2 * h].map(|column| dqkv.f32.slice(column..dqkv.f32.len()));
        let context = (tape.context.f32, tape.lse);
        ops.attention_backward(&self.attention(), context, (dcontext, delta), AttentionGrads { dq, dk, dv })?; // (T, 3 H)
        ops.column_sums(Rows::All, 3 * h, None, dqkv, (sums, self.vector_column(&layout.qkv_bias)))?;
        let (dqkv, x) = (dqkv.gemm_operand(t * 3 * h), x.gemm_operand(t * h));
        ops.linear_weight_grad(model.gradient(&layout.qkv), dqkv, x, t, accumulate)?; //         (3 H, H)
        ops.linear_input_grad(d, dqkv, self.matrix(&layout.qkv), h, true) //                     (T, H)
    }

    /// The backward pass of attention and the projections where only first tokens have queries. Writes the gradient
    /// of `x` to `dx`.
    fn last_qkv_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        x: MixedTensor,
        workspace: &Workspace,
        [d, dx]: [DeviceSlice<f32>; 2],
        accumulate: bool,
    ) -> Result<()> {
        let EncoderLayer { model, layout, tape, rows, .. } = *self;
        let h = model.config.hidden;
        let (t, r) = (ops.len(Rows::All), ops.len(rows));
        let Workspace { dcontext, delta, dqkv, dq_cls, .. } = *workspace;
        let sums = model.partial_sums(workspace);
        let bias = self.vector_column(&layout.qkv_bias);
        let grads = AttentionGrads { dq: dq_cls.f32, dk: dqkv.f32, dv: dqkv.f32.slice(h..dqkv.f32.len()) };
        let context = (tape.context.f32, tape.lse);
        ops.attention_backward(&self.attention(), context, (dcontext, delta), grads)?; //        (R, H), (T, 2 H)
        ops.column_sums(rows, h, None, dq_cls, (sums, bias))?;
        ops.column_sums(Rows::All, 2 * h, None, dqkv, (sums, bias + h))?;
        let (dq, dkv) = (dq_cls.gemm_operand(r * h), dqkv.gemm_operand(t * 2 * h));
        let [query, key_value] = [0..h * h, h * h..3 * h * h];
        let gradient = model.gradient(&layout.qkv);
        let (x_cls, x) = (tape.x_cls.gemm_operand(r * h), x.gemm_operand(t * h));
        ops.linear_weight_grad(gradient.slice(query.clone()), dq, x_cls, r, accumulate)?; //     (H, H)
        ops.linear_weight_grad(gradient.slice(key_value.clone()), dkv, x, t, accumulate)?; //    (2 H, H)
        // d becomes the gradient of x_cls.
        ops.linear_input_grad(d, dq, self.submatrix(&layout.qkv, query), h, true)?; //           (R, H)
        ops.scatter_first_rows(d, h, dx)?; //                                                    (T, H)
        ops.linear_input_grad(dx, dkv, self.submatrix(&layout.qkv, key_value), h, true) //       (T, H)
    }

    /// The column of a vector parameter in the layer's partial sums.
    fn vector_column(&self, range: &Range<usize>) -> usize {
        range.start - self.layout.vectors.start
    }

    fn matrix(&self, range: &Range<usize>) -> GemmOperand {
        self.model.layer_matrix(range.clone())
    }

    /// A range of elements within a matrix.
    fn submatrix(&self, matrix: &Range<usize>, part: Range<usize>) -> GemmOperand {
        self.model.layer_matrix(matrix.start + part.start..matrix.start + part.end)
    }

    fn norm(&self, range: &Range<usize>) -> LayerNorm {
        LayerNorm { weight_and_bias: self.model.weight(range), eps: self.model.config.layer_norm_eps as f32 }
    }

    fn norm_weight(&self, range: &Range<usize>) -> DeviceSlice<f32> {
        self.model.weight(&(range.start..range.start + range.len() / 2))
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

    /// Dropout of the attention output.
    fn attention_dropout(&self) -> DropoutSite {
        let site = architecture::DropoutSite::AttentionOutput;
        self.model.dropout(dropout::attention_output(self.index), site)
    }

    /// Dropout of the feed-forward output.
    fn output_dropout(&self) -> DropoutSite {
        let site = architecture::DropoutSite::FeedForward;
        self.model.dropout(dropout::feed_forward(self.index), site)
    }
}
