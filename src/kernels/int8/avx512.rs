//! The sums with AVX-512 VNNI: `vpdpbusd` multiplies the words of 16 outputs by a word of a row and adds the products.

use super::format::{LINE_OUTPUTS, TILE_ROWS};
use super::tile::{Sums, Tile};
use super::weight::LINES;
use std::arch::x86_64::{
    _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

/// Writes the sums of `tile`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn sum(tile: Tile<'_>, sums: &mut Sums) {
    match tile.height {
        1 => sum_rows::<1>(tile, sums),
        2 => sum_rows::<2>(tile, sums),
        3 => sum_rows::<3>(tile, sums),
        4 => sum_rows::<4>(tile, sums),
        5 => sum_rows::<5>(tile, sums),
        _ => sum_rows::<TILE_ROWS>(tile, sums),
    }
}

#[inline]
#[expect(unsafe_code, reason = "pointers to rows and lines")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn sum_rows<const ROWS: usize>(tile: Tile<'_>, sums: &mut Sums) {
    tile.check();
    assert_eq!(tile.height, ROWS);
    let Tile { rows, lines, words, .. } = tile;
    let mut totals = [[_mm512_setzero_si512(); LINES]; ROWS];
    for word in 0..words {
        let mut columns = [_mm512_setzero_si512(); LINES];
        for j in 0..LINES {
            // SAFETY: `check` has checked the number of lines, which are vectors.
            columns[j] = unsafe { _mm512_load_si512(lines.as_ptr().add(word * LINES + j).cast()) };
        }
        for i in 0..ROWS {
            // SAFETY: `check` has checked the number of words.
            let x = unsafe { *rows.get_unchecked(i * words + word) };
            let x = _mm512_set1_epi32(i32::from_ne_bytes(x));
            for j in 0..LINES {
                totals[i][j] = _mm512_dpbusd_epi32(totals[i][j], x, columns[j]);
            }
        }
    }
    for (totals, sums) in totals.iter().zip(sums) {
        for (total, sums) in totals.iter().zip(sums.as_chunks_mut::<LINE_OUTPUTS>().0) {
            // SAFETY: the array has the size of a vector.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), *total) };
        }
    }
}
