//! Conversion of f32 elements to vectors of words: f32 (`ELEMENTS` per word is 1) or pairs of bf16 (it is 2).
//!
//! A pair is packed in `PIECES`. One piece is the pair rounded to bf16. Three pieces sum to the exact pair: the 24-bit
//! significand of an f32 is the sum of three 8-bit ones.

use super::blocking::LANES;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutex2var_epi16,
    _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_srli_epi32, _mm512_sub_ps, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// [`LANES`] rows of one vector.
pub(super) type Square = [__m512i; LANES];

/// Which elements form a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    /// Adjacent elements.
    Adjacent,
    /// Elements of the same lane of two vectors.
    SameLane,
}

/// Packs up to `ELEMENTS` · [`LANES`] adjacent elements, padded with zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn pack_contiguous<const ELEMENTS: usize, const PIECES: usize>(x: &[f32]) -> [__m512i; PIECES] {
    let high = if ELEMENTS == 2 { load(suffix(x, LANES)) } else { load(&[]) };
    join::<ELEMENTS, PIECES>(load(x), high, Pairing::Adjacent)
}

/// Packs up to [`LANES`] elements of two rows, the rows that hold the low and the high elements of the pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn pack_two_rows<const ELEMENTS: usize, const PIECES: usize>(
    low: &[f32],
    high: &[f32],
) -> [__m512i; PIECES] {
    let high = if ELEMENTS == 2 { load(high) } else { load(&[]) };
    join::<ELEMENTS, PIECES>(load(low), high, Pairing::SameLane)
}

/// Packs two vectors of f32, the low and the high elements of the pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn pack_transposed_pair<const PIECES: usize>(pair: [__m512i; 2]) -> [__m512i; PIECES] {
    let [low, high] = pair.map(|bits| _mm512_castsi512_ps(bits));
    join::<2, PIECES>(low, high, Pairing::SameLane)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn join<const ELEMENTS: usize, const PIECES: usize>(
    low: __m512,
    high: __m512,
    pairing: Pairing,
) -> [__m512i; PIECES] {
    let mut pieces = [_mm512_castps_si512(low); PIECES];
    match (ELEMENTS, PIECES) {
        (1, _) => {}
        (_, 1) => pieces[0] = round_pair(low, high, pairing),
        _ => {
            let (mut low, mut high) = (low, high);
            let (last, others) = pieces.split_last_mut().expect("PIECES is positive");
            for piece in others {
                let rounded = [round_to_bf16(low), round_to_bf16(high)];
                low = _mm512_sub_ps(low, _mm512_castsi512_ps(rounded[0]));
                high = _mm512_sub_ps(high, _mm512_castsi512_ps(rounded[1]));
                *piece = join_upper_halves(rounded, pairing);
            }
            *last = join_upper_halves([low, high].map(|x| _mm512_castps_si512(x)), pairing);
        }
    }
    pieces
}

/// Rounds to the nearest bf16, in the upper half of each lane. The remainder of a 24-bit significand has 16 bits, the
/// next one 8 bits and the last one none, so the subtractions are exact.
#[inline]
#[target_feature(enable = "avx512f")]
fn round_to_bf16(x: __m512) -> __m512i {
    let rounded = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    _mm512_and_si512(rounded, _mm512_set1_epi32(UPPER_HALF))
}

/// Mask of the upper half of a lane.
const UPPER_HALF: i32 = 0xffff_0000_u32.cast_signed();

/// Truth table of a | (b & c) for `vpternlog`.
const A_OR_B_AND_C: i32 = 0xf0 | 0xcc & 0xaa;

/// Joins the upper halves of two vectors to pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn join_upper_halves([low, high]: [__m512i; 2], pairing: Pairing) -> __m512i {
    match pairing {
        Pairing::Adjacent => _mm512_permutex2var_epi16(low, indices(&UPPER), high),
        Pairing::SameLane => {
            // The remainder of a subnormal may have bits in the lower half.
            let mask = _mm512_set1_epi32(UPPER_HALF);
            _mm512_ternarylogic_epi32::<A_OR_B_AND_C>(_mm512_srli_epi32::<16>(low), high, mask)
        }
    }
}

/// Rounds two vectors to bf16 and joins them to pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round_pair(low: __m512, high: __m512, pairing: Pairing) -> __m512i {
    // The instruction writes its second operand to the lower half.
    let both = _mm512_cvtne2ps_pbh(high, low);
    #[expect(unsafe_code, reason = "reinterpretation of memory")]
    // SAFETY: both types have 512 bits, and all bit patterns are valid.
    let both = unsafe { std::mem::transmute::<__m512bh, __m512i>(both) };
    match pairing {
        Pairing::Adjacent => both,
        Pairing::SameLane => _mm512_permutexvar_epi16(indices(&INTERLEAVE), both),
    }
}

/// Permutation that interleaves the lower and the upper half.
const INTERLEAVE: [u16; 2 * LANES] = {
    let mut order = [0; 2 * LANES];
    let mut i = 0;
    while i < order.len() {
        order[i] = (i / 2 + LANES * (i % 2)) as u16;
        i += 1;
    }
    order
};

/// Permutation that selects the upper half of each lane of two vectors.
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
    #[expect(unsafe_code, reason = "vector load")]
    // SAFETY: the array has the size of a vector.
    unsafe {
        _mm512_loadu_si512(order.as_ptr().cast())
    }
}

/// Loads up to [`LANES`] elements, padded with zeros.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[f32]) -> __m512 {
    let mut padded = [0.0; LANES];
    let vector = if x.len() >= LANES {
        x
    } else {
        padded[..x.len()].copy_from_slice(x);
        &padded
    };
    #[expect(unsafe_code, reason = "vector load")]
    // SAFETY: `vector` has at least `LANES` elements.
    unsafe {
        _mm512_loadu_ps(vector.as_ptr())
    }
}

/// The elements of `x` from `at` on; empty beyond the end.
#[inline(always)]
pub(super) fn suffix(x: &[f32], at: usize) -> &[f32] {
    &x[at.min(x.len())..]
}

/// Reinterprets vectors as words.
pub(super) fn as_words(vectors: &[__m512i]) -> &[u32] {
    #[expect(unsafe_code, reason = "reinterpretation of memory")]
    // SAFETY: a vector has the size of `LANES` words and a stricter alignment; all bit patterns are valid.
    unsafe {
        std::slice::from_raw_parts(vectors.as_ptr().cast(), vectors.len() * LANES)
    }
}

/// Reinterprets f32 elements as their bits.
pub(super) fn as_bits(x: &[f32]) -> &[u32] {
    #[expect(unsafe_code, reason = "reinterpretation of memory")]
    // SAFETY: both types have the same size and alignment; all bit patterns are valid.
    unsafe {
        std::slice::from_raw_parts(x.as_ptr().cast(), x.len())
    }
}

/// Shuffles that select the even or the odd quarters of two vectors.
pub(super) const EVEN: i32 = 0b10_00_10_00;
pub(super) const ODD: i32 = 0b11_01_11_01;

/// Transposes a square.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(rows: &Square) -> Square {
    let mut pairs = *rows;
    for i in 0..LANES / 2 {
        let (even, odd) = (rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i] = _mm512_unpacklo_epi32(even, odd);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(even, odd);
    }
    // Quarter `q` of `fours[4 i + j]` is column `4 q + j` of rows `4 i..4 i + 4`.
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

/// A vector of zeros.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn zeros() -> __m512i {
    _mm512_setzero_si512()
}
