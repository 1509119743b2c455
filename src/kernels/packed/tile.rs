//! The AVX-512 micro-kernel: a register tile of a few rows by one panel.

use super::blocking::{LANES, PANEL, TILE_ROWS};
use super::left_chunk::LeftChunk;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_castsi512_ps,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
};

/// Vectors in a row of the tile.
const VECTORS: usize = PANEL / LANES;

/// Rows of the output in the columns of one panel, and the packed panel.
pub(super) struct Tile {
    /// The first element of the tile in the output.
    pub(super) out: *mut f32,
    /// Elements from a row of the output to the next.
    pub(super) out_stride: usize,
    /// Columns of the output, at most [`PANEL`].
    pub(super) width: usize,
    /// Whether the product is added to the output.
    pub(super) accumulate: bool,
    /// (words, [`PANEL`])
    pub(super) panel: *const u32,
    pub(super) words: usize,
}

impl Tile {
    /// Multiplies the rows of the chunk from `row` on, at most [`TILE_ROWS`], by the panel.
    ///
    /// # Safety
    /// The output has as many rows of `width` columns at `out`; both operands have `words` words.
    #[inline]
    #[expect(unsafe_code, reason = "pointers to tiles and panels")]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn compute_rows<const ELEMENTS: usize>(&self, left: LeftChunk<'_>, row: usize) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            match left.rows - row {
                1 => self.compute::<ELEMENTS, 1>(left, row),
                2 => self.compute::<ELEMENTS, 2>(left, row),
                3 => self.compute::<ELEMENTS, 3>(left, row),
                4 => self.compute::<ELEMENTS, 4>(left, row),
                5 => self.compute::<ELEMENTS, 5>(left, row),
                _ => self.compute::<ELEMENTS, TILE_ROWS>(left, row),
            }
        }
    }

    /// # Safety
    /// That of [`Tile::compute_rows`], for `HEIGHT` rows.
    #[inline]
    #[expect(unsafe_code, reason = "pointers to tiles and panels")]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn compute<const ELEMENTS: usize, const HEIGHT: usize>(&self, left: LeftChunk<'_>, row: usize) {
        let mut rows = [std::ptr::null(); HEIGHT];
        let mut step = 1;
        for (i, pointer) in rows.iter_mut().enumerate() {
            (*pointer, step) = left.row(row + i);
        }
        // SAFETY: guaranteed by the caller.
        unsafe {
            for i in 0..HEIGHT {
                for j in 0..VECTORS {
                    // Prefetch the output, which is needed after the loop.
                    _mm_prefetch::<_MM_HINT_T0>(
                        self.out.wrapping_add(i * self.out_stride + j * LANES).cast(),
                    );
                }
            }
            let mut sums = [[_mm512_setzero_ps(); VECTORS]; HEIGHT];
            for word in 0..self.words {
                let panel = self.panel.add(word * PANEL);
                let mut columns = [_mm512_setzero_si512(); VECTORS];
                for j in 0..VECTORS {
                    columns[j] = _mm512_loadu_si512(panel.add(j * LANES).cast());
                }
                for i in 0..HEIGHT {
                    let row = _mm512_set1_epi32(*rows[i].add(word * step).cast());
                    for j in 0..VECTORS {
                        sums[i][j] = multiply_add::<ELEMENTS>(sums[i][j], row, columns[j]);
                    }
                }
            }
            for i in 0..HEIGHT {
                self.store(i, sums[i]);
            }
        }
    }

    /// Writes or adds a row to the output.
    ///
    /// # Safety
    /// Row `row` of the tile is inside the output.
    #[inline]
    #[expect(unsafe_code, reason = "pointers to tiles")]
    #[target_feature(enable = "avx512f")]
    unsafe fn store(&self, row: usize, sums: [__m512; VECTORS]) {
        // SAFETY: guaranteed by the caller; a row narrower than a panel is copied through an array.
        unsafe {
            let out = self.out.add(row * self.out_stride);
            if self.width == PANEL {
                for (j, sum) in sums.into_iter().enumerate() {
                    let out = out.add(j * LANES);
                    let sum = if self.accumulate { _mm512_add_ps(sum, _mm512_loadu_ps(out)) } else { sum };
                    _mm512_storeu_ps(out, sum);
                }
                return;
            }
            let mut row = [0f32; PANEL];
            for (j, sum) in sums.into_iter().enumerate() {
                _mm512_storeu_ps(row.as_mut_ptr().add(j * LANES), sum);
            }
            for (j, sum) in row[..self.width].iter().enumerate() {
                let previous = if self.accumulate { *out.add(j) } else { 0.0 };
                *out.add(j) = previous + sum;
            }
        }
    }
}

/// sum + row · column for each lane, of words with one element or a pair.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn multiply_add<const ELEMENTS: usize>(sum: __m512, row: __m512i, column: __m512i) -> __m512 {
    match ELEMENTS {
        1 => _mm512_fmadd_ps(_mm512_castsi512_ps(row), _mm512_castsi512_ps(column), sum),
        _ => _mm512_dpbf16_ps(sum, as_pairs(row), as_pairs(column)),
    }
}

/// Reinterprets words as pairs of bf16.
#[inline]
#[target_feature(enable = "avx512f")]
fn as_pairs(words: __m512i) -> __m512bh {
    #[expect(unsafe_code, reason = "reinterpretation of a vector")]
    // SAFETY: both types have 512 bits, and all bit patterns are valid.
    unsafe {
        std::mem::transmute::<__m512i, __m512bh>(words)
    }
}
