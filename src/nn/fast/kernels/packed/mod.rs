//! Matrix products over packed operands, in f32 or of numbers rounded to bf16 and summed in f32, for
//! machines with `avx512_bf16`.
//!
//! Operands are words of 32 bits. In f32 a word is a number. In bf16 it is a *pair*, two neighbours along
//! the summed dimension with the first in the low half, which one instruction multiplies and adds.
//!
//! - The [`Left`] operand's words are broadcast: rows as they are, or strips of [`STRIP`] rows.
//! - The [`Right`] operand's are loaded, from panels of [`PANEL`] columns by [`BLOCK`] words. A panel is
//!   packed when its turn comes and then used by all rows while it is near, so that weights are read once a
//!   product and nothing is kept.
//!
//! A register tile is [`TILE`] rows by a panel. What is missing at an edge is filled up with zeros. Where the
//! machine has AMX, rounded numbers are multiplied in its tiles, [`amx::SIDE`] rows at a time.

mod amx;
mod few;
mod operands;
#[cfg(test)]
mod tests;
mod tile;

use few::{dot_columns, few};
use operands::{interleave, round_rows, turn, turn_square};
use rayon::prelude::*;
use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
use std::cell::Cell;
use std::ops::Range;
use tile::Tile;

/// Columns of a panel.
const PANEL: usize = 64;

/// Rows of a strip.
const STRIP: usize = 16;

/// Rows of a register tile.
const TILE: usize = 6;

/// Words of a vector.
const LANES: usize = 16;

/// Words of a panel's column: a panel stays near while all rows use it.
const BLOCK: usize = 512;

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
}

/// A unit that the machine has: only [`Packing::detect`] makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing {
    unit: Unit,
}

/// Where a left operand's words lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// (rows, words)
    Rows,
    /// (strips, words, [`STRIP`])
    Strips,
    /// (strips, tiles, [`STRIP`], words of a tile)
    Tiles,
}

/// The left operand of a product: (rows, k).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    words: &'a [u32],
    rows: usize,
    /// Of a row.
    length: usize,
    /// From a row to the next; more than `length` where rows are filled up to whole tiles.
    pitch: usize,
    order: Order,
}

/// The right operand of a product, (k, columns), as it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Right<'a> {
    /// (rows, columns) each, one below the other.
    Rows { parts: &'a [&'a [f32]], columns: usize },
    /// (columns, k)
    Turned { numbers: &'a [f32], k: usize },
}

/// Room for a packed panel: (words, [`PANEL`]).
#[repr(align(64))]
struct Panel([u32; BLOCK * PANEL]);

impl Panel {
    #[expect(clippy::large_stack_arrays, reason = "a twentieth of a thread's stack, once a thread")]
    fn new() -> Box<Self> {
        Box::new(Panel([0; BLOCK * PANEL]))
    }
}

thread_local! {
    /// Of the product before: to make a new one each time is to write it twice.
    static ROOM: Cell<Option<Box<Panel>>> = const { Cell::new(None) };
}

