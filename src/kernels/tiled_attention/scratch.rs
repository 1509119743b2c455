//! Scratch memory of a thread.

use super::head::HeadScratch;
use super::tile::TileScratch;

/// Scratch memory of a thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) head: HeadScratch,
    pub(super) tile: TileScratch,
}
