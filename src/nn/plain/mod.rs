//! The plain engine: candle tensors, differentiable operations and candle's autograd.
//!
//! It is the reference that the other engines are tested against, and runs on devices that they do not support. It
//! favors readability over speed. Linear layers process real tokens only; attention pads inputs to the longest one.
//!
//! On NVIDIA GPUs, [`rows`] and `cuda` replace operations of candle that are slow there, with the same results up to
//! rounding.
//!
//! These operations of candle are not used, because they silently drop the gradient: `candle_nn::LayerNorm`,
//! `candle_nn::ops::{layer_norm, rms_norm, softmax_last_dim, sdpa}`.

mod adamw;
mod attention_terms;
#[cfg(feature = "cuda")]
mod cuda;
mod disentangled;
pub(crate) mod dropout;
mod encoder;
mod engine;
mod ops;
mod padding;
mod rows;

#[cfg(test)]
mod tests;

pub(crate) use engine::PlainEngine;
