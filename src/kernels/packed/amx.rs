//! The AMX micro-kernel: a block of the output in AMX tile registers, for operands packed as bf16.
//!
//! A tile has [`HEIGHT`] rows of [`LANES`] words. The instruction `tdpbf16ps` multiplies a tile of the left operand,
//! (rows, words), by a tile of the right one, (words, columns), and adds the product to a tile of the output in f32
//! (<https://www.intel.com/content/www/us/en/docs/intrinsics-guide/>). A block is two by two tiles: tmm0 to tmm3 hold
//! the output, tmm4 and tmm5 the left operand, tmm6 and tmm7 the right one. Stable Rust has no intrinsics for AMX, so
//! the kernel is inline assembly.

use super::blocking::LANES;
use super::left_chunk::LeftChunk;
use super::tile::Tile;
use std::arch::asm;
use std::sync::OnceLock;

/// Rows of a tile; also the number of words of a row.
const HEIGHT: usize = 16;
const _: () = assert!(HEIGHT == LANES);

/// Rows and columns of a block.
pub(super) const SIDE: usize = 2 * HEIGHT;

/// Bytes of a word.
const WORD_BYTES: usize = size_of::<u32>();
/// Words of a tile.
const TILE_WORDS: usize = HEIGHT * LANES;

/// Whether the CPU has AMX and the operating system allows this process to use it.
pub(super) fn is_supported() -> bool {
    static IS_SUPPORTED: OnceLock<bool> = OnceLock::new();
    *IS_SUPPORTED.get_or_init(|| has_instructions() && is_permitted())
}

fn has_instructions() -> bool {
    /// `amx-bf16` and `amx-tile` in EDX of CPUID leaf 7.
    const BITS: u32 = 1 << 22 | 1 << 24;
    let has_leaf_7 = std::arch::x86_64::__cpuid(0).eax >= 7;
    has_leaf_7 && std::arch::x86_64::__cpuid_count(7, 0).edx & BITS == BITS
}

/// Requests permission to use the tile registers, which add 8 KiB to the state of each thread:
/// <https://docs.kernel.org/arch/x86/xstate.html>.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    #[expect(unsafe_code, reason = "system call")]
    // SAFETY: the call takes two integers and does not access memory of the process.
    unsafe {
        libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// Guard of a tile configuration with eight full tiles; releases the tile registers when dropped.
pub(super) struct TileConfig;

/// Operand of `ldtilecfg`.
#[repr(C, align(64))]
struct TileConfigData {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes of a row of each tile.
    row_bytes: [u16; 8],
    reserved_too: [u8; 16],
    rows: [u8; 8],
    reserved_last: [u8; 8],
}

impl TileConfig {
    /// Loads the configuration.
    ///
    /// # Safety
    /// [`is_supported`] must be true.
    #[expect(unsafe_code, reason = "AMX instructions")]
    pub(super) unsafe fn load() -> Self {
        let data = TileConfigData {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [(LANES * WORD_BYTES) as u16; 8],
            reserved_too: [0; 16],
            rows: [HEIGHT as u8; 8],
            reserved_last: [0; 8],
        };
        // SAFETY: the caller guarantees that the CPU has AMX; the instruction reads the 64 bytes of `data`.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const data, options(nostack, readonly));
        }
        TileConfig
    }
}

impl Drop for TileConfig {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "AMX instructions")]
        // SAFETY: `self` exists only if the CPU has AMX.
        unsafe {
            asm!("tilerelease", options(nostack, nomem));
        }
    }
}

impl Tile {
    /// Multiplies the rows of the chunk from `row` on, at most [`SIDE`], by the panel. The chunk has the layout
    /// [`Tiles`](super::left_chunk::LeftLayout::Tiles).
    ///
    /// # Safety
    /// That of [`Tile::compute_rows`]; a [`TileConfig`] is loaded, and the operands are padded to whole tiles.
    #[expect(unsafe_code, reason = "pointers to tiles and panels")]
    pub(super) unsafe fn compute_block<const PIECES: usize>(&self, left: LeftChunk<'_>, row: usize) {
        let height = SIDE.min(left.rows - row);
        let tiles = self.words.div_ceil(LANES);
        let strip = tiles * PIECES * TILE_WORDS;
        for column in (0..self.width).step_by(SIDE) {
            let width = SIDE.min(self.width - column);
            // SAFETY: rows and columns are inside the output, and the tiles inside the operands.
            unsafe {
                let first = self.panel.add(column / HEIGHT * strip);
                let operands = [left.strip(row), left.strip(row + HEIGHT), first, first.add(strip)];
                let out = self.out.add(column);
                let next = if column + SIDE < self.width { column + SIDE } else { SIDE * self.out_stride };
                let next_out = self.out.wrapping_add(next).cast_const();
                let (out_stride, accumulate) = (self.out_stride, self.accumulate);
                let block = Block { out, out_stride, accumulate, operands, tiles, next_out };
                if height == SIDE && width == SIDE {
                    block.compute::<PIECES, false>();
                } else {
                    block.compute_edge::<PIECES>((height, width));
                }
            }
        }
    }
}

