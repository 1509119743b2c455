//! The fast engine of the CPU: hand-written forward and backward passes over flat arenas, without autograd.
//!
//! - Tokens are never padded; attention runs per example and head ([`kernels::attention`]).
//! - A batch is split by tokens into shards, each with its own buffers. Gradients of the encoder's matrices are
//!   matrix products over the rows of all shards; gradients of vectors (biases, LayerNorm) are added shard by shard
//!   in a fixed order. The same seed and number of threads therefore give the same bits.
//! - The last layer computes only the state of each example's first token, if the head uses no other
//!   ([`row_selection`]).
//! - Attention with windows or rotary positions runs in tiles ([`kernels::tiled_attention`]), so that memory is linear in
//!   the number of tokens.
//! - The gradient of the word embedding is stored for the rows that occur in the batch, and AdamW skips rows that
//!   never had a gradient ([`sparse_embedding_grad`]).
//! - With precision int8, which is for inference, the products of the layers use quantized matrices ([`int8`]).
//!
//! [`layer`] is one encoder layer, [`shard`] the forward and backward pass of a shard, [`gradients`] the gradients
//! that all shards compute together, [`engine`] the [`Engine`](super::engine::Engine) that runs them. The numerical
//! loops are in [`kernels`].

mod adapters;
mod average;
mod capabilities;
mod chunks;
mod engine;
mod frozen_outputs;
mod gradients;
mod int8;
mod kernel_rates;
mod layer;
mod layer_buffers;
mod layer_sizes;
mod layout;
mod loss;
mod matmul_rate;
mod memory_plan;
mod model;
mod pooling;
mod relative_embeddings;
mod relative_projection;
mod row_selection;
mod saved_norm;
mod shard;
mod sparse_embedding_grad;
mod tape;
mod threads;
mod workspace;

pub(crate) use capabilities::{has_bf16, instruction_set};
pub(crate) use engine::FastEngine;
pub(crate) use kernel_rates::kernel_rates;
pub(crate) use matmul_rate::{gemm_crate_rate, matmul_rate};
pub(crate) use threads::thread_count;
