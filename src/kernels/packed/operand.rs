//! The operands of a matrix product, and how parts of them are packed.

use super::blocking::LANES;
use super::pack_bf16::{
    Square, pack_contiguous, pack_transposed_pair, pack_two_rows, suffix, transpose, zeros,
};
use std::arch::x86_64::{__m512i, _MM_HINT_T1, _mm_prefetch};
use std::ops::Range;

/// An operand of a matrix product: *lines* of length k, which are the rows of the left operand or the columns of the
/// right one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a> {
    /// (lines, k): the elements of a line are adjacent.
    KContiguous { data: &'a [f32], k: usize },
    /// (k, lines), split along k into parts: the same element of adjacent lines is adjacent.
    KStrided { parts: &'a [&'a [f32]], lines: usize },
}

/// A range of words of a range of lines.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) lines: Range<usize>,
    pub(super) words: Range<usize>,
}

/// Layout of a packed window, which consists of squares of [`LANES`] lines by [`LANES`] words. Distances are in
/// vectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedLayout {
    /// Whether a vector holds the same word of several lines, rather than several words of a line.
    pub(super) is_word_major: bool,
    /// From a vector of a square to the next.
    pub(super) vector_step: usize,
    /// From a square to that of the next lines.
    pub(super) line_step: usize,
    /// From a square to that of the next words.
    pub(super) word_step: usize,
}

impl Operand<'_> {
    /// Number of lines.
    pub(super) fn lines(&self) -> usize {
        match self {
            Operand::KContiguous { data, k } => data.len() / k,
            Operand::KStrided { lines, .. } => *lines,
        }
    }

    /// Number of words of a line. The last word of each part may be incomplete.
    pub(super) fn words_per_line(&self, elements_per_word: usize) -> usize {
        match self {
            Operand::KContiguous { k, .. } => k.div_ceil(elements_per_word),
            Operand::KStrided { parts, lines } => {
                parts.iter().map(|x| (x.len() / lines).div_ceil(elements_per_word)).sum()
            }
        }
    }

    /// Packs a window, padded with zeros to whole squares. The operand is read in the order in which it is stored.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn pack<const ELEMENTS: usize, const PIECES: usize>(
        &self,
        window: &Window,
        layout: PackedLayout,
        to: &mut [__m512i],
    ) {
        let Window { lines, words } = window;
        let squares = (lines.len().div_ceil(LANES), words.len().div_ceil(LANES));
        let mut scratch = [[zeros(); LANES]; PIECES];
        for index in 0..squares.0 * squares.1 {
            let (line, word) = match self {
                Operand::KContiguous { .. } => (index / squares.1, index % squares.1),
                Operand::KStrided { .. } => (index % squares.0, index / squares.0),
            };
            let first = (lines.start + line * LANES, words.start + word * LANES);
            let to = &mut to[line * layout.line_step + word * layout.word_step..];
            self.pack_square::<ELEMENTS, PIECES>(first, words.end, layout, to, &mut scratch);
        }
    }

    /// Packs one square of each piece. `scratch` holds squares that have to be transposed.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn pack_square<const ELEMENTS: usize, const PIECES: usize>(
        &self,
        (line, word): (usize, usize),
        end: usize,
        layout: PackedLayout,
        to: &mut [__m512i],
        scratch: &mut [Square; PIECES],
    ) {
        let PackedLayout { is_word_major, vector_step, .. } = layout;
        if is_word_major == matches!(self, Operand::KStrided { .. }) {
            self.pack_rows::<ELEMENTS, PIECES>((line, word), end, vector_step, to);
            return;
        }
        if PIECES > ELEMENTS
            && let Operand::KContiguous { data, k } = *self
        {
            let (first, rows) = (word * ELEMENTS, &data[line * k..]);
            if rows.len() >= LANES * k && first + LANES * ELEMENTS <= k {
                pack_transposed::<PIECES>(&rows[first..], k, vector_step, to);
                return;
            }
        }
        self.pack_rows::<ELEMENTS, PIECES>((line, word), end, 1, scratch.as_flattened_mut());
        for (piece, square) in scratch.iter().enumerate() {
            let to = &mut to[piece * LANES..][..=(LANES - 1) * vector_step];
            for (vector, to) in transpose(square).iter().zip(to.iter_mut().step_by(vector_step)) {
                *to = *vector;
            }
        }
    }

    /// Packs one square of each piece without transposing the operand.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn pack_rows<const ELEMENTS: usize, const PIECES: usize>(
        &self,
        (line, word): (usize, usize),
        end: usize,
        vector_step: usize,
        to: &mut [__m512i],
    ) {
        let mut store = |at: usize, vectors: [__m512i; PIECES]| {
            for (piece, vector) in vectors.into_iter().enumerate() {
                to[piece * LANES + at * vector_step] = vector;
            }
        };
        if line + LANES > self.lines() || word + LANES > end {
            for at in 0..LANES {
                store(at, [zeros(); PIECES]);
            }
        }
        match *self {
            Operand::KContiguous { data, k } => {
                let (first, length) = (word * ELEMENTS, LANES * ELEMENTS);
                let rows = data[line * k..].chunks_exact(k).take(LANES).enumerate();
                if first + length <= k {
                    for (at, row) in rows {
                        store(at, pack_contiguous::<ELEMENTS, PIECES>(&row[first..][..length]));
                    }
                } else {
                    for (at, row) in rows {
                        store(at, pack_contiguous::<ELEMENTS, PIECES>(suffix(row, first)));
                    }
                }
            }
            Operand::KStrided { parts, lines } => {
                let width = LANES.min(lines - line);
                for (x, words) in overlapping_parts(parts, lines, ELEMENTS, word..end.min(word + LANES)) {
                    for (index, at) in words.enumerate() {
                        let row = |i: usize| {
                            let row = suffix(x, (ELEMENTS * index + i) * lines + line);
                            &row[..width.min(row.len())]
                        };
                        let high = if ELEMENTS == 2 { row(1) } else { &[] };
                        store(at, pack_two_rows::<ELEMENTS, PIECES>(row(0), high));
                    }
                }
            }
        }
    }

    /// The part of the window that corresponds to the part `share` of the range `all`, cut along the dimension whose
    /// elements are not adjacent in memory.
    #[inline]
    pub(super) fn part_of_window(&self, window: &Window, share: &Range<usize>, all: &Range<usize>) -> Window {
        let cut = |range: &Range<usize>| {
            let at = |i: usize| range.start + range.len() * (i - all.start) / all.len();
            at(share.start)..at(share.end)
        };
        let Window { lines, words } = window.clone();
        match self {
            Operand::KContiguous { .. } => Window { lines: cut(&lines), words },
            Operand::KStrided { .. } => Window { words: cut(&words), lines },
        }
    }

    /// Prefetches a window into the L2 cache, because packing a panel would otherwise wait for main memory.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn prefetch<const ELEMENTS: usize>(&self, window: Window) {
        let Window { lines, words } = window;
        match *self {
            Operand::KContiguous { data, k } => {
                let (first, length) = (words.start * ELEMENTS, words.len() * ELEMENTS);
                for line in lines {
                    prefetch_elements(data.as_ptr().wrapping_add(line * k + first), length);
                }
            }
            Operand::KStrided { parts, lines: all } => {
                for (x, words) in overlapping_parts(parts, all, ELEMENTS, words) {
                    for row in 0..words.len() * ELEMENTS {
                        prefetch_elements(x.as_ptr().wrapping_add(row * all + lines.start), lines.len());
                    }
                }
            }
        }
    }
}

