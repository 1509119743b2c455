//! Matrix products of numbers rounded to bf16 and summed in f32, for machines with `avx512_bf16`.
//!
//! One instruction multiplies *pairs*: two neighbours along the summed dimension, in one 32-bit word with
//! the first in the low half. Operands are packed into pairs beforehand:
//!
//! - [`Left`], whose pairs are broadcast: rows as they are, or strips of [`STRIP`] rows;
//! - [`Right`], whose pairs are loaded: panels of [`PANEL`] columns, each (pairs, [`PANEL`]).
//!
//! A register tile is [`TILE`] rows by a panel. What is missing at an edge is filled up with zeros.

use rayon::prelude::*;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_shuffle_i32x4, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// Columns of a panel.
const PANEL: usize = 64;

/// Rows of a strip.
const STRIP: usize = 16;

/// Rows of a register tile.
const TILE: usize = 6;

/// Words of a vector.
const LANES: usize = 16;

/// Pairs of a panel that are worked on at once, so that they stay near.
const BLOCK: usize = 192;

/// Rows that are worked on at once, so that their pairs stay near.
const ROWS: usize = 528;

/// That the machine has the instructions: only [`Packing::detect`] makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing(());

/// Where a left operand's pairs lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// (rows, pairs)
    Rows,
    /// (strips, pairs, [`STRIP`])
    Strips,
}

/// The left operand of a product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    words: &'a [u32],
    rows: usize,
    /// Of a row.
    pairs: usize,
    order: Order,
}

/// The right operand of a product: (panels, pairs, [`PANEL`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Right<'a> {
    words: &'a [u32],
    columns: usize,
    /// Of a column.
    pairs: usize,
}

impl Packing {
    /// Whether this machine can.
    pub(crate) fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        has_all.then_some(Packing(()))
    }

    /// Words that a right operand (k, columns) takes.
    pub(crate) fn right_words(self, k: usize, columns: usize) -> usize {
        columns.div_ceil(PANEL) * k.div_ceil(2) * PANEL
    }

    /// What [`Packing::turned`] or [`Packing::columns`] wrote for (k, columns).
    pub(crate) fn right(self, words: &[u32], k: usize, columns: usize) -> Right<'_> {
        assert_eq!(words.len(), self.right_words(k, columns), "a right operand of {k} by {columns}");
        Right { words, columns, pairs: k.div_ceil(2) }
    }

    /// `x` (rows, k) as a left operand.
    pub(crate) fn rows<'w>(self, x: &[f32], k: usize, words: &'w mut Vec<u32>) -> Left<'w> {
        let (rows, pairs) = (x.len() / k, k.div_ceil(2));
        assert_eq!(x.len(), rows * k, "rows of {k}");
        words.resize(rows * pairs, 0);
        #[expect(unsafe_code, reason = "instructions that not every machine has")]
        // SAFETY: `self` says that the machine has them.
        unsafe {
            round_rows(x, k, words);
        }
        Left { words, rows, pairs, order: Order::Rows }
    }

    /// `x` (k, rows), turned, as a left operand (rows, k).
    pub(crate) fn strips<'w>(self, x: &[f32], rows: usize, words: &'w mut Vec<u32>) -> Left<'w> {
        let pairs = (x.len() / rows).div_ceil(2);
        words.resize(rows.div_ceil(STRIP) * pairs * STRIP, 0);
        self.parts::<STRIP>(x, rows, words);
        Left { words, rows, pairs, order: Order::Strips }
    }

    /// `x` (k, columns) as a right operand, written to `words`.
    pub(crate) fn columns(self, x: &[f32], columns: usize, words: &mut [u32]) {
        self.parts::<PANEL>(x, columns, words);
    }

    /// `x` (columns, k), turned, as a right operand (k, columns), written to `words`.
    pub(crate) fn turned(self, x: &[f32], k: usize, words: &mut [u32]) {
        let columns = x.len() / k;
        assert_eq!((x.len(), words.len()), (columns * k, self.right_words(k, columns)), "columns of {k}");
        let panels = words.chunks_exact_mut(k.div_ceil(2) * PANEL);
        for (panel, x) in panels.zip(x.chunks(PANEL * k)) {
            #[expect(unsafe_code, reason = "instructions that not every machine has")]
            // SAFETY: `self` says that the machine has them.
            unsafe {
                turn(x, k, panel);
            }
        }
    }

    /// (k, width) → (parts, pairs, WIDTH)
    fn parts<const WIDTH: usize>(self, x: &[f32], width: usize, words: &mut [u32]) {
        let k = x.len() / width;
        let needed = width.div_ceil(WIDTH) * k.div_ceil(2) * WIDTH;
        assert_eq!((x.len(), words.len()), (k * width, needed), "{k} rows of {width}");
        #[expect(unsafe_code, reason = "instructions that not every machine has")]
        // SAFETY: `self` says that the machine has them.
        unsafe {
            interleave::<WIDTH>(x, width, words);
        }
    }

    /// out (m, n) = left (m, k) · right (k, n), or added to what is there. Threads share rows, so the order
    /// of additions does not depend on their number.
    pub(crate) fn product(
        self,
        out: &mut [f32],
        left: Left<'_>,
        right: Right<'_>,
        is_added: bool,
        threads: usize,
    ) {
        let n = right.columns;
        assert_eq!((out.len(), left.pairs), (left.rows * n, right.pairs), "shapes of a product");
        let rows = left.rows.div_ceil(threads.max(1)).next_multiple_of(TILE).min(ROWS);
        let part = |(number, out): (usize, &mut [f32])| {
            let first = number * rows;
            #[expect(unsafe_code, reason = "instructions that not every machine has")]
            // SAFETY: `self` says that the machine has them; `out` is whole rows of `n`, which `left` has
            // from `first` on, and the assertion above holds the operands against each other.
            unsafe {
                product_rows(out, left, first, right, is_added);
            }
        };
        if threads > 1 {
            out.par_chunks_mut(rows * n).enumerate().for_each(part);
        } else {
            out.chunks_mut(rows * n).enumerate().for_each(part);
        }
    }
}

