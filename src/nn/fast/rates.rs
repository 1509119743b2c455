//! How fast each kernel is alone, on one thread, on the shapes that a layer gives it.

use super::kernels::Cpu;
use super::kernels::activation::{activate, activate_backward};
use super::kernels::adamw::{Moving, Update, adamw, sum_of_squares};
use super::kernels::attention::{Attention, Heads, Projected, Spans};
use super::kernels::embedding::{gather, scatter};
use super::kernels::norm::{
    Mask, Norm, NormGradient, add_columns, add_norm, drop_rows, masked_gradient, norm_backward, norm_rows,
};
use super::kernels::product::{Multiplier, Products, Weight, WeightGradient};
use super::row_selection::Rows;
use crate::batch::Batch;
use crate::nn::config::ModelConfig;
use crate::nn::dropout::{Dropout, EMBEDDINGS};
use crate::nn::engine::KernelRate;
use std::time::Instant;

/// Seconds that each kernel is measured.
const SECONDS: f64 = 0.2;

/// Bytes of a number.
const NUMBER: usize = 4;

/// Share of what the masks drop.
const DROPOUT: f64 = 0.1;

/// Every kernel of a layer of `config` on one thread, over the tokens of `batch`.
pub(super) fn kernel_rates(config: &ModelConfig, batch: &Batch, multiplier: Multiplier) -> Vec<KernelRate> {
    let mut bench = Bench { cpu: Cpu::detect(), config, batch, rates: Vec::new() };
    bench.embedding();
    bench.norms();
    bench.activations();
    bench.attention();
    bench.products(multiplier);
    bench.optimizer();
    bench.rates
}

struct Bench<'a> {
    cpu: Cpu,
    config: &'a ModelConfig,
    batch: &'a Batch,
    rates: Vec<KernelRate>,
}

/// Numbers around zero.
fn numbers(length: usize) -> Vec<f32> {
    (0..length).map(|i| (i * 31 % 97) as f32 / 97.0 - 0.5).collect()
}