impl Packing {
    /// The fastest of this machine, if it can: all share functions, so it needs the instructions of each.
    pub(crate) fn detect(format: Format) -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        let unit = match format {
            Format::F32 => Unit::F32,
            Format::Bf16 if amx::is_there() => Unit::Amx,
            Format::Bf16 => Unit::Bf16,
        };
        has_all.then_some(Packing { unit })
    }

    /// For people, what there is beyond vectors of numbers.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self.unit {
            Unit::F32 => None,
            Unit::Bf16 => Some("BF16"),
            Unit::Amx => Some("AMX"),
        }
    }

    /// Numbers of a word.
    fn numbers(self) -> usize {
        if self.unit == Unit::F32 { 1 } else { 2 }
    }

    /// `x` (rows, k) as a left operand.
    pub(crate) fn rows<'w>(self, x: &'w [f32], k: usize, words: &'w mut Vec<u32>) -> Left<'w> {
        let (rows, length) = (x.len() / k, k.div_ceil(self.numbers()));
        assert_eq!(x.len(), rows * k, "rows of {k}");
        if self.unit == Unit::F32 {
            return Left { words: as_words(x), rows, length, pitch: length, order: Order::Rows };
        }
        // Rows that only fill up a tile may hold anything: nobody looks at what comes of them.
        let (pitch, height) = match self.unit {
            Unit::Amx => (length.next_multiple_of(LANES), rows.next_multiple_of(amx::SIDE)),
            Unit::F32 | Unit::Bf16 => (length, rows),
        };
        words.resize(height * pitch, 0);
        #[expect(unsafe_code, reason = "instructions that not every machine has")]
        // SAFETY: `self` says that the machine has them.
        unsafe {
            round_rows(x, k, pitch, words);
        }
        Left { words, rows, length, pitch, order: Order::Rows }
    }

    /// `parts`, (numbers, rows) each and one below the other, turned: a left operand (rows, k). Threads share
    /// strips.
    pub(crate) fn strips<'w>(
        self,
        parts: &[&[f32]],
        rows: usize,
        words: &'w mut Vec<u32>,
        threads: usize,
    ) -> Left<'w> {
        let length = length_of(parts, rows, self.numbers());
        let count = rows.div_ceil(STRIP);
        let (pitch, order) = match self.unit {
            Unit::Amx => (length.next_multiple_of(LANES), Order::Tiles),
            Unit::F32 | Unit::Bf16 => (length, Order::Strips),
        };
        words.resize((count * STRIP).next_multiple_of(amx::SIDE) * pitch, 0);
        let share = count.div_ceil(threads.max(1)).max(1);
        let pack = |(number, words): (usize, &mut [u32])| {
            #[expect(unsafe_code, reason = "instructions that not every machine has")]
            // SAFETY: `self` says that the machine has them.
            unsafe {
                match self.unit {
                    Unit::F32 => pack_strips::<1, false>(parts, rows, number * share, words),
                    Unit::Bf16 => pack_strips::<2, false>(parts, rows, number * share, words),
                    Unit::Amx => pack_strips::<2, true>(parts, rows, number * share, words),
                }
            }
        };
        let strips = words[..count * pitch * STRIP].par_chunks_mut((share * pitch * STRIP).max(1));
        strips.enumerate().for_each(pack);
        Left { words, rows, length, pitch, order }
    }

    /// out (m, n) = left (m, k) · right (k, n), or added to what is there. Threads share columns, so the
    /// order of additions does not depend on their number.
    pub(crate) fn product(
        self,
        out: &mut [f32],
        left: Left<'_>,
        right: Right<'_>,
        is_added: bool,
        threads: usize,
    ) {
        let n = right.columns();
        let length = right.length(self.numbers());
        assert_eq!((out.len(), left.length), (left.rows * n, length), "shapes of a product");
        let out = Out { first: out.as_mut_ptr(), is_added };
        let share = n.div_ceil(threads.max(1)).next_multiple_of(PANEL);
        let few = few(left, right, self.numbers());
        let part = |number: usize| {
            let columns = (number * share, n.min((number + 1) * share));
            #[expect(unsafe_code, reason = "instructions that not every machine has, and a shared result")]
            // SAFETY: `self` says that the machine has them; the assertion above holds shapes against each
            // other; each part writes only its own columns.
            unsafe {
                match (self.unit, few) {
                    (Unit::F32, None) => product_columns::<1, false>(out, left, right, columns),
                    (Unit::F32, Some(few)) => dot_columns::<1>(out, left, few, columns),
                    (Unit::Bf16, None) => product_columns::<2, false>(out, left, right, columns),
                    (Unit::Amx, None) => product_columns::<2, true>(out, left, right, columns),
                    (Unit::Bf16 | Unit::Amx, Some(few)) => dot_columns::<2>(out, left, few, columns),
                }
            }
        };
        let parts = n.div_ceil(share);
        if parts > 1 {
            (0..parts).into_par_iter().for_each(part);
        } else {
            part(0);
        }
    }
}

/// The result of a product, which threads write columns of.
#[derive(Debug, Clone, Copy)]
struct Out {
    first: *mut f32,
    is_added: bool,
}

#[expect(unsafe_code, reason = "threads write to one result")]
// SAFETY: whoever uses the address says that no one else uses what it writes.
unsafe impl Send for Out {}
#[expect(unsafe_code, reason = "threads write to one result")]
// SAFETY: as above.
unsafe impl Sync for Out {}

/// The bits of numbers.
fn as_words(x: &[f32]) -> &[u32] {
    #[expect(unsafe_code, reason = "the same bits under another name")]
    // SAFETY: size and alignment of both are the same, and no bits are invalid.
    unsafe {
        std::slice::from_raw_parts(x.as_ptr().cast(), x.len())
    }
}