/// A vector of words as one of pairs.
#[inline]
#[target_feature(enable = "avx512f")]
fn as_pairs(words: __m512i) -> __m512bh {
    #[expect(unsafe_code, reason = "the same bits under another name")]
    // SAFETY: both types are 512 bits without any invalid value.
    unsafe {
        std::mem::transmute::<__m512i, __m512bh>(words)
    }
}

/// Two vectors, rounded: the numbers of `low` first, or by turns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round(low: __m512, high: __m512, by_turns: bool) -> __m512i {
    // The instruction puts its second operand into the lower half.
    let both = _mm512_cvtne2ps_pbh(high, low);
    #[expect(unsafe_code, reason = "the same bits under another name; a vector is loaded by its address")]
    // SAFETY: both types are 512 bits without any invalid value, and the array is one vector long.
    unsafe {
        let both = std::mem::transmute::<__m512bh, __m512i>(both);
        if by_turns {
            _mm512_permutexvar_epi16(_mm512_loadu_si512(BY_TURNS.as_ptr().cast()), both)
        } else {
            both
        }
    }
}

/// Number `i` of the lower half, then number `i` of the upper.
const BY_TURNS: [u16; 2 * LANES] = {
    let mut order = [0; 2 * LANES];
    let mut i = 0;
    while i < order.len() {
        order[i] = (i / 2 + LANES * (i % 2)) as u16;
        i += 1;
    }
    order
};

/// Up to a vector of numbers, zeros after them.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[f32]) -> __m512 {
    let mut filled = [0.0; LANES];
    let whole = if x.len() >= LANES {
        x
    } else {
        filled[..x.len()].copy_from_slice(x);
        &filled
    };
    #[expect(unsafe_code, reason = "a vector is loaded by its address")]
    // SAFETY: `whole` has at least a vector's numbers.
    unsafe {
        _mm512_loadu_ps(whole.as_ptr())
    }
}

