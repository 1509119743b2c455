//! The sizes of packed operands, and rounding.

/// Elements of a word.
pub(super) const WORD: usize = 4;

/// Outputs of a panel.
pub(super) const PANEL: usize = 64;

/// Outputs of a cache line of a panel.
pub(super) const LINE_OUTPUTS: usize = 16;

/// Most rows that a kernel computes together.
pub(super) const TILE_ROWS: usize = 6;

/// Most inputs of a weight. With more, a sum could exceed an i32.
pub const MAX_INPUTS: usize = i32::MAX as usize / (255 * 127);

/// The nearest integer, ties to even, of a number whose absolute value is below 2²². Any integer for NaN.
#[inline(always)]
pub(super) fn rounded(x: f32) -> i32 {
    // 1.5 · 2²³: the sum is rounded to an integer, which is in its lowest bits.
    const ROUND: f32 = 12_582_912.0;
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}
