//! Products with few rows, for which packing the right operand would take most of the time. They are computed as dot
//! products of the stored lines, reading the right operand once from start to end.

use super::blocking::{LANES, OutputMatrix, even_share, steps};
use super::operand::Operand;
use super::pack_bf16::{self, EVEN, ODD};
use super::tile::multiply_add;
use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps,
    _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};
use std::ops::Range;

/// Most rows of a register tile.
const MAX_ROWS: usize = 14;

/// Most elements of a line in a block along k, chosen so that the block of all rows stays in the L1 cache.
const BLOCK_ELEMENTS: usize = 512;

/// How many lines of the right operand ahead to prefetch.
const PREFETCH_LINES: usize = 6;

/// Operands with contiguous lines: (rows, k) and (columns, k).
#[derive(Debug, Clone, Copy)]
pub(super) struct SmallGemm<'a> {
    left: &'a [f32],
    right: &'a [f32],
    k: usize,
}

impl<'a> SmallGemm<'a> {
    /// The operands, if their lines are contiguous and a multiple of two vectors long.
    pub(super) fn new(left: Operand<'a>, right: Operand<'a>) -> Option<Self> {
        match (left, right) {
            (Operand::KContiguous { data: left, k }, Operand::KContiguous { data: right, .. }) => {
                k.is_multiple_of(2 * LANES).then_some(SmallGemm { left, right, k })
            }
            _ => None,
        }
    }

    fn rows(self) -> usize {
        self.left.len() / self.k
    }
}

/// Computes some columns of the output, in register tiles of all rows (at most [`MAX_ROWS`]) and as many columns as
/// fit in the registers.
///
/// # Safety
/// That of `gemm_block` in [`super::gemm`].
#[expect(unsafe_code, reason = "a matrix that threads share")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn dot_columns<const ELEMENTS: usize>(
    out: OutputMatrix,
    small: SmallGemm<'_>,
    columns: Range<usize>,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match even_share(small.rows(), MAX_ROWS) {
            1 => dot_tiles::<ELEMENTS, 1, 8>(out, small, columns),
            2 => dot_tiles::<ELEMENTS, 2, 8>(out, small, columns),
            3 => dot_tiles::<ELEMENTS, 3, 7>(out, small, columns),
            4 => dot_tiles::<ELEMENTS, 4, 6>(out, small, columns),
            5 => dot_tiles::<ELEMENTS, 5, 5>(out, small, columns),
            6 => dot_tiles::<ELEMENTS, 6, 4>(out, small, columns),
            7 => dot_tiles::<ELEMENTS, 7, 3>(out, small, columns),
            8 => dot_tiles::<ELEMENTS, 8, 3>(out, small, columns),
            9 => dot_tiles::<ELEMENTS, 9, 3>(out, small, columns),
            10 => dot_tiles::<ELEMENTS, 10, 2>(out, small, columns),
            11 => dot_tiles::<ELEMENTS, 11, 2>(out, small, columns),
            12 => dot_tiles::<ELEMENTS, 12, 2>(out, small, columns),
            13 => dot_tiles::<ELEMENTS, 13, 2>(out, small, columns),
            _ => dot_tiles::<ELEMENTS, MAX_ROWS, 2>(out, small, columns),
        }
    }
}

