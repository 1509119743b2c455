//! Matrix products of the small matrices of attention, in register tiles.

use super::{Fma, LANES};

/// Rows of a register tile.
pub(crate) const TILE_ROWS: usize = 4;

/// Part of the columns of a register tile. A tile has one or two of them: two hide the latency of the operations. They are
/// variables of their own because the compiler keeps only arrays of this form in vector registers.
type Half = [[f32; LANES]; TILE_ROWS];

/// out (m, n) = a (m, k) · b (k, n), added to `out` if `ADD`. `a` has rows of width `a_width`; b are the first n columns of
/// a matrix with rows of width `b_width`, whose last row must have that width too. m must be a multiple of [`TILE_ROWS`] and n
/// of [`LANES`].
#[inline(always)]
pub(crate) fn gemm<F: Fma, const ADD: bool>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, b_width): (&[f32], usize),
    (m, k, n): (usize, usize, usize),
) {
    let a = &a[..m * a_width];
    for (a, out) in a.chunks_exact(TILE_ROWS * a_width).zip(out.chunks_exact_mut(TILE_ROWS * n)) {
        let rows: [&[f32]; TILE_ROWS] = std::array::from_fn(|row| &a[row * a_width..row * a_width + k]);
        let lines = || b.chunks_exact(b_width).take(k).enumerate();
        let mut column = 0;
        while column + 2 * LANES <= n {
            let (mut left, mut right) = (load::<ADD>(out, n, column), load::<ADD>(out, n, column + LANES));
            for (i, b) in lines() {
                let b = &b[column..column + 2 * LANES];
                for row in 0..TILE_ROWS {
                    let a = rows[row][i];
                    for lane in 0..LANES {
                        left[row][lane] = F::fma(a, b[lane], left[row][lane]);
                    }
                    for lane in 0..LANES {
                        right[row][lane] = F::fma(a, b[LANES + lane], right[row][lane]);
                    }
                }
            }
            store(&left, out, n, column);
            store(&right, out, n, column + LANES);
            column += 2 * LANES;
        }
        if column < n {
            let mut tile = load::<ADD>(out, n, column);
            for (i, b) in lines() {
                let b = &b[column..column + LANES];
                for row in 0..TILE_ROWS {
                    let a = rows[row][i];
                    for lane in 0..LANES {
                        tile[row][lane] = F::fma(a, b[lane], tile[row][lane]);
                    }
                }
            }
            store(&tile, out, n, column);
        }
    }
}

/// out (m, n) = aᵀ · b for a (k, m) and b (k, n), added to `out` if `ADD`; m and n as for [`gemm`].
#[inline(always)]
pub(crate) fn gemm_tn<F: Fma, const ADD: bool>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    for (tile_row, out) in out[..m * n].chunks_exact_mut(TILE_ROWS * n).enumerate() {
        let first = tile_row * TILE_ROWS;
        let lines = || a.chunks_exact(a_width).zip(b.chunks_exact(n)).take(k);
        let mut column = 0;
        while column + 2 * LANES <= n {
            let (mut left, mut right) = (load::<ADD>(out, n, column), load::<ADD>(out, n, column + LANES));
            for (a, b) in lines() {
                let a = &a[first..first + TILE_ROWS];
                let b = &b[column..column + 2 * LANES];
                for row in 0..TILE_ROWS {
                    for lane in 0..LANES {
                        left[row][lane] = F::fma(a[row], b[lane], left[row][lane]);
                    }
                    for lane in 0..LANES {
                        right[row][lane] = F::fma(a[row], b[LANES + lane], right[row][lane]);
                    }
                }
            }
            store(&left, out, n, column);
            store(&right, out, n, column + LANES);
            column += 2 * LANES;
        }
        if column < n {
            let mut tile = load::<ADD>(out, n, column);
            for (a, b) in lines() {
                let a = &a[first..first + TILE_ROWS];
                let b = &b[column..column + LANES];
                for row in 0..TILE_ROWS {
                    for lane in 0..LANES {
                        tile[row][lane] = F::fma(a[row], b[lane], tile[row][lane]);
                    }
                }
            }
            store(&tile, out, n, column);
        }
    }
}

/// The columns of `out`, whose rows have n columns, from `column` on, or zeros.
#[inline(always)]
fn load<const ADD: bool>(out: &[f32], n: usize, column: usize) -> Half {
    let mut tile = [[0.0f32; LANES]; TILE_ROWS];
    if ADD {
        for row in 0..TILE_ROWS {
            tile[row].copy_from_slice(&out[row * n + column..row * n + column + LANES]);
        }
    }
    tile
}

/// Writes the columns of `out` from `column` on.
#[inline(always)]
fn store(tile: &Half, out: &mut [f32], n: usize, column: usize) {
    for row in 0..TILE_ROWS {
        out[row * n + column..row * n + column + LANES].copy_from_slice(&tile[row]);
    }
}
