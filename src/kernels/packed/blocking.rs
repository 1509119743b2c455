//! Block sizes of a matrix product, and how threads divide its output.

use std::ops::Range;

/// Lines of a panel of the right operand.
pub(super) const PANEL: usize = 64;

/// Rows of a register tile.
pub(super) const TILE_ROWS: usize = 6;

/// Words of a vector register.
pub(super) const LANES: usize = 16;

/// Most words of a chunk of the left operand, 1 MiB.
pub(super) const CHUNK_WORDS: usize = 1 << 18;

/// The micro-kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MicroKernel {
    /// AVX-512 in f32.
    F32,
    /// AVX-512 on pairs of bf16.
    Bf16,
    /// AMX on pairs of bf16.
    AmxBf16,
    /// AMX on pairs of f32, each as three bf16 pieces, as precise as f32.
    AmxF32,
}

impl MicroKernel {
    /// Elements of a word.
    pub(super) fn elements_per_word(self) -> usize {
        if self == MicroKernel::F32 { 1 } else { 2 }
    }

    /// Most words of a line in a block along k, chosen so that a panel stays in the cache.
    pub(super) fn max_block_words(self) -> usize {
        if self == MicroKernel::AmxF32 { 192 } else { 512 }
    }

    /// Words of a block along k for lines of `length` words.
    pub(super) fn block_words(self, length: usize) -> usize {
        even_share(length, self.max_block_words()).next_multiple_of(LANES)
    }

    /// Most rows of a chunk for lines of `length` words.
    pub(super) fn max_chunk_rows(self, length: usize) -> usize {
        CHUNK_WORDS / (self.block_words(length) * self.pieces())
    }

    /// Packed pieces of a word.
    pub(super) fn pieces(self) -> usize {
        if self == MicroKernel::AmxF32 { 3 } else { 1 }
    }

    /// Products with at most this many rows use [`small_gemm`](super::small_gemm), because packing the right
    /// operand would take most of the time.
    pub(super) fn max_small_rows(self) -> usize {
        match self {
            MicroKernel::F32 | MicroKernel::Bf16 => 24,
            MicroKernel::AmxF32 => 14,
            MicroKernel::AmxBf16 => 6,
        }
    }
}

/// The output matrix, which threads write in parallel.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputMatrix {
    pub(super) data: *mut f32,
    pub(super) columns: usize,
    /// Whether the product is added to the matrix.
    pub(super) accumulate: bool,
}

#[expect(unsafe_code, reason = "threads write to one matrix")]
// SAFETY: code that uses the pointer guarantees that no other thread accesses the elements that it writes.
unsafe impl Send for OutputMatrix {}
#[expect(unsafe_code, reason = "threads write to one matrix")]
// SAFETY: as above.
unsafe impl Sync for OutputMatrix {}

/// The part of the output that one thread computes.
#[derive(Debug, Clone)]
pub(super) struct OutputBlock {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl OutputBlock {
    /// One block per thread, by rows or by columns, whichever packs fewer lines. `chunk` is the number of rows of a
    /// chunk.
    pub(super) fn divide(rows: usize, columns: usize, threads: usize, chunk: usize) -> Vec<Self> {
        let by_rows: Vec<_> =
            shares(rows, threads).map(|rows| OutputBlock { rows, columns: 0..columns }).collect();
        let by_columns = OutputBlock::by_columns(rows, columns, threads);
        let is_less = by_rows[0].packed_lines(chunk) <= by_columns[0].packed_lines(chunk);
        if is_less { by_rows } else { by_columns }
    }

    /// One block per thread, with all rows of some columns.
    pub(super) fn by_columns(rows: usize, columns: usize, threads: usize) -> Vec<Self> {
        shares(columns, threads).map(|columns| OutputBlock { rows: 0..rows, columns }).collect()
    }

    /// Lines that the thread packs: those of the right operand are packed again for each chunk of the left one.
    fn packed_lines(&self, chunk: usize) -> usize {
        self.rows.len() + self.columns.len() * self.rows.len().div_ceil(chunk)
    }
}

/// Divides `length` lines among threads, in whole panels.
fn shares(length: usize, threads: usize) -> impl Iterator<Item = Range<usize>> {
    steps(0..length, length.div_ceil(threads.max(1)).next_multiple_of(PANEL))
}

/// The size of the parts when `length` is divided into the fewest equal parts of size at most `max`.
pub(super) fn even_share(length: usize, max: usize) -> usize {
    length.div_ceil(length.div_ceil(max).max(1)).max(1)
}

/// Consecutive ranges of length `step`, the last one possibly shorter.
pub(super) fn steps(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step).map(move |from| from..end.min(from + step))
}
