//! A register tile of a product: a few rows by one panel.

use super::left::Left;
use super::{LANES, PANEL, TILE};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_castsi512_ps,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
};

/// Vectors of a row of the tile.
const VECTORS: usize = PANEL / LANES;

/// A place in the result, and what it is made of.
pub(super) struct Tile {
    pub(super) out: *mut f32,
    /// From a row of the result to the next.
    pub(super) n: usize,
    /// Columns that the result has here, at most [`PANEL`].
    pub(super) width: usize,
    pub(super) is_added: bool,
    /// (words, [`PANEL`])
    pub(super) panel: *const u32,
    pub(super) words: usize,
}

impl Tile {
    /// Fills it from the chunk's rows from `row` on, at most [`TILE`].
    ///
    /// # Safety
    /// The result has as many rows of `width` at `out`, and the operands have the words.
    #[inline]
    #[expect(unsafe_code, reason = "addresses of tiles and panels")]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn fill_rows<const NUMBERS: usize>(&self, left: Left<'_>, row: usize) {
        // SAFETY: as the caller says.
        unsafe {
            match left.rows - row {
                1 => self.fill::<NUMBERS, 1>(left, row),
                2 => self.fill::<NUMBERS, 2>(left, row),
                3 => self.fill::<NUMBERS, 3>(left, row),
                4 => self.fill::<NUMBERS, 4>(left, row),
                5 => self.fill::<NUMBERS, 5>(left, row),
                _ => self.fill::<NUMBERS, TILE>(left, row),
            }
        }
    }

    /// # Safety
    /// As in [`Tile::fill_rows`], of `HEIGHT` rows.
    #[inline]
    #[expect(unsafe_code, reason = "addresses of tiles and panels")]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn fill<const NUMBERS: usize, const HEIGHT: usize>(&self, left: Left<'_>, row: usize) {
        let mut rows = [std::ptr::null(); HEIGHT];
        let mut step = 1;
        for (i, place) in rows.iter_mut().enumerate() {
            (*place, step) = left.row(row + i);
        }
        // SAFETY: as the caller says.
        unsafe {
            for i in 0..HEIGHT {
                for j in 0..VECTORS {
                    // The result lies far away, and is here when it is due.
                    _mm_prefetch::<_MM_HINT_T0>(self.out.wrapping_add(i * self.n + j * LANES).cast());
                }
            }
            let mut sums = [[_mm512_setzero_ps(); VECTORS]; HEIGHT];
            for number in 0..self.words {
                let panel = self.panel.add(number * PANEL);
                let mut columns = [_mm512_setzero_si512(); VECTORS];
                for j in 0..VECTORS {
                    columns[j] = _mm512_loadu_si512(panel.add(j * LANES).cast());
                }
                for i in 0..HEIGHT {
                    let row = _mm512_set1_epi32(*rows[i].add(number * step).cast());
                    for j in 0..VECTORS {
                        sums[i][j] = add_product::<NUMBERS>(sums[i][j], row, columns[j]);
                    }
                }
            }
            for i in 0..HEIGHT {
                self.put(i, sums[i]);
            }
        }
    }

    /// # Safety
    /// Row `row` lies at `out`.
    #[inline]
    #[expect(unsafe_code, reason = "addresses of tiles")]
    #[target_feature(enable = "avx512f")]
    unsafe fn put(&self, row: usize, sums: [__m512; VECTORS]) {
        // SAFETY: as the caller says; a narrow row goes through an array of a panel's width.
        unsafe {
            let out = self.out.add(row * self.n);
            if self.width == PANEL {
                for (j, sum) in sums.into_iter().enumerate() {
                    let out = out.add(j * LANES);
                    let sum = if self.is_added { _mm512_add_ps(sum, _mm512_loadu_ps(out)) } else { sum };
                    _mm512_storeu_ps(out, sum);
                }
                return;
            }
            let mut wide = [0f32; PANEL];
            for (j, sum) in sums.into_iter().enumerate() {
                _mm512_storeu_ps(wide.as_mut_ptr().add(j * LANES), sum);
            }
            for (j, sum) in wide[..self.width].iter().enumerate() {
                let before = if self.is_added { *out.add(j) } else { 0.0 };
                *out.add(j) = before + sum;
            }
        }
    }
}

/// The sum and the product of a number or a pair of each lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn add_product<const NUMBERS: usize>(sum: __m512, row: __m512i, column: __m512i) -> __m512 {
    match NUMBERS {
        1 => _mm512_fmadd_ps(_mm512_castsi512_ps(row), _mm512_castsi512_ps(column), sum),
        _ => _mm512_dpbf16_ps(sum, as_pairs(row), as_pairs(column)),
    }
}

/// A vector of words as one of pairs.
#[inline]
#[target_feature(enable = "avx512f")]
fn as_pairs(words: __m512i) -> __m512bh {
    #[expect(unsafe_code, reason = "the same bits under another name")]
    // SAFETY: both types are 512 bits without any invalid value.
    unsafe {
        std::mem::transmute::<__m512i, __m512bh>(words)
    }
}
