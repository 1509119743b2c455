//! Matrix products over packed operands, for machines with `avx512_bf16`.
//!
//! Both operands of a product are *lines* of k numbers ([`Operand`]), and are packed as *words* of 32 bits. In
//! f32 a word is a number. In bf16 it is a *pair*, two neighbours along the summed dimension with the first in
//! the low half, which one instruction multiplies and adds in f32.
//!
//! - A *chunk* of the left operand, [`CHUNK`] words or less, stays in the second cache.
//! - A *panel* of the right one, [`PANEL`] lines, is packed when its turn comes and then used by all rows of
//!   the chunk while it is near. Nothing packed is kept, so weights take no more room.
//!
//! In vectors, a register tile is [`TILE`] rows by a panel: words of the left operand are broadcast, those of the
//! panel loaded. What is missing at an edge is filled up with zeros. Where the machine has AMX, its tiles do
//! the work, [`amx::SIDE`] rows at a time: for bf16, and for f32 too, with each number as the sum of three of
//! bf16 (Henry, Tang and Heinecke 2019, <https://arxiv.org/abs/1904.06376>).

mod amx;
mod few;
mod left;
mod operand;
mod pack_bf16;
#[cfg(test)]
mod tests;
mod tile;

use few::{Few, dot_columns};
use left::{Left, Order};
pub(crate) use operand::Operand;
use operand::{Places, Window};
use rayon::prelude::*;
use std::arch::x86_64::__m512i;
use std::cell::Cell;
use std::ops::Range;
use tile::Tile;

/// Lines of a panel.
const PANEL: usize = 64;

/// Rows of a register tile.
const TILE: usize = 6;

/// Words of a vector.
const LANES: usize = 16;

/// Words of the left operand that stay near.
const CHUNK: usize = 1 << 18;

/// What products are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As they are.
    F32,
    /// Rounded to the nearest.
    Bf16,
}

/// What multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Vectors of numbers.
    F32,
    /// Vectors of pairs.
    Bf16,
    /// Tiles of pairs.
    Amx,
    /// Tiles of pairs in three pieces, as exact as numbers.
    AmxF32,
}

impl Unit {
    /// Numbers of a word.
    fn numbers(self) -> usize {
        if self == Unit::F32 { 1 } else { 2 }
    }

    /// The most words of a line that are multiplied before the next: a panel of them stays near.
    fn block(self) -> usize {
        if self == Unit::AmxF32 { 192 } else { 512 }
    }

    /// The same, of a line of so many words.
    fn words(self, length: usize) -> usize {
        even_share(length, self.block()).next_multiple_of(LANES)
    }

    /// The most rows of a chunk, of lines of so many words.
    fn chunk(self, length: usize) -> usize {
        CHUNK / (self.words(length) * self.pieces())
    }

    /// What a word is made of.
    fn pieces(self) -> usize {
        if self == Unit::AmxF32 { 3 } else { 1 }
    }

    /// The most rows of which packing the other operand would be most of the work.
    fn few(self) -> usize {
        match self {
            Unit::F32 | Unit::Bf16 => 24,
            Unit::AmxF32 => 14,
            Unit::Amx => 6,
        }
    }
}

/// A unit that the machine has: only [`Packing::detect`] makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing {
    unit: Unit,
}

/// Where packed words of the product before lay: to have new room each time is to write it twice.
#[derive(Default)]
struct Room {
    left: Vec<__m512i>,
    panel: Vec<__m512i>,
}

thread_local! {
    static ROOM: Cell<Room> = const { Cell::new(Room { left: Vec::new(), panel: Vec::new() }) };
}

