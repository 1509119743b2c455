//! The integer sums of a few rows with one panel.

use super::format::{PANEL, TILE_ROWS, WORD};
use super::weight::Line;

/// Σ x_q w_q of each row and output.
pub(super) type Sums = [[i32; PANEL]; TILE_ROWS];

/// The operands of a tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile<'a> {
    /// At least (rows, words); the rows are adjacent.
    pub(super) rows: &'a [[u8; WORD]],
    /// From 1 to [`TILE_ROWS`].
    pub(super) height: usize,
    /// (words, lines)
    pub(super) lines: &'a [Line],
    /// Words of a row.
    pub(super) words: usize,
}

impl Tile<'_> {
    /// Checks the shapes, on which kernels with pointers rely.
    #[inline(always)]
    pub(super) fn check(&self) {
        let Tile { rows, height, lines, words } = *self;
        assert!(
            (1..=TILE_ROWS).contains(&height)
                && rows.len() >= height * words
                && lines.len() == words * super::weight::LINES,
            "shapes of a tile"
        );
    }
}
