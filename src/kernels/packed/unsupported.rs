//! [`PackedGemm`] on architectures that it has no kernels for.

use super::element_type::ElementType;

/// A matrix product that this architecture does not support; it has no values.
#[derive(Debug, Clone, Copy)]
pub enum PackedGemm {}

/// An operand of a matrix product.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a> {
    KContiguous { data: &'a [f32], k: usize },
    KStrided { parts: &'a [&'a [f32]], lines: usize },
}

impl PackedGemm {
    /// Always `None`.
    pub fn detect(_: ElementType) -> Option<Self> {
        None
    }

    /// Name to display; there is none.
    pub fn name(self) -> Option<&'static str> {
        match self {}
    }

    pub(crate) fn max_small_rows(self) -> usize {
        match self {}
    }

    pub(crate) fn run(self, _: &mut [f32], _: Operand<'_>, _: Operand<'_>, _: bool, _: usize) {
        match self {}
    }
}
