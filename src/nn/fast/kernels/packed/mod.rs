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

use few::{are_few, dot_columns};
use operands::{interleave, round_rows, turn};
use rayon::prelude::*;
use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
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
const BLOCK: usize = 384;

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
pub(crate) struct Right<'a> {
    numbers: &'a [f32],
    k: usize,
    columns: usize,
    /// Stored as (columns, k).
    is_turned: bool,
}

/// Room for a packed panel: (words, [`PANEL`]).
#[repr(align(64))]
struct Panel([u32; BLOCK * PANEL]);

impl<'a> Right<'a> {
    /// `x` (k, columns)
    pub(crate) fn new(x: &'a [f32], columns: usize) -> Self {
        let k = x.len() / columns;
        assert_eq!(x.len(), k * columns, "rows of {columns}");
        Right { numbers: x, k, columns, is_turned: false }
    }

    /// `x` (columns, k)
    pub(crate) fn turned(x: &'a [f32], k: usize) -> Self {
        let columns = x.len() / k;
        assert_eq!(x.len(), k * columns, "columns of {k}");
        Right { numbers: x, k, columns, is_turned: true }
    }
}

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

    /// `x` (k, rows), turned, as a left operand (rows, k).
    pub(crate) fn strips<'w>(self, x: &[f32], rows: usize, words: &'w mut Vec<u32>) -> Left<'w> {
        let length = (x.len() / rows).div_ceil(self.format.numbers());
        words.resize(rows.div_ceil(STRIP) * length * STRIP, 0);
        let strips = words.chunks_exact_mut(length * STRIP).enumerate();
        for (strip, words) in strips {
            #[expect(unsafe_code, reason = "instructions that not every machine has")]
            // SAFETY: `self` says that the machine has them.
            unsafe {
                match self.format {
                    Format::F32 => interleave::<1, STRIP>(x, rows, strip * STRIP, words),
                    Format::Bf16 => interleave::<2, STRIP>(x, rows, strip * STRIP, words),
                }
            }
        }
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
        let n = right.columns;
        let length = right.k.div_ceil(self.format.numbers());
        assert_eq!((out.len(), left.length), (left.rows * n, length), "shapes of a product");
        let out = Out { first: out.as_mut_ptr(), is_added };
        let share = n.div_ceil(threads.max(1)).next_multiple_of(PANEL);
        let are_few = are_few(left, right, self.format.numbers());
        let part = |number: usize| {
            let columns = (number * share, n.min((number + 1) * share));
            #[expect(unsafe_code, reason = "instructions that not every machine has, and a shared result")]
            // SAFETY: `self` says that the machine has them; the assertion above holds shapes against each
            // other; each part writes only its own columns.
            unsafe {
                match (self.format, are_few) {
                    (Format::F32, false) => product_columns::<1>(out, left, right, columns),
                    (Format::F32, true) => dot_columns::<1>(out, left, right, columns),
                    (Format::Bf16, false) => product_columns::<2>(out, left, right, columns),
                    (Format::Bf16, true) => dot_columns::<2>(out, left, right, columns),
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
    let (n, rows, length) = (right.columns, left.rows, left.length);
    #[expect(clippy::large_stack_arrays, reason = "a twentieth of a thread's stack, for one product")]
    let mut panel = Panel([0; BLOCK * PANEL]);
    let block = length.div_ceil(length.div_ceil(BLOCK).max(1)).max(1);
    let part = |first_word, column| Part { first_word, words: block.min(length - first_word), column };
    let parts = (0..length).step_by(block).flat_map(|word| (from..to).step_by(PANEL).map(move |c| (word, c)));
    let mut parts = parts.map(|(first_word, column)| part(first_word, column)).peekable();
    while let Some(part @ Part { first_word, words, column }) = parts.next() {
        right.pack::<NUMBERS>(part, &mut panel.0[..words * PANEL]);
        for row in (0..rows).step_by(TILE) {
            if let Some(next) = parts.peek() {
                right.fetch::<NUMBERS>(*next, (row, rows));
            }
            let tile = Tile {
                // SAFETY: row and column lie inside the result.
                out: unsafe { out.first.add(row * n + column) },
                n,
                width: PANEL.min(n - column),
                is_added: out.is_added || first_word > 0,
                panel: panel.0.as_ptr(),
                words,
            };
            // SAFETY: the tile's rows and columns lie inside the result, and the operands have its words.
            unsafe {
                tile.fill_rows::<NUMBERS>(left, (row, first_word));
            }
        }
    }
}

/// The part of a right operand that makes a panel.
#[derive(Debug, Clone, Copy)]
struct Part {
    first_word: usize,
    /// Of each column.
    words: usize,
    /// The first of up to [`PANEL`].
    column: usize,
}

impl Right<'_> {
    /// The part as a panel: (words, [`PANEL`]).
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn pack<const NUMBERS: usize>(&self, part: Part, panel: &mut [u32]) {
        let (first, column) = (part.first_word * NUMBERS, part.column);
        if self.is_turned {
            turn::<NUMBERS>(&self.numbers[column * self.k..], self.k, first, panel);
        } else {
            interleave::<NUMBERS, PANEL>(&self.numbers[first * self.columns..], self.columns, column, panel);
        }
    }

    /// Has some of the part come nearer, as much of it as the [`TILE`] rows from `row` on are of `rows`:
    /// weights lie far away, and a panel that waits for them keeps all rows waiting.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn fetch<const NUMBERS: usize>(&self, part: Part, (row, rows): (usize, usize)) {
        let (first, numbers) = (part.first_word * NUMBERS, part.words * NUMBERS);
        let width = PANEL.min(self.columns - part.column);
        // Rows of the stored matrix, and numbers of each.
        let (start, stride, lines, length) = if self.is_turned {
            (part.column * self.k + first, self.k, width, numbers)
        } else {
            (first * self.columns + part.column, self.columns, numbers, width)
        };
        for line in row * lines / rows..((row + TILE).min(rows)) * lines / rows {
            for number in (0..length).step_by(LANES) {
                let place = self.numbers.as_ptr().wrapping_add(start + line * stride + number);
                // An address is only a hint: nothing is read from it.
                _mm_prefetch::<_MM_HINT_T1>(place.cast());
            }
        }
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
