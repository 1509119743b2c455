//! Operands as words: numbers as they are (`NUMBERS` is 1) or pairs rounded to bf16 (it is 2).

use super::{LANES, PANEL};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_castps_si512, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_permutexvar_epi16, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// (rows, k) → (rows, pairs), with `pitch` words from a row to the next and zeros between.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn round_rows(x: &[f32], k: usize, pitch: usize, words: &mut [u32]) {
    for (x, words) in x.chunks_exact(k).zip(words.chunks_exact_mut(pitch)) {
        let (words, rest) = words.split_at_mut(k.div_ceil(2));
        rest.fill(0);
        for (x, words) in x.chunks(2 * LANES).zip(words.chunks_mut(LANES)) {
            store(words, round(load(x), load(from(x, LANES)), false));
        }
    }
}

/// From the columns `first` and on of `x` (k, columns), as many rows as there is room for: (words, `WIDTH`)
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn interleave<const NUMBERS: usize, const WIDTH: usize>(
    x: &[f32],
    columns: usize,
    first: usize,
    words: &mut [u32],
) {
    let width = WIDTH.min(columns - first);
    for (number, words) in words.chunks_exact_mut(WIDTH).enumerate() {
        let row = |i: usize| {
            let row = from(x, (NUMBERS * number + i) * columns + first);
            &row[..width.min(row.len())]
        };
        let (low, high) = (row(0), if NUMBERS == 2 { row(1) } else { &[] });
        for (at, words) in words.chunks_exact_mut(LANES).enumerate() {
            let low = load(from(low, at * LANES));
            let vector = match NUMBERS {
                1 => _mm512_castps_si512(low),
                _ => round(low, load(from(high, at * LANES)), true),
            };
            store(words, vector);
        }
    }
}

/// From rows of `x`, (up to [`PANEL`] columns, k), the numbers `first` and on: (words, [`PANEL`])
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn turn<const NUMBERS: usize>(x: &[f32], k: usize, first: usize, words: &mut [u32]) {
    for column in (0..PANEL).step_by(LANES) {
        let x = from(x, column * k);
        for (number, words) in words.chunks_mut(LANES * PANEL).enumerate() {
            let square = square::<NUMBERS>(x, k, first + number * LANES * NUMBERS);
            put_square(&transpose(&square), words, column);
        }
    }
}

/// A square of words, (rows, columns) → (columns, rows).
#[target_feature(enable = "avx512f")]
pub(super) fn turn_square(words: &[u32; LANES * LANES], turned: &mut [u32]) {
    let mut square = [_mm512_setzero_si512(); LANES];
    for (row, vector) in words.chunks_exact(LANES).zip(&mut square) {
        #[expect(unsafe_code, reason = "a vector is loaded by its address")]
        // SAFETY: a row of the square is a vector long.
        unsafe {
            *vector = _mm512_loadu_si512(row.as_ptr().cast());
        }
    }
    for (row, vector) in turned.chunks_exact_mut(LANES).zip(transpose(&square)) {
        store(row, vector);
    }
}

/// The numbers `first` and on of rows of `x`, (rows, k), as words: a vector of each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn square<const NUMBERS: usize>(x: &[f32], k: usize, first: usize) -> [__m512i; LANES] {
    let mut square = [_mm512_setzero_si512(); LANES];
    let length = LANES * NUMBERS;
    if first + length <= k && x.len() >= LANES * k {
        for i in 0..LANES {
            let row = &x[i * k + first..][..length];
            square[i] = words::<NUMBERS>(row);
        }
    } else {
        for (row, vector) in x.chunks_exact(k).zip(&mut square) {
            *vector = words::<NUMBERS>(from(row, first));
        }
    }
    square
}

/// A vector of words of the numbers of a row, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn words<const NUMBERS: usize>(row: &[f32]) -> __m512i {
    match NUMBERS {
        1 => _mm512_castps_si512(load(row)),
        _ => round(load(row), load(from(row, LANES)), false),
    }
}

