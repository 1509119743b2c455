//! Vectors of words: numbers as they are (`NUMBERS` is 1), or pairs of bf16 (it is 2).
//!
//! Of a pair there are `PIECES`. One is the pair rounded. Three together are the pair itself: a number of
//! 24 bits is the sum of three of 8.

use super::LANES;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutex2var_epi16,
    _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_srli_epi32, _mm512_sub_ps, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// (rows, words of a vector)
pub(super) type Square = [__m512i; LANES];

/// Which numbers make a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    /// Two neighbours.
    Neighbours,
    /// Those of two vectors with the same place.
    Opposites,
}

/// The words of up to so many numbers that lie side by side, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn words<const NUMBERS: usize, const PIECES: usize>(numbers: &[f32]) -> [__m512i; PIECES] {
    let high = if NUMBERS == 2 { load(from(numbers, LANES)) } else { load(&[]) };
    join::<NUMBERS, PIECES>(load(numbers), high, Pairing::Neighbours)
}

/// The words of up to a vector of numbers each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn words_of_two<const NUMBERS: usize, const PIECES: usize>(
    low: &[f32],
    high: &[f32],
) -> [__m512i; PIECES] {
    let high = if NUMBERS == 2 { load(high) } else { load(&[]) };
    join::<NUMBERS, PIECES>(load(low), high, Pairing::Opposites)
}

/// The words of two vectors of numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn words_of_pair<const PIECES: usize>(pair: [__m512i; 2]) -> [__m512i; PIECES] {
    let [low, high] = pair.map(|bits| _mm512_castsi512_ps(bits));
    join::<2, PIECES>(low, high, Pairing::Opposites)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn join<const NUMBERS: usize, const PIECES: usize>(
    low: __m512,
    high: __m512,
    pairing: Pairing,
) -> [__m512i; PIECES] {
    let mut pieces = [_mm512_castps_si512(low); PIECES];
    match (NUMBERS, PIECES) {
        (1, _) => {}
        (_, 1) => pieces[0] = round(low, high, pairing),
        _ => {
            let (mut low, mut high) = (low, high);
            let (last, others) = pieces.split_last_mut().expect("there are some");
            for piece in others {
                let tops = [top(low), top(high)];
                low = _mm512_sub_ps(low, _mm512_castsi512_ps(tops[0]));
                high = _mm512_sub_ps(high, _mm512_castsi512_ps(tops[1]));
                *piece = join_tops(tops, pairing);
            }
            *last = join_tops([low, high].map(|x| _mm512_castps_si512(x)), pairing);
        }
    }
    pieces
}

/// Numbers to the nearest bf16, in the upper half of each lane. What is left of a number of 24 bits has 16,
/// of those 8, and then none: no subtraction rounds.
#[inline]
#[target_feature(enable = "avx512f")]
fn top(x: __m512) -> __m512i {
    let rounded = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    _mm512_and_si512(rounded, _mm512_set1_epi32(UPPER_HALF))
}

/// Of a lane.
const UPPER_HALF: i32 = 0xffff_0000_u32.cast_signed();

/// The function a | b & c of three bits.
const FIRST_OR_BOTH: i32 = 0xf0 | 0xcc & 0xaa;

/// The upper halves of two vectors as pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn join_tops([low, high]: [__m512i; 2], pairing: Pairing) -> __m512i {
    match pairing {
        Pairing::Neighbours => _mm512_permutex2var_epi16(low, indices(&UPPER), high),
        Pairing::Opposites => {
            // What is left of a number too small for its exponent may have bits below.
            let mask = _mm512_set1_epi32(UPPER_HALF);
            _mm512_ternarylogic_epi32::<FIRST_OR_BOTH>(_mm512_srli_epi32::<16>(low), high, mask)
        }
    }
}

/// Two vectors, rounded.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round(low: __m512, high: __m512, pairing: Pairing) -> __m512i {
    // The instruction puts its second operand into the lower half.
    let both = _mm512_cvtne2ps_pbh(high, low);
    #[expect(unsafe_code, reason = "the same bits under another name")]
    // SAFETY: both types are 512 bits without any invalid value.
    let both = unsafe { std::mem::transmute::<__m512bh, __m512i>(both) };
    match pairing {
        Pairing::Neighbours => both,
        Pairing::Opposites => _mm512_permutexvar_epi16(indices(&BY_TURNS), both),
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

/// The upper half of each lane of two vectors.
const UPPER: [u16; 2 * LANES] = {
    let mut order = [0; 2 * LANES];
    let mut i = 0;
    while i < order.len() {
        order[i] = (2 * i + 1) as u16;
        i += 1;
    }
    order
};

#[inline]
#[target_feature(enable = "avx512f")]
fn indices(order: &[u16; 2 * LANES]) -> __m512i {
    #[expect(unsafe_code, reason = "a vector is loaded by its address")]
    // SAFETY: the array is one vector long.
    unsafe {
        _mm512_loadu_si512(order.as_ptr().cast())
    }
}

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

/// What is left of `x` from `at` on.
#[inline(always)]
pub(super) fn from(x: &[f32], at: usize) -> &[f32] {
    &x[at.min(x.len())..]
}

/// The words of vectors.
pub(super) fn flat(vectors: &[__m512i]) -> &[u32] {
    #[expect(unsafe_code, reason = "the same bits under another name")]
    // SAFETY: a vector is as large as its words, and more strictly aligned; no bits are invalid.
    unsafe {
        std::slice::from_raw_parts(vectors.as_ptr().cast(), vectors.len() * LANES)
    }
}

/// The bits of numbers.
pub(super) fn bits(x: &[f32]) -> &[u32] {
    #[expect(unsafe_code, reason = "the same bits under another name")]
    // SAFETY: size and alignment of both are the same, and no bits are invalid.
    unsafe {
        std::slice::from_raw_parts(x.as_ptr().cast(), x.len())
    }
}

/// Every other quarter of two vectors: the even ones, or the odd ones.
pub(super) const EVEN: i32 = 0b10_00_10_00;
pub(super) const ODD: i32 = 0b11_01_11_01;

/// Rows become columns.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(rows: &Square) -> Square {
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

/// Nothing but zeros.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn zeros() -> __m512i {
    _mm512_setzero_si512()
}
