//! The neural network: token ids in, logits and gradients out. It knows nothing of data sets, runs or the
//! terminal.
//!
//! Other modules use it only through the [`Engine`] trait, which takes and returns plain arrays. [`build`] makes
//! an engine from a model folder, [`for_inference`] from the folder of a finished classifier, [`from_config`]
//! from a configuration alone, with random weights.

mod adapter;
mod architecture;
mod arena;
mod blas_guard;
mod build;
mod capabilities;
mod check;
mod config;
pub mod coverage;
#[cfg(any(test, feature = "cuda"))]
mod cuda;
#[cfg(any(test, feature = "cuda"))]
mod cuda_requirements;
mod device;
mod encoder_layer;
mod engine;
mod engine_config;
mod error_text;
mod fast;
mod flops;
mod head;
mod id2label;
mod integrated_gradients;
mod load;
mod lora;
mod loss;
mod matmul_rate;
mod onnx;
mod param_groups;
mod params;
mod plain;
mod positions;
#[cfg(test)]
pub(crate) mod random_architectures;
mod relative_positions;
mod rotary;
mod save;
mod save_adapters;
mod self_check;
mod weight_files;

pub use adapter::{AdapterConfig, TargetModules};
pub use architecture::{ARCHITECTURES, Architecture, is_key_bias};
pub use build::{BuildOptions, Built, build, for_inference, from_config};
pub use capabilities::{ENGINES, cuda_toolkit, instruction_set, precisions};
pub use config::ModelConfig;
pub use device::{DeviceKind, devices, gpus};
pub use engine::{
    Array, ByOp, ByPhase, Distillation, Engine, EngineState, InputGradients, Interpolation, KernelRate,
    MemoryPlan, OptimizerConfig, ParamState, Profile, StepInput, StepReport, Weights,
};
pub use flops::step_flops;
pub use id2label::Id2Label;
pub use integrated_gradients::integrated_gradients;
pub use kernels::activation::Activation;
pub use kernels::op_cost::OpCost;
pub use load::{LoadReport, divide_outputs, permute_outputs};
pub use lora::Lora;
pub use matmul_rate::{cached_matmul_rate, gemm_crate_rate, kernel_rates, matmul_rate, measure_matmul_rate};
pub use onnx::{MAX_ONNX_BYTES, ONNX_DATA, ONNX_MODEL, OnnxInputs, OnnxPrecision, write_onnx};
pub use param_groups::{FrozenPrefix, ParamGroups};
pub use params::{Init, ModelPart, ParamSpec, param_specs};
pub use save::{
    TensorSource, read_arrays, read_arrays_with_prefix, save_config, save_model, write_arrays, write_tensors,
};
pub use save_adapters::{export_adapters, save_adapters};
