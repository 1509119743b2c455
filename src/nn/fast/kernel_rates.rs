//! Throughput of each kernel on one thread, on the shapes of an encoder layer.

use super::row_selection::{RowSelection, is_tiled};
use crate::batch::Batch;
use crate::nn::architecture::FeedForward;
use crate::nn::config::{LayerAttention, ModelConfig};
use crate::nn::engine::KernelRate;
use crate::nn::rotary::RotaryTable;
use kernels::Cpu;
use kernels::activation::{activate, activate_backward, activate_gated, activate_gated_backward};
use kernels::adamw::{AdamWStep, ParamSlices, adamw, sum_of_squares};
use kernels::attention::{Attention, AttentionBatch, AttentionGrads, HeadShape, Qkv};
use kernels::disentangled::PositionGrads;
use kernels::dropout::{Dropout, EMBEDDINGS};
use kernels::element_type::ElementType;
use kernels::embedding::{gather, scatter_add};
use kernels::matmul::{Matmul, MatmulBackend, WeightGrad, WeightMatrix};
use kernels::norm::{
    DropoutMask, LayerNorm, LayerNormGrad, add_column_sums, apply_dropout, dropout_add_norm,
    dropout_bias_backward, layer_norm, layer_norm_backward,
};
use kernels::tiled_attention::{Rotation, SavedAttention, TiledAttention, TiledBatch};
use std::time::Instant;

/// Minimum duration of the measurement of a kernel in seconds.
const SECONDS: f64 = 0.2;

/// Bytes of an f32.
const F32_BYTES: usize = 4;

/// Dropout rate of the masks.
const DROPOUT_RATE: f64 = 0.1;

/// Throughput of each kernel of a layer of `config`, on one thread, over the tokens of `batch`.
pub(crate) fn kernel_rates(config: &ModelConfig, batch: &Batch, is_bf16: bool) -> Vec<KernelRate> {
    let element_type = if is_bf16 { ElementType::Bf16 } else { ElementType::F32 };
    let mut bench = Bench { cpu: Cpu::detect(), config, batch, rates: Vec::new() };
    bench.embedding();
    bench.norms();
    bench.activations();
    bench.attention();
    bench.matmul(MatmulBackend::fastest(element_type));
    bench.optimizer();
    bench.rates
}

struct Bench<'a> {
    cpu: Cpu,
    config: &'a ModelConfig,
    batch: &'a Batch,
    rates: Vec<KernelRate>,
}

/// Values between −0.5 and 0.5.
fn values(length: usize) -> Vec<f32> {
    (0..length).map(|i| (i * 31 % 97) as f32 / 97.0 - 0.5).collect()
}