impl Bench<'_> {
    /// Times `kernel`, which reads and writes so many numbers, and does so many operations in products.
    fn measure(
        &mut self,
        name: &'static str,
        (moved, operations): (usize, usize),
        mut kernel: impl FnMut(Cpu),
    ) {
        kernel(self.cpu);
        let (mut times, begun) = (Vec::new(), Instant::now());
        while times.len() < 5 || begun.elapsed().as_secs_f64() < SECONDS {
            let one = Instant::now();
            kernel(self.cpu);
            times.push(one.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let seconds = times[times.len() / 2];
        self.rates.push(KernelRate {
            name,
            ms: seconds * 1e3,
            gbytes: (moved * NUMBER) as f64 / seconds / 1e9,
            gflops: (operations > 0).then(|| operations as f64 / seconds / 1e9),
        });
    }

    fn embedding(&mut self) {
        let (t, h) = (self.batch.tokens(), self.config.hidden);
        let (mut table, ids) = (numbers(self.config.vocab_size * h), self.batch.ids.clone());
        let mut out = vec![0.0; t * h];
        self.measure("embedding, forward", (2 * t * h, 0), |_| gather(&[(&table, &ids)], h, &mut out));
        self.measure("embedding, gradient", (3 * t * h, 0), |_| scatter(&out, &ids, h, &mut table));
    }

    fn norms(&mut self) {
        let (t, h) = (self.batch.tokens(), self.config.hidden);
        let (weight, bias, tokens) = (numbers(h), numbers(h), (0..t).collect::<Vec<_>>());
        let norm = Norm { weight: &weight, bias: &bias, eps: self.config.layer_norm_eps };
        let mask = Mask { site: Dropout::new(1, 1).site(EMBEDDINGS, DROPOUT), tokens: &tokens };
        let (mut x, residual, mut y) = (numbers(t * h), numbers(t * h), numbers(t * h));
        let (mut deviations, mut small) = (vec![1.0; t], [vec![0.0; h], vec![0.0; h]]);
        self.measure("norm", (3 * t * h, 0), |cpu| norm_rows(cpu, &mut x, norm, &mut deviations, &mut y));
        self.measure("dropout + residual + norm", (4 * t * h, 0), |cpu| {
            add_norm(cpu, &mut x, (&bias, mask, &residual), norm, &mut deviations, &mut y);
        });
        self.measure("norm, gradient", (3 * t * h, 0), |cpu| {
            let [weight_sums, bias_sums] = &mut small;
            let gradient = NormGradient { weight: weight_sums, bias: bias_sums };
            norm_backward(cpu, &mut y, &residual, &deviations, &weight, gradient);
        });
        self.measure("dropout", (2 * t * h, 0), |cpu| drop_rows(cpu, &mut y, h, mask));
        self.measure("dropout + bias, gradient", (2 * t * h, 0), |cpu| {
            masked_gradient(cpu, &residual, mask, &mut y, &mut small[0]);
        });
        self.measure("bias, gradient", (t * h, 0), |cpu| add_columns(cpu, &residual, &mut small[0]));
    }

    fn activations(&mut self) {
        let (t, i) = (self.batch.tokens(), self.config.intermediate);
        let (bias, mut sums) = (numbers(i), vec![0.0; i]);
        let (mut x, mut out, kind) = (numbers(t * i), vec![0.0; t * i], self.config.activation);
        self.measure("bias + activation", (3 * t * i, 0), |cpu| activate(cpu, kind, &mut x, &bias, &mut out));
        self.measure("bias + activation, gradient", (3 * t * i, 0), |cpu| {
            activate_backward(cpu, &mut out, &x, &mut sums);
        });
    }

    fn attention(&mut self) {
        let (t, h, config) = (self.batch.tokens(), self.config.hidden, self.config);
        let rows = Rows::all(self.batch, config.heads);
        let heads =
            Heads { count: config.heads, size: config.head_size(), max_positions: config.max_positions };
        let site = Dropout::new(1, 1).site(EMBEDDINGS, DROPOUT);
        let spans = Spans { heads, examples: &rows.spans, dropout: site, tokens: &rows.tokens };
        let (queries, keys_values, biases) = (numbers(t * h), numbers(2 * t * h), numbers(3 * h));
        let projected = Projected { queries: &queries, keys_values: &keys_values, biases: &biases };
        let (mut kept, mut context) = (vec![0.0; rows.probabilities], vec![0.0; t * h]);
        let (mut dqueries, mut dkeys_values) = (vec![0.0; t * h], vec![0.0; 2 * t * h]);
        let (mut attention, moved) = (Attention::default(), 4 * t * h + rows.probabilities);
        let operations = 2 * spans.operations();
        self.measure("attention", (moved, operations), |cpu| {
            attention.attend(cpu, spans, projected, &mut kept, &mut context);
        });
        self.measure("attention, gradient", (moved + 3 * t * h, 2 * operations), |cpu| {
            let (dq, dkv) = (&mut dqueries, &mut dkeys_values);
            attention.attend_backward(cpu, spans, projected, (&kept, &context), dq, dkv);
        });
    }

    fn products(&mut self, multiplier: Multiplier) {
        let (t, h, i) = (self.batch.tokens(), self.config.hidden, self.config.intermediate);
        let (weight, x, mut dw) = (numbers(i * h), numbers(t * h), vec![0.0; i * h]);
        let (mut y, mut dx) = (vec![0.0; t * i], vec![0.0; t * h]);
        let (weight, mut products) = (Weight::new(&weight, h), Products::new(multiplier));
        let cost = (t * h + t * i + i * h, 2 * t * i * h);
        self.measure("product, forward", cost, |_| products.forward(&mut y, &x, weight));
        self.measure("product, input's gradient", cost, |_| products.backward(&mut dx, &y, weight, false));
        self.measure("product, weight's gradient", cost, |_| {
            let gradient = WeightGradient { dw: &mut dw, d: vec![&y], x: vec![&x], outs: i };
            products.weights(vec![gradient], false);
        });
        let few = &x[..h.min(x.len())];
        let cost = (h + i + i * h, 2 * i * h);
        self.measure("product, one row", cost, |_| products.forward(&mut y[..i], few, weight));
    }

    fn optimizer(&mut self) {
        let length = self.config.hidden * self.config.intermediate;
        let gradient = numbers(length);
        let (mut weight, mut first, mut second) = (numbers(length), vec![0.0; length], vec![0.0; length]);
        let update = Update {
            first_gain: 0.1,
            second_keep: 0.999,
            second_gain: 0.001,
            decay: 1.0,
            step: 1e-5,
            root: 1.0,
            epsilon: 1e-8,
            scale: 1.0,
        };
        self.measure("AdamW", (7 * length, 0), |cpu| {
            let moving = Moving { weight: &mut weight, first: &mut first, second: &mut second };
            adamw(cpu, moving, &gradient, update);
        });
        self.measure("norm of the gradient", (length, 0), |cpu| {
            std::hint::black_box(sum_of_squares(cpu, &gradient));
        });
    }
}
