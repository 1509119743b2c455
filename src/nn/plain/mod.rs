//! The plain engine: candle's tensors, composed differentiable operations, candle's autograd.
//!
//! It is the oracle that faster engines are held against, and serves devices that have none. It is
//! written to be read; linear layers work on real tokens only, and attention alone pads.
//!
//! Not used, because they cut the gradient without a word: `candle_nn::LayerNorm`,
//! `candle_nn::ops::{layer_norm, rms_norm, softmax_last_dim, sdpa}`.

mod adamw;
mod dropout;
mod encoder;
mod engine;
mod ops;

#[cfg(test)]
mod tests;

pub(crate) use engine::PlainEngine;
