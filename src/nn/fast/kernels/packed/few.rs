//! Products of so few rows that packing the other operand would be most of the work: dot products with the
//! rows of the weight, which is read once from end to end.

use super::operands::words;
use super::tile::add_product;
use super::{LANES, Left, Order, Out, Right};
use std::arch::x86_64::{
    _MM_HINT_T0, _mm_prefetch, _mm512_loadu_si512, _mm512_reduce_add_ps, _mm512_setzero_ps,
};

/// The most rows that are few.
const FEW: usize = 24;

/// Rows and columns of a register tile.
const ROWS: usize = 4;
const COLUMNS: usize = 6;

/// A weight as it is stored: (columns, k).
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    numbers: &'a [f32],
    k: usize,
}

/// The right operand, if the product is one for dot products.
pub(super) fn few<'a>(left: Left<'_>, right: Right<'a>, numbers_of_word: usize) -> Option<Stored<'a>> {
    match right {
        Right::Turned { numbers, k } => {
            let is_even = k.is_multiple_of(LANES * numbers_of_word);
            let are_few = left.rows <= FEW && left.order == Order::Rows && is_even;
            are_few.then_some(Stored { numbers, k })
        }
        Right::Rows { .. } => None,
    }
}

/// Columns `from..to` of the result.
///
/// # Safety
/// As of [`super::product_columns`]; `right` is what [`few`] gave for `left`.
#[expect(unsafe_code, reason = "a result that threads share")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn dot_columns<const NUMBERS: usize>(
    out: Out,
    left: Left<'_>,
    right: Stored<'_>,
    (from, to): (usize, usize),
) {
    let columns = right.numbers.len() / right.k;
    let mut weights: [&[f32]; COLUMNS] = [&[]; COLUMNS];
    let mut rows: [&[u32]; ROWS] = [&[]; ROWS];
    for column in (from..to).step_by(COLUMNS) {
        for (j, weight) in weights.iter_mut().enumerate() {
            // Past the edge the last one is done again, and not written.
            *weight = &right.numbers[(column + j).min(to - 1) * right.k..][..right.k];
        }
        for row in (0..left.rows).step_by(ROWS) {
            for (i, words) in rows.iter_mut().enumerate() {
                *words = &left.words[(row + i).min(left.rows - 1) * left.length..][..left.length];
            }
            let sums = dots::<NUMBERS>(&rows, &weights, row == 0);
            for (i, sums) in sums.iter().enumerate().take(left.rows - row) {
                for (j, sum) in sums.iter().enumerate().take(to - column) {
                    // SAFETY: row and column lie inside the result, and the column is one of ours.
                    unsafe {
                        let place = out.first.add((row + i) * columns + column + j);
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
    rows: &[&[u32]; ROWS],
    weights: &[&[f32]; COLUMNS],
    fetches: bool,
) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[_mm512_setzero_ps(); COLUMNS]; ROWS];
    for word in (0..rows[0].len()).step_by(LANES) {
        let mut left = [words::<1>(&[]); ROWS];
        for i in 0..ROWS {
            let row = &rows[i][word..word + LANES];
            #[expect(unsafe_code, reason = "a vector is loaded by its address")]
            // SAFETY: `row` is a vector long.
            unsafe {
                left[i] = _mm512_loadu_si512(row.as_ptr().cast());
            }
        }
        for j in 0..COLUMNS {
            let numbers = &weights[j][word * NUMBERS..][..LANES * NUMBERS];
            let column = words::<NUMBERS>(numbers);
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