impl Packing {
    /// The fastest of this machine, if it can: all share functions, so it needs the instructions of each.
    pub(crate) fn detect(format: Format) -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        let unit = match (format, has_all && amx::is_there()) {
            (Format::F32, false) => Unit::F32,
            (Format::F32, true) => Unit::AmxF32,
            (Format::Bf16, false) => Unit::Bf16,
            (Format::Bf16, true) => Unit::Amx,
        };
        has_all.then_some(Packing { unit })
    }

    /// For people, what there is beyond vectors of numbers.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self.unit {
            Unit::F32 => None,
            Unit::Bf16 => Some("BF16"),
            Unit::Amx | Unit::AmxF32 => Some("AMX"),
        }
    }

    /// out (rows of `left`, lines of `right`) = left · rightᵀ, or added to what is there. Threads share the
    /// result, so the order of additions does not depend on their number.
    pub(crate) fn product(
        self,
        out: &mut [f32],
        left: Operand<'_>,
        right: Operand<'_>,
        is_added: bool,
        threads: usize,
    ) {
        let (rows, columns) = (left.lines(), right.lines());
        let are_few = rows <= self.unit.few();
        let few = Few::new(left, right).filter(|_| are_few);
        let unit = if self.unit == Unit::AmxF32 && are_few { Unit::F32 } else { self.unit };
        let lengths = [left, right].map(|operand| operand.length(unit.numbers()));
        assert_eq!((out.len(), lengths[0]), (rows * columns, lengths[1]), "shapes of a product");
        if out.is_empty() {
            return;
        }
        let out = Out { first: out.as_mut_ptr(), columns, is_added };
        let part = |part: Part| {
            #[expect(unsafe_code, reason = "instructions that not every machine has, and a shared result")]
            // SAFETY: `self` says that the machine has them; the assertion above holds shapes against each
            // other; each part writes only its own place.
            unsafe {
                match (unit, few) {
                    (Unit::F32, Some(few)) => dot_columns::<1>(out, few, part.columns),
                    (Unit::Bf16 | Unit::Amx, Some(few)) => dot_columns::<2>(out, few, part.columns),
                    (Unit::F32, None) => product_part::<1, 1, false>(unit, out, left, right, part),
                    (Unit::Bf16, None) => product_part::<2, 1, false>(unit, out, left, right, part),
                    (Unit::Amx, None) => product_part::<2, 1, true>(unit, out, left, right, part),
                    (Unit::AmxF32, _) => product_part::<2, 3, true>(unit, out, left, right, part),
                }
            }
        };
        let parts = match few {
            Some(_) => Part::by_columns(rows, columns, threads),
            None => Part::all(rows, columns, threads, unit.chunk(lengths[0])),
        };
        match parts.len() {
            1 => parts.into_iter().for_each(part),
            _ => parts.into_par_iter().for_each(part),
        }
    }
}

/// The result of a product, which threads write parts of.
#[derive(Debug, Clone, Copy)]
struct Out {
    first: *mut f32,
    columns: usize,
    is_added: bool,
}

#[expect(unsafe_code, reason = "threads write to one result")]
// SAFETY: whoever uses the address says that no one else uses what it writes.
unsafe impl Send for Out {}
#[expect(unsafe_code, reason = "threads write to one result")]
// SAFETY: as above.
unsafe impl Sync for Out {}

/// A part of the result.
#[derive(Debug, Clone)]
struct Part {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Part {
    /// One for each thread, so that as little as can be is packed by more than one, in chunks of so many rows.
    fn all(rows: usize, columns: usize, threads: usize, chunk: usize) -> Vec<Self> {
        let by_rows: Vec<_> = shares(rows, threads).map(|rows| Part { rows, columns: 0..columns }).collect();
        let by_columns = Part::by_columns(rows, columns, threads);
        let is_less = by_rows[0].packed_lines(chunk) <= by_columns[0].packed_lines(chunk);
        if is_less { by_rows } else { by_columns }
    }

    /// One for each thread, with all rows of some columns.
    fn by_columns(rows: usize, columns: usize, threads: usize) -> Vec<Self> {
        shares(columns, threads).map(|columns| Part { rows: 0..rows, columns }).collect()
    }

    /// Lines that its thread packs: those of the right operand again for each chunk of the left one.
    fn packed_lines(&self, chunk: usize) -> usize {
        self.rows.len() + self.columns.len() * self.rows.len().div_ceil(chunk)
    }
}

/// `length` shared among threads, in whole panels.
fn shares(length: usize, threads: usize) -> impl Iterator<Item = Range<usize>> {
    steps(0..length, length.div_ceil(threads.max(1)).next_multiple_of(PANEL))
}

/// A chunk, a panel and what comes of them.
#[derive(Debug, Clone)]
struct Turn {
    rows: Range<usize>,
    words: Range<usize>,
    columns: Range<usize>,
}

impl Turn {
    /// All of a part, over lines of `length` words.
    fn all(unit: Unit, part: Part, length: usize) -> impl Iterator<Item = Self> {
        let Part { rows, columns } = part;
        let block = unit.words(length);
        let chunk = even_share(rows.len(), unit.chunk(length)).next_multiple_of(amx::SIDE);
        steps(rows, chunk).flat_map(move |rows| {
            let columns = columns.clone();
            steps(0..length, block).flat_map(move |words| {
                let rows = rows.clone();
                let columns = steps(columns.clone(), PANEL);
                columns.map(move |columns| Turn { rows: rows.clone(), words: words.clone(), columns })
            })
        })
    }

