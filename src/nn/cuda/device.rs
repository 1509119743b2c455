//! What the engine asks of a device: memory, kernels, matrix products, and a recording of both.
//!
//! A GPU ([`super::gpu`]) does it for users; the tests' host runs the same kernels on the CPU.

use crate::error::Result;
use crate::machine::MemoryInfo;
use std::marker::PhantomData;
use std::ops::Range;

/// The upper half of an f32, rounded.
pub(super) type Bf16 = u16;

/// Numbers one after the other in device memory, or none.
#[derive(Debug)]
pub(super) struct Span<T> {
    address: u64,
    len: usize,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Span<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Span<T> {}

impl<T> Span<T> {
    /// What a kernel takes for nothing.
    pub(super) const NONE: Self = Span { address: 0, len: 0, kind: PhantomData };

    pub(super) fn new(address: u64, len: usize) -> Self {
        Span { address, len, kind: PhantomData }
    }

    pub(super) fn address(self) -> u64 {
        self.address
    }

    pub(super) fn len(self) -> usize {
        self.len
    }

    pub(super) fn is_none(self) -> bool {
        self.address == 0
    }

    /// Some of them.
    pub(super) fn slice(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        Span { address: self.address + (range.start * size_of::<T>()) as u64, len: range.len(), ..self }
    }

    /// The first of them.
    pub(super) fn first(self, len: usize) -> Self {
        self.slice(0..len)
    }
}

/// The file that a kernel is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    Attention,
    AttentionBf16,
    Columns,
    Head,
    Norm,
    Optimizer,
}

/// A function of `kernels/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) module: Module,
    pub(super) name: &'static str,
}

/// What a kernel is given, each at a place that is a multiple of eight bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    cells: Vec<u64>,
    starts: Vec<usize>,
}

impl Arguments {
    /// Numbers, or none.
    pub(super) fn span<T>(self, span: Span<T>) -> Self {
        self.long(span.address)
    }

    /// A whole number of 32 bits.
    pub(super) fn int(self, x: usize) -> Self {
        self.words(&[i32::try_from(x).expect("sizes of a model have 31 bits") as u32])
    }

    pub(super) fn float(self, x: f32) -> Self {
        self.words(&[x.to_bits()])
    }

    /// A whole number of 64 bits.
    pub(super) fn long(mut self, x: u64) -> Self {
        self.starts.push(self.cells.len());
        self.cells.push(x);
        self
    }

    /// A structure of 32 bits each, or of pairs of them.
    pub(super) fn words(mut self, words: &[u32]) -> Self {
        self.starts.push(self.cells.len());
        let pair = |pair: &[u32]| u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 32;
        self.cells.extend(words.chunks(2).map(pair));
        self
    }

    /// The first word of each; a structure goes on behind it.
    pub(super) fn firsts(&self) -> impl Iterator<Item = &u64> {
        self.starts.iter().map(|start| &self.cells[*start])
    }
}

/// A kernel with all that it needs.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) kernel: Kernel,
    /// Blocks.
    pub(super) grid: [usize; 3],
    /// Threads of a block.
    pub(super) threads: usize,
    pub(super) arguments: Arguments,
}

/// What a matrix product reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum GemmOperand {
    F32(Span<f32>),
    Bf16(Span<Bf16>),
}

impl GemmOperand {
    pub(super) fn len(self) -> usize {
        match self {
            GemmOperand::F32(span) => span.len(),
            GemmOperand::Bf16(span) => span.len(),
        }
    }
}

/// Which of the three products of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GemmKind {
    /// out (rows, outs) = x (rows, ins) · Wᵀ, of x and W (outs, ins)
    Forward,
    /// out (rows, ins) = d (rows, outs) · W, of d and W
    Backward,
    /// out (outs, ins) = dᵀ · x, of d and x
    Weights,
}

/// A matrix product. Both factors have the same format; sums are f32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub(super) way: GemmKind,
    pub(super) rows: usize,
    pub(super) outs: usize,
    pub(super) ins: usize,
    pub(super) factors: [GemmOperand; 2],
    pub(super) out: Span<f32>,
    /// Whether it is added to what is there.
    pub(super) is_added: bool,
    /// Whether f32 factors may be rounded to TF32.
    pub(super) is_rounded: bool,
}

impl Product {
    /// Holds the lengths of what is given against the sizes.
    pub(super) fn check(&self) {
        let Product { rows, outs, ins, .. } = *self;
        let (x, d, weight) = (rows * ins, rows * outs, outs * ins);
        let (left, right, out) = match self.way {
            GemmKind::Forward => (x, weight, d),
            GemmKind::Backward => (d, weight, x),
            GemmKind::Weights => (d, x, weight),
        };
        let found = (self.factors[0].len(), self.factors[1].len(), self.out.len());
        assert_eq!(found, (left, right, out), "lengths of {self:?}");
    }
}

/// A device with one stream: what it is asked for happens in that order.
///
/// Spans have to lie in memory that [`Device::allocate`] gave and that is still held.
pub(super) trait Device: Send {
    /// Memory that is given back when dropped.
    type MemoryInfo: Send;
    /// Launches and products that can be done again.
    type Recording: Send;

    /// So many bytes of zeros.
    fn allocate(&mut self, bytes: usize) -> Result<Self::MemoryInfo>;

    /// Where it begins: a multiple of 256.
    fn address(memory: &Self::MemoryInfo) -> u64;

    fn write(&mut self, to: Span<u32>, words: &[u32]) -> Result<()>;

    /// Waits for all that was asked before.
    fn read(&self, from: Span<u32>, words: &mut [u32]) -> Result<()>;

    fn launch(&mut self, launch: Launch) -> Result<()>;

    fn multiply(&mut self, product: Product) -> Result<()>;

    /// Takes down what `work` launches and multiplies, without doing it.
    fn record(&mut self, work: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<Self::Recording>;

    /// Does what was recorded.
    fn replay(&mut self, recording: &Self::Recording) -> Result<()>;

    /// What the device has, and what a program can still have of it.
    fn available_memory(&self) -> Option<MemoryInfo>;

    /// For people.
    fn name(&self) -> String;
}
