//! Dynamic int8 quantization of linear layers for inference (Jacob et al. 2017, <https://arxiv.org/abs/1712.05877>).
//!
//! - A *weight* W (outputs, inputs) is quantized once, symmetrically, with a scale for each output:
//!   w ≈ s_w · w_q, w_q from −127 to 127 ([`QuantizedMatrix`]).
//! - An *activation* x is quantized for each product, with a scale and a zero point z for each row:
//!   x ≈ s_x · (x_q − z), x_q from 0 to 255 ([`QuantizedRows`]).
//! - y = s_x s_w · (Σ x_q w_q − z Σ w_q): the sums are exact in i32, so every [`Int8Kernel`] gives the same bits, for any
//!   number of threads.
//!
//! Four elements that are adjacent along the inputs are a *word*, as the instruction `vpdpbusd` multiplies them. A weight is
//! packed in *panels* of [`PANEL`](format::PANEL) outputs: (panels, words, outputs of a panel, 4). A row of an activation is stored as words. Both are
//! padded with zeros.

mod activations;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod epilogue;
mod format;
mod kernel;
mod portable;
mod product;
#[cfg(test)]
mod tests;
mod tile;
mod weight;

pub use activations::QuantizedRows;
pub use epilogue::Epilogue;
pub use format::MAX_INPUTS;
pub use kernel::Int8Kernel;
pub use product::product;
pub use weight::QuantizedMatrix;
