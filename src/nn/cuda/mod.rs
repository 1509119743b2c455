//! The fast engine of NVIDIA GPUs: an explicit forward and backward pass in preallocated device memory.
//!
//! - Examples are concatenated without padding; only their total is padded to the size of an [`input::Bucket`].
//! - GEMMs run in cuBLAS, all other operations in the kernels of `kernels/`. Each has a counterpart in
//!   [`super::fast`]. Attention in bf16 uses tensor cores, unless its scores depend on the distance of the tokens.
//! - Weights, moments and sums are f32. With `precision` bf16, the GEMMs of the layers read bf16 copies.
//! - Dropout masks are those of the CPU engine: they depend on seed, step and position only.
//! - All values that differ between steps (tokens, learning rate, step) are in device memory, so that a whole step can
//!   be captured as a CUDA graph for each bucket and run with one launch.
//!
//! The kernels of `kernels/plain.cu` belong to [`super::plain`], which launches them on tensors of candle.
//!
//! # Files
//!
//! From top to bottom; each file uses only those below it.
//!
//! | file | content |
//! | --- | --- |
//! | [`engine`] | the `Engine` interface |
//! | [`graphs`] | captured graphs |
//! | [`pass`] | forward and backward pass of the whole model |
//! | [`embed`], [`head`] | of the embeddings, of pooler and classifier |
//! | [`layer`] | forward and backward pass of one encoder layer |
//! | [`average`] | the moving average of the weights |
//! | [`model`], [`parameters`] | weights, gradients and moments |
//! | [`constants`] | tables that no step changes |
//! | [`ops`] | launches of kernels and GEMMs |
//! | [`workspaces`], [`workspace`] | activations and the tape |
//! | [`arena`], [`tensor`], [`input`], [`layout`] | memory layout |
//! | [`device`] | the interface of a device; `gpu` and, for tests, `host` implement it |
//! | [`staging`] | uploads through page-locked memory |
//! | [`step_logits`] | logits of the steps since the last report |

mod arena;
mod average;
mod constants;
mod device;
mod embed;
mod engine;
#[cfg(feature = "cuda")]
mod gpu;
mod graphs;
mod head;
#[cfg(test)]
mod host;
mod input;
mod layer;
mod layout;
mod model;
mod ops;
mod parameters;
mod pass;
mod staging;
mod step_logits;
mod supported;
mod tensor;
#[cfg(test)]
mod tests;
mod workspace;
mod workspaces;

#[cfg(feature = "cuda")]
pub(in crate::nn) use {
    device::{DeviceSlice, Launch},
    gpu::run_launch,
    input::SortedTokens,
    ops::plain,
};

#[cfg(feature = "cuda")]
use super::engine::{Engine, Weights};
#[cfg(feature = "cuda")]
use super::engine_config::EngineConfig;
#[cfg(feature = "cuda")]
use super::{ModelConfig, ParamSpec};
#[cfg(feature = "cuda")]
use crate::error::Result;

/// Environment variable that turns CUDA graphs off if it is `0`.
#[cfg(feature = "cuda")]
const GRAPHS_VARIABLE: &str = "GLUE_TUI_CUDA_GRAPHS";

/// Creates an engine on a GPU that candle has opened, and returns it with the number format of its GEMMs. Messages
/// call the GPU `name`.
#[cfg(feature = "cuda")]
pub(crate) fn engine(
    (config, specs, weights): (&ModelConfig, &[ParamSpec], &Weights),
    settings: EngineConfig,
    device: &candle_core::Device,
    name: &str,
) -> Result<(Box<dyn Engine>, &'static str)> {
    let gpu = gpu::Gpu::new(device, name)?;
    let mut engine = engine::CudaEngine::new(config, specs, weights, settings, gpu)?;
    if std::env::var(GRAPHS_VARIABLE).is_ok_and(|value| value == "0") {
        engine.disable_graphs();
    }
    let precision = engine.precision();
    Ok((Box::new(engine), precision))
}
