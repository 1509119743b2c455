//! [`PackedGemm`]: the loops around the micro-kernels.

use super::super::element_type::ElementType;
use super::amx;
use super::blocking::{LANES, MicroKernel, OutputBlock, OutputMatrix, PANEL, TILE_ROWS, even_share, steps};
use super::left_chunk::{LeftChunk, LeftLayout};
use super::operand::{Operand, PackedLayout, Window};
use super::pack_bf16;
use super::small_gemm::{SmallGemm, dot_columns};
use super::tile::Tile;
use rayon::prelude::*;
use std::arch::x86_64::__m512i;
use std::cell::Cell;
use std::ops::Range;

/// A micro-kernel that the CPU supports; only [`PackedGemm::detect`] creates one outside of tests.
#[derive(Debug, Clone, Copy)]
pub struct PackedGemm {
    pub(super) kernel: MicroKernel,
}

/// Memory for packed operands, reused between products: writing to new memory would cost a page fault per page.
#[derive(Default)]
struct PackBuffers {
    left: Vec<__m512i>,
    panel: Vec<__m512i>,
}

thread_local! {
    static PACK_BUFFERS: Cell<PackBuffers> =
        const { Cell::new(PackBuffers { left: Vec::new(), panel: Vec::new() }) };
}

impl PackedGemm {
    /// The fastest micro-kernel for `element_type`, or `None` if the CPU lacks an instruction set that any of the
    /// micro-kernels uses, since they share functions.
    pub fn detect(element_type: ElementType) -> Option<Self> {
        let has_avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        let kernel = match (element_type, has_avx512 && amx::is_supported()) {
            (ElementType::F32, false) => MicroKernel::F32,
            (ElementType::F32, true) => MicroKernel::AmxF32,
            (ElementType::Bf16, false) => MicroKernel::Bf16,
            (ElementType::Bf16, true) => MicroKernel::AmxBf16,
        };
        has_avx512.then_some(PackedGemm { kernel })
    }

    /// Name to display of the instruction set beyond AVX-512 in f32.
    pub fn name(self) -> Option<&'static str> {
        match self.kernel {
            MicroKernel::F32 => None,
            MicroKernel::Bf16 => Some("BF16"),
            MicroKernel::AmxBf16 | MicroKernel::AmxF32 => Some("AMX"),
        }
    }

    /// Products with at most this many rows are computed by other code, whose sums have another order.
    pub(crate) fn max_small_rows(self) -> usize {
        self.kernel.max_small_rows()
    }

    /// out (rows of `left`, columns of `right`) = left · right, added to `out` if `accumulate`. Threads divide the
    /// output, so the order of additions does not depend on their number.
    pub(crate) fn run(
        self,
        out: &mut [f32],
        left: Operand<'_>,
        right: Operand<'_>,
        accumulate: bool,
        threads: usize,
    ) {
        let (rows, columns) = (left.lines(), right.lines());
        let is_small = rows <= self.kernel.max_small_rows();
        let small = SmallGemm::new(left, right).filter(|_| is_small);
        let kernel =
            if self.kernel == MicroKernel::AmxF32 && is_small { MicroKernel::F32 } else { self.kernel };
        let lengths = [left, right].map(|operand| operand.words_per_line(kernel.elements_per_word()));
        assert_eq!((out.len(), lengths[0]), (rows * columns, lengths[1]), "shapes of a matrix product");
        if out.is_empty() {
            return;
        }
        let out = OutputMatrix { data: out.as_mut_ptr(), columns, accumulate };
        let compute = |block: OutputBlock| {
            #[expect(unsafe_code, reason = "target features, and a matrix that threads share")]
            // SAFETY: `self` proves that the CPU has the instructions; the assertion above checks the shapes; each
            // thread writes only its own block.
            unsafe {
                match (kernel, small) {
                    (MicroKernel::F32, Some(small)) => dot_columns::<1>(out, small, block.columns),
                    (MicroKernel::Bf16 | MicroKernel::AmxBf16, Some(small)) => {
                        dot_columns::<2>(out, small, block.columns);
                    }
                    (MicroKernel::F32, None) => gemm_block::<1, 1, false>(kernel, out, left, right, block),
                    (MicroKernel::Bf16, None) => gemm_block::<2, 1, false>(kernel, out, left, right, block),
                    (MicroKernel::AmxBf16, None) => gemm_block::<2, 1, true>(kernel, out, left, right, block),
                    (MicroKernel::AmxF32, _) => gemm_block::<2, 3, true>(kernel, out, left, right, block),
                }
            }
        };
        let blocks = match small {
            Some(_) => OutputBlock::by_columns(rows, columns, threads),
            None => OutputBlock::divide(rows, columns, threads, kernel.max_chunk_rows(lengths[0])),
        };
        match blocks.len() {
            1 => blocks.into_iter().for_each(compute),
            _ => blocks.into_par_iter().for_each(compute),
        }
    }
}

