//! A block of a product in AMX's tile registers, for numbers rounded to bf16.
//!
//! A tile is [`HEIGHT`] rows of [`LANES`] words. One instruction multiplies a tile of the left operand, (rows,
//! words), by one of the right, (words, columns), and adds the product to a tile of the result in f32:
//! <https://www.intel.com/content/www/us/en/docs/intrinsics-guide/>, `tdpbf16ps`. A block is two by two tiles.
//! The compiler has no types for tiles yet, so the instructions stand here by themselves.

use super::LANES;
use super::left::Left;
use super::tile::Tile;
use std::arch::asm;
use std::sync::OnceLock;

/// Rows of a tile, and words of its rows.
const HEIGHT: usize = 16;
const _: () = assert!(HEIGHT == LANES);

/// Rows and columns of a block.
pub(super) const SIDE: usize = 2 * HEIGHT;

/// Bytes of a word, and words of a tile.
const WORD: usize = size_of::<u32>();
const TILE: usize = HEIGHT * LANES;

/// Whether the machine has the instructions and the system lets this process use the registers.
pub(super) fn is_there() -> bool {
    static IS_THERE: OnceLock<bool> = OnceLock::new();
    *IS_THERE.get_or_init(|| has_instructions() && is_permitted())
}

fn has_instructions() -> bool {
    /// Of leaf 7: `amx-bf16` and `amx-tile`.
    const BITS: u32 = 1 << 22 | 1 << 24;
    let is_told = std::arch::x86_64::__cpuid(0).eax >= 7;
    is_told && std::arch::x86_64::__cpuid_count(7, 0).edx & BITS == BITS
}

/// Linux keeps 8 KiB more for a thread only when its process has asked:
/// <https://docs.kernel.org/arch/x86/xstate.html>.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    #[expect(unsafe_code, reason = "a call of the system")]
    // SAFETY: the call takes two numbers and touches no memory of the process.
    unsafe {
        libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// Says that all eight tiles are whole ones, and when it goes that they are no longer in use.
pub(super) struct Configured;

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes of a row of each tile.
    row: [u16; 8],
    reserved_too: [u8; 16],
    rows: [u8; 8],
    reserved_last: [u8; 8],
}

impl Configured {
    /// # Safety
    /// [`is_there`] said so.
    #[expect(unsafe_code, reason = "instructions that not every machine has")]
    pub(super) unsafe fn new() -> Self {
        let configuration = Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row: [(LANES * WORD) as u16; 8],
            reserved_too: [0; 16],
            rows: [HEIGHT as u8; 8],
            reserved_last: [0; 8],
        };
        // SAFETY: the machine has the instruction, as the caller says; it reads 64 bytes from there.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly));
        }
        Configured
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "instructions that not every machine has")]
        // SAFETY: the machine has the instruction, or there would be no `self`.
        unsafe {
            asm!("tilerelease", options(nostack, nomem));
        }
    }
}

impl Tile {
    /// Fills up to [`SIDE`] rows of it from the chunk's rows from `row` on, which lie in tiles.
    ///
    /// # Safety
    /// As of [`Tile::fill_rows`]; tiles are [`Configured`], and operands are filled up to whole tiles.
    #[expect(unsafe_code, reason = "addresses of tiles and panels")]
    pub(super) unsafe fn fill_block<const PIECES: usize>(&self, left: Left<'_>, row: usize) {
        let height = SIDE.min(left.rows - row);
        let tiles = self.words.div_ceil(LANES);
        let strip = tiles * PIECES * TILE;
        for column in (0..self.width).step_by(SIDE) {
            let width = SIDE.min(self.width - column);
            // SAFETY: rows and columns lie inside the result, and tiles of the operands inside of them.
            unsafe {
                let near = self.panel.add(column / HEIGHT * strip);
                let operands = [left.strip(row), left.strip(row + HEIGHT), near, near.add(strip)];
                let out = self.out.add(column);
                let next = if column + SIDE < self.width { column + SIDE } else { SIDE * self.n };
                let ahead = self.out.wrapping_add(next).cast_const();
                let (row, is_added) = (self.n, self.is_added);
                let block = Block { out, row, is_added, operands, tiles, ahead };
                if height == SIDE && width == SIDE {
                    block.fill::<PIECES, false>();
                } else {
                    block.fill_edge::<PIECES>((height, width));
                }
            }
        }
    }
}

/// Two by two tiles of the result, and what they are made of.
struct Block {
    out: *mut f32,
    /// From a row of the result to the next.
    row: usize,
    is_added: bool,
    /// First tiles of two strips of the left operand and of two of the right one.
    operands: [*const u32; 4],
    /// Tiles of a strip along the summed dimension, at least one.
    tiles: usize,
    /// The block after it, which may be none.
    ahead: *const f32,
}