/// Columns `from..to` of the result.
///
/// # Safety
/// `out` is (rows of `left`, columns of `right`), and nobody else uses these columns of it; both operands
/// are as long as each other, and `left` is packed for AMX if `IS_AMX`, which is then there.
#[expect(unsafe_code, reason = "addresses of tiles and panels")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn product_columns<const NUMBERS: usize, const IS_AMX: bool>(
    out: Out,
    left: Left<'_>,
    right: Right<'_>,
    (from, to): (usize, usize),
) {
    let (n, rows, length) = (right.columns(), left.rows, left.length);
    let (height, whole) = if IS_AMX { (amx::SIDE, LANES) } else { (TILE, 1) };
    // SAFETY: as the caller says.
    let _configured = IS_AMX.then(|| unsafe { amx::Configured::new() });
    let mut panel = ROOM.take().unwrap_or_else(Panel::new);
    let block = length.div_ceil(length.div_ceil(BLOCK).max(1)).max(1).next_multiple_of(whole);
    let part = |first_word: usize, column| {
        let words = first_word..length.min(first_word + block);
        Part { words, column, width: PANEL.min(to - column) }
    };
    let parts = (0..length).step_by(block).flat_map(|word| (from..to).step_by(PANEL).map(move |c| (word, c)));
    let mut parts = parts.map(|(first_word, column)| part(first_word, column)).peekable();
    while let Some(part) = parts.next() {
        let Part { words, column, width } = part.clone();
        right.pack::<NUMBERS>(part, &mut panel.0[..words.len() * PANEL]);
        panel.0[words.len() * PANEL..words.len().next_multiple_of(whole) * PANEL].fill(0);
        for row in (0..rows).step_by(height) {
            if let Some(next) = parts.peek() {
                right.fetch::<NUMBERS>(right.share(next, row..rows.min(row + height), rows));
            }
            let tile = Tile {
                // SAFETY: row and column lie inside the result.
                out: unsafe { out.first.add(row * n + column) },
                n,
                width,
                is_added: out.is_added || words.start > 0,
                panel: panel.0.as_ptr(),
                words: words.len(),
            };
            // SAFETY: the tile's rows and columns lie inside the result, and the operands have its words.
            unsafe {
                if IS_AMX {
                    tile.fill_block(left, (row, words.start));
                } else {
                    tile.fill_rows::<NUMBERS>(left, (row, words.start));
                }
            }
        }
    }
    ROOM.set(Some(panel));
}

/// Words of rows that lie below one another, (rows, `columns`) in each of `parts`. In each the last pair may
/// lack its second number.
fn length_of(parts: &[&[f32]], columns: usize, numbers: usize) -> usize {
    parts.iter().map(|x| (x.len() / columns).div_ceil(numbers)).sum()
}

/// The words `words` of rows that lie below one another: for each part that has some of them, its numbers
/// from there on, and which of the words they are.
fn pieces<'a>(
    parts: &'a [&'a [f32]],
    columns: usize,
    numbers: usize,
    words: Range<usize>,
) -> impl Iterator<Item = (&'a [f32], Range<usize>)> {
    let mut end = 0;
    parts.iter().filter_map(move |x| {
        let start = end;
        end += (x.len() / columns).div_ceil(numbers);
        let (from, to) = (words.start.max(start), words.end.min(end));
        let place = from.wrapping_sub(words.start)..to.wrapping_sub(words.start);
        (from < to).then(|| (&x[(from - start) * numbers * columns..], place))
    })
}

/// The strips from `first` on, as many as there is room for; in tiles, which are filled up with zeros, if
/// `IS_TILED`. All of them take a few words at a time, so that the numbers are read from end to end.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pack_strips<const NUMBERS: usize, const IS_TILED: bool>(
    parts: &[&[f32]],
    rows: usize,
    first: usize,
    words: &mut [u32],
) {
    let length = length_of(parts, rows, NUMBERS);
    let pitch = if IS_TILED { length.next_multiple_of(LANES) } else { length };
    for word in (0..length).step_by(LANES) {
        let some = word..length.min(word + LANES);
        for (strip, words) in words.chunks_exact_mut(pitch * STRIP).enumerate() {
            let mut whole = [0; LANES * STRIP];
            let place = &mut words[word * STRIP..];
            let to = if IS_TILED { &mut whole[..] } else { &mut *place };
            for (x, part) in pieces(parts, rows, NUMBERS, some.clone()) {
                let to = &mut to[part.start * STRIP..part.end * STRIP];
                interleave::<NUMBERS, STRIP>(x, rows, (first + strip) * STRIP, to);
            }
            if IS_TILED {
                turn_square(&whole, &mut place[..LANES * STRIP]);
            }
        }
    }
}