/// One iteration of the loops over chunks, blocks along k and panels.
#[derive(Debug, Clone)]
struct GemmStep {
    /// Rows of the chunk.
    rows: Range<usize>,
    /// Words along k.
    words: Range<usize>,
    /// Columns of the panel.
    columns: Range<usize>,
}

impl GemmStep {
    /// All steps of an output block, for lines of `length` words.
    fn all(kernel: MicroKernel, block: OutputBlock, length: usize) -> impl Iterator<Item = Self> {
        let OutputBlock { rows, columns } = block;
        let block_words = kernel.block_words(length);
        let chunk = even_share(rows.len(), kernel.max_chunk_rows(length)).next_multiple_of(amx::SIDE);
        steps(rows, chunk).flat_map(move |rows| {
            let columns = columns.clone();
            steps(0..length, block_words).flat_map(move |words| {
                let rows = rows.clone();
                let columns = steps(columns.clone(), PANEL);
                columns.map(move |columns| GemmStep { rows: rows.clone(), words: words.clone(), columns })
            })
        })
    }

    /// The chunk of the left operand.
    fn left(&self) -> Window {
        Window { lines: self.rows.clone(), words: self.words.clone() }
    }

    /// The panel of the right operand.
    fn right(&self) -> Window {
        Window { lines: self.columns.clone(), words: self.words.clone() }
    }
}

/// Computes one block of the output. `ELEMENTS` per word and `PIECES` are those of the micro-kernel.
///
/// # Safety
/// `out` is (lines of `left`, lines of `right`), and no other thread accesses this block of it; the lines of both
/// operands have the same length; the CPU has the target features, and AMX if `IS_AMX`.
#[expect(unsafe_code, reason = "pointers to tiles and panels")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn gemm_block<const ELEMENTS: usize, const PIECES: usize, const IS_AMX: bool>(
    kernel: MicroKernel,
    out: OutputMatrix,
    left: Operand<'_>,
    right: Operand<'_>,
    block: OutputBlock,
) {
    let height = if IS_AMX { amx::SIDE } else { TILE_ROWS };
    // SAFETY: guaranteed by the caller.
    let _tile_config = IS_AMX.then(|| unsafe { amx::TileConfig::load() });
    let mut buffers = PACK_BUFFERS.take();
    let first_column = block.columns.start;
    let mut gemm_steps = GemmStep::all(kernel, block, left.words_per_line(ELEMENTS)).peekable();
    let layout = LeftLayout::new(kernel, left);
    while let Some(step) = gemm_steps.next() {
        if step.columns.start == first_column {
            layout.pack::<ELEMENTS, PIECES>(left, &step.left(), &mut buffers.left);
        }
        let chunk = LeftChunk::new::<PIECES>(layout, left, &step.left(), &buffers.left);
        pack_panel::<ELEMENTS, PIECES, IS_AMX>(right, &step.right(), &mut buffers.panel);
        for row in step.rows.clone().step_by(height) {
            let rows = row..step.rows.end.min(row + height);
            // Prefetch a part of the next panel. AMX finishes the rows before a prefetch would complete.
            if !IS_AMX && let Some(next) = gemm_steps.peek() {
                right.prefetch::<ELEMENTS>(right.part_of_window(&next.right(), &rows, &step.rows));
            }
            let tile = Tile {
                // SAFETY: row and column are inside the output.
                out: unsafe { out.data.add(row * out.columns + step.columns.start) },
                out_stride: out.columns,
                width: step.columns.len(),
                accumulate: out.accumulate || step.words.start > 0,
                panel: pack_bf16::as_words(&buffers.panel).as_ptr(),
                words: step.words.len(),
            };
            // SAFETY: rows and columns of the tile are inside the output, and the operands have these words.
            unsafe {
                if IS_AMX {
                    tile.compute_block::<PIECES>(chunk, row - step.rows.start);
                } else {
                    tile.compute_rows::<ELEMENTS>(chunk, row - step.rows.start);
                }
            }
        }
    }
    PACK_BUFFERS.set(buffers);
}

/// Packs a panel: (words, [`PANEL`]) for AVX-512, (strips, tiles, pieces, words, columns) for AMX.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pack_panel<const ELEMENTS: usize, const PIECES: usize, const IS_AMX: bool>(
    right: Operand<'_>,
    window: &Window,
    panel: &mut Vec<__m512i>,
) {
    let length = window.words.len().next_multiple_of(LANES);
    panel.resize(PANEL / LANES * length * PIECES, pack_bf16::zeros());
    let layout = if IS_AMX {
        PackedLayout {
            is_word_major: true,
            vector_step: 1,
            line_step: length * PIECES,
            word_step: LANES * PIECES,
        }
    } else {
        PackedLayout { is_word_major: true, vector_step: PANEL / LANES, line_step: 1, word_step: PANEL }
    };
    right.pack::<ELEMENTS, PIECES>(window, layout, panel);
}