/// As much of a vector as there is room for.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u32], vector: __m512i) {
    let mut whole = [0; LANES];
    let is_short = words.len() < LANES;
    let to = if is_short { &mut whole[..] } else { &mut *words };
    #[expect(unsafe_code, reason = "a vector is stored by its address")]
    // SAFETY: `to` has room for a vector.
    unsafe {
        _mm512_storeu_si512(to.as_mut_ptr().cast(), vector);
    }
    if is_short {
        words.copy_from_slice(&whole[..words.len()]);
    }
}

/// What is left of `x` from `at` on.
#[inline(always)]
fn from(x: &[f32], at: usize) -> &[f32] {
    &x[at.min(x.len())..]
}

/// (rows, k) → (rows, pairs)
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round_rows(x: &[f32], k: usize, words: &mut [u32]) {
    for (x, words) in x.chunks_exact(k).zip(words.chunks_exact_mut(k.div_ceil(2))) {
        for (x, words) in x.chunks(2 * LANES).zip(words.chunks_mut(LANES)) {
            store(words, round(load(x), load(from(x, LANES)), false));
        }
    }
}

/// (k, width) → (parts, pairs, WIDTH)
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn interleave<const WIDTH: usize>(x: &[f32], width: usize, words: &mut [u32]) {
    let pairs = (x.len() / width).div_ceil(2);
    let nothing = vec![0.0; width];
    for (number, rows) in x.chunks(2 * width).enumerate() {
        let (low, high) = rows.split_at(width);
        let high = if high.is_empty() { &nothing } else { high };
        for (part, (low, high)) in low.chunks(WIDTH).zip(high.chunks(WIDTH)).enumerate() {
            let words = &mut words[(part * pairs + number) * WIDTH..][..WIDTH];
            for (at, words) in words.chunks_exact_mut(LANES).enumerate() {
                let at = at * LANES;
                store(words, round(load(from(low, at)), load(from(high, at)), true));
            }
        }
    }
}

/// (up to [`PANEL`] columns, k) → (pairs, [`PANEL`])
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn turn(x: &[f32], k: usize, words: &mut [u32]) {
    for first in (0..k.div_ceil(2)).step_by(LANES) {
        for column in (0..PANEL).step_by(LANES) {
            let square = std::array::from_fn(|row| {
                let row = from(x, (column + row) * k);
                let row = from(&row[..k.min(row.len())], 2 * first);
                round(load(row), load(from(row, LANES)), false)
            });
            put_square(transpose(square), &mut words[first * PANEL..], column);
        }
    }
}

/// A square of words into the columns from `column` on of as many rows of a panel as there are.
#[inline]
#[target_feature(enable = "avx512f")]
fn put_square(square: [__m512i; LANES], panel: &mut [u32], column: usize) {
    for (row, panel) in square.into_iter().zip(panel.chunks_exact_mut(PANEL)) {
        store(&mut panel[column..column + LANES], row);
    }
}

/// Rows become columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut pairs = rows;
    for i in (0..LANES).step_by(2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    // Quarter `q` of `fours[4 i + j]` is column `4 q + j` of the rows from `4 i` on.
    let mut fours = pairs;
    for i in (0..LANES).step_by(4) {
        for j in 0..2 {
            fours[i + 2 * j] = _mm512_unpacklo_epi64(pairs[i + j], pairs[i + j + 2]);
            fours[i + 2 * j + 1] = _mm512_unpackhi_epi64(pairs[i + j], pairs[i + j + 2]);
        }
    }
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let mut columns = fours;
    for j in 0..4 {
        let even = [0, 8].map(|i| _mm512_shuffle_i32x4::<EVEN>(fours[i + j], fours[i + j + 4]));
        let odd = [0, 8].map(|i| _mm512_shuffle_i32x4::<ODD>(fours[i + j], fours[i + j + 4]));
        columns[j] = _mm512_shuffle_i32x4::<EVEN>(even[0], even[1]);
        columns[j + 4] = _mm512_shuffle_i32x4::<EVEN>(odd[0], odd[1]);
        columns[j + 8] = _mm512_shuffle_i32x4::<ODD>(even[0], even[1]);
        columns[j + 12] = _mm512_shuffle_i32x4::<ODD>(odd[0], odd[1]);
    }
    columns
}

