//! The fast engine of the CPU: forward and backward written out over flat arenas, without autograd.
//!
//! - Tokens are never padded; attention runs for each example and head ([`kernels::attention`]).
//! - A batch is split over shards by tokens. Each has buffers and gradients of its own, which are added in
//!   a fixed order, so that the same seed and number of threads give the same bits.
//! - Of the last layer only the first token's state is made, since no other is looked at ([`rows`]).
//! - Gradients of words are kept for the rows that a batch has, and AdamW passes over rows that never had
//!   one.
//!
//! [`layer`] is one encoder layer; [`shard`] what is before and after the layers; [`engine`] puts shards
//! together. `kernels` has the loops.

mod engine;
mod kernels;
mod layer;
mod layout;
mod memory;
mod packs;
mod peak;
mod rows;
mod shard;
mod tape;
mod work;

pub(crate) use engine::FastEngine;

use super::config::ModelConfig;

/// Most shards of a batch: each has gradients of its own, which have to be added.
const MOST_SHARDS: usize = 4;

/// How many shards a batch is cut into on so many threads (all cores when absent), and the threads of each.
fn shards(threads: Option<usize>) -> (usize, usize) {
    let threads = threads.unwrap_or_else(rayon::current_num_threads).max(1);
    let shards = threads.min(MOST_SHARDS);
    (shards, threads.div_ceil(shards))
}

/// Operations a second of a layer's products alone, on as many shards and threads as an engine has.
pub(crate) fn product_rate(config: &ModelConfig, rows: usize, is_bf16: bool, threads: Option<usize>) -> f64 {
    let packing = if is_bf16 { kernels::packed::Packing::detect() } else { None };
    peak::product_rate(config, rows, packing, shards(threads))
}

/// Whether this machine multiplies bf16.
pub(crate) fn has_bf16() -> bool {
    kernels::packed::Packing::detect().is_some()
}

/// The instruction set that the kernels run on, for people.
pub(crate) fn instructions() -> &'static str {
    kernels::Cpu::detect().name()
}
