//! Products of so few rows that packing the other operand would be most of the work: dot products with the
//! rows of the weight, which is read once from end to end.

use super::tile::add_product;
use super::{LANES, Operand, Out, words};
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch, _mm512_reduce_add_ps, _mm512_setzero_ps};
use std::ops::Range;

/// The most rows that are few.
pub(super) const FEW: usize = 24;

/// Rows and columns of a register tile.
const ROWS: usize = 4;
const COLUMNS: usize = 6;

/// Operands as they are stored: (rows, k) and (columns, k).
#[derive(Debug, Clone, Copy)]
pub(super) struct Few<'a> {
    left: &'a [f32],
    right: &'a [f32],
    k: usize,
}

impl<'a> Few<'a> {
    /// The operands, if the product is one for dot products.
    pub(super) fn new(left: Operand<'a>, right: Operand<'a>) -> Option<Self> {
        match (left, right) {
            (Operand::Along { numbers: left, k }, Operand::Along { numbers: right, .. }) => {
                (left.len() <= FEW * k && k.is_multiple_of(2 * LANES)).then_some(Few { left, right, k })
            }
            _ => None,
        }
    }
}

/// Some columns of the result.
///
/// # Safety
/// As of [`super::product_part`].
#[expect(unsafe_code, reason = "a result that threads share")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn dot_columns<const NUMBERS: usize>(out: Out, few: Few<'_>, columns: Range<usize>) {
    let Few { left, right, k } = few;
    let (height, to) = (left.len() / k, columns.end);
    let mut weights: [&[f32]; COLUMNS] = [&[]; COLUMNS];
    let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
    for column in columns.step_by(COLUMNS) {
        for (j, weight) in weights.iter_mut().enumerate() {
            // Past the edge the last one is done again, and not written.
            *weight = &right[(column + j).min(to - 1) * k..][..k];
        }
        for row in (0..height).step_by(ROWS) {
            for (i, numbers) in rows.iter_mut().enumerate() {
                *numbers = &left[(row + i).min(height - 1) * k..][..k];
            }
            let sums = dots::<NUMBERS>(&rows, &weights, row == 0);
            for (i, sums) in sums.iter().enumerate().take(height - row) {
                for (j, sum) in sums.iter().enumerate().take(to - column) {
                    // SAFETY: row and column lie inside the result, and the column is one of ours.
                    unsafe {
                        let place = out.first.add((row + i) * out.columns + column + j);
                        *place = sum + if out.is_added { *place } else { 0.0 };
                    }
                }
            }
        }
    }
}

/// Each row with each weight; has those that come next come nearer, if it is to.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn dots<const NUMBERS: usize>(
    rows: &[&[f32]; ROWS],
    weights: &[&[f32]; COLUMNS],
    fetches: bool,
) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[_mm512_setzero_ps(); COLUMNS]; ROWS];
    for at in (0..rows[0].len()).step_by(LANES * NUMBERS) {
        let mut left = [words::zeros(); ROWS];
        for i in 0..ROWS {
            [left[i]] = words::words::<NUMBERS, 1>(&rows[i][at..at + LANES * NUMBERS]);
        }
        for j in 0..COLUMNS {
            let numbers = &weights[j][at..at + LANES * NUMBERS];
            let [column] = words::words::<NUMBERS, 1>(numbers);
            if fetches {
                for line in numbers.chunks_exact(LANES) {
                    let next = line.as_ptr().wrapping_add(COLUMNS * weights[j].len());
                    // An address is only a hint: nothing is read from it.
                    _mm_prefetch::<_MM_HINT_T0>(next.cast());
                }
            }
            for i in 0..ROWS {
                sums[i][j] = add_product::<NUMBERS>(sums[i][j], left[i], column);
            }
        }
    }
    let mut dots = [[0.0; COLUMNS]; ROWS];
    for i in 0..ROWS {
        for j in 0..COLUMNS {
            dots[i][j] = _mm512_reduce_add_ps(sums[i][j]);
        }
    }
    dots
}