/// Two vectors, rounded: the numbers of `low` first, or by turns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round(low: __m512, high: __m512, by_turns: bool) -> __m512i {
    // The instruction puts its second operand into the lower half.
    let both = _mm512_cvtne2ps_pbh(high, low);
    #[expect(unsafe_code, reason = "the same bits under another name; a vector is loaded by its address")]
    // SAFETY: both types are 512 bits without any invalid value, and the array is one vector long.
    unsafe {
        let both = std::mem::transmute::<__m512bh, __m512i>(both);
        if by_turns {
            _mm512_permutexvar_epi16(_mm512_loadu_si512(BY_TURNS.as_ptr().cast()), both)
        } else {
            both
        }
    }
}

/// Number `i` of the lower half, then number `i` of the upper.
const BY_TURNS: [u16; 2 * LANES] = {
    let mut order = [0; 2 * LANES];
    let mut i = 0;
    while i < order.len() {
        order[i] = (i / 2 + LANES * (i % 2)) as u16;
        i += 1;
    }
    order
};

/// Up to a vector of numbers, zeros after them.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[f32]) -> __m512 {
    let mut filled = [0.0; LANES];
    let whole = if x.len() >= LANES {
        x
    } else {
        filled[..x.len()].copy_from_slice(x);
        &filled
    };
    #[expect(unsafe_code, reason = "a vector is loaded by its address")]
    // SAFETY: `whole` has at least a vector's numbers.
    unsafe {
        _mm512_loadu_ps(whole.as_ptr())
    }
}

/// As much of a vector as there is room for.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u32], vector: __m512i) {
    let mut whole = [0; LANES];
    let is_short = words.len() < LANES;
    let to = if is_short { &mut whole[..] } else { &mut *words };
    #[expect(unsafe_code, reason = "a vector is stored by its address")]
    // SAFETY: `to` has room for a vector.
    unsafe {
        _mm512_storeu_si512(to.as_mut_ptr().cast(), vector);
    }
    if is_short {
        words.copy_from_slice(&whole[..words.len()]);
    }
}

/// What is left of `x` from `at` on.
#[inline(always)]
fn from(x: &[f32], at: usize) -> &[f32] {
    &x[at.min(x.len())..]
}

/// A square of words into the columns from `column` on of as many rows of a panel as there are.
#[inline]
#[target_feature(enable = "avx512f")]
fn put_square(square: &[__m512i; LANES], panel: &mut [u32], column: usize) {
    if panel.len() == LANES * PANEL {
        for i in 0..LANES {
            store(&mut panel[i * PANEL + column..][..LANES], square[i]);
        }
    } else {
        for (row, panel) in square.iter().zip(panel.chunks_exact_mut(PANEL)) {
            store(&mut panel[column..column + LANES], *row);
        }
    }
}

/// Every other quarter of two vectors: the even ones, or the odd ones.
const EVEN: i32 = 0b10_00_10_00;
const ODD: i32 = 0b11_01_11_01;

/// Rows become columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: &[__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = *rows;
    for i in 0..LANES / 2 {
        let (even, odd) = (rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i] = _mm512_unpacklo_epi32(even, odd);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(even, odd);
    }
    // Quarter `q` of `fours[4 i + j]` is column `4 q + j` of the rows from `4 i` on.
    let mut fours = pairs;
    for i in 0..LANES / 4 {
        for j in 0..2 {
            let (upper, lower) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
            fours[4 * i + 2 * j] = _mm512_unpacklo_epi64(upper, lower);
            fours[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(upper, lower);
        }
    }
    let mut columns = fours;
    for j in 0..LANES / 4 {
        let (first, second, third, fourth) = (fours[j], fours[j + 4], fours[j + 8], fours[j + 12]);
        let even = [_mm512_shuffle_i32x4::<EVEN>(first, second), _mm512_shuffle_i32x4::<EVEN>(third, fourth)];
        let odd = [_mm512_shuffle_i32x4::<ODD>(first, second), _mm512_shuffle_i32x4::<ODD>(third, fourth)];
        columns[j] = _mm512_shuffle_i32x4::<EVEN>(even[0], even[1]);
        columns[j + 4] = _mm512_shuffle_i32x4::<EVEN>(odd[0], odd[1]);
        columns[j + 8] = _mm512_shuffle_i32x4::<ODD>(even[0], even[1]);
        columns[j + 12] = _mm512_shuffle_i32x4::<ODD>(odd[0], odd[1]);
    }
    columns
}