    fn left(&self) -> Window {
        Window { lines: self.rows.clone(), words: self.words.clone() }
    }

    fn right(&self) -> Window {
        Window { lines: self.columns.clone(), words: self.words.clone() }
    }
}

/// The length of the fewest equal shares that are at most `most` long.
fn even_share(length: usize, most: usize) -> usize {
    length.div_ceil(length.div_ceil(most).max(1)).max(1)
}

fn steps(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step).map(move |from| from..end.min(from + step))
}

/// A part of the result.
///
/// # Safety
/// `out` is (lines of `left`, lines of `right`), and nobody else uses this part of it; both operands are as
/// long as each other; the machine has AMX if `IS_AMX`.
#[expect(unsafe_code, reason = "addresses of tiles and panels")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn product_part<const NUMBERS: usize, const PIECES: usize, const IS_AMX: bool>(
    unit: Unit,
    out: Out,
    left: Operand<'_>,
    right: Operand<'_>,
    part: Part,
) {
    let height = if IS_AMX { amx::SIDE } else { TILE };
    // SAFETY: as the caller says.
    let _configured = IS_AMX.then(|| unsafe { amx::Configured::new() });
    let mut room = ROOM.take();
    let first_column = part.columns.start;
    let mut turns = Turn::all(unit, part, left.length(NUMBERS)).peekable();
    let order = Order::of(unit, left);
    while let Some(turn) = turns.next() {
        if turn.columns.start == first_column {
            order.pack::<NUMBERS, PIECES>(left, &turn.left(), &mut room.left);
        }
        let chunk = Left::new::<PIECES>(order, left, &turn.left(), &room.left);
        pack_panel::<NUMBERS, PIECES, IS_AMX>(right, &turn.right(), &mut room.panel);
        for row in turn.rows.clone().step_by(height) {
            let rows = row..turn.rows.end.min(row + height);
            // In tiles rows are done before the next panel could come.
            if !IS_AMX && let Some(next) = turns.peek() {
                right.fetch::<NUMBERS>(right.share(&next.right(), &rows, &turn.rows));
            }
            let tile = Tile {
                // SAFETY: row and column lie inside the result.
                out: unsafe { out.first.add(row * out.columns + turn.columns.start) },
                n: out.columns,
                width: turn.columns.len(),
                is_added: out.is_added || turn.words.start > 0,
                panel: pack_bf16::flat(&room.panel).as_ptr(),
                words: turn.words.len(),
            };
            // SAFETY: the tile's rows and columns lie inside the result, and the operands have its words.
            unsafe {
                if IS_AMX {
                    tile.fill_block::<PIECES>(chunk, row - turn.rows.start);
                } else {
                    tile.fill_rows::<NUMBERS>(chunk, row - turn.rows.start);
                }
            }
        }
    }
    ROOM.set(room);
}

/// A panel: in vectors (words, [`PANEL`]), in tiles (strips, tiles, pieces, words, columns).
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pack_panel<const NUMBERS: usize, const PIECES: usize, const IS_AMX: bool>(
    right: Operand<'_>,
    window: &Window,
    panel: &mut Vec<__m512i>,
) {
    let length = window.words.len().next_multiple_of(LANES);
    panel.resize(PANEL / LANES * length * PIECES, pack_bf16::zeros());
    let places = if IS_AMX {
        Places { is_by_word: true, pitch: 1, line_step: length * PIECES, word_step: LANES * PIECES }
    } else {
        Places { is_by_word: true, pitch: PANEL / LANES, line_step: 1, word_step: PANEL }
    };
    right.pack::<NUMBERS, PIECES>(window, places, panel);
}