impl Left<'_> {
    /// Address of a row's pair, and how far it is to the next.
    #[inline(always)]
    fn pair(&self, row: usize, pair: usize) -> (*const u32, usize) {
        let (first, step) = match self.order {
            Order::Rows => (row * self.pairs + pair, 1),
            Order::Strips => ((row / STRIP * self.pairs + pair) * STRIP + row % STRIP, STRIP),
        };
        (self.words[first..].as_ptr(), step)
    }
}

/// Rows of the result: `out`, whose first is row `first` of `left`.
///
/// # Safety
/// `out` is whole rows, as wide as `right`, and `left` has them from `first` on; both operands have as many
/// pairs.
#[expect(unsafe_code, reason = "addresses of tiles and panels")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn product_rows(out: &mut [f32], left: Left<'_>, first: usize, right: Right<'_>, is_added: bool) {
    let (n, pairs) = (right.columns, right.pairs);
    let rows = out.len() / n;
    let block = pairs.div_ceil(pairs.div_ceil(BLOCK).max(1)).max(1);
    for first_pair in (0..pairs).step_by(block) {
        for column in (0..n).step_by(PANEL) {
            for row in (0..rows).step_by(TILE) {
                let tile = Tile {
                    out: out[row * n + column..].as_mut_ptr(),
                    n,
                    width: PANEL.min(n - column),
                    is_added: is_added || first_pair > 0,
                    panel: right.words[(column / PANEL * pairs + first_pair) * PANEL..].as_ptr(),
                    pairs: block.min(pairs - first_pair),
                };
                let left = (left, first + row, first_pair);
                // SAFETY: the tile's rows and columns lie inside `out`, and the operands have its pairs.
                unsafe {
                    match rows - row {
                        1 => tile.fill::<1>(left),
                        2 => tile.fill::<2>(left),
                        3 => tile.fill::<3>(left),
                        4 => tile.fill::<4>(left),
                        5 => tile.fill::<5>(left),
                        _ => tile.fill::<TILE>(left),
                    }
                }
            }
        }
    }
}

/// A place in the result, and what it is made of.
struct Tile {
    out: *mut f32,
    /// From a row of the result to the next.
    n: usize,
    /// Columns that the result has here, at most [`PANEL`].
    width: usize,
    is_added: bool,
    panel: *const u32,
    pairs: usize,
}

