//! Packed products on machines that have no instructions for them: there are none.

/// What products are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As they are.
    F32,
    /// Rounded to the nearest.
    Bf16,
}

/// There is none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Packing {}

/// An operand that nothing takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a> {
    Along { numbers: &'a [f32], k: usize },
    Across { parts: &'a [&'a [f32]], lines: usize },
}

impl Packing {
    /// This machine cannot.
    pub(crate) fn detect(_: Format) -> Option<Self> {
        None
    }

    pub(crate) fn name(self) -> Option<&'static str> {
        match self {}
    }

    pub(crate) fn product(self, _: &mut [f32], _: Operand<'_>, _: Operand<'_>, _: bool, _: usize) {
        match self {}
    }
}