/// The part of a right operand that makes a panel.
#[derive(Debug, Clone)]
struct Part {
    /// Of each column.
    words: Range<usize>,
    /// The first of them.
    column: usize,
    /// How many there are, at most [`PANEL`].
    width: usize,
}

impl Right<'_> {
    fn columns(&self) -> usize {
        match self {
            Right::Rows { columns, .. } => *columns,
            Right::Turned { numbers, k } => numbers.len() / k,
        }
    }

    /// Words of a column.
    fn length(&self, numbers: usize) -> usize {
        match self {
            Right::Rows { parts, columns } => length_of(parts, *columns, numbers),
            Right::Turned { k, .. } => k.div_ceil(numbers),
        }
    }

    /// The part as a panel: (words, [`PANEL`]).
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn pack<const NUMBERS: usize>(&self, part: Part, panel: &mut [u32]) {
        let Part { words, column, .. } = part;
        match *self {
            Right::Rows { parts, columns } => {
                for (x, place) in pieces(parts, columns, NUMBERS, words) {
                    let panel = &mut panel[place.start * PANEL..place.end * PANEL];
                    interleave::<NUMBERS, PANEL>(x, columns, column, panel);
                }
            }
            Right::Turned { numbers, k } => {
                turn::<NUMBERS>(&numbers[column * k..], k, words.start * NUMBERS, panel);
            }
        }
    }

    /// As much of the part as `rows` are of `all` rows, cut so that what is stored together stays together.
    #[inline]
    fn share(&self, part: &Part, rows: Range<usize>, all: usize) -> Part {
        let cut = |length: usize| (length * rows.start / all, length * rows.end / all);
        let Part { words, column, width } = part.clone();
        match self {
            Right::Rows { .. } => {
                let (from, to) = cut(words.len());
                Part { words: words.start + from..words.start + to, column, width }
            }
            Right::Turned { .. } => {
                let (from, to) = cut(width);
                Part { words, column: column + from, width: to - from }
            }
        }
    }

    /// Has the part come nearer: weights lie far away, and a panel that waits for them keeps all rows
    /// waiting.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn fetch<const NUMBERS: usize>(&self, part: Part) {
        let Part { words, column, width } = part;
        match *self {
            Right::Rows { parts, columns } => {
                for (x, place) in pieces(parts, columns, NUMBERS, words) {
                    for row in 0..place.len() * NUMBERS {
                        fetch_numbers(x.as_ptr().wrapping_add(row * columns + column), width);
                    }
                }
            }
            Right::Turned { numbers, k } => {
                let (first, length) = (words.start * NUMBERS, words.len() * NUMBERS);
                for column in column..column + width {
                    fetch_numbers(numbers.as_ptr().wrapping_add(column * k + first), length);
                }
            }
        }
    }
}

/// Has as many numbers from there on come nearer. An address is only a hint: nothing is read from it.
#[inline]
#[target_feature(enable = "avx512f")]
fn fetch_numbers(first: *const f32, count: usize) {
    for number in (0..count).step_by(LANES) {
        _mm_prefetch::<_MM_HINT_T1>(first.wrapping_add(number).cast());
    }
}

impl Left<'_> {
    /// Address of a row's word, and how far it is to the next.
    #[inline(always)]
    fn word(&self, row: usize, word: usize) -> (*const u32, usize) {
        let (first, step) = match self.order {
            Order::Rows => (row * self.pitch + word, 1),
            Order::Strips => ((row / STRIP * self.pitch + word) * STRIP + row % STRIP, STRIP),
            Order::Tiles => unreachable!("tiles are multiplied whole"),
        };
        (self.words[first..].as_ptr(), step)
    }

    /// Address of the tile of rows from `row` on and words from `word` on, how far it is from one of its rows
    /// to the next, and to the next tile.
    #[inline(always)]
    fn tile(&self, row: usize, word: usize) -> (*const u32, usize, usize) {
        let (first, between, step) = match self.order {
            Order::Rows => (row * self.pitch + word, self.pitch, LANES),
            Order::Tiles => (row * self.pitch + word * STRIP, LANES, LANES * STRIP),
            Order::Strips => unreachable!("strips are multiplied by words"),
        };
        (self.words[first..].as_ptr(), between, step)
    }
}