/// Multiplies the left operand's tiles, `both` or only the `upper`, by two of the right one.
macro_rules! multiply {
    (both, [$($fetch:expr),*]) => {
        concat!(
            multiply!(upper, [$($fetch),*]),
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
    (upper, [$($fetch:expr),*]) => {
        concat!("tdpbf16ps tmm0, tmm4, tmm6\n", "tdpbf16ps tmm1, tmm4, tmm7\n", $($fetch,)*)
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

/// The same of the right one's.
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

/// Has one of the next tiles come nearer while these are multiplied: operands lie in the second cache, and loads
/// of tiles wait for all that they miss.
macro_rules! fetch {
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

/// The same of tiles of the left operand.
macro_rules! fetch_left {
    (both, $tile:literal) => {
        concat!(fetch!("upper", $tile), fetch!("lower", $tile))
    };
    (upper, $tile:literal) => {
        fetch!("upper", $tile)
    };
}

/// The same of a few rows of the block to be written next, which lie far away. A few at a time: a processor
/// waits for some lines at once and no more.
macro_rules! fetch_rows {
    () => {
        concat!(
            ".rept 3\n",
            "prefetchw [{ahead}]\n",
            "prefetchw [{ahead} + 64]\n",
            "add {ahead}, {out_row}\n",
            ".endr\n",
        )
    };
}

/// The block's tiles, with `$steps` for each tile of the operands, `$pieces` tiles long.
macro_rules! fill_by {
    ($block:expr, $pieces:literal, $($steps:expr),* $(,)?) => {{
        let Block { out, row: out_row, is_added, operands: [upper, lower, near, far], tiles, ahead } = *$block;
        asm!(
            "test {added}, {added}",
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
            fetch_rows!(),
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
            added = in(reg) usize::from(is_added),
            out = in(reg) out,
            out_lower = in(reg) out.wrapping_add(HEIGHT * out_row),
            out_row = in(reg) out_row * WORD,
            upper = inout(reg) upper => _,
            lower = inout(reg) lower => _,
            near = inout(reg) near => _,
            far = inout(reg) far => _,
            ahead = inout(reg) ahead => _,
            line = in(reg) LANES * WORD,
            step = const $pieces * TILE * WORD,
            tiles = inout(reg) tiles => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }};
}

/// The same of numbers that are one piece or three.
macro_rules! fill {
    ($block:expr, $left:ident, 1) => {
        fill_by!(
            $block,
            1,
            load_left!($left, 0),
            load_right!(0),
            multiply!($left, [fetch!("near", 1), fetch!("far", 1), fetch_left!($left, 1)]),
        )
    };
    // High, middle and low pieces, each with those that together are no smaller than what f32 rounds away. Every
    // step keeps the tiles of one side.
    ($block:expr, $left:ident, 3) => {
        fill_by!(
            $block,
            3,
            load_left!($left, 0),
            load_right!(2),
            multiply!($left, [fetch_left!($left, 3)]),
            load_right!(0),
            multiply!($left, [fetch!("near", 5), fetch!("far", 5)]),
            load_right!(1),
            multiply!($left, [fetch!("near", 3), fetch!("far", 3)]),
            load_left!($left, 1),
            multiply!($left, [fetch!("near", 4), fetch!("far", 4)]),
            load_right!(0),
            multiply!($left, [fetch_left!($left, 4)]),
            load_left!($left, 2),
            multiply!($left, [fetch_left!($left, 5)]),
        )
    };
}

impl Block {
    /// Fills `height` rows of `width` columns, which are all that there is room for.
    ///
    /// # Safety
    /// They are there at `out`; operands have whole tiles.
    #[cold]
    #[expect(unsafe_code, reason = "addresses of tiles and panels")]
    unsafe fn fill_edge<const PIECES: usize>(&self, (height, width): (usize, usize)) {
        let mut aside = [0.0f32; SIDE * SIDE];
        // SAFETY: as the caller says; a whole block lies aside.
        unsafe {
            let out = aside.as_mut_ptr();
            let whole = Block { out, row: SIDE, is_added: false, ahead: out, ..*self };
            if height <= HEIGHT {
                whole.fill::<PIECES, true>();
            } else {
                whole.fill::<PIECES, false>();
            }
            for (i, sums) in aside.chunks_exact(SIDE).enumerate().take(height) {
                let out = std::slice::from_raw_parts_mut(self.out.add(i * self.row), width);
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if self.is_added { *out + sum } else { *sum };
                }
            }
        }
    }

    /// Fills all of it, or leaves the lower tiles zeros where `IS_HALF`.
    ///
    /// # Safety
    /// There is room for the block at `out`; operands have the tiles, of as many pieces.
    #[inline]
    #[expect(unsafe_code, reason = "instructions that the compiler does not know")]
    unsafe fn fill<const PIECES: usize, const IS_HALF: bool>(&self) {
        const { assert!(PIECES == 1 || PIECES == 3) };
        // SAFETY: as the caller says.
        unsafe {
            match (PIECES, IS_HALF) {
                (1, false) => fill!(self, both, 1),
                (1, true) => fill!(self, upper, 1),
                (_, false) => fill!(self, both, 3),
                (_, true) => fill!(self, upper, 3),
            }
        }
    }
}
