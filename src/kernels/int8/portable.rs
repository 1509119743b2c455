//! The sums without instructions of a particular CPU.

use super::tile::{Sums, Tile};
use super::weight::LINES;
use super::{LINE_OUTPUTS, WORD};
use crate::Fma;

/// Writes the sums of `tile`; compiled for an instruction set by [`crate::dispatch`].
#[inline(always)]
pub(super) fn sum<F: Fma>(tile: Tile<'_>, sums: &mut Sums) {
    tile.check();
    let Tile { rows, height, lines, words } = tile;
    for (row, sums) in rows.chunks_exact(words).zip(&mut sums[..height]) {
        for (part, sums) in sums.as_chunks_mut::<LINE_OUTPUTS>().0.iter_mut().enumerate() {
            let mut total = [0i32; LINE_OUTPUTS];
            for (x, line) in row.iter().zip(lines[part..].iter().step_by(LINES)) {
                for output in 0..LINE_OUTPUTS {
                    for element in 0..WORD {
                        total[output] += i32::from(x[element]) * i32::from(line.0[output][element]);
                    }
                }
            }
            *sums = total;
        }
    }
}