/// Two by two tiles of the output, and the tiles of the operands.
struct Block {
    out: *mut f32,
    /// Elements from a row of the output to the next.
    out_stride: usize,
    /// Whether the product is added to the output.
    accumulate: bool,
    /// The first tile of two strips of the left operand (upper, lower) and of two strips of the right one (left,
    /// right).
    operands: [*const u32; 4],
    /// Number of tiles of a strip along k, at least one.
    tiles: usize,
    /// The block of the output that is written next, to be prefetched; may be out of bounds.
    next_out: *const f32,
}

/// Multiplies the tiles of the left operand, `both` or only the `upper`, by the two tiles of the right one. Places the
/// prefetches between the instructions.
macro_rules! multiply {
    (both, [$($prefetch:expr),*]) => {
        concat!(
            multiply!(upper, [$($prefetch),*]),
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
    (upper, [$($prefetch:expr),*]) => {
        concat!("tdpbf16ps tmm0, tmm4, tmm6\n", "tdpbf16ps tmm1, tmm4, tmm7\n", $($prefetch,)*)
    };
}

/// Loads piece `$piece` of the left operand's tiles.
macro_rules! load_left {
    (both, $piece:literal) => {
        concat!(load_left!(upper, $piece), "tileloadd tmm5, [{lower} + {line}*1 + 1024*", $piece, "]\n",)
    };
    (upper, $piece:literal) => {
        concat!("tileloadd tmm4, [{upper} + {line}*1 + 1024*", $piece, "]\n")
    };
}

/// Loads piece `$piece` of the right operand's tiles.
macro_rules! load_right {
    ($piece:literal) => {
        concat!(
            "tileloadd tmm6, [{near} + {line}*1 + 1024*",
            $piece,
            "]\n",
            "tileloadd tmm7, [{far} + {line}*1 + 1024*",
            $piece,
            "]\n",
        )
    };
}

/// Prefetches one of the next tiles from the L2 cache during the multiplication, because a tile load waits for all of
/// its cache misses.
macro_rules! prefetch {
    ($operand:literal, $tile:literal) => {
        concat!(
            ".irp row, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n",
            "prefetcht0 [{",
            $operand,
            "} + 1024*",
            $tile,
            " + 64*\\row]\n",
            ".endr\n",
        )
    };
}

/// Prefetches tiles of the left operand, `both` or only the `upper`.
macro_rules! prefetch_left {
    (both, $tile:literal) => {
        concat!(prefetch!("upper", $tile), prefetch!("lower", $tile))
    };
    (upper, $tile:literal) => {
        prefetch!("upper", $tile)
    };
}

/// Prefetches a few rows of the output block that is written next from main memory. Only a few at a time, because the
/// number of outstanding cache misses is limited.
macro_rules! prefetch_out {
    () => {
        concat!(
            ".rept 3\n",
            "prefetchw [{next_out}]\n",
            "prefetchw [{next_out} + 64]\n",
            "add {next_out}, {out_row}\n",
            ".endr\n",
        )
    };
}

/// Computes the tiles of a block, running `$steps` for each tile along k. A tile of the operands has `$pieces` pieces.
macro_rules! compute_tiles {
    ($block:expr, $pieces:literal, $($steps:expr),* $(,)?) => {{
        let Block { out, out_stride, accumulate, operands: [upper, lower, near, far], tiles, next_out } = *$block;
        asm!(
            "test {accumulate}, {accumulate}",
            "jz 2f",
            "tileloadd tmm0, [{out} + {out_row}*1]",
            "tileloadd tmm1, [{out} + {out_row}*1 + 64]",
            "tileloadd tmm2, [{out_lower} + {out_row}*1]",
            "tileloadd tmm3, [{out_lower} + {out_row}*1 + 64]",
            "jmp 3f",
            "2:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "3:",
            $($steps,)*
            prefetch_out!(),
            "add {upper}, {step}",
            "add {lower}, {step}",
            "add {near}, {step}",
            "add {far}, {step}",
            "dec {tiles}",
            "jnz 3b",
            "tilestored [{out} + {out_row}*1], tmm0",
            "tilestored [{out} + {out_row}*1 + 64], tmm1",
            "tilestored [{out_lower} + {out_row}*1], tmm2",
            "tilestored [{out_lower} + {out_row}*1 + 64], tmm3",
            accumulate = in(reg) usize::from(accumulate),
            out = in(reg) out,
            out_lower = in(reg) out.wrapping_add(HEIGHT * out_stride),
            out_row = in(reg) out_stride * WORD_BYTES,
            upper = inout(reg) upper => _,
            lower = inout(reg) lower => _,
            near = inout(reg) near => _,
            far = inout(reg) far => _,
            next_out = inout(reg) next_out => _,
            line = in(reg) LANES * WORD_BYTES,
            step = const $pieces * TILE_WORDS * WORD_BYTES,
            tiles = inout(reg) tiles => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }};
}

/// Computes the tiles of a block whose words have one piece or three.
macro_rules! compute {
    ($block:expr, $left:ident, 1) => {
        compute_tiles!(
            $block,
            1,
            load_left!($left, 0),
            load_right!(0),
            multiply!($left, [prefetch!("near", 1), prefetch!("far", 1), prefetch_left!($left, 1)]),
        )
    };
    // Pieces 0 (high), 1 (middle) and 2 (low). The products of pieces i and j with i + j > 2 are below the precision
    // of f32 and left out. Each step keeps the tiles of one operand.
    ($block:expr, $left:ident, 3) => {
        compute_tiles!(
            $block,
            3,
            load_left!($left, 0),
            load_right!(2),
            multiply!($left, [prefetch_left!($left, 3)]),
            load_right!(0),
            multiply!($left, [prefetch!("near", 5), prefetch!("far", 5)]),
            load_right!(1),
            multiply!($left, [prefetch!("near", 3), prefetch!("far", 3)]),
            load_left!($left, 1),
            multiply!($left, [prefetch!("near", 4), prefetch!("far", 4)]),
            load_right!(0),
            multiply!($left, [prefetch_left!($left, 4)]),
            load_left!($left, 2),
            multiply!($left, [prefetch_left!($left, 5)]),
        )
    };
}

impl Block {
    /// Computes a block at the edge of the output, of which only `height` rows and `width` columns exist.
    ///
    /// # Safety
    /// These rows and columns are inside the output at `out`; the operands have whole tiles.
    #[cold]
    #[expect(unsafe_code, reason = "pointers to tiles and panels")]
    unsafe fn compute_edge<const PIECES: usize>(&self, (height, width): (usize, usize)) {
        let mut buffer = [0.0f32; SIDE * SIDE];
        // SAFETY: guaranteed by the caller; the buffer holds a whole block.
        unsafe {
            let out = buffer.as_mut_ptr();
            let whole = Block { out, out_stride: SIDE, accumulate: false, next_out: out, ..*self };
            if height <= HEIGHT {
                whole.compute::<PIECES, true>();
            } else {
                whole.compute::<PIECES, false>();
            }
            for (i, sums) in buffer.chunks_exact(SIDE).enumerate().take(height) {
                let out = std::slice::from_raw_parts_mut(self.out.add(i * self.out_stride), width);
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if self.accumulate { *out + sum } else { *sum };
                }
            }
        }
    }

    /// Computes a whole block; with `IS_HALF`, only the upper tiles, and the lower ones become zero.
    ///
    /// # Safety
    /// The whole block is inside the output at `out`; the operands have `tiles` tiles of `PIECES` pieces.
    #[inline]
    #[expect(unsafe_code, reason = "inline assembly")]
    unsafe fn compute<const PIECES: usize, const IS_HALF: bool>(&self) {
        const { assert!(PIECES == 1 || PIECES == 3) };
        // SAFETY: guaranteed by the caller.
        unsafe {
            match (PIECES, IS_HALF) {
                (1, false) => compute!(self, both, 1),
                (1, true) => compute!(self, upper, 1),
                (_, false) => compute!(self, both, 3),
                (_, true) => compute!(self, upper, 3),
            }
        }
    }
}
