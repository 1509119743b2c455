//! What the products of a layer reach alone: the measure of everything around them.

use super::kernels::product::{Multiplier, Products, Weight, WeightGradient};
use super::{MOST_SHARDS, threads_each};
use crate::nn::config::ModelConfig;
use std::time::Instant;

/// Seconds that are measured.
const SECONDS: f64 = 1.0;

/// Operations a second of a layer's products over `rows` tokens, forward and backward, done by as many
/// shares beside each other as a batch has on `threads`.
pub(super) fn product_rate(config: &ModelConfig, rows: usize, multiplier: Multiplier, threads: usize) -> f64 {
    let shares = threads.min(MOST_SHARDS);
    let (rows, threads) = (rows.div_ceil(shares), threads_each(threads, shares));
    std::thread::scope(|scope| {
        let share = || shard_rate(config, rows, multiplier, threads);
        let shares: Vec<_> = (0..shares).map(|_| scope.spawn(share)).collect();
        shares.into_iter().map(|share| share.join().expect("no product fails")).sum()
    })
}

fn shard_rate(config: &ModelConfig, rows: usize, multiplier: Multiplier, threads: usize) -> f64 {
    let (h, i) = (config.hidden, config.intermediate);
    let mut products = Products::new(multiplier);
    products.threads = threads;
    // Queries, keys and values, output, up, down.
    let mut linears: Vec<Linear> = [(h, h), (2 * h, h), (h, h), (i, h), (h, i)]
        .into_iter()
        .map(|(outs, ins)| Linear::new(rows, outs, ins))
        .collect();
    let mut pass = || linears.iter_mut().for_each(|linear| linear.pass(&mut products));
    pass();
    let begun = Instant::now();
    let mut passes = 0;
    while passes == 0 || begun.elapsed().as_secs_f64() < SECONDS {
        pass();
        passes += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let numbers: usize = linears.iter().map(|linear| linear.weight.len()).sum();
    (3 * 2 * numbers * rows * passes) as f64 / seconds
}

/// A linear layer with all that its three products need.
struct Linear {
    outs: usize,
    ins: usize,
    weight: Vec<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
    gradient: Vec<f32>,
}

impl Linear {
    fn new(rows: usize, outs: usize, ins: usize) -> Self {
        let numbers = |len: usize| (0..len).map(|i| (i % 7) as f32 / 8.0 - 0.4).collect::<Vec<f32>>();
        let weight = numbers(outs * ins);
        let (x, y) = (numbers(rows * ins), numbers(rows * outs));
        Linear { outs, ins, x, y, gradient: vec![0.0; weight.len()], weight }
    }

    fn pass(&mut self, products: &mut Products) {
        let Linear { outs, ins, weight, x, y, gradient } = self;
        let weight = Weight::new(weight, *ins);
        products.forward(y, x, weight);
        let gradient = WeightGradient { dw: gradient, d: vec![y], x: vec![x], outs: *outs };
        products.weights(vec![gradient], false);
        products.backward(x, y, weight, false);
        // What comes out goes in again: small numbers stay small.
        for x in x {
            *x = x.clamp(-1.0, 1.0);
        }
    }
}
