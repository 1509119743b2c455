//! The three matrix products of a linear layer: the forward pass and two in the backward pass.
//!
//! They run on [`super::packed`] where the CPU supports it, and on the `gemm` crate elsewhere. The `gemm` crate packs
//! the whole weight again for each product, which takes about a tenth of the time for the few hundred rows of a
//! shard.

use super::element_type::ElementType;
use super::int8::{self, Epilogue, Int8Kernel, QuantizedMatrix, QuantizedRows};
use super::packed::{Operand, PackedGemm};
use crate::Cpu;
use crate::op_cost::OpCost;
use gemm::Parallelism;
use rayon::prelude::*;

/// The weight W of a linear layer: (outputs, inputs).
#[derive(Debug, Clone, Copy)]
pub struct WeightMatrix<'a> {
    data: &'a [f32],
    outputs: usize,
    inputs: usize,
}

impl<'a> WeightMatrix<'a> {
    /// A matrix of `data` with rows of length `inputs`.
    pub fn new(data: &'a [f32], inputs: usize) -> Self {
        let outputs = data.len() / inputs;
        assert_eq!(data.len(), outputs * inputs, "a weight with {inputs} inputs");
        WeightMatrix { data, outputs, inputs }
    }

    /// Length of a row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }
}

/// Implementation of matrix products.
#[derive(Debug, Clone, Copy)]
pub enum MatmulBackend {
    /// The `gemm` crate, in f32, on any CPU.
    Gemm,
    /// Packed operands and AVX-512 or AMX instructions.
    Packed(PackedGemm),
}

impl MatmulBackend {
    /// The fastest implementation on this CPU; computes in f32 if the CPU does not support `element_type`.
    pub fn fastest(element_type: ElementType) -> Self {
        PackedGemm::detect(element_type).map_or(MatmulBackend::Gemm, MatmulBackend::Packed)
    }
}

/// Computes matrix products and measures their cost.
#[derive(Debug)]
pub struct Matmul {
    backend: MatmulBackend,
    /// The rows of the last [`Matmul::quantize`].
    quantized: QuantizedRows,
    /// Number of threads that share a product.
    pub threads: usize,
    /// Cost of all products.
    pub cost: OpCost,
}

/// The gradient of a weight and its operands: d_W = Σ d_yᵀ x over all shards.
pub struct WeightGrad<'a> {
    /// (outputs, inputs)
    pub d_w: &'a mut [f32],
    /// Gradient of the linear layer's output, for each shard: (rows, outputs)
    pub d_y: Vec<&'a [f32]>,
    /// Input of the linear layer, for each shard: (rows, inputs)
    pub x: Vec<&'a [f32]>,
    /// Number of rows of `d_w`.
    pub outputs: usize,
}

impl Matmul {
    /// Matrix products on one thread.
    pub fn new(backend: MatmulBackend) -> Self {
        Matmul { backend, quantized: QuantizedRows::default(), threads: 1, cost: OpCost::default() }
    }

    /// The number of rows from which on the products of a linear layer are batch-invariant: each row has the same bits whatever
    /// the other rows are. `None` if that is not known.
    pub fn min_batch_invariant_rows(&self) -> Option<usize> {
        match self.backend {
            MatmulBackend::Packed(gemm) => Some(gemm.max_small_rows() + 1),
            MatmulBackend::Gemm => None,
        }
    }

    /// y (rows, outputs) = x (rows, inputs) · Wᵀ
    pub fn forward(&mut self, y: &mut [f32], x: &[f32], weight: WeightMatrix<'_>) {
        let Matmul { backend, threads, cost, .. } = self;
        let WeightMatrix { data, outputs, inputs } = weight;
        cost.measure(2 * x.len() * outputs, || match backend {
            MatmulBackend::Packed(gemm) => {
                let x = Operand::KContiguous { data: x, k: inputs };
                gemm.run(y, x, Operand::KContiguous { data, k: inputs }, false, *threads);
            }
            MatmulBackend::Gemm => {
                let x = Matrix::new(x, x.len() / inputs, inputs);
                gemm(y, x, Matrix::new(data, outputs, inputs).t(), false, *threads);
            }
        });
    }

    /// Quantizes `x` (rows, inputs) for [`Matmul::forward_int8`].
    pub fn quantize(&mut self, x: &[f32], inputs: usize) {
        let Matmul { quantized, cost, .. } = self;
        cost.measure(0, || quantized.quantize(Cpu::detect(), x, inputs));
    }

    /// y (rows, outputs) = `epilogue`(x Wᵀ), for the rows of the last [`Matmul::quantize`].
    pub fn forward_int8(&mut self, y: &mut [f32], weight: &QuantizedMatrix, epilogue: Epilogue<'_>) {
        let Matmul { quantized, threads, cost, .. } = self;
        cost.measure(2 * y.len() * weight.inputs(), || {
            int8::product(Int8Kernel::fastest(), y, quantized, weight, (epilogue, *threads));
        });
    }

