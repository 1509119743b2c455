//! The operations of an encoder layer on the CPU; [`crate::nn::encoder_layer`] says in which order.

use super::layout::{LayerRanges, RelativeBiasRange, WeightBias};
use super::row_selection::RowSelection;
use super::tape::LayerTape;
use super::workspace::{GradBuffers, Workspace};
use crate::nn::architecture::DropoutSite;
use crate::nn::config::ModelConfig;
use crate::nn::encoder_layer::{self, BackwardOps, Buffer, ForwardOps, Matrix, Norm, Store};
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
    /// `x` (T, H) → `out` (R, H). `tape` receives what the backward pass needs.
    pub(super) fn forward(
        &self,
        x: &[f32],
        rows: &RowSelection,
        tape: &mut LayerTape,
        workspace: &mut Workspace,
        out: &mut Vec<f32>,
    ) {
        let (h, i) = (self.config.hidden, self.config.intermediate);
        tape.resize(rows, (x.len() / h, h, i));
        let Workspace { matmul, attention, grads } = workspace;
        let buffers = Buffers { x, rows, h, i, tape, grads, out };
        let mut ops = CpuOps { layer: self, matmul, attention, buffers, vector_grads: &mut [] };
        let Ok(()) = encoder_layer::forward(&mut ops);
    }

    /// The backward pass of [`Layer::forward`]. The first buffer of `grad_ping_pong` holds the gradient of the output
    /// (R, H) on entry and that of the input `x` (T, H) on return. Adds the gradients of biases and LayerNorms to
    /// `vector_grads`; [`weight_grad_operands`] gives the operands of the gradients of the matrices.
    pub(super) fn backward(
        &self,
        x: &[f32],
        rows: &RowSelection,
        tape: &mut LayerTape,
        vector_grads: &mut [f32],
        workspace: &mut Workspace,
    ) {
        let (h, i) = (self.config.hidden, self.config.intermediate);
        let Workspace { matmul, attention, grads } = workspace;
        let buffers = Buffers { x, rows, h, i, tape, grads, out: &mut Vec::new() };
        let mut ops = CpuOps { layer: self, matmul, attention, buffers, vector_grads };
        let Ok(()) = encoder_layer::backward(&mut ops);
    }

    /// A matrix of the layer.
    fn matrix(&self, matrix: Matrix) -> WeightMatrix<'_> {
        let LayerRanges { attention_out, up, down, .. } = self.params;
        match matrix {
            Matrix::AttentionOut => self.weight(&attention_out.weight, self.config.hidden),
            Matrix::Up => self.weight(&up.weight, self.config.hidden),
            Matrix::Down => self.weight(&down.weight, self.config.intermediate),
        }
    }

    /// (H, H)
    fn query(&self) -> WeightMatrix<'_> {
        self.weight(&self.params.query, self.config.hidden)
    }

    /// (2H, H)
    fn key_value(&self) -> WeightMatrix<'_> {
        self.weight(&self.params.key_value, self.config.hidden)
    }

    fn weight(&self, range: &Range<usize>, inputs: usize) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(range), inputs)
    }

    fn slice(&self, range: &Range<usize>) -> &[f32] {
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
        let site = match norm {
            Norm::Attention => self.site(dropout::attention_output(self.index), DropoutSite::AttentionOutput),
            Norm::Output => self.site(dropout::feed_forward(self.index), DropoutSite::FeedForward),
        };
        DropoutMask { site, row_indices: &rows.token_indices }
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
            dropout: self.site(dropout::attention(self.index), DropoutSite::Attention),
            bias: self.relative_bias.map(|bias| RelativeBias {
                table: self.slice(&bias.table),
                buckets: &bias.buckets,
                heads: config.heads,
            }),
            token_indices: &rows.token_indices,
        }
    }

    /// The masks with that number, or `None` without dropout.
    fn site(&self, number: u32, site: DropoutSite) -> Option<Site> {
        self.dropout.and_then(|dropout| dropout.site(number, self.config.dropout_rate(site)))
    }
}

