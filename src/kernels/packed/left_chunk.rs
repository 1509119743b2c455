//! A chunk of the left operand in the layout of the micro-kernel.

use super::blocking::{LANES, MicroKernel};
use super::operand::{Operand, PackedLayout, Window};
use super::pack_bf16::{as_bits, as_words, zeros};
use std::arch::x86_64::__m512i;

/// Layout of the words of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftLayout {
    /// Not packed: the stored operand, (rows, words)
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
pub(super) struct LeftChunk<'a> {
    words: &'a [u32],
    pub(super) rows: usize,
    layout: LeftLayout,
    /// Words from a row to the next, or from a strip to the next divided by `STRIP`.
    row_stride: usize,
}

impl LeftLayout {
    /// The layout that `kernel` needs.
    pub(super) fn new(kernel: MicroKernel, left: Operand<'_>) -> Self {
        match (kernel, left) {
            (MicroKernel::F32, Operand::KContiguous { .. }) => LeftLayout::Stored,
            (MicroKernel::F32 | MicroKernel::Bf16, _) => LeftLayout::Strips,
            (MicroKernel::AmxBf16 | MicroKernel::AmxF32, _) => LeftLayout::Tiles,
        }
    }

    /// Packs a chunk into `buffer`, unless the stored operand is used.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn pack<const ELEMENTS: usize, const PIECES: usize>(
        self,
        left: Operand<'_>,
        window: &Window,
        buffer: &mut Vec<__m512i>,
    ) {
        if self == LeftLayout::Stored {
            return;
        }
        let line_step = window.words.len().next_multiple_of(LANES) * PIECES;
        // The AMX kernel processes two strips at a time.
        let strips = window.lines.len().div_ceil(STRIP).next_multiple_of(2);
        if buffer.len() < strips * line_step {
            buffer.resize(strips * line_step, zeros());
        }
        let is_word_major = self == LeftLayout::Strips;
        let layout = PackedLayout { is_word_major, vector_step: 1, line_step, word_step: LANES * PIECES };
        left.pack::<ELEMENTS, PIECES>(window, layout, buffer);
    }
}

impl<'a> LeftChunk<'a> {
    /// The chunk that [`LeftLayout::pack`] has packed into `buffer`, or the stored operand.
    pub(super) fn new<const PIECES: usize>(
        layout: LeftLayout,
        left: Operand<'a>,
        window: &Window,
        buffer: &'a [__m512i],
    ) -> Self {
        let rows = window.lines.len();
        if let (LeftLayout::Stored, Operand::KContiguous { data, k }) = (layout, left) {
            let words = as_bits(&data[window.lines.start * k + window.words.start..]);
            return LeftChunk { words, rows, layout, row_stride: k };
        }
        let row_stride = window.words.len().next_multiple_of(LANES) * PIECES;
        LeftChunk { words: as_words(buffer), rows, layout, row_stride }
    }

    /// Pointer to the first word of a row, and the distance of its words.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> (*const u32, usize) {
        let (first, step) = match self.layout {
            LeftLayout::Stored => (row * self.row_stride, 1),
            LeftLayout::Strips => (row / STRIP * self.row_stride * STRIP + row % STRIP, STRIP),
            LeftLayout::Tiles => unreachable!("the AMX kernel uses `strip`"),
        };
        (self.words[first..].as_ptr(), step)
    }

    /// Pointer to the first tile of the strip that begins at row `row`.
    #[inline(always)]
    pub(super) fn strip(&self, row: usize) -> *const u32 {
        self.words[row * self.row_stride..].as_ptr()
    }
}
