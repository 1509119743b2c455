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
mod rows;
mod shard;
mod tape;

pub(crate) use engine::FastEngine;

/// What a shard computes on.
#[derive(Debug, Clone, Copy)]
struct Machine {
    cpu: kernels::Cpu,
    /// Threads of one matrix product.
    threads: usize,
}

/// The instruction set that the kernels run on, for people.
pub(crate) fn instructions() -> &'static str {
    kernels::Cpu::detect().name()
}
