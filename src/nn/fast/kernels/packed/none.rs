//! Packed products on machines that have no instructions for them: there are none.

/// There is none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Packing {}

/// There is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand(Packing);

impl Packing {
    /// This machine cannot.
    pub(crate) fn detect() -> Option<Self> {
        None
    }

    pub(crate) fn right_words(self, _: usize, _: usize) -> usize {
        match self {}
    }

    pub(crate) fn right(self, _: &[u32], _: usize, _: usize) -> Operand {
        match self {}
    }

    pub(crate) fn rows(self, _: &[f32], _: usize, _: &mut Vec<u32>) -> Operand {
        match self {}
    }

    pub(crate) fn strips(self, _: &[f32], _: usize, _: &mut Vec<u32>) -> Operand {
        match self {}
    }

    pub(crate) fn columns(self, _: &[f32], _: usize, _: &mut [u32]) {
        match self {}
    }

    pub(crate) fn turned(self, _: &[f32], _: usize, _: &mut [u32]) {
        match self {}
    }

    pub(crate) fn product(self, _: &mut [f32], left: Operand, _: Operand, _: bool, _: usize) {
        match left.0 {}
    }
}
