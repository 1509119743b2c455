//! Matrix products with packed operands, for CPUs with `avx512_bf16` (Goto and van de Geijn 2008, "Anatomy of
//! High-Performance Matrix Multiplication"; the names are those of BLIS).
//!
//! Both operands are sets of *lines* of length k ([`Operand`]): rows of the left operand, columns of the right one.
//! They are packed as 32-bit *words*. In f32, a word is one element. In bf16, it is a *pair* of elements that are
//! adjacent along k, the first in the low half; one instruction multiplies pairs and adds both products in f32.
//!
//! - A *chunk* of the left operand, at most [`CHUNK_WORDS`](blocking::CHUNK_WORDS) words, stays in the L2 cache.
//! - A *panel* of the right operand, [`PANEL`](blocking::PANEL) lines, is packed when it is needed and then used by
//!   all rows of the chunk. Packed operands are not kept, so weights need no additional memory.
//!
//! The AVX-512 micro-kernel computes a register tile of [`TILE_ROWS`](blocking::TILE_ROWS) rows by one panel: it
//! broadcasts words of the left operand and loads vectors of the panel. Lines and words are padded with zeros. With
//! AMX, the micro-kernel uses tile registers and computes [`SIDE`](amx::SIDE) rows at a time, for bf16 and also for
//! f32, with each f32 as the sum of three bf16 pieces (Henry, Tang and Heinecke 2019,
//! <https://arxiv.org/abs/1904.06376>).

mod amx;
mod blocking;
mod gemm;
mod left_chunk;
mod operand;
mod pack_bf16;
mod small_gemm;
#[cfg(test)]
mod tests;
mod tile;

pub use gemm::PackedGemm;
pub(crate) use operand::Operand;
