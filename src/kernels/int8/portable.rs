//! The sums without instructions of a particular CPU, for the vector instructions that every CPU of the architecture has.

use super::format::{LINE_OUTPUTS, WORD};
use super::tile::{Sums, Tile};
use super::weight::LINES;
use crate::Fma;

/// Writes the sums of `tile`.
#[inline(always)]
pub(super) fn sum<F: Fma>(tile: Tile<'_>, sums: &mut Sums) {
    tile.check();
    let Tile { rows, height, lines, words } = tile;
    for (row, sums) in rows.chunks_exact(words).zip(&mut sums[..height]) {
        for (part, sums) in sums.as_chunks_mut::<LINE_OUTPUTS>().0.iter_mut().enumerate() {
            // The elements of a word are added last, so that the loop over a line has no strides.
            let mut totals = [0i32; WORD * LINE_OUTPUTS];
            for (x, line) in row.iter().zip(lines[part..].iter().step_by(LINES)) {
                let mut repeated = [0u8; WORD * LINE_OUTPUTS];
                repeated.as_chunks_mut().0.fill(*x);
                let w = line.0.as_flattened();
                for i in 0..WORD * LINE_OUTPUTS {
                    // At most 255 · 127, which fits in an i16.
                    totals[i] += i32::from(i16::from(repeated[i]).wrapping_mul(i16::from(w[i])));
                }
            }
            for (sum, total) in sums.iter_mut().zip(totals.as_chunks::<WORD>().0) {
                *sum = total.iter().sum();
            }
        }
    }
}
