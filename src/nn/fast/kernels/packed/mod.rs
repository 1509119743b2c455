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
//! A register tile is [`TILE`] rows by a panel. What is missing at an edge is filled up with zeros.

mod few;
mod operands;
#[cfg(test)]
mod tests;
mod tile;

use few::{dot_columns, few};
use operands::{interleave, round_rows, turn};
use rayon::prelude::*;
use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
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

impl Format {
    /// Numbers of a word.
    fn numbers(self) -> usize {
        match self {
            Format::F32 => 1,
            Format::Bf16 => 2,
        }
    }
}

/// A format, and that the machine has the instructions: only [`Packing::detect`] makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing {
    format: Format,
}

/// Where a left operand's words lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// (rows, words)
    Rows,
    /// (strips, words, [`STRIP`])
    Strips,
}

/// The left operand of a product: (rows, k).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    words: &'a [u32],
    rows: usize,
    /// Of a row.
    length: usize,
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

impl Packing {
    /// Whether this machine can: both formats share their functions, so it needs the instructions of both.
    pub(crate) fn detect(format: Format) -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        has_all.then_some(Packing { format })
    }

    /// `x` (rows, k) as a left operand.
    pub(crate) fn rows<'w>(self, x: &'w [f32], k: usize, words: &'w mut Vec<u32>) -> Left<'w> {
        let (rows, length) = (x.len() / k, k.div_ceil(self.format.numbers()));
        assert_eq!(x.len(), rows * k, "rows of {k}");
        let words = if self.format == Format::F32 {
            as_words(x)
        } else {
            words.resize(rows * length, 0);
            #[expect(unsafe_code, reason = "instructions that not every machine has")]
            // SAFETY: `self` says that the machine has them.
            unsafe {
                round_rows(x, k, words);
            }
            words
        };
        Left { words, rows, length, order: Order::Rows }
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
        let length = length_of(parts, rows, self.format.numbers());
        let count = rows.div_ceil(STRIP);
        words.resize(count * length * STRIP, 0);
        let share = count.div_ceil(threads.max(1)).max(1);
        let pack = |(number, words): (usize, &mut [u32])| {
            #[expect(unsafe_code, reason = "instructions that not every machine has")]
            // SAFETY: `self` says that the machine has them.
            unsafe {
                match self.format {
                    Format::F32 => pack_strips::<1>(parts, rows, number * share, words),
                    Format::Bf16 => pack_strips::<2>(parts, rows, number * share, words),
                }
            }
        };
        words.par_chunks_mut((share * length * STRIP).max(1)).enumerate().for_each(pack);
        Left { words, rows, length, order: Order::Strips }
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
        let length = right.length(self.format.numbers());
        assert_eq!((out.len(), left.length), (left.rows * n, length), "shapes of a product");
        let out = Out { first: out.as_mut_ptr(), is_added };
        let share = n.div_ceil(threads.max(1)).next_multiple_of(PANEL);
        let few = few(left, right, self.format.numbers());
        let part = |number: usize| {
            let columns = (number * share, n.min((number + 1) * share));
            #[expect(unsafe_code, reason = "instructions that not every machine has, and a shared result")]
            // SAFETY: `self` says that the machine has them; the assertion above holds shapes against each
            // other; each part writes only its own columns.
            unsafe {
                match (self.format, few) {
                    (Format::F32, None) => product_columns::<1>(out, left, right, columns),
                    (Format::F32, Some(few)) => dot_columns::<1>(out, left, few, columns),
                    (Format::Bf16, None) => product_columns::<2>(out, left, right, columns),
                    (Format::Bf16, Some(few)) => dot_columns::<2>(out, left, few, columns),
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
/// are as long as each other.
#[expect(unsafe_code, reason = "addresses of tiles and panels")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn product_columns<const NUMBERS: usize>(
    out: Out,
    left: Left<'_>,
    right: Right<'_>,
    (from, to): (usize, usize),
) {
    let (n, rows, length) = (right.columns(), left.rows, left.length);
    #[expect(clippy::large_stack_arrays, reason = "a twentieth of a thread's stack, for one product")]
    let mut panel = Panel([0; BLOCK * PANEL]);
    let block = length.div_ceil(length.div_ceil(BLOCK).max(1)).max(1);
    let part = |first_word: usize, column| {
        let words = first_word..length.min(first_word + block);
        Part { words, column, width: PANEL.min(to - column) }
    };
    let parts = (0..length).step_by(block).flat_map(|word| (from..to).step_by(PANEL).map(move |c| (word, c)));
    let mut parts = parts.map(|(first_word, column)| part(first_word, column)).peekable();
    while let Some(part) = parts.next() {
        let Part { words, column, width } = part.clone();
        right.pack::<NUMBERS>(part, &mut panel.0[..words.len() * PANEL]);
        for row in (0..rows).step_by(TILE) {
            if let Some(next) = parts.peek() {
                right.fetch::<NUMBERS>(right.share(next, row..rows.min(row + TILE), rows));
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
                tile.fill_rows::<NUMBERS>(left, (row, words.start));
            }
        }
    }
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

/// The strips from `first` on, as many as there is room for.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pack_strips<const NUMBERS: usize>(parts: &[&[f32]], rows: usize, first: usize, words: &mut [u32]) {
    let length = length_of(parts, rows, NUMBERS);
    for (strip, words) in words.chunks_exact_mut((length * STRIP).max(1)).enumerate() {
        for (x, place) in pieces(parts, rows, NUMBERS, 0..length) {
            let words = &mut words[place.start * STRIP..place.end * STRIP];
            interleave::<NUMBERS, STRIP>(x, rows, (first + strip) * STRIP, words);
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
            Order::Rows => (row * self.length + word, 1),
            Order::Strips => ((row / STRIP * self.length + word) * STRIP + row % STRIP, STRIP),
        };
        (self.words[first..].as_ptr(), step)
    }
}
