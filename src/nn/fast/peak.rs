//! What the products of a layer reach alone: the measure of everything around them.

use super::kernels::packed::Packing;
use super::kernels::product::{Packed, Products, Weight};
use crate::nn::config::ModelConfig;
use std::time::Instant;

/// Seconds that are measured.
const SECONDS: f64 = 1.0;

/// Operations a second of a layer's products over `rows` tokens, forward and backward, done by `shards`
/// threads beside each other with `threads` each.
pub(crate) fn product_rate(
    config: &ModelConfig,
    rows: usize,
    packing: Option<Packing>,
    (shards, threads): (usize, usize),
) -> f64 {
    let rows = rows.div_ceil(shards);
    std::thread::scope(|scope| {
        let shards: Vec<_> =
            (0..shards).map(|_| scope.spawn(|| shard_rate(config, rows, packing, threads))).collect();
        shards.into_iter().map(|shard| shard.join().expect("no product fails")).sum()
    })
}

fn shard_rate(config: &ModelConfig, rows: usize, packing: Option<Packing>, threads: usize) -> f64 {
    let (h, i) = (config.hidden, config.intermediate);
    let mut products = Products::new(packing, threads);
    // Queries, keys and values, output, up, down.
    let mut linears: Vec<Linear> = [(h, h), (2 * h, h), (h, h), (i, h), (h, i)]
        .into_iter()
        .map(|(outs, ins)| Linear::new(rows, outs, ins, packing))
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
    packed: Option<Packed>,
    x: Vec<f32>,
    y: Vec<f32>,
    gradient: Vec<f32>,
}

impl Linear {
    fn new(rows: usize, outs: usize, ins: usize, packing: Option<Packing>) -> Self {
        let numbers = |len: usize| (0..len).map(|i| (i % 7) as f32 / 8.0 - 0.4).collect::<Vec<f32>>();
        let weight = numbers(outs * ins);
        let packed = packing.map(|packing| {
            let mut packed = Packed::default();
            packed.refresh(packing, &weight, ins);
            packed
        });
        let (x, y) = (numbers(rows * ins), numbers(rows * outs));
        Linear { outs, ins, packed, x, y, gradient: vec![0.0; weight.len()], weight }
    }

    fn pass(&mut self, products: &mut Products) {
        let Linear { outs, ins, weight, packed, x, y, gradient } = self;
        let weight = Weight::new(weight, *ins, packed.as_ref());
        products.forward(y, x, weight);
        products.weights(gradient, y, x, *outs, false);
        products.backward(x, y, weight, false);
        // What comes out goes in again: small numbers stay small.
        for x in x {
            *x = x.clamp(-1.0, 1.0);
        }
    }
}
