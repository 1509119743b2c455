//! Products of so few rows that packing the other operand would be most of the work: dot products with the
//! rows of the weight, which is read once from end to end.

use super::pack_bf16::{EVEN, ODD};
use super::tile::add_product;
use super::{LANES, Operand, Out, even_share, pack_bf16, steps};
use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps,
    _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};
use std::ops::Range;

/// The most rows of a register tile.
const HIGHEST: usize = 14;

/// Numbers of a line that are multiplied before the next: those of all rows stay in the first cache.
const BLOCK: usize = 512;

/// How many weights early they are made to come nearer.
const AHEAD: usize = 6;

/// Operands as they are stored: (rows, k) and (columns, k).
#[derive(Debug, Clone, Copy)]
pub(super) struct Few<'a> {
    left: &'a [f32],
    right: &'a [f32],
    k: usize,
}

impl<'a> Few<'a> {
    /// The operands, if they are stored as dot products need them.
    pub(super) fn new(left: Operand<'a>, right: Operand<'a>) -> Option<Self> {
        match (left, right) {
            (Operand::Along { numbers: left, k }, Operand::Along { numbers: right, .. }) => {
                k.is_multiple_of(2 * LANES).then_some(Few { left, right, k })
            }
            _ => None,
        }
    }

    fn rows(self) -> usize {
        self.left.len() / self.k
    }
}

/// Some columns of the result, in tiles of the rows that there are and as many columns as registers have room
/// for.
///
/// # Safety
/// As of [`super::product_part`].
#[expect(unsafe_code, reason = "a result that threads share")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn dot_columns<const NUMBERS: usize>(out: Out, few: Few<'_>, columns: Range<usize>) {
    // SAFETY: as the caller says.
    unsafe {
        match even_share(few.rows(), HIGHEST) {
            1 => dot_tiles::<NUMBERS, 1, 8>(out, few, columns),
            2 => dot_tiles::<NUMBERS, 2, 8>(out, few, columns),
            3 => dot_tiles::<NUMBERS, 3, 7>(out, few, columns),
            4 => dot_tiles::<NUMBERS, 4, 6>(out, few, columns),
            5 => dot_tiles::<NUMBERS, 5, 5>(out, few, columns),
            6 => dot_tiles::<NUMBERS, 6, 4>(out, few, columns),
            7 => dot_tiles::<NUMBERS, 7, 3>(out, few, columns),
            8 => dot_tiles::<NUMBERS, 8, 3>(out, few, columns),
            9 => dot_tiles::<NUMBERS, 9, 3>(out, few, columns),
            10 => dot_tiles::<NUMBERS, 10, 2>(out, few, columns),
            11 => dot_tiles::<NUMBERS, 11, 2>(out, few, columns),
            12 => dot_tiles::<NUMBERS, 12, 2>(out, few, columns),
            13 => dot_tiles::<NUMBERS, 13, 2>(out, few, columns),
            _ => dot_tiles::<NUMBERS, HIGHEST, 2>(out, few, columns),
        }
    }
}

/// # Safety
/// As of [`super::product_part`].
#[expect(unsafe_code, reason = "a result that threads share")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn dot_tiles<const NUMBERS: usize, const ROWS: usize, const COLUMNS: usize>(
    out: Out,
    few: Few<'_>,
    columns: Range<usize>,
) {
    let Few { left, right, k } = few;
    let (last_row, last_column) = (few.rows() - 1, columns.end - 1);
    let block = even_share(k, BLOCK).next_multiple_of(2 * LANES);
    for numbers in steps(0..k, block) {
        let is_added = out.is_added || numbers.start > 0;
        for column in columns.clone().step_by(COLUMNS) {
            // Past an edge the last line is done again, and not written.
            let mut weights: [&[f32]; COLUMNS] = [&[]; COLUMNS];
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = &right[last_column.min(column + j) * k..][numbers.clone()];
            }
            for row in (0..=last_row).step_by(ROWS) {
                let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
                for (i, line) in rows.iter_mut().enumerate() {
                    *line = &left[last_row.min(row + i) * k..][numbers.clone()];
                }
                let sums = dots::<NUMBERS, ROWS, COLUMNS>(&rows, &weights, (row == 0).then_some(k));
                for (i, sums) in sums.iter().enumerate().take(last_row + 1 - row) {
                    for (j, sum) in sums.iter().enumerate().take(last_column + 1 - column) {
                        // SAFETY: row and column lie inside the result, and the column is one of ours.
                        unsafe {
                            let place = out.first.add((row + i) * out.columns + column + j);
                            *place = sum + if is_added { *place } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}

/// Each row with each weight, all of one length; has the weights that come next come nearer, if it is told how
/// far it is from a weight to the next.
#[inline]
#[expect(unsafe_code, reason = "addresses of lines")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn dots<const NUMBERS: usize, const ROWS: usize, const COLUMNS: usize>(
    rows: &[&[f32]; ROWS],
    weights: &[&[f32]; COLUMNS],
    pitch: Option<usize>,
) -> [[f32; COLUMNS]; ROWS] {
    let (width, length) = (LANES * NUMBERS, rows[0].len());
    assert!(rows.iter().chain(weights).all(|line| line.len() == length), "lines of one length");
    let mut sums = [[_mm512_setzero_ps(); COLUMNS]; ROWS];
    for at in (0..length / width * width).step_by(width) {
        let mut columns = [pack_bf16::zeros(); COLUMNS];
        for j in 0..COLUMNS {
            // SAFETY: each line has as many numbers from `at` on.
            [columns[j]] = unsafe { words_at::<NUMBERS>(weights[j], at) };
            if let Some(pitch) = pitch {
                let next = weights[j].as_ptr().wrapping_add(at + AHEAD * pitch);
                for line in 0..NUMBERS {
                    // An address is only a hint: nothing is read from it.
                    _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(line * LANES).cast());
                }
            }
        }
        for i in 0..ROWS {
            // SAFETY: as above.
            let [row] = unsafe { words_at::<NUMBERS>(rows[i], at) };
            for j in 0..COLUMNS {
                sums[i][j] = add_product::<NUMBERS>(sums[i][j], row, columns[j]);
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
#[expect(unsafe_code, reason = "an address inside of a line")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn words_at<const NUMBERS: usize>(line: &[f32], at: usize) -> [__m512i; 1] {
    // SAFETY: as the caller says.
    unsafe {
        pack_bf16::words::<NUMBERS, 1>(std::slice::from_raw_parts(line.as_ptr().add(at), LANES * NUMBERS))
    }
}

/// The sum of each vector's lanes: halves of two vectors are added until each has a lane.
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
    #[expect(unsafe_code, reason = "a vector is stored by its address")]
    // SAFETY: the array is one vector long.
    unsafe {
        _mm512_storeu_ps(lanes.as_mut_ptr(), sums);
    }
    lanes
}