/// # Safety
/// That of [`dot_columns`].
#[expect(unsafe_code, reason = "a matrix that threads share")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn dot_tiles<const ELEMENTS: usize, const ROWS: usize, const COLUMNS: usize>(
    out: OutputMatrix,
    small: SmallGemm<'_>,
    columns: Range<usize>,
) {
    let SmallGemm { left, right, k } = small;
    let (last_row, last_column) = (small.rows() - 1, columns.end - 1);
    let block = even_share(k, BLOCK_ELEMENTS).next_multiple_of(2 * LANES);
    for elements in steps(0..k, block) {
        let accumulate = out.accumulate || elements.start > 0;
        for column in columns.clone().step_by(COLUMNS) {
            // Beyond the edge, the last line is computed again but not written.
            let mut right_lines: [&[f32]; COLUMNS] = [&[]; COLUMNS];
            for (j, line) in right_lines.iter_mut().enumerate() {
                *line = &right[last_column.min(column + j) * k..][elements.clone()];
            }
            for row in (0..=last_row).step_by(ROWS) {
                let mut left_lines: [&[f32]; ROWS] = [&[]; ROWS];
                for (i, line) in left_lines.iter_mut().enumerate() {
                    *line = &left[last_row.min(row + i) * k..][elements.clone()];
                }
                let sums =
                    dots::<ELEMENTS, ROWS, COLUMNS>(&left_lines, &right_lines, (row == 0).then_some(k));
                for (i, sums) in sums.iter().enumerate().take(last_row + 1 - row) {
                    for (j, sum) in sums.iter().enumerate().take(last_column + 1 - column) {
                        // SAFETY: row and column are inside the output, and the column belongs to this thread.
                        unsafe {
                            let element = out.data.add((row + i) * out.columns + column + j);
                            *element = sum + if accumulate { *element } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}

/// The dot products of each left line with each right line, all of the same length. If `prefetch_stride`, the
/// distance of adjacent right lines, is given, prefetches the next ones.
#[inline]
#[expect(unsafe_code, reason = "pointers to lines")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn dots<const ELEMENTS: usize, const ROWS: usize, const COLUMNS: usize>(
    left: &[&[f32]; ROWS],
    right: &[&[f32]; COLUMNS],
    prefetch_stride: Option<usize>,
) -> [[f32; COLUMNS]; ROWS] {
    let (width, length) = (LANES * ELEMENTS, left[0].len());
    assert!(left.iter().chain(right).all(|line| line.len() == length), "lines of equal length");
    let mut sums = [[_mm512_setzero_ps(); COLUMNS]; ROWS];
    for at in (0..length / width * width).step_by(width) {
        let mut columns = [pack_bf16::zeros(); COLUMNS];
        for j in 0..COLUMNS {
            // SAFETY: each line has a vector of words from `at` on.
            [columns[j]] = unsafe { words_at::<ELEMENTS>(right[j], at) };
            if let Some(stride) = prefetch_stride {
                let next = right[j].as_ptr().wrapping_add(at + PREFETCH_LINES * stride);
                for vector in 0..ELEMENTS {
                    // A prefetch reads nothing, so the address may be out of bounds.
                    _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(vector * LANES).cast());
                }
            }
        }
        for i in 0..ROWS {
            // SAFETY: as above.
            let [row] = unsafe { words_at::<ELEMENTS>(left[i], at) };
            for j in 0..COLUMNS {
                sums[i][j] = multiply_add::<ELEMENTS>(sums[i][j], row, columns[j]);
            }
        }
    }
    let mut dots = [[0.0; COLUMNS]; ROWS];
    for (sums, dots) in sums.as_flattened().chunks(LANES).zip(dots.as_flattened_mut().chunks_mut(LANES)) {
        let mut square = [_mm512_setzero_ps(); LANES];
        square[..sums.len()].copy_from_slice(sums);
        dots.copy_from_slice(&lane_sums(&square)[..dots.len()]);
    }
    dots
}

/// # Safety
/// The line has a vector of words from `at` on.
#[inline]
#[expect(unsafe_code, reason = "a pointer into a line")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn words_at<const ELEMENTS: usize>(line: &[f32], at: usize) -> [__m512i; 1] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        pack_bf16::pack_contiguous::<ELEMENTS, 1>(std::slice::from_raw_parts(
            line.as_ptr().add(at),
            LANES * ELEMENTS,
        ))
    }
}

/// The sum of the lanes of each vector, by adding halves of pairs of vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn lane_sums(vectors: &[__m512; LANES]) -> [f32; LANES] {
    let mut quarters = [_mm512_setzero_ps(); LANES / 4];
    for (quarters, four) in quarters.iter_mut().zip(vectors.chunks_exact(4)) {
        let two = |a, b| _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        let (low, high) = (two(four[0], four[1]), two(four[2], four[3]));
        let halves = (_mm512_unpacklo_pd(low, high), _mm512_unpackhi_pd(low, high));
        *quarters = _mm512_add_ps(_mm512_castpd_ps(halves.0), _mm512_castpd_ps(halves.1));
    }
    let two = |a, b| _mm512_add_ps(_mm512_shuffle_f32x4::<EVEN>(a, b), _mm512_shuffle_f32x4::<ODD>(a, b));
    let sums = two(two(quarters[0], quarters[1]), two(quarters[2], quarters[3]));
    let mut lanes = [0.0; LANES];
    #[expect(unsafe_code, reason = "vector store")]
    // SAFETY: the array has the size of a vector.
    unsafe {
        _mm512_storeu_ps(lanes.as_mut_ptr(), sums);
    }
    lanes
}
