//! The fast engine of NVIDIA GPUs: forward and backward written out over device memory that is there before the
//! first step.
//!
//! - Tokens are never padded but for the few that fill a [`input::Bucket`]; attention runs over real tokens.
//! - Products go to cuBLAS, all else to kernels of our own in `kernels/`, each with its twin in [`super::fast`].
//!   Attention of bf16 is done by tensor cores.
//! - Weights, moments and sums are f32; products of the layers read bf16 copies where `precision` says so.
//! - Dropout draws the CPU's masks: they depend on seed, step and place only.
//! - What is another in each step (tokens, learning rate, step) lies in device memory, so that a whole step can be
//!   recorded as a CUDA graph, for each bucket, and is one launch.
//!
//! [`layer`] is one encoder layer; [`pass`] what is before and after the layers; [`engine`] the rest. [`ops`]
//! launch kernels on a [`device`]: a GPU, or in tests the CPU, for which the same sources are compiled.

mod buffers;
mod device;
mod engine;
#[cfg(feature = "cuda")]
mod gpu;
#[cfg(test)]
mod host;
mod input;
mod layer;
mod layout;
mod ops;
mod pass;
#[cfg(test)]
mod tests;

#[cfg(feature = "cuda")]
use super::engine::{Engine, Weights};
#[cfg(feature = "cuda")]
use super::{EngineConfig, ModelConfig, ParamSpec};
#[cfg(feature = "cuda")]
use crate::error::Result;

/// An engine on the GPU that candle has opened, which people call `name`; and the number format of its layers'
/// products.
#[cfg(feature = "cuda")]
pub(crate) fn engine(
    (config, specs, weights): (&ModelConfig, &[ParamSpec], &Weights),
    settings: EngineConfig,
    device: &candle_core::Device,
    name: &str,
) -> Result<(Box<dyn Engine>, &'static str)> {
    let gpu = gpu::Gpu::of(device, name)?;
    let engine = engine::CudaEngine::new(config, specs, weights, settings, gpu)?;
    let precision = engine.precision();
    Ok((Box::new(engine), precision))
}
