//! Matrix products of the small matrices of attention, in register tiles.

use super::{Fma, LANES};

/// Rows of a register tile.
pub(crate) const TILE_ROWS: usize = 4;

/// out (m, n) = a (m, k) · b (k, n). `a` has rows of width `a_width`, `b` of width n. m must be a multiple of
/// [`TILE_ROWS`] and n of [`LANES`].
#[inline(always)]
pub(crate) fn gemm<F: Fma>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    gemm_part::<F, false>(out, (a, a_width), (b, n), (m, k, n));
}

/// As [`gemm`], for the first n columns of a matrix b with rows of width `b_width`, whose last row must have that width
/// too; added to `out` if `ADD`.
#[inline(always)]
pub(crate) fn gemm_part<F: Fma, const ADD: bool>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, b_width): (&[f32], usize),
    (m, k, n): (usize, usize, usize),
) {
    let a = &a[..m * a_width];
    for (a, out) in a.chunks_exact(TILE_ROWS * a_width).zip(out.chunks_exact_mut(TILE_ROWS * n)) {
        let rows: [&[f32]; TILE_ROWS] = std::array::from_fn(|row| &a[row * a_width..row * a_width + k]);
        for column in (0..n).step_by(LANES) {
            let mut tile = load_tile::<ADD>(out, n, column);
            for (i, b) in b.chunks_exact(b_width).take(k).enumerate() {
                let b = &b[column..column + LANES];
                for row in 0..TILE_ROWS {
                    let a = rows[row][i];
                    for lane in 0..LANES {
                        tile[row][lane] = F::fma(a, b[lane], tile[row][lane]);
                    }
                }
            }
            for row in 0..TILE_ROWS {
                out[row * n + column..row * n + column + LANES].copy_from_slice(&tile[row]);
            }
        }
    }
}

/// out (m, n) = aᵀ · b for a (k, m) and b (k, n).
#[inline(always)]
pub(crate) fn gemm_tn<F: Fma>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    gemm_tn_part::<F, false>(out, (a, a_width), (b, n), m, k);
}

/// As [`gemm_tn`], added to `out` if `ADD`.
#[inline(always)]
pub(crate) fn gemm_tn_part<F: Fma, const ADD: bool>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    for (tile_row, out) in out[..m * n].chunks_exact_mut(TILE_ROWS * n).enumerate() {
        for column in (0..n).step_by(LANES) {
            let mut tile = load_tile::<ADD>(out, n, column);
            for (a, b) in a.chunks_exact(a_width).zip(b.chunks_exact(n)).take(k) {
                let a = &a[tile_row * TILE_ROWS..(tile_row + 1) * TILE_ROWS];
                let b = &b[column..column + LANES];
                for row in 0..TILE_ROWS {
                    for lane in 0..LANES {
                        tile[row][lane] = F::fma(a[row], b[lane], tile[row][lane]);
                    }
                }
            }
            for row in 0..TILE_ROWS {
                out[row * n + column..row * n + column + LANES].copy_from_slice(&tile[row]);
            }
        }
    }
}

/// The tile of `out`, whose rows have n columns, from `column` on, or zeros.
#[inline(always)]
fn load_tile<const ADD: bool>(out: &[f32], n: usize, column: usize) -> [[f32; LANES]; TILE_ROWS] {
    let mut tile = [[0.0f32; LANES]; TILE_ROWS];
    if ADD {
        for row in 0..TILE_ROWS {
            tile[row].copy_from_slice(&out[row * n + column..row * n + column + LANES]);
        }
    }
    tile
}

/// As [`gemm`], in register tiles of twice the width where n allows; added to `out` if `ADD`.
#[inline(always)]
pub(crate) fn gemm_wide<F: Fma, const ADD: bool>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    let a = &a[..m * a_width];
    for (a, out) in a.chunks_exact(TILE_ROWS * a_width).zip(out.chunks_exact_mut(TILE_ROWS * n)) {
        let rows: [&[f32]; TILE_ROWS] = std::array::from_fn(|row| &a[row * a_width..row * a_width + k]);
        let mut column = 0;
        while column + 2 * LANES <= n {
            row_tile::<F, ADD, 2>(out, rows, (b, n), column);
            column += 2 * LANES;
        }
        if column < n {
            row_tile::<F, ADD, 1>(out, rows, (b, n), column);
        }
    }
}

#[inline(always)]
fn row_tile<F: Fma, const ADD: bool, const VECTORS: usize>(
    out: &mut [f32],
    rows: [&[f32]; TILE_ROWS],
    (b, n): (&[f32], usize),
    column: usize,
) {
    let mut tile = [[[0.0f32; LANES]; VECTORS]; TILE_ROWS];
    for (i, b) in b.chunks_exact(n).take(rows[0].len()).enumerate() {
        let b = &b[column..column + VECTORS * LANES];
        for row in 0..TILE_ROWS {
            let a = rows[row][i];
            for vector in 0..VECTORS {
                for lane in 0..LANES {
                    tile[row][vector][lane] = F::fma(a, b[vector * LANES + lane], tile[row][vector][lane]);
                }
            }
        }
    }
    for row in 0..TILE_ROWS {
        for vector in 0..VECTORS {
            let start = row * n + column + vector * LANES;
            let out = &mut out[start..start + LANES];
            for lane in 0..LANES {
                out[lane] = tile[row][vector][lane] + if ADD { out[lane] } else { 0.0 };
            }
        }
    }
}

/// out (m, n) += aᵀ · b for a (k, m) and b (k, n), in register tiles of twice the width where n allows.
#[inline(always)]
pub(crate) fn gemm_tn_add<F: Fma>(
    out: &mut [f32],
    (a, a_width): (&[f32], usize),
    (b, n): (&[f32], usize),
    m: usize,
    k: usize,
) {
    for (tile_row, out) in out[..m * n].chunks_exact_mut(TILE_ROWS * n).enumerate() {
        let mut column = 0;
        while column + 2 * LANES <= n {
            column_tile::<F, 2>(out, (a, a_width, tile_row), (b, n, k), column);
            column += 2 * LANES;
        }
        if column < n {
            column_tile::<F, 1>(out, (a, a_width, tile_row), (b, n, k), column);
        }
    }
}

#[inline(always)]
fn column_tile<F: Fma, const VECTORS: usize>(
    out: &mut [f32],
    (a, a_width, tile_row): (&[f32], usize, usize),
    (b, n, k): (&[f32], usize, usize),
    column: usize,
) {
    let mut tile = [[[0.0f32; LANES]; VECTORS]; TILE_ROWS];
    for (a, b) in a.chunks_exact(a_width).zip(b.chunks_exact(n)).take(k) {
        let a = &a[tile_row * TILE_ROWS..(tile_row + 1) * TILE_ROWS];
        let b = &b[column..column + VECTORS * LANES];
        for row in 0..TILE_ROWS {
            for vector in 0..VECTORS {
                for lane in 0..LANES {
                    tile[row][vector][lane] =
                        F::fma(a[row], b[vector * LANES + lane], tile[row][vector][lane]);
                }
            }
        }
    }
    for row in 0..TILE_ROWS {
        for vector in 0..VECTORS {
            let start = row * n + column + vector * LANES;
            for lane in 0..LANES {
                out[start + lane] += tile[row][vector][lane];
            }
        }
    }
}