impl Tile {
    /// # Safety
    /// `HEIGHT` rows of `width` lie at `out`; the left operand has the rows from its row on, and both have
    /// `pairs` pairs from their places on.
    #[inline]
    #[expect(unsafe_code, reason = "addresses of tiles and panels")]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn fill<const HEIGHT: usize>(&self, (left, row, pair): (Left<'_>, usize, usize)) {
        const VECTORS: usize = PANEL / LANES;
        let mut rows = [std::ptr::null(); HEIGHT];
        let mut step = 1;
        for (i, place) in rows.iter_mut().enumerate() {
            (*place, step) = left.pair(row + i, pair);
        }
        // SAFETY: as the caller says.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); VECTORS]; HEIGHT];
            for number in 0..self.pairs {
                let panel = self.panel.add(number * PANEL);
                let mut columns = [as_pairs(_mm512_setzero_si512()); VECTORS];
                for j in 0..VECTORS {
                    columns[j] = as_pairs(_mm512_loadu_si512(panel.add(j * LANES).cast()));
                }
                for i in 0..HEIGHT {
                    let row = as_pairs(_mm512_set1_epi32(*rows[i].add(number * step).cast()));
                    for j in 0..VECTORS {
                        sums[i][j] = _mm512_dpbf16_ps(sums[i][j], row, columns[j]);
                    }
                }
            }
            for i in 0..HEIGHT {
                self.put(i, sums[i]);
            }
        }
    }

    /// # Safety
    /// Row `row` lies at `out`.
    #[inline]
    #[expect(unsafe_code, reason = "addresses of tiles")]
    #[target_feature(enable = "avx512f")]
    unsafe fn put(&self, row: usize, sums: [__m512; PANEL / LANES]) {
        // SAFETY: as the caller says; a narrow row goes through an array of a panel's width.
        unsafe {
            let out = self.out.add(row * self.n);
            if self.width == PANEL {
                for (j, sum) in sums.into_iter().enumerate() {
                    let out = out.add(j * LANES);
                    let sum = if self.is_added { _mm512_add_ps(sum, _mm512_loadu_ps(out)) } else { sum };
                    _mm512_storeu_ps(out, sum);
                }
                return;
            }
            let mut wide = [0f32; PANEL];
            for (j, sum) in sums.into_iter().enumerate() {
                _mm512_storeu_ps(wide.as_mut_ptr().add(j * LANES), sum);
            }
            for (j, sum) in wide[..self.width].iter().enumerate() {
                let before = if self.is_added { *out.add(j) } else { 0.0 };
                *out.add(j) = before + sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Stream};

    fn numbers(minor: u32, len: usize) -> Vec<f32> {
        let rng = Rng::new(5, Stream::Weights);
        (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
    }

    /// To the nearest bf16, ties to even.
    fn rounded(x: f32) -> f32 {
        let bits = x.to_bits();
        f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
    }

    /// (rows, columns) → (columns, rows)
    fn turned(x: &[f32], columns: usize) -> Vec<f32> {
        let rows = x.len() / columns;
        (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
    }

    /// Every way to pack the operands of a product of this shape, against three loops.
    fn check(packing: Packing, (m, k, n): (usize, usize, usize)) {
        let (a, b, before) = (numbers(1, m * k), numbers(2, k * n), numbers(3, m * n));
        let (a_turned, b_turned) = (turned(&a, k), turned(&b, n));
        let sum =
            |i: usize| -> f32 { (0..k).map(|j| rounded(a[i / n * k + j]) * rounded(b[j * n + i % n])).sum() };
        let sums: Vec<f32> = (0..m * n).map(sum).collect();
        let mut left_words = Vec::new();
        let mut right_words = vec![0; packing.right_words(k, n)];
        for way in 0..16 {
            let [is_added, is_strips, is_turned, is_shared] = [1, 2, 4, 8].map(|bit| way & bit != 0);
            let left = if is_strips {
                packing.strips(&a_turned, m, &mut left_words)
            } else {
                packing.rows(&a, k, &mut left_words)
            };
            if is_turned {
                packing.turned(&b_turned, k, &mut right_words);
            } else {
                packing.columns(&b, n, &mut right_words);
            }
            let mut out = before.clone();
            let right = packing.right(&right_words, k, n);
            packing.product(&mut out, left, right, is_added, if is_shared { 3 } else { 1 });
            for (i, found) in out.iter().enumerate() {
                let expected = sums[i] + if is_added { before[i] } else { 0.0 };
                let difference = (found - expected).abs();
                assert!(
                    difference < 1e-4 * (1.0 + expected.abs()),
                    "{m} {k} {n}, way {way}: {found}, {expected}"
                );
            }
        }
    }

    #[test]
    fn equals_three_loops() {
        let Some(packing) = Packing::detect() else {
            eprintln!("SKIPPED: products of bf16, for which this machine has no instructions");
            return;
        };
        for shape in
            [(1, 1, 1), (3, 5, 2), (6, 2, 64), (17, 33, 40), (64, 96, 31), (7, 400, 130), (600, 65, 66)]
        {
            check(packing, shape);
        }
    }
}