/// The buffers of a layer on the CPU: those of its tape, which are as long as the batch, and those of the workspace, which
/// may be longer. The tape has fewer buffers than the layer: `Proj` and `FfnOut` become x̂ of their LayerNorms, which
/// become `DProj` and `DFfnOut`; `PreAct` becomes the derivative of the activation function.
struct Buffers<'b> {
    /// (T, H)
    x: &'b [f32],
    rows: &'b RowSelection,
    h: usize,
    i: usize,
    tape: &'b mut LayerTape,
    grads: &'b mut GradBuffers,
    out: &'b mut Vec<f32>,
}

impl Buffers<'_> {
    fn vec(&mut self, buffer: Buffer) -> &mut Vec<f32> {
        let Buffers { tape, grads, out, .. } = self;
        match buffer {
            Buffer::XRows => &mut tape.x_cls,
            Buffer::Context => &mut tape.context,
            Buffer::Proj | Buffer::DProj => &mut tape.ln1_xhat,
            Buffer::Ln1Out => &mut tape.ln1_out,
            Buffer::PreAct => &mut tape.act_grad,
            Buffer::FfnAct => &mut tape.ffn_act,
            Buffer::FfnOut | Buffer::DFfnOut => &mut tape.ln2_xhat,
            Buffer::Out => out,
            Buffer::D => &mut grads.ping_pong[0],
            Buffer::DFfn => &mut grads.d_ffn,
            Buffer::DContext => &mut grads.d_context,
        }
    }

    fn len(&self, buffer: Buffer) -> usize {
        let width =
            if matches!(buffer, Buffer::PreAct | Buffer::FfnAct | Buffer::DFfn) { self.i } else { self.h };
        self.rows.len() * width
    }

    /// A buffer to read.
    fn read(&self, buffer: Buffer) -> &[f32] {
        let Buffers { tape, grads, .. } = self;
        let whole: &[f32] = match buffer {
            Buffer::XRows if self.rows.selected.is_none() => self.x,
            Buffer::XRows => &tape.x_cls,
            Buffer::Context => &tape.context,
            Buffer::Proj | Buffer::DProj => &tape.ln1_xhat,
            Buffer::Ln1Out => &tape.ln1_out,
            Buffer::PreAct => &tape.act_grad,
            Buffer::FfnAct => &tape.ffn_act,
            Buffer::FfnOut | Buffer::DFfnOut => &tape.ln2_xhat,
            Buffer::Out => self.out,
            Buffer::D => &grads.ping_pong[0],
            Buffer::DFfn => &grads.d_ffn,
            Buffer::DContext => &grads.d_context,
        };
        &whole[..self.len(buffer)]
    }

    /// Runs `work` with a buffer to write and the other ones to read.
    fn write(&mut self, buffer: Buffer, work: impl FnOnce(&mut [f32], &Self)) {
        let mut taken = std::mem::take(self.vec(buffer));
        work(&mut taken[..self.len(buffer)], self);
        *self.vec(buffer) = taken;
    }
}

/// What the operations of a layer read and write.
struct CpuOps<'o, 'b> {
    layer: &'o Layer<'o>,
    matmul: &'o mut Matmul,
    attention: &'o mut Attention,
    buffers: Buffers<'b>,
    vector_grads: &'o mut [f32],
}

impl ForwardOps for CpuOps<'_, '_> {
    type Error = Infallible;

    fn project_qkv(&mut self) -> Result<(), Infallible> {
        let Buffers { x, rows, h, tape, .. } = &mut self.buffers;
        let LayerTape { x_cls, q, kv, .. } = &mut **tape;
        let x_rows = rows.gather(x, *h, x_cls);
        self.matmul.forward(q, x_rows, self.layer.query()); //       (R, H)
        self.matmul.forward(kv, x, self.layer.key_value()); //      (T, 2H)
        Ok(())
    }

