//! The operands of a product as they are stored, and how parts of them are packed.

use super::LANES;
use super::pack_bf16::{Square, from, transpose, words, words_of_pair, words_of_two, zeros};
use std::arch::x86_64::{__m512i, _MM_HINT_T1, _mm_prefetch};
use std::ops::Range;

/// One side of a product over k: *lines* of k numbers each, which are rows of the left operand or columns of
/// the right one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a> {
    /// (lines, k): a line's numbers are neighbours.
    Along { numbers: &'a [f32], k: usize },
    /// (k, lines), in parts one below the other: numbers of one place are neighbours.
    Across { parts: &'a [&'a [f32]], lines: usize },
}

/// Some words of some lines.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) lines: Range<usize>,
    pub(super) words: Range<usize>,
}

/// Where the squares of a packed window lie, in vectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// Whether a vector has the same word of many lines, rather than many words of a line.
    pub(super) is_by_word: bool,
    /// From a vector of a square to the next.
    pub(super) pitch: usize,
    /// To the square of the next lines.
    pub(super) line_step: usize,
    /// To the square of the next words.
    pub(super) word_step: usize,
}

impl Operand<'_> {
    pub(super) fn lines(&self) -> usize {
        match self {
            Operand::Along { numbers, k } => numbers.len() / k,
            Operand::Across { lines, .. } => *lines,
        }
    }

    /// Words of a line. In each part of an operand the last pair may lack its second number.
    pub(super) fn length(&self, numbers_of_word: usize) -> usize {
        match self {
            Operand::Along { k, .. } => k.div_ceil(numbers_of_word),
            Operand::Across { parts, lines } => {
                parts.iter().map(|x| (x.len() / lines).div_ceil(numbers_of_word)).sum()
            }
        }
    }

    /// Packs a window, filled up with zeros to whole squares. Numbers are read from end to end, as they lie.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn pack<const NUMBERS: usize, const PIECES: usize>(
        &self,
        window: &Window,
        places: Places,
        to: &mut [__m512i],
    ) {
        let Window { lines, words } = window;
        let squares = (lines.len().div_ceil(LANES), words.len().div_ceil(LANES));
        let mut room = [[zeros(); LANES]; PIECES];
        for number in 0..squares.0 * squares.1 {
            let (line, word) = match self {
                Operand::Along { .. } => (number / squares.1, number % squares.1),
                Operand::Across { .. } => (number % squares.0, number / squares.0),
            };
            let first = (lines.start + line * LANES, words.start + word * LANES);
            let to = &mut to[line * places.line_step + word * places.word_step..];
            self.put::<NUMBERS, PIECES>(first, words.end, places, to, &mut room);
        }
    }

    /// The square of each piece, by way of `room` if its rows are to be columns.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn put<const NUMBERS: usize, const PIECES: usize>(
        &self,
        (line, word): (usize, usize),
        end: usize,
        places: Places,
        to: &mut [__m512i],
        room: &mut [Square; PIECES],
    ) {
        let Places { is_by_word, pitch, .. } = places;
        if is_by_word == matches!(self, Operand::Across { .. }) {
            self.fill::<NUMBERS, PIECES>((line, word), end, pitch, to);
            return;
        }
        if PIECES > NUMBERS
            && let Operand::Along { numbers, k } = *self
        {
            let (first, rows) = (word * NUMBERS, &numbers[line * k..]);
            if rows.len() >= LANES * k && first + LANES * NUMBERS <= k {
                turn_numbers::<PIECES>(&rows[first..], k, pitch, to);
                return;
            }
        }
        self.fill::<NUMBERS, PIECES>((line, word), end, 1, room.as_flattened_mut());
        for (piece, square) in room.iter().enumerate() {
            let to = &mut to[piece * LANES..][..=(LANES - 1) * pitch];
            for (vector, to) in transpose(square).iter().zip(to.iter_mut().step_by(pitch)) {
                *to = *vector;
            }
        }
    }

    /// Vectors of each piece, as they lie in the operand.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn fill<const NUMBERS: usize, const PIECES: usize>(
        &self,
        (line, word): (usize, usize),
        end: usize,
        pitch: usize,
        to: &mut [__m512i],
    ) {
        let mut put = |at: usize, vectors: [__m512i; PIECES]| {
            for (piece, vector) in vectors.into_iter().enumerate() {
                to[piece * LANES + at * pitch] = vector;
            }
        };
        if line + LANES > self.lines() || word + LANES > end {
            for at in 0..LANES {
                put(at, [zeros(); PIECES]);
            }
        }
        match *self {
            Operand::Along { numbers, k } => {
                let (first, length) = (word * NUMBERS, LANES * NUMBERS);
                let rows = numbers[line * k..].chunks_exact(k).take(LANES).enumerate();
                if first + length <= k {
                    for (at, row) in rows {
                        put(at, words::<NUMBERS, PIECES>(&row[first..][..length]));
                    }
                } else {
                    for (at, row) in rows {
                        put(at, words::<NUMBERS, PIECES>(from(row, first)));
                    }
                }
            }
            Operand::Across { parts, lines } => {
                let width = LANES.min(lines - line);
                for (x, place) in parts_of(parts, lines, NUMBERS, word..end.min(word + LANES)) {
                    for (number, at) in place.enumerate() {
                        let row = |i: usize| {
                            let row = from(x, (NUMBERS * number + i) * lines + line);
                            &row[..width.min(row.len())]
                        };
                        let high = if NUMBERS == 2 { row(1) } else { &[] };
                        put(at, words_of_two::<NUMBERS, PIECES>(row(0), high));
                    }
                }
            }
        }
    }

    /// As much of the window as `share` is of `all`, cut so that what is stored together stays together.
    #[inline]
    pub(super) fn share(&self, window: &Window, share: &Range<usize>, all: &Range<usize>) -> Window {
        let cut = |range: &Range<usize>| {
            let at = |i: usize| range.start + range.len() * (i - all.start) / all.len();
            at(share.start)..at(share.end)
        };
        let Window { lines, words } = window.clone();
        match self {
            Operand::Along { .. } => Window { lines: cut(&lines), words },
            Operand::Across { .. } => Window { words: cut(&words), lines },
        }
    }

    /// Has the window come nearer: weights lie far away, and a panel that waits for them keeps all rows
    /// waiting.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn fetch<const NUMBERS: usize>(&self, window: Window) {
        let Window { lines, words } = window;
        match *self {
            Operand::Along { numbers, k } => {
                let (first, length) = (words.start * NUMBERS, words.len() * NUMBERS);
                for line in lines {
                    fetch_numbers(numbers.as_ptr().wrapping_add(line * k + first), length);
                }
            }
            Operand::Across { parts, lines: all } => {
                for (x, place) in parts_of(parts, all, NUMBERS, words) {
                    for row in 0..place.len() * NUMBERS {
                        fetch_numbers(x.as_ptr().wrapping_add(row * all + lines.start), lines.len());
                    }
                }
            }
        }
    }
}