/// Packs a word-major square of each piece from rows that are `k` elements apart. Transposes the two squares of f32
/// elements before splitting them, since there are fewer of them than pieces.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pack_transposed<const PIECES: usize>(rows: &[f32], k: usize, vector_step: usize, to: &mut [__m512i]) {
    for half in 0..2 {
        let mut square = [zeros(); LANES];
        for (at, vector) in square.iter_mut().enumerate() {
            [*vector] = pack_contiguous::<1, 1>(&rows[at * k + half * LANES..][..LANES]);
        }
        for (at, pair) in transpose(&square).as_chunks::<2>().0.iter().enumerate() {
            for (piece, vector) in pack_transposed_pair::<PIECES>(*pair).into_iter().enumerate() {
                to[piece * LANES + (half * LANES / 2 + at) * vector_step] = vector;
            }
        }
    }
}

/// The parts of a [`Operand::KStrided`] that overlap the range `words`: for each, its elements from the first of these
/// words on, and which of the words it holds, relative to the start of the range.
#[inline]
fn overlapping_parts<'a>(
    parts: &'a [&'a [f32]],
    lines: usize,
    elements_per_word: usize,
    words: Range<usize>,
) -> impl Iterator<Item = (&'a [f32], Range<usize>)> {
    let mut end = 0;
    parts.iter().filter_map(move |x| {
        let start = end;
        end += (x.len() / lines).div_ceil(elements_per_word);
        let (from, to) = (words.start.max(start), words.end.min(end));
        let relative = from.wrapping_sub(words.start)..to.wrapping_sub(words.start);
        (from < to).then(|| (&x[(from - start) * elements_per_word * lines..], relative))
    })
}

/// Prefetches `count` elements. A prefetch reads nothing, so the addresses may be out of bounds.
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch_elements(first: *const f32, count: usize) {
    for offset in (0..count).step_by(LANES) {
        _mm_prefetch::<_MM_HINT_T1>(first.wrapping_add(offset).cast());
    }
}