    fn attention(&mut self) -> Result<(), Infallible> {
        let Buffers { rows, tape, .. } = &mut self.buffers;
        let LayerTape { q, kv, attn_probs, context, .. } = &mut **tape;
        let qkv = Qkv { q, kv, bias: self.layer.slice(&self.layer.params.qkv_bias) };
        self.attention.forward(self.layer.cpu, self.layer.attention_batch(rows), qkv, attn_probs, context);
        Ok(())
    }

    fn linear(&mut self, y: Buffer, x: Buffer, weight: Matrix) -> Result<(), Infallible> {
        let CpuOps { layer, matmul, buffers, .. } = self;
        buffers.write(y, |y, buffers| matmul.forward(y, buffers.read(x), layer.matrix(weight)));
        Ok(())
    }

    fn add_norm(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<(), Infallible> {
        let (layer, rows) = (self.layer, self.buffers.rows);
        let (WeightBias { weight, bias }, added_bias) = layer.norm_params(norm);
        let params = LayerNorm {
            weight: layer.slice(weight),
            bias: layer.slice(bias),
            eps: layer.config.layer_norm_eps,
        };
        let mut rstd = std::mem::take(self.buffers.tape.rstd(norm));
        let mut taken = std::mem::take(self.buffers.vec(x));
        self.buffers.write(y, |y, buffers| {
            let sum = (layer.slice(added_bias), layer.norm_mask(norm, rows), buffers.read(residual));
            dropout_add_norm(layer.cpu, &mut taken, sum, params, &mut rstd, y);
        });
        *self.buffers.vec(x) = taken;
        *self.buffers.tape.rstd(norm) = rstd;
        Ok(())
    }

    fn activate(&mut self) -> Result<(), Infallible> {
        let (layer, LayerTape { act_grad, ffn_act, .. }) = (self.layer, &mut *self.buffers.tape);
        let bias = layer.slice(&layer.params.up.bias);
        activate(layer.cpu, layer.config.activation, act_grad, bias, ffn_act);
        Ok(())
    }
}

impl BackwardOps for CpuOps<'_, '_> {
    type Error = Infallible;

    fn norm_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<(), Infallible> {
        let (layer, rows) = (self.layer, self.buffers.rows);
        let (params, added_bias) = layer.norm_params(norm);
        let rstd = std::mem::take(self.buffers.tape.rstd(norm));
        let (weight, bias) = self.vector_grads[params.both()].split_at_mut(params.weight.len());
        let grad = LayerNormGrad { weight, bias };
        self.buffers.write(Buffer::D, |d, buffers| {
            // x̂, which d_x replaces below.
            let xhat = buffers.read(d_x);
            layer_norm_backward(layer.cpu, d, xhat, &rstd, layer.slice(&params.weight), grad);
        });
        *self.buffers.tape.rstd(norm) = rstd;
        let d_bias = &mut self.vector_grads[added_bias.clone()];
        self.buffers.write(d_x, |d_x, buffers| {
            let mask = layer.norm_mask(norm, rows);
            dropout_bias_backward(layer.cpu, buffers.read(Buffer::D), mask, d_x, d_bias);
        });
        Ok(())
    }

    /// [`weight_grad_operands`] gives the operands to the gradients of all shards.
    fn weight_grad(&mut self, _weight: Matrix, _d_y: Buffer, _x: Buffer) -> Result<(), Infallible> {
        Ok(())
    }

    fn input_grad(
        &mut self,
        d_x: Buffer,
        d_y: Buffer,
        weight: Matrix,
        store: Store,
    ) -> Result<(), Infallible> {
        let CpuOps { layer, matmul, buffers, .. } = self;
        buffers.write(d_x, |d_x, buffers| {
            matmul.backward_input(d_x, buffers.read(d_y), layer.matrix(weight), store == Store::Add);
        });
        Ok(())
    }

