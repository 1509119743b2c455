//! Matrix products, by the `gemm` crate.

use gemm::Parallelism;

/// A matrix over a slice, rows and columns at fixed distances.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    /// Distances of neighbours in a column and in a row.
    strides: (usize, usize),
}

impl<'a> Matrix<'a> {
    /// (rows, columns), one row after the other.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of {rows} rows and {columns} columns");
        Matrix { data, rows, columns, strides: (columns, 1) }
    }

    /// The same numbers with rows and columns exchanged.
    pub(crate) fn t(self) -> Self {
        let strides = (self.strides.1, self.strides.0);
        Matrix { rows: self.columns, columns: self.rows, strides, ..self }
    }
}

/// out (m, n) = a (m, k) · b (k, n), or added to what is there.
///
/// With one thread the order of additions is fixed, and with more of them too: they share rows and
/// columns, never a sum.
pub(crate) fn product(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, is_added: bool, threads: usize) {
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
                    product(&mut out, left, right, is_added, 1);
                    for (found, expected) in out.iter().zip(&expected) {
                        assert!((found - expected).abs() < 1e-4, "{m} {k} {n}: {found}, {expected}");
                    }
                }
            }
        }
    }
}