impl Bench<'_> {
    /// Times `kernel`, which reads and writes `traffic` elements and computes `flops` in matrix products.
    fn measure(&mut self, name: &'static str, (traffic, flops): (usize, usize), mut kernel: impl FnMut(Cpu)) {
        kernel(self.cpu);
        let (mut times, start) = (Vec::new(), Instant::now());
        while times.len() < 5 || start.elapsed().as_secs_f64() < SECONDS {
            let call = Instant::now();
            kernel(self.cpu);
            times.push(call.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let seconds = times[times.len() / 2];
        self.rates.push(KernelRate {
            name,
            ms: seconds * 1e3,
            gbytes: (traffic * F32_BYTES) as f64 / seconds / 1e9,
            gflops: (flops > 0).then(|| flops as f64 / seconds / 1e9),
        });
    }

    fn embedding(&mut self) {
        let (t, h) = (self.batch.tokens(), self.config.hidden);
        let (mut table, ids) = (values(self.config.vocab_size * h), self.batch.ids.clone());
        let mut out = vec![0.0; t * h];
        self.measure("embedding, forward", (2 * t * h, 0), |_| gather(&[(&table, &ids)], h, &mut out));
        self.measure("embedding, gradient", (3 * t * h, 0), |_| scatter_add(&out, &ids, h, &mut table));
    }

    fn norms(&mut self) {
        let (t, h) = (self.batch.tokens(), self.config.hidden);
        let (weight, bias, tokens) = (values(h), values(h), (0..t).collect::<Vec<_>>());
        let norm = LayerNorm { weight: &weight, bias: &bias, eps: self.config.layer_norm_eps };
        let mask =
            DropoutMask { site: Dropout::new(1, 1).site(EMBEDDINGS, DROPOUT_RATE), row_indices: &tokens };
        let (mut x, residual, mut y) = (values(t * h), values(t * h), values(t * h));
        let (mut rstd, mut grads) = (vec![1.0; t], [vec![0.0; h], vec![0.0; h]]);
        self.measure("norm", (3 * t * h, 0), |cpu| layer_norm(cpu, &mut x, norm, &mut rstd, &mut y));
        self.measure("dropout + residual + norm", (4 * t * h, 0), |cpu| {
            dropout_add_norm(cpu, &mut x, (&bias, mask, &residual), norm, &mut rstd, &mut y);
        });
        self.measure("norm, gradient", (3 * t * h, 0), |cpu| {
            let [d_weight, d_bias] = &mut grads;
            let grad = LayerNormGrad { weight: d_weight, bias: d_bias };
            layer_norm_backward(cpu, &mut y, &residual, &rstd, &weight, grad);
        });
        self.measure("dropout", (2 * t * h, 0), |cpu| apply_dropout(cpu, &mut y, h, mask));
        self.measure("dropout + bias, gradient", (2 * t * h, 0), |cpu| {
            dropout_bias_backward(cpu, &residual, mask, &mut y, &mut grads[0]);
        });
        self.measure("bias, gradient", (t * h, 0), |cpu| add_column_sums(cpu, &residual, &mut grads[0]));
    }

    fn activations(&mut self) {
        let structure = self.config.architecture.layer_structure;
        let (t, i, up) =
            (self.batch.tokens(), self.config.intermediate, structure.up_width(self.config.intermediate));
        let (bias, mut d_bias) = (values(up), vec![0.0; up]);
        let (mut x, mut out, function) = (values(t * up), vec![0.0; t * i], self.config.activation);
        let traffic = t * (2 * up + i);
        if structure.feed_forward == FeedForward::Gated {
            let mask = DropoutMask { site: None, row_indices: &[] };
            self.measure("bias + activation + gate", (traffic, 0), |cpu| {
                activate_gated(cpu, function, &mut x, (&bias, mask), &mut out);
            });
            self.measure("activation + gate, gradient", (traffic, 0), |cpu| {
                activate_gated_backward(cpu, &out, &mut x, i);
            });
            return;
        }
        self.measure("bias + activation", (traffic, 0), |cpu| {
            activate(cpu, function, &mut x, &bias, &mut out);
        });
        self.measure("bias + activation, gradient", (traffic, 0), |cpu| {
            activate_backward(cpu, &mut out, &x, &mut d_bias);
        });
    }

    fn attention(&mut self) {
        let (t, h, config) = (self.batch.tokens(), self.config.hidden, self.config);
        let rows = RowSelection::all(config, self.batch);
        let heads =
            HeadShape { count: config.heads, size: config.head_size(), max_positions: config.max_positions };
        let site = Dropout::new(1, 1).site(EMBEDDINGS, DROPOUT_RATE);
        let batch = AttentionBatch {
            heads,
            examples: &rows.spans,
            dropout: site,
            scale: config.score_scale(),
            bias: None,
            positions: None,
            token_indices: &rows.token_indices,
        };
        let (q, kv, bias) = (values(t * h), values(2 * t * h), values(3 * h));
        let qkv = Qkv { q: &q, kv: &kv, bias: &bias };
        let (mut saved, mut context) = (vec![0.0; rows.saved_attention_len], vec![0.0; t * h]);
        let (mut d_q, mut d_kv) = (vec![0.0; t * h], vec![0.0; 2 * t * h]);
        let traffic = 4 * t * h + rows.saved_attention_len;
        if is_tiled(config) {
            return self.tiled_attention(&rows, qkv, (&mut saved, &mut context), (&mut d_q, &mut d_kv));
        }
        let (mut attention, flops) = (Attention::default(), 2 * batch.flops());
        self.measure("attention", (traffic, flops), |cpu| {
            attention.forward(cpu, batch, qkv, &mut saved, &mut context);
        });
        self.measure("attention, gradient", (traffic + 3 * t * h, 2 * flops), |cpu| {
            let d_positions = PositionGrads::default();
            let grads = AttentionGrads { d_q: &mut d_q, d_kv: &mut d_kv, d_bias: &mut [], d_positions };
            attention.backward(cpu, batch, qkv, (&saved, &context), grads);
        });
    }

    /// Attention in tiles, of a layer of each kind.
    fn tiled_attention(
        &mut self,
        rows: &RowSelection,
        qkv: Qkv<'_>,
        (log_sums, context): (&mut [f32], &mut [f32]),
        (d_q, d_kv): (&mut [f32], &mut [f32]),
    ) {
        let config = self.config;
        let heads =
            HeadShape { count: config.heads, size: config.head_size(), max_positions: config.max_positions };
        let traffic = 5 * context.len();
        let is_local = |layer: &LayerAttention| layer.window.is_some();
        let mut layers = (0..config.layers).map(|layer| config.layer_attention(layer));
        let kinds = [
            ("attention", "attention, gradient", layers.clone().find(|layer| !is_local(layer))),
            ("local attention", "local attention, gradient", layers.find(is_local)),
        ];
        for (forward, backward, layer) in kinds {
            let Some(layer) = layer else { continue };
            let table =
                layer.rope_theta.map(|theta| RotaryTable::new(theta, self.batch.longest(), heads.size));
            let batch = TiledBatch {
                heads,
                examples: &rows.spans,
                window: layer.window,
                rotation: table.as_ref().map(|table| Rotation { cos: &table.cos, sin: &table.sin }),
                dropout: None,
                token_indices: &rows.token_indices,
            };
            let (mut attention, flops) = (TiledAttention::default(), 2 * batch.flops());
            self.measure(forward, (traffic, flops), |cpu| {
                attention.forward(cpu, batch, qkv, log_sums, context);
            });
            let d_context = values(context.len());
            self.measure(backward, (2 * traffic, 2 * flops), |cpu| {
                let saved = SavedAttention { log_sums, context, d_context: &d_context };
                attention.backward(cpu, batch, qkv, saved, (d_q, d_kv));
            });
        }
    }

    fn matmul(&mut self, backend: MatmulBackend) {
        let (t, h, i) = (self.batch.tokens(), self.config.hidden, self.config.intermediate);
        let (weight, x, mut d_w) = (values(i * h), values(t * h), vec![0.0; i * h]);
        let (mut y, mut d_x) = (vec![0.0; t * i], vec![0.0; t * h]);
        let (weight, mut matmul) = (WeightMatrix::new(&weight, h), Matmul::new(backend));
        let cost = (t * h + t * i + i * h, 2 * t * i * h);
        self.measure("product, forward", cost, |_| matmul.forward(&mut y, &x, weight));
        self.measure("product, input's gradient", cost, |_| {
            matmul.backward_input(&mut d_x, &y, weight, false);
        });
        self.measure("product, weight's gradient", cost, |_| {
            let gradient = WeightGrad { d_w: &mut d_w, d_y: vec![&y], x: vec![&x], outputs: i };
            matmul.backward_weights(vec![gradient], false);
        });
        let row = &x[..h.min(x.len())];
        let cost = (h + i + i * h, 2 * i * h);
        self.measure("product, one row", cost, |_| matmul.forward(&mut y[..i], row, weight));
    }

    fn optimizer(&mut self) {
        let length = self.config.hidden * self.config.intermediate;
        let gradient = values(length);
        let (mut weight, mut first, mut second) = (values(length), vec![0.0; length], vec![0.0; length]);
        let step = AdamWStep {
            one_minus_beta1: 0.1,
            beta2: 0.999,
            one_minus_beta2: 0.001,
            decay_factor: 1.0,
            step_size: 1e-5,
            bias_correction2_sqrt: 1.0,
            epsilon: 1e-8,
            grad_scale: 1.0,
        };
        self.measure("AdamW", (7 * length, 0), |cpu| {
            let params =
                ParamSlices { weight: &mut weight, first_moment: &mut first, second_moment: &mut second };
            adamw(cpu, params, &gradient, step);
        });
        self.measure("norm of the gradient", (length, 0), |cpu| {
            std::hint::black_box(sum_of_squares(cpu, &gradient));
        });
    }
}