    fn activation_backward(&mut self) -> Result<(), Infallible> {
        let layer = self.layer;
        let d_bias = &mut self.vector_grads[layer.params.up.bias.clone()];
        self.buffers.write(Buffer::DFfn, |d, buffers| {
            activate_backward(layer.cpu, d, &buffers.tape.act_grad, d_bias);
        });
        Ok(())
    }

    fn attention_backward(&mut self) -> Result<(), Infallible> {
        let CpuOps { layer, attention, buffers, vector_grads, .. } = self;
        let (t, r) = (buffers.x.len(), buffers.len(Buffer::D));
        let GradBuffers { d_context, d_q, d_kv, .. } = &mut *buffers.grads;
        let (d_context, d_q, d_kv) = (&d_context[..r], &mut d_q[..r], &mut d_kv[..2 * t]);
        let LayerTape { q, kv, attn_probs, .. } = &*buffers.tape;
        let qkv = Qkv { q, kv, bias: layer.slice(&layer.params.qkv_bias) };
        let d_bias = layer.relative_bias.map_or(0..0, |bias| bias.table.clone());
        let grads = AttentionGrads { d_q, d_kv, d_bias: &mut vector_grads[d_bias] };
        let batch = layer.attention_batch(buffers.rows);
        attention.backward(layer.cpu, batch, qkv, (attn_probs, d_context), grads);
        let (d_q_bias, d_kv_bias) =
            vector_grads[layer.params.qkv_bias.clone()].split_at_mut(layer.config.hidden);
        add_column_sums(layer.cpu, d_q, d_q_bias); //                d_bq += Σ_rows d_q
        add_column_sums(layer.cpu, d_kv, d_kv_bias); //              d_bkv += Σ_rows d_kv
        Ok(())
    }

    fn qkv_backward(&mut self) -> Result<(), Infallible> {
        let CpuOps { layer, matmul, buffers, .. } = self;
        let (t, r) = (buffers.x.len(), buffers.len(Buffer::D));
        let GradBuffers { d_q, d_kv, ping_pong, .. } = &mut *buffers.grads;
        let [d, d_x] = ping_pong;
        let (d, d_x) = (&mut d[..r], &mut d_x[..t]);
        matmul.backward_input(d, &d_q[..r], layer.query(), true); //           (R, H)  d_x_rows = D + d_q Wq
        buffers.rows.scatter(d, layer.config.hidden, d_x); //                  (T, H)
        matmul.backward_input(d_x, &d_kv[..2 * t], layer.key_value(), true); // (T, H)  d_x = d_x_rows + d_kv Wkv
        ping_pong.swap(0, 1);
        Ok(())
    }
}

/// After [`Layer::backward`], the operands d_y and x of the gradient d_W = d_yᵀ x of each matrix, in the order of
/// [`LayerRanges::matrices`].
pub(super) fn weight_grad_operands<'a>(
    x: &'a [f32],
    rows: &RowSelection,
    tape: &'a LayerTape,
    workspace: &'a Workspace,
) -> [(&'a [f32], &'a [f32]); 5] {
    let (r, t) = (tape.ln1_out.len(), x.len());
    let x_rows = if rows.selected.is_some() { &tape.x_cls } else { x };
    let (d_proj, d_ffn_out) = (&tape.ln1_xhat, &tape.ln2_xhat);
    let GradBuffers { d_q, d_kv, d_ffn, .. } = &workspace.grads;
    [
        (&d_q[..r], x_rows),     //                             Wq:    (R, H),  (R, H)
        (&d_kv[..2 * t], x),     //                             Wkv:   (T, 2H), (T, H)
        (d_proj, &tape.context), //                         Wo:    (R, H),  (R, H)
        (&d_ffn[..tape.ffn_act.len()], &tape.ln1_out), //   Wup:   (R, I),  (R, H)
        (d_ffn_out, &tape.ffn_act), //                      Wdown: (R, H),  (R, I)
    ]
}