    /// d_x (rows, inputs) = d_y (rows, outputs) · W, added to `d_x` if `accumulate`.
    pub fn backward_input(
        &mut self,
        d_x: &mut [f32],
        d_y: &[f32],
        weight: WeightMatrix<'_>,
        accumulate: bool,
    ) {
        let Matmul { backend, threads, cost, .. } = self;
        let WeightMatrix { data, outputs, inputs } = weight;
        cost.measure(2 * d_y.len() * inputs, || match backend {
            MatmulBackend::Packed(gemm) => {
                let d_y = Operand::KContiguous { data: d_y, k: outputs };
                let w = Operand::KStrided { parts: &[data], lines: inputs };
                gemm.run(d_x, d_y, w, accumulate, *threads);
            }
            MatmulBackend::Gemm => {
                let d_y = Matrix::new(d_y, d_y.len() / outputs, outputs);
                gemm(d_x, d_y, Matrix::new(data, outputs, inputs), accumulate, *threads);
            }
        });
    }

    /// Computes several weight gradients in parallel, added to their `d_w` if `accumulate`.
    pub fn backward_weights(&mut self, mut gradients: Vec<WeightGrad<'_>>, accumulate: bool) {
        let Matmul { backend, threads, cost, .. } = self;
        let (backend, threads) = (*backend, *threads);
        let flops = gradients.iter().map(WeightGrad::flops).sum();
        cost.measure(flops, || {
            gradients.par_iter_mut().for_each(|gradient| gradient.compute(backend, accumulate, threads));
        });
    }
}

impl WeightGrad<'_> {
    fn flops(&self) -> usize {
        let rows: usize = self.d_y.iter().map(|d_y| d_y.len() / self.outputs).sum();
        2 * rows * self.d_w.len()
    }

    fn compute(&mut self, backend: MatmulBackend, accumulate: bool, threads: usize) {
        let WeightGrad { d_w, d_y, x, outputs } = self;
        let (outputs, inputs) = (*outputs, d_w.len() / *outputs);
        match backend {
            MatmulBackend::Packed(gemm) => {
                let d_y = Operand::KStrided { parts: d_y, lines: outputs };
                let x = Operand::KStrided { parts: x, lines: inputs };
                gemm.run(d_w, d_y, x, accumulate, threads);
            }
            MatmulBackend::Gemm => {
                for (shard, (d_y, x)) in d_y.iter().zip(&*x).enumerate() {
                    let rows = d_y.len() / outputs;
                    let (d_y, x) = (Matrix::new(d_y, rows, outputs), Matrix::new(x, rows, inputs));
                    gemm(d_w, d_y.t(), x, accumulate || shard > 0, threads);
                }
            }
        }
    }
}

/// A view of a slice as a matrix.
#[derive(Debug, Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    /// Distance of adjacent elements in a column and in a row.
    strides: (usize, usize),
}

impl<'a> Matrix<'a> {
    /// A row-major matrix.
    fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix with {rows} rows and {columns} columns");
        Matrix { data, rows, columns, strides: (columns, 1) }
    }

    /// The transposed matrix.
    fn t(self) -> Self {
        let strides = (self.strides.1, self.strides.0);
        Matrix { rows: self.columns, columns: self.rows, strides, ..self }
    }
}

/// out (m, n) = a (m, k) · b (k, n), added to `out` if `accumulate`.
///
/// Threads divide rows and columns, never a sum, so the order of additions does not depend on their number.
fn gemm(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, accumulate: bool, threads: usize) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!((b.rows, out.len()), (k, m * n), "shapes of a matrix product");
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    let alpha = if accumulate { 1.0 } else { 0.0 };
    #[expect(unsafe_code, reason = "the gemm crate takes pointers")]
    // SAFETY: `Matrix::new` and the assertion above check each length against its shape, so every index
    // `row · stride + column · stride` lies inside its slice; `out` is borrowed mutably, so it does not overlap the
    // operands.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
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
    fn gemm_matches_naive_product() {
        let rng = Rng::new(1, Stream::Weights);
        let random = |minor, len: usize| -> Vec<f32> {
            (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
        };
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (17, 33, 40), (64, 96, 31)] {
            let (a, b, before) = (random(1, m * k), random(2, k * n), random(3, m * n));
            let transposed: Vec<f32> = (0..n * k).map(|i| b[(i % k) * n + i / k]).collect();
            for accumulate in [false, true] {
                let expected: Vec<f32> = (0..m * n)
                    .map(|i| {
                        let sum: f32 = (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum();
                        sum + if accumulate { before[i] } else { 0.0 }
                    })
                    .collect();
                let left = Matrix::new(&a, m, k);
                for right in [Matrix::new(&b, k, n), Matrix::new(&transposed, n, k).t()] {
                    let mut out = before.clone();
                    gemm(&mut out, left, right, accumulate, 1);
                    for (found, expected) in out.iter().zip(&expected) {
                        assert!((found - expected).abs() < 1e-4, "{m} {k} {n}: {found}, {expected}");
                    }
                }
            }
        }
    }
}
