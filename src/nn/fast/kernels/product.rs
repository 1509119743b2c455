//! The three matrix products of a linear layer: forward, and two on the way back.
//!
//! They are done by [`super::packed`] where the machine has the instructions for it, else by the `gemm`
//! crate. That packs the whole weight anew for each product, which for the few hundred rows of a share takes
//! a tenth of the time.

use super::Spent;
use super::packed::{Format, Operand, Packing};
use gemm::Parallelism;
use rayon::prelude::*;

/// The weight of a linear layer: (outs, ins).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight<'a> {
    numbers: &'a [f32],
    outs: usize,
    ins: usize,
}

impl<'a> Weight<'a> {
    /// Over `numbers`, as many rows as there are.
    pub(crate) fn new(numbers: &'a [f32], ins: usize) -> Self {
        let outs = numbers.len() / ins;
        assert_eq!(numbers.len(), outs * ins, "a weight of {ins} inputs");
        Weight { numbers, outs, ins }
    }

    pub(crate) fn ins(&self) -> usize {
        self.ins
    }
}

/// What multiplies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Multiplier {
    /// The `gemm` crate, in f32, on any machine.
    Gemm,
    /// Packed operands.
    Packed(Packing),
}

impl Multiplier {
    /// The fastest of this machine; in f32 where it has none for `format`.
    pub(crate) fn fastest(format: Format) -> Self {
        Packing::detect(format).map_or(Multiplier::Gemm, Multiplier::Packed)
    }
}

/// Does products.
#[derive(Debug)]
pub(crate) struct Products {
    multiplier: Multiplier,
    /// That share one product.
    pub(crate) threads: usize,
    pub(crate) spent: Spent,
}

/// The gradient of a linear layer's weight, and what it comes from.
pub(crate) struct WeightGradient<'a> {
    /// (outs, ins)
    pub(crate) dw: &'a mut [f32],
    /// The gradient of the layer's output, of each share of the batch: (rows, outs).
    pub(crate) d: Vec<&'a [f32]>,
    /// The layer's input, of each share: (rows, ins).
    pub(crate) x: Vec<&'a [f32]>,
    pub(crate) outs: usize,
}

impl Products {
    /// By the multiplier, on the thread that asks.
    pub(crate) fn new(multiplier: Multiplier) -> Self {
        Products { multiplier, threads: 1, spent: Spent::default() }
    }

    /// `out` (rows, outs) = `x` (rows, ins) · Wᵀ
    pub(crate) fn forward(&mut self, out: &mut [f32], x: &[f32], weight: Weight<'_>) {
        let Products { multiplier, threads, spent } = self;
        let Weight { numbers, outs, ins } = weight;
        spent.on(2 * x.len() * outs, || match multiplier {
            Multiplier::Packed(packing) => {
                let (x, w) = (Operand::Along { numbers: x, k: ins }, Operand::Along { numbers, k: ins });
                packing.product(out, x, w, false, *threads);
            }
            Multiplier::Gemm => {
                let x = Matrix::new(x, x.len() / ins, ins);
                gemm(out, x, Matrix::new(numbers, outs, ins).t(), false, *threads);
            }
        });
    }

    /// `dx` (rows, ins) = `d` (rows, outs) · W, or added to what is there.
    pub(crate) fn backward(&mut self, dx: &mut [f32], d: &[f32], weight: Weight<'_>, is_added: bool) {
        let Products { multiplier, threads, spent } = self;
        let Weight { numbers, outs, ins } = weight;
        spent.on(2 * d.len() * ins, || match multiplier {
            Multiplier::Packed(packing) => {
                let d = Operand::Along { numbers: d, k: outs };
                let w = Operand::Across { parts: &[numbers], lines: ins };
                packing.product(dx, d, w, is_added, *threads);
            }
            Multiplier::Gemm => {
                let d = Matrix::new(d, d.len() / outs, outs);
                gemm(dx, d, Matrix::new(numbers, outs, ins), is_added, *threads);
            }
        });
    }

    /// Beside each other: dw = Σ dᵀ · x over all shares, or added to what is there.
    pub(crate) fn weights(&mut self, mut gradients: Vec<WeightGradient<'_>>, is_added: bool) {
        let Products { multiplier, threads, spent } = self;
        let (multiplier, threads) = (*multiplier, *threads);
        let operations = gradients.iter().map(WeightGradient::operations).sum();
        spent.on(operations, || {
            gradients.par_iter_mut().for_each(|gradient| gradient.fill(multiplier, is_added, threads));
        });
    }
}

impl WeightGradient<'_> {
    fn operations(&self) -> usize {
        let rows: usize = self.d.iter().map(|d| d.len() / self.outs).sum();
        2 * rows * self.dw.len()
    }

    fn fill(&mut self, multiplier: Multiplier, is_added: bool, threads: usize) {
        let WeightGradient { dw, d, x, outs } = self;
        let (outs, ins) = (*outs, dw.len() / *outs);
        match multiplier {
            Multiplier::Packed(packing) => {
                let d = Operand::Across { parts: d, lines: outs };
                packing.product(dw, d, Operand::Across { parts: x, lines: ins }, is_added, threads);
            }
            Multiplier::Gemm => {
                for (number, (d, x)) in d.iter().zip(&*x).enumerate() {
                    let rows = d.len() / outs;
                    let (d, x) = (Matrix::new(d, rows, outs), Matrix::new(x, rows, ins));
                    gemm(dw, d.t(), x, is_added || number > 0, threads);
                }
            }
        }
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
