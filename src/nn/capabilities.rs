//! What this build of the program and this machine support.

use super::fast;

/// The engines, by their values of the key `engine`.
pub const ENGINES: &[&str] = &["plain", "fast"];

/// The version of the CUDA toolkit that this program is built with: `13.0`; `None` without CUDA.
pub fn cuda_toolkit() -> Option<&'static str> {
    #[cfg(feature = "cuda")]
    return Some(env!("GLUE_TUI_CUDA_VERSION"));
    #[cfg(not(feature = "cuda"))]
    None
}

/// The precisions of matrix products that the CPU supports, by their names; int8 in inference only.
pub fn precisions() -> &'static [&'static str] {
    if fast::has_bf16() { &["f32", "bf16", "int8"] } else { &["f32", "int8"] }
}

/// The instruction set that the kernels of the CPU engine use: `AVX-512`, `AVX2`, `NEON` or `plain`.
pub fn instruction_set() -> &'static str {
    fast::instruction_set()
}
