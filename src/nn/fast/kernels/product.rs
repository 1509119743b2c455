//! The three matrix products of a linear layer: forward, and two on the way back.
//!
//! They are done by the `gemm` crate, or over operands packed beforehand ([`super::packed`]) where the
//! machine has the instructions for it.

use super::Spent;
use super::packed::Packing;
use gemm::Parallelism;

/// The weight of a linear layer: (outs, ins).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight<'a> {
    numbers: &'a [f32],
    outs: usize,
    ins: usize,
    packed: Option<&'a Packed>,
}

impl<'a> Weight<'a> {
    /// Over `numbers`, with what [`Packed::refresh`] made of the same.
    pub(crate) fn new(numbers: &'a [f32], ins: usize, packed: Option<&'a Packed>) -> Self {
        let outs = numbers.len() / ins;
        assert_eq!(numbers.len(), outs * ins, "a weight of {ins} inputs");
        Weight { numbers, outs, ins, packed }
    }

    pub(crate) fn ins(&self) -> usize {
        self.ins
    }
}

/// A weight as the right operand of both directions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packed {
    /// Wᵀ: (ins, outs)
    forward: Vec<u32>,
    /// W: (outs, ins)
    backward: Vec<u32>,
}

impl Packed {
    /// Words of both directions.
    pub(crate) fn words(packing: Packing, outs: usize, ins: usize) -> usize {
        packing.right_words(ins, outs) + packing.right_words(outs, ins)
    }

    /// Packs `numbers` (outs, ins).
    pub(crate) fn refresh(&mut self, packing: Packing, numbers: &[f32], ins: usize) {
        let outs = numbers.len() / ins;
        self.forward.resize(packing.right_words(ins, outs), 0);
        self.backward.resize(packing.right_words(outs, ins), 0);
        packing.turned(numbers, ins, &mut self.forward);
        packing.columns(numbers, ins, &mut self.backward);
    }
}

/// Does products, with room for operands that are packed on the way.
#[derive(Debug)]
pub(crate) struct Products {
    packing: Option<Packing>,
    threads: usize,
    left: Vec<u32>,
    right: Vec<u32>,
    pub(crate) spent: Spent,
}

impl Products {
    /// By `gemm` unless a packing is given; `threads` share one product.
    pub(crate) fn new(packing: Option<Packing>, threads: usize) -> Self {
        Products { packing, threads, left: Vec::new(), right: Vec::new(), spent: Spent::default() }
    }

    /// `out` (rows, outs) = `x` (rows, ins) · Wᵀ
    pub(crate) fn forward(&mut self, out: &mut [f32], x: &[f32], weight: Weight<'_>) {
        let Products { packing, threads, left, spent, .. } = self;
        let Weight { numbers, outs, ins, packed } = weight;
        spent.on(2 * x.len() * outs, || match (packing, packed) {
            (Some(packing), Some(packed)) => {
                let right = packing.right(&packed.forward, ins, outs);
                packing.product(out, packing.rows(x, ins, left), right, false, *threads);
            }
            _ => {
                let x = Matrix::new(x, x.len() / ins, ins);
                gemm(out, x, Matrix::new(numbers, outs, ins).t(), false, *threads);
            }
        });
    }

    /// `dx` (rows, ins) = `d` (rows, outs) · W, or added to what is there.
    pub(crate) fn backward(&mut self, dx: &mut [f32], d: &[f32], weight: Weight<'_>, is_added: bool) {
        let Products { packing, threads, left, spent, .. } = self;
        let Weight { numbers, outs, ins, packed } = weight;
        spent.on(2 * d.len() * ins, || match (packing, packed) {
            (Some(packing), Some(packed)) => {
                let right = packing.right(&packed.backward, outs, ins);
                packing.product(dx, packing.rows(d, outs, left), right, is_added, *threads);
            }
            _ => {
                let d = Matrix::new(d, d.len() / outs, outs);
                gemm(dx, d, Matrix::new(numbers, outs, ins), is_added, *threads);
            }
        });
    }

    /// `dw` (outs, ins) = `d`ᵀ (outs, rows) · `x` (rows, ins), or added to what is there.
    pub(crate) fn weights(&mut self, dw: &mut [f32], d: &[f32], x: &[f32], outs: usize, is_added: bool) {
        let Products { packing, threads, left, right, spent } = self;
        let rows = d.len() / outs;
        let ins = x.len() / rows;
        spent.on(2 * d.len() * ins, || match packing {
            Some(packing) => {
                right.resize(packing.right_words(rows, ins), 0);
                packing.columns(x, ins, right);
                let right = packing.right(right, rows, ins);
                packing.product(dw, packing.strips(d, outs, left), right, is_added, *threads);
            }
            None => {
                let (d, x) = (Matrix::new(d, rows, outs), Matrix::new(x, rows, ins));
                gemm(dw, d.t(), x, is_added, *threads);
            }
        });
    }
}

/// A matrix over a slice, rows and columns at fixed distances.
#[derive(Debug, Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    /// Distances of neighbours in a column and in a row.
    strides: (usize, usize),
}

impl<'a> Matrix<'a> {
    /// (rows, columns), one row after the other.
    fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of {rows} rows and {columns} columns");
        Matrix { data, rows, columns, strides: (columns, 1) }
    }

    /// The same numbers with rows and columns exchanged.
    fn t(self) -> Self {
        let strides = (self.strides.1, self.strides.0);
        Matrix { rows: self.columns, columns: self.rows, strides, ..self }
    }
}

/// out (m, n) = a (m, k) · b (k, n), or added to what is there.
///
/// With one thread the order of additions is fixed, and with more of them too: they share rows and
/// columns, never a sum.
fn gemm(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, is_added: bool, threads: usize) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!((b.rows, out.len()), (k, m * n), "shapes of a product");
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    let alpha = if is_added { 1.0 } else { 0.0 };
    #[expect(unsafe_code, reason = "the crate takes pointers")]
    // SAFETY: `Matrix::new` and the assertion above hold each length against its shape, so every
    // address `row · stride + column · stride` lies inside its slice; `out` is borrowed mutably, so it
    // does not overlap the others.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            is_added,
            a.data.as_ptr(),
            a.strides.1 as isize,
            a.strides.0 as isize,
            b.data.as_ptr(),
            b.strides.1 as isize,
            b.strides.0 as isize,
            alpha,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Stream};

    #[test]
    fn equals_three_loops() {
        let rng = Rng::new(1, Stream::Weights);
        let numbers = |minor, len: usize| -> Vec<f32> {
            (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
        };
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (17, 33, 40), (64, 96, 31)] {
            let (a, b, before) = (numbers(1, m * k), numbers(2, k * n), numbers(3, m * n));
            let transposed: Vec<f32> = (0..n * k).map(|i| b[(i % k) * n + i / k]).collect();
            for is_added in [false, true] {
                let expected: Vec<f32> = (0..m * n)
                    .map(|i| {
                        let sum: f32 = (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum();
                        sum + if is_added { before[i] } else { 0.0 }
                    })
                    .collect();
                let left = Matrix::new(&a, m, k);
                for right in [Matrix::new(&b, k, n), Matrix::new(&transposed, n, k).t()] {
                    let mut out = before.clone();
                    gemm(&mut out, left, right, is_added, 1);
                    for (found, expected) in out.iter().zip(&expected) {
                        assert!((found - expected).abs() < 1e-4, "{m} {k} {n}: {found}, {expected}");
                    }
                }
            }
        }
    }
}
