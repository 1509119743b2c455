//! The sums in vectors of 256 bits: with `vpdpbusd` of AVX-VNNI, and with AVX2 alone.

use super::format::{LINE_OUTPUTS, TILE_ROWS};
use super::tile::{Sums, Tile};
use super::weight::LINES;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_dpbusd_avx_epi32, _mm256_load_si256,
    _mm256_madd_epi16, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_slli_epi16,
    _mm256_srai_epi16, _mm256_srli_epi16, _mm256_storeu_si256,
};

/// Vectors of a line.
const VECTORS: usize = 2;

/// Declares a module with the sums for an instruction set. `$dot` is total + Σ x w over the elements of each word.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident, $features:literal, $dot:ident) => {
        $(#[$doc])*
        pub(super) mod $name {
            use super::*;

            /// Writes the sums of `tile`.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in super::super) fn sum(tile: Tile<'_>, sums: &mut Sums) {
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
            #[target_feature(enable = $features)]
            fn sum_rows<const ROWS: usize>(tile: Tile<'_>, sums: &mut Sums) {
                tile.check();
                assert_eq!(tile.height, ROWS);
                let Tile { rows, lines, words, .. } = tile;
                for part in 0..LINES {
                    let mut totals = [[_mm256_setzero_si256(); VECTORS]; ROWS];
                    for word in 0..words {
                        let mut columns = [_mm256_setzero_si256(); VECTORS];
                        for j in 0..VECTORS {
                            // SAFETY: `check` has checked the number of lines, each of which is two vectors.
                            columns[j] = unsafe {
                                let line = lines.as_ptr().add(word * LINES + part);
                                _mm256_load_si256(line.cast::<__m256i>().add(j))
                            };
                        }
                        for i in 0..ROWS {
                            // SAFETY: `check` has checked the number of words.
                            let x = unsafe { *rows.get_unchecked(i * words + word) };
                            let x = _mm256_set1_epi32(i32::from_ne_bytes(x));
                            for j in 0..VECTORS {
                                totals[i][j] = $dot(totals[i][j], x, columns[j]);
                            }
                        }
                    }
                    for (totals, sums) in totals.iter().zip(&mut *sums) {
                        let (sums, _) = sums[part * LINE_OUTPUTS..].as_chunks_mut::<{ LINE_OUTPUTS / VECTORS }>();
                        for (total, sums) in totals.iter().zip(sums) {
                            // SAFETY: the array has the size of a vector.
                            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), *total) };
                        }
                    }
                }
            }
        }
    };
}

kernel! {
    /// With AVX-VNNI.
    avx_vnni, "avx2,avxvnni", _mm256_dpbusd_avx_epi32
}

kernel! {
    /// With AVX2 alone.
    plain, "avx2", dot_avx2
}

/// What `vpdpbusd` computes. The instruction `vpmaddubsw` would saturate, so elements are widened to 16 bits: those of even
/// index, and those of odd index.
#[inline]
#[target_feature(enable = "avx2")]
fn dot_avx2(total: __m256i, x: __m256i, w: __m256i) -> __m256i {
    let even = _mm256_madd_epi16(
        _mm256_and_si256(x, _mm256_set1_epi16(0xff)),
        _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w)),
    );
    let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(x), _mm256_srai_epi16::<8>(w));
    _mm256_add_epi32(total, _mm256_add_epi32(even, odd))
}
