//! One encoder layer, forward and backward (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>; post-LN as in
//! BERT, Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>).
//!
//! Shapes: T tokens, R rows that the layer outputs (R = T but in the last layer), H hidden size, I intermediate size.
//! Weights are (outputs, inputs), as PyTorch stores them. ⊙ is the element-wise product, mask a dropout mask with
//! its factor 1 / (1 − p). `d_x` is the gradient of the loss with respect to `x`.

use super::layout::{LayerRanges, RelativeBiasRange, WeightBias};
use super::row_selection::RowSelection;
use super::tape::LayerTape;
use super::workspace::Workspace;
use crate::nn::architecture::DropoutSite;
use crate::nn::config::ModelConfig;
use kernels::Cpu;
use kernels::activation::{activate, activate_backward};
use kernels::attention::{AttentionBatch, AttentionGrads, HeadShape, Qkv};
use kernels::dropout::{self, Dropout, Site};
use kernels::matmul::WeightMatrix;
use kernels::norm::{
    DropoutMask, LayerNorm, LayerNormGrad, add_column_sums, dropout_add_norm, dropout_bias_backward,
    layer_norm_backward,
};
use kernels::relative_bias::RelativeBias;
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
        out: &mut [f32],
    ) {
        let (h, i) = (self.config.hidden, self.config.intermediate);
        let (t, cpu, params) = (x.len() / h, self.cpu, self.params);
        let Workspace { matmul, attention, .. } = workspace;
        tape.resize(rows, (t, h, i));
        let LayerTape { x_cls, q, kv, attn_probs, context, ln1_out, act_grad, ffn_act, .. } = tape;
        let LayerTape { ln1_xhat, ln1_rstd, ln2_xhat, ln2_rstd, .. } = tape;

        // Self-attention. Biases are added by the attention kernel.
        let x_rows = rows.gather(x, h, x_cls); //           (R, H)   x of the output rows
        matmul.forward(q, x_rows, self.query()); //         (R, H)   q = x_rows Wqᵀ
        matmul.forward(kv, x, self.key_value()); //         (T, 2H)  k, v = x Wkvᵀ
        let qkv = Qkv { q, kv, bias: self.slice(&params.qkv_bias) };
        // (R, H)  context = dropout(softmax(q kᵀ / √head_size + bias)) v
        attention.forward(cpu, self.attention_batch(rows), qkv, attn_probs, context);
        let proj = ln1_xhat; //                                      normalized in place below
        matmul.forward(proj, context, self.attention_out()); // (R, H)  proj = context Woᵀ
        let sum = (self.slice(&params.attention_out.bias), self.attention_mask(rows), x_rows);
        // (R, H)  ln1_out = LayerNorm(mask ⊙ (proj + bo) + x_rows)
        dropout_add_norm(cpu, proj, sum, self.layer_norm(&params.attention_norm), ln1_rstd, ln1_out);

        // Feed-forward network.
        let pre_act = act_grad; //                                   replaced by the derivative below
        matmul.forward(pre_act, ln1_out, self.up()); //     (R, I)   pre_act = ln1_out Wupᵀ
        // (R, I)  ffn_act = f(pre_act + bup), act_grad = f'(pre_act + bup)
        activate(cpu, self.config.activation, pre_act, self.slice(&params.up.bias), ffn_act);
        let ffn_out = ln2_xhat; //                                   normalized in place below
        matmul.forward(ffn_out, ffn_act, self.down()); //   (R, H)   ffn_out = ffn_act Wdownᵀ
        let sum = (self.slice(&params.down.bias), self.output_mask(rows), &**ln1_out);
        // (R, H)  out = LayerNorm(mask ⊙ (ffn_out + bdown) + ln1_out)
        dropout_add_norm(cpu, ffn_out, sum, self.layer_norm(&params.output_norm), ln2_rstd, out);
    }

    /// The backward pass of [`Layer::forward`]. `workspace.grad_ping_pong[0]` holds the gradient of the output
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
        let (h, i, r) = (self.config.hidden, self.config.intermediate, rows.len());
        let (t, cpu, params) = (x.len() / h, self.cpu, self.params);
        let Workspace { matmul, attention, d_context, d_ffn, d_q, d_kv, grad_ping_pong } = workspace;
        let [d, d_x] = grad_ping_pong;
        let (d, d_x, d_context) = (&mut d[..r * h], &mut d_x[..t * h], &mut d_context[..r * h]);
        let (d_ffn, d_q, d_kv) = (&mut d_ffn[..r * i], &mut d_q[..r * h], &mut d_kv[..t * 2 * h]);

        // Feed-forward network. d: gradient of `out`, then of the sum that ln2 normalizes.      (R, H)
        self.layer_norm_backward(d, &tape.ln2_xhat, &tape.ln2_rstd, &params.output_norm, vector_grads);
        let d_ffn_out = &mut tape.ln2_xhat; //                                    x̂ is no longer needed
        let d_bias = &mut vector_grads[params.down.bias.clone()];
        // d_ffn_out = mask ⊙ d, d_bdown += Σ_rows d_ffn_out
        dropout_bias_backward(cpu, d, self.output_mask(rows), d_ffn_out, d_bias);
        matmul.backward_input(d_ffn, d_ffn_out, self.down(), false); // (R, I)   d_ffn = d_ffn_out Wdown
        // d_ffn = d_ffn ⊙ act_grad, d_bup += Σ_rows d_ffn
        activate_backward(cpu, d_ffn, &tape.act_grad, &mut vector_grads[params.up.bias.clone()]);
        matmul.backward_input(d, d_ffn, self.up(), true); //            (R, H)   d_ln1_out = d + d_ffn Wup

        // Self-attention. d: gradient of `ln1_out`, then of the sum that ln1 normalizes.        (R, H)
        self.layer_norm_backward(d, &tape.ln1_xhat, &tape.ln1_rstd, &params.attention_norm, vector_grads);
        let d_proj = &mut tape.ln1_xhat; //                                       x̂ is no longer needed
        let d_bias = &mut vector_grads[params.attention_out.bias.clone()];
        // d_proj = mask ⊙ d, d_bo += Σ_rows d_proj
        dropout_bias_backward(cpu, d, self.attention_mask(rows), d_proj, d_bias);
        matmul.backward_input(d_context, d_proj, self.attention_out(), false); // (R, H)  d_context = d_proj Wo
        let LayerTape { q, kv, attn_probs, .. } = tape;
        let qkv = Qkv { q, kv, bias: self.slice(&params.qkv_bias) };
        let bias_range = self.relative_bias.map_or(0..0, |bias| bias.table.clone());
        let grads = AttentionGrads { d_q, d_kv, d_bias: &mut vector_grads[bias_range] };
        // (R, H), (T, 2H)  d_q, d_kv; d_bias += the gradient of the scores
        attention.backward(cpu, self.attention_batch(rows), qkv, (attn_probs, d_context), grads);
        let (d_q_bias, d_kv_bias) = vector_grads[params.qkv_bias.clone()].split_at_mut(h);
        add_column_sums(cpu, d_q, d_q_bias); //                                   d_bq += Σ_rows d_q
        add_column_sums(cpu, d_kv, d_kv_bias); //                                 d_bkv += Σ_rows d_kv
        matmul.backward_input(d, d_q, self.query(), true); //           (R, H)   d_x_rows = d + d_q Wq
        rows.scatter(d, h, d_x); //                                     (T, H)
        matmul.backward_input(d_x, d_kv, self.key_value(), true); //    (T, H)   d_x = d_x_rows + d_kv Wkv
        grad_ping_pong.swap(0, 1);
    }

    /// (H, H)
    fn query(&self) -> WeightMatrix<'_> {
        self.matrix(&self.params.query, self.config.hidden)
    }

    /// (2H, H)
    fn key_value(&self) -> WeightMatrix<'_> {
        self.matrix(&self.params.key_value, self.config.hidden)
    }

    /// (H, H)
    fn attention_out(&self) -> WeightMatrix<'_> {
        self.matrix(&self.params.attention_out.weight, self.config.hidden)
    }

    /// (I, H)
    fn up(&self) -> WeightMatrix<'_> {
        self.matrix(&self.params.up.weight, self.config.hidden)
    }

    /// (H, I)
    fn down(&self) -> WeightMatrix<'_> {
        self.matrix(&self.params.down.weight, self.config.intermediate)
    }

    fn matrix(&self, range: &Range<usize>, inputs: usize) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(range), inputs)
    }

    fn slice(&self, range: &Range<usize>) -> &[f32] {
        &self.weights[range.clone()]
    }

    fn layer_norm(&self, params: &WeightBias) -> LayerNorm<'_> {
        let (weight, bias) = (self.slice(&params.weight), self.slice(&params.bias));
        LayerNorm { weight, bias, eps: self.config.layer_norm_eps }
    }

    fn layer_norm_backward(
        &self,
        d: &mut [f32],
        xhat: &[f32],
        rstd: &[f32],
        params: &WeightBias,
        vector_grads: &mut [f32],
    ) {
        let (weight, bias) = vector_grads[params.both()].split_at_mut(params.weight.len());
        let grad = LayerNormGrad { weight, bias };
        layer_norm_backward(self.cpu, d, xhat, rstd, self.slice(&params.weight), grad);
    }

    fn attention_batch<'r>(&'r self, rows: &'r RowSelection) -> AttentionBatch<'r> {
        let config = self.config;
        let site = dropout::attention(self.index);
        AttentionBatch {
            heads: HeadShape {
                count: config.heads,
                size: config.head_size(),
                max_positions: config.max_positions,
            },
            examples: &rows.spans,
            dropout: self.site(site, DropoutSite::Attention),
            bias: self.relative_bias.map(|bias| RelativeBias {
                table: self.slice(&bias.table),
                buckets: &bias.buckets,
                heads: config.heads,
            }),
            token_indices: &rows.token_indices,
        }
    }

    /// Dropout after the attention projection.
    fn attention_mask<'r>(&self, rows: &'r RowSelection) -> DropoutMask<'r> {
        let site = self.site(dropout::attention_output(self.index), DropoutSite::AttentionOutput);
        DropoutMask { site, row_indices: &rows.token_indices }
    }

    /// Dropout after the feed-forward network.
    fn output_mask<'r>(&self, rows: &'r RowSelection) -> DropoutMask<'r> {
        let site = self.site(dropout::feed_forward(self.index), DropoutSite::FeedForward);
        DropoutMask { site, row_indices: &rows.token_indices }
    }

    /// The masks with that number, or `None` without dropout.
    fn site(&self, number: u32, site: DropoutSite) -> Option<Site> {
        self.dropout.and_then(|dropout| dropout.site(number, self.config.dropout_rate(site)))
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
    [
        (&workspace.d_q[..r], x_rows), //                             Wq:    (R, H),  (R, H)
        (&workspace.d_kv[..2 * t], x), //                             Wkv:   (T, 2H), (T, H)
        (d_proj, &tape.context),       //                                   Wo:    (R, H),  (R, H)
        (&workspace.d_ffn[..tape.ffn_act.len()], &tape.ln1_out), //   Wup:   (R, I),  (R, H)
        (d_ffn_out, &tape.ffn_act),    //                                Wdown: (R, H),  (R, I)
    ]
}
