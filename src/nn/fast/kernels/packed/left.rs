//! A chunk of a left operand, ready to be multiplied.

use super::operand::{Operand, Places, Window};
use super::pack_bf16::{bits, flat, zeros};
use super::{LANES, Unit};
use std::arch::x86_64::__m512i;

/// How words of a chunk lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Numbers where they are: (rows, words)
    Stored,
    /// (strips, words, rows of a strip)
    Strips,
    /// (strips, tiles, pieces, rows of a strip, words of a tile)
    Tiles,
}

/// Rows of a strip.
const STRIP: usize = LANES;

/// A chunk: (rows, words)
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'a> {
    words: &'a [u32],
    pub(super) rows: usize,
    order: Order,
    /// From a row to the next, or a `STRIP`th of the way from a strip to the next.
    pitch: usize,
}

impl Order {
    /// The one that suits what multiplies.
    pub(super) fn of(unit: Unit, left: Operand<'_>) -> Self {
        match (unit, left) {
            (Unit::F32, Operand::Along { .. }) => Order::Stored,
            (Unit::F32 | Unit::Bf16, _) => Order::Strips,
            (Unit::Amx | Unit::AmxF32, _) => Order::Tiles,
        }
    }

    /// Packs a chunk into `room`, if it is not to stay where it is.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn pack<const NUMBERS: usize, const PIECES: usize>(
        self,
        left: Operand<'_>,
        window: &Window,
        room: &mut Vec<__m512i>,
    ) {
        if self == Order::Stored {
            return;
        }
        let line_step = window.words.len().next_multiple_of(LANES) * PIECES;
        // Tiles are multiplied two strips at a time.
        let strips = window.lines.len().div_ceil(STRIP).next_multiple_of(2);
        if room.len() < strips * line_step {
            room.resize(strips * line_step, zeros());
        }
        let is_by_word = self == Order::Strips;
        let places = Places { is_by_word, pitch: 1, line_step, word_step: LANES * PIECES };
        left.pack::<NUMBERS, PIECES>(window, places, room);
    }
}

impl<'a> Left<'a> {
    /// What [`Order::pack`] has packed, or what is stored.
    pub(super) fn new<const PIECES: usize>(
        order: Order,
        left: Operand<'a>,
        window: &Window,
        room: &'a [__m512i],
    ) -> Self {
        let rows = window.lines.len();
        if let (Order::Stored, Operand::Along { numbers, k }) = (order, left) {
            let words = bits(&numbers[window.lines.start * k + window.words.start..]);
            return Left { words, rows, order, pitch: k };
        }
        let pitch = window.words.len().next_multiple_of(LANES) * PIECES;
        Left { words: flat(room), rows, order, pitch }
    }

    /// Address of a row's first word, and how far it is to the next.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> (*const u32, usize) {
        let (first, step) = match self.order {
            Order::Stored => (row * self.pitch, 1),
            Order::Strips => (row / STRIP * self.pitch * STRIP + row % STRIP, STRIP),
            Order::Tiles => unreachable!("tiles are multiplied whole"),
        };
        (self.words[first..].as_ptr(), step)
    }

    /// Address of the first tile of the strip whose first row is `row`.
    #[inline(always)]
    pub(super) fn strip(&self, row: usize) -> *const u32 {
        self.words[row * self.pitch..].as_ptr()
    }
}
