//! Throughput of the matrix products of an encoder layer alone, the upper bound for the whole layer.

use super::threads::{MAX_SHARDS, thread_count, threads_per_shard};
use crate::nn::config::ModelConfig;
use kernels::element_type::ElementType;
use kernels::matmul::{Matmul, MatmulBackend, WeightGrad, WeightMatrix};
use std::time::Instant;

/// Minimum duration of the measurement in seconds.
const SECONDS: f64 = 1.0;

/// FLOP/s of the matrix products of a layer over `rows` tokens, with the shards and threads of an engine.
pub(crate) fn matmul_rate(config: &ModelConfig, rows: usize, is_bf16: bool, threads: Option<usize>) -> f64 {
    let element_type = if is_bf16 { ElementType::Bf16 } else { ElementType::F32 };
    rate(config, rows, MatmulBackend::fastest(element_type), thread_count(threads))
}

/// Like [`matmul_rate`], computed by the `gemm` crate in f32.
pub(crate) fn gemm_crate_rate(config: &ModelConfig, rows: usize, threads: Option<usize>) -> f64 {
    rate(config, rows, MatmulBackend::Gemm, thread_count(threads))
}

fn rate(config: &ModelConfig, rows: usize, backend: MatmulBackend, threads: usize) -> f64 {
    let shards = threads.min(MAX_SHARDS);
    let (rows, threads) = (rows.div_ceil(shards), threads_per_shard(threads, shards));
    std::thread::scope(|scope| {
        let shard = || shard_rate(config, rows, backend, threads);
        let shards: Vec<_> = (0..shards).map(|_| scope.spawn(shard)).collect();
        shards.into_iter().map(|shard| shard.join().expect("matrix products do not panic")).sum()
    })
}

fn shard_rate(config: &ModelConfig, rows: usize, backend: MatmulBackend, threads: usize) -> f64 {
    let (h, i) = (config.hidden, config.intermediate);
    let mut matmul = Matmul::new(backend);
    matmul.threads = threads;
    // (outputs, inputs) of query, key and value, attention output, up, down.
    let mut linears: Vec<Linear> = [(h, h), (2 * h, h), (h, h), (i, h), (h, i)]
        .into_iter()
        .map(|(outputs, inputs)| Linear::new(rows, outputs, inputs))
        .collect();
    let mut pass = || linears.iter_mut().for_each(|linear| linear.pass(&mut matmul));
    pass();
    let start = Instant::now();
    let mut passes = 0;
    while passes == 0 || start.elapsed().as_secs_f64() < SECONDS {
        pass();
        passes += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let elements: usize = linears.iter().map(|linear| linear.weight.len()).sum();
    (3 * 2 * elements * rows * passes) as f64 / seconds
}

/// A linear layer with the buffers of its three matrix products.
struct Linear {
    outputs: usize,
    inputs: usize,
    weight: Vec<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
    d_weight: Vec<f32>,
}

impl Linear {
    fn new(rows: usize, outputs: usize, inputs: usize) -> Self {
        let values = |len: usize| (0..len).map(|i| (i % 7) as f32 / 8.0 - 0.4).collect::<Vec<f32>>();
        let weight = values(outputs * inputs);
        let (x, y) = (values(rows * inputs), values(rows * outputs));
        Linear { outputs, inputs, x, y, d_weight: vec![0.0; weight.len()], weight }
    }

    /// Forward and backward pass.
    fn pass(&mut self, matmul: &mut Matmul) {
        let Linear { outputs, inputs, weight, x, y, d_weight } = self;
        let weight = WeightMatrix::new(weight, *inputs);
        matmul.forward(y, x, weight);
        let gradient = WeightGrad { d_w: d_weight, d_y: vec![y], x: vec![x], outputs: *outputs };
        matmul.backward_weights(vec![gradient], false);
        matmul.backward_input(x, y, weight, false);
        // The output is the next input; keep it small.
        for x in x {
            *x = x.clamp(-1.0, 1.0);
        }
    }
}
