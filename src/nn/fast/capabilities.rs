//! What the CPU of this machine supports.

use kernels::Cpu;
use kernels::element_type::ElementType;
use kernels::packed::PackedGemm;

/// Whether the CPU has matrix products in bf16.
pub(crate) fn has_bf16() -> bool {
    PackedGemm::detect(ElementType::Bf16).is_some()
}

/// Name of the instruction set of the kernels.
pub(crate) fn instruction_set() -> &'static str {
    Cpu::detect().name()
}