/// The squares of pieces of rows that are `k` apart, by word. The two squares of a pair's numbers become columns
/// first, as they are fewer than those of its pieces.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn turn_numbers<const PIECES: usize>(rows: &[f32], k: usize, pitch: usize, to: &mut [__m512i]) {
    for half in 0..2 {
        let mut square = [zeros(); LANES];
        for (at, vector) in square.iter_mut().enumerate() {
            [*vector] = words::<1, 1>(&rows[at * k + half * LANES..][..LANES]);
        }
        for (at, pair) in transpose(&square).as_chunks::<2>().0.iter().enumerate() {
            for (piece, vector) in words_of_pair::<PIECES>(*pair).into_iter().enumerate() {
                to[piece * LANES + (half * LANES / 2 + at) * pitch] = vector;
            }
        }
    }
}

/// The words `words` of lines that lie across `parts`: for each part that has some of them, its numbers from
/// there on, and which of the words they are.
#[inline]
fn parts_of<'a>(
    parts: &'a [&'a [f32]],
    lines: usize,
    numbers: usize,
    words: Range<usize>,
) -> impl Iterator<Item = (&'a [f32], Range<usize>)> {
    let mut end = 0;
    parts.iter().filter_map(move |x| {
        let start = end;
        end += (x.len() / lines).div_ceil(numbers);
        let (from, to) = (words.start.max(start), words.end.min(end));
        let place = from.wrapping_sub(words.start)..to.wrapping_sub(words.start);
        (from < to).then(|| (&x[(from - start) * numbers * lines..], place))
    })
}

/// Has as many numbers from there on come nearer. An address is only a hint: nothing is read from it.
#[inline]
#[target_feature(enable = "avx512f")]
fn fetch_numbers(first: *const f32, count: usize) {
    for number in (0..count).step_by(LANES) {
        _mm_prefetch::<_MM_HINT_T1>(first.wrapping_add(number).cast());
    }
}
