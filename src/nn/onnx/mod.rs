//! A classifier as an ONNX model (<https://onnx.ai>), with the inputs and outputs that Optimum gives such models.
//!
//! The graph is built from the description of the architecture, as the engines are: [`encoder`] goes over it once, from
//! token ids to logits, with [`modules`] for what it consists of. Number and length of the texts are known when the graph
//! runs. [`file`] writes it.

mod attention;
mod disentangled;
mod distances;
mod encoder;
mod file;
mod graph;
mod initializer;
mod inputs;
mod modules;
mod precision;
mod proto;
#[cfg(test)]
mod tests;
mod write;

pub use file::{ONNX_DATA, ONNX_MODEL};
pub use precision::OnnxPrecision;
pub use write::{MAX_ONNX_BYTES, OnnxInputs, write_onnx};
