//! The fast engine of the CPU: forward and backward written out over flat arenas, without autograd.
//!
//! - Tokens are never padded; attention runs for each example and head ([`kernels::attention`]).
//! - A batch is split over shards by tokens, each with buffers of its own. Gradients of matrices are products
//!   over the rows of all shards, those of biases and norms are added in a fixed order: the same seed and
//!   number of threads give the same bits.
//! - Of the last layer only the first token's state is made, since no other is looked at ([`rows`]).
//! - Gradients of words are kept for the rows that a batch has, and AdamW passes over rows that never had
//!   one.
//!
//! [`layer`] is one encoder layer; [`shard`] what is before and after the layers; [`gradients`] what shards
//! make together; [`engine`] lets them work. `kernels` has the loops.

mod chunks;
mod engine;
mod gradients;
mod kernels;
mod layer;
mod layout;
mod memory;
mod peak;
mod rates;
mod row_selection;
mod shard;
mod sparse_embedding_grad;
mod tape;
mod work;

pub(crate) use engine::FastEngine;

use super::config::ModelConfig;
use super::engine::KernelRate;
use crate::batch::Batch;
use kernels::packed::Format;
use kernels::product::Multiplier;

/// Most shards of a batch: each reads all weights.
const MOST_SHARDS: usize = 4;

/// Threads of an engine: all cores unless told otherwise.
pub(crate) fn threads(told: Option<usize>) -> usize {
    told.unwrap_or_else(rayon::current_num_threads).max(1)
}

/// Threads of each of so many shares of a batch.
fn threads_each(threads: usize, shares: usize) -> usize {
    threads.div_ceil(shares.max(1))
}

/// Operations a second of a layer's products alone, on as many shards and threads as an engine has.
pub(crate) fn product_rate(config: &ModelConfig, rows: usize, is_bf16: bool, threads: Option<usize>) -> f64 {
    let format = if is_bf16 { Format::Bf16 } else { Format::F32 };
    peak::product_rate(config, rows, Multiplier::fastest(format), self::threads(threads))
}

/// The same by the `gemm` crate, in f32.
pub(crate) fn gemm_rate(config: &ModelConfig, rows: usize, threads: Option<usize>) -> f64 {
    peak::product_rate(config, rows, Multiplier::Gemm, self::threads(threads))
}

/// How fast each kernel is alone, on one thread, over the tokens of `batch`.
pub(crate) fn kernel_rates(config: &ModelConfig, batch: &Batch, is_bf16: bool) -> Vec<KernelRate> {
    let format = if is_bf16 { Format::Bf16 } else { Format::F32 };
    rates::kernel_rates(config, batch, Multiplier::fastest(format))
}

/// Whether this machine multiplies bf16.
pub(crate) fn has_bf16() -> bool {
    kernels::packed::Packing::detect(Format::Bf16).is_some()
}

/// The instruction set that the kernels run on, for people.
pub(crate) fn instructions() -> &'static str {
    kernels::Cpu::detect().name()
}
