//! The [`Device`] trait: allocation, copies, kernel launches, GEMMs and graph capture.
//!
//! [`super::gpu`] implements it for an NVIDIA GPU. For the tests, [`super::host`] implements it for the CPU, with the
//! same kernel sources.

use crate::error::Result;
use crate::machine::MemoryInfo;
use std::marker::PhantomData;
use std::ops::Range;

/// The bits of a bf16: the upper half of an f32, rounded.
pub(super) type Bf16 = u16;

/// A slice of device memory: address and length in elements, or a null pointer.
#[derive(Debug)]
pub(in crate::nn) struct DeviceSlice<T> {
    address: u64,
    len: usize,
    element: PhantomData<fn() -> T>,
}

impl<T> Clone for DeviceSlice<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DeviceSlice<T> {}

impl<T> DeviceSlice<T> {
    /// The null pointer, for an optional kernel argument.
    pub(in crate::nn) const NULL: Self = DeviceSlice { address: 0, len: 0, element: PhantomData };

    pub(in crate::nn) fn new(address: u64, len: usize) -> Self {
        DeviceSlice { address, len, element: PhantomData }
    }

    pub(super) fn address(self) -> u64 {
        self.address
    }

    /// Number of elements.
    pub(in crate::nn) fn len(self) -> usize {
        self.len
    }

    pub(super) fn is_null(self) -> bool {
        self.address == 0
    }

    /// The elements in `range`.
    ///
    /// # Panics
    ///
    /// If the range is out of bounds.
    pub(in crate::nn) fn slice(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        DeviceSlice {
            address: self.address + (range.start * size_of::<T>()) as u64,
            len: range.len(),
            ..self
        }
    }

    /// The first `len` elements.
    pub(super) fn prefix(self, len: usize) -> Self {
        self.slice(0..len)
    }
}

/// The source file of a kernel; each is compiled to a CUDA module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    Attention,
    AttentionBf16,
    Columns,
    Head,
    Norm,
    Optimizer,
    Plain,
}

/// A kernel in `kernels/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) module: Module,
    /// The name of the function in the source.
    pub(super) name: &'static str,
}

/// The arguments of a kernel, each aligned to 8 bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    words: Vec<u64>,
    /// Index into `words` of each argument.
    starts: Vec<usize>,
}

impl Arguments {
    /// A pointer, possibly null.
    pub(super) fn slice<T>(self, slice: DeviceSlice<T>) -> Self {
        self.u64(slice.address)
    }

    /// An `int`.
    ///
    /// # Panics
    ///
    /// If `x` exceeds 31 bits.
    pub(super) fn int(self, x: usize) -> Self {
        self.structure(&[i32::try_from(x).expect("sizes of a model have 31 bits") as u32])
    }

    pub(super) fn float(self, x: f32) -> Self {
        self.structure(&[x.to_bits()])
    }

    /// An integer of 64 bits.
    pub(super) fn u64(mut self, x: u64) -> Self {
        self.starts.push(self.words.len());
        self.words.push(x);
        self
    }

    /// A structure passed by value, as its 32-bit words; a 64-bit field takes two, the low one first.
    pub(super) fn structure(mut self, fields: &[u32]) -> Self {
        self.starts.push(self.words.len());
        let pair = |pair: &[u32]| u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 32;
        self.words.extend(fields.chunks(2).map(pair));
        self
    }

    /// A reference to the first word of each argument. The remaining words of a structure follow it in memory.
    pub(super) fn pointers(&self) -> impl Iterator<Item = &u64> {
        self.starts.iter().map(|start| &self.words[*start])
    }
}

/// A kernel launch.
#[derive(Debug, Clone)]
pub(in crate::nn) struct Launch {
    pub(super) kernel: Kernel,
    /// Number of blocks in x, y and z.
    pub(super) grid: [usize; 3],
    /// Threads per block.
    pub(super) threads: usize,
    pub(super) arguments: Arguments,
}

/// An input matrix of a GEMM.
#[derive(Debug, Clone, Copy)]
pub(super) enum GemmOperand {
    F32(DeviceSlice<f32>),
    Bf16(DeviceSlice<Bf16>),
}

impl GemmOperand {
    /// Number of elements.
    pub(super) fn len(self) -> usize {
        match self {
            GemmOperand::F32(slice) => slice.len(),
            GemmOperand::Bf16(slice) => slice.len(),
        }
    }
}

/// The three GEMMs of a linear layer y = x · Wᵀ, with d the gradient of y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GemmKind {
    /// y (rows, out_features) = x (rows, in_features) · Wᵀ, with W (out_features, in_features); operands `[x, W]`.
    Forward,
    /// dx (rows, in_features) = d (rows, out_features) · W; operands `[d, W]`.
    InputGrad,
    /// dW (out_features, in_features) = dᵀ · x; operands `[d, x]`.
    WeightGrad,
}

/// A GEMM. Both operands have the same type; the output and all sums are f32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gemm {
    pub(super) kind: GemmKind,
    pub(super) rows: usize,
    pub(super) out_features: usize,
    pub(super) in_features: usize,
    pub(super) operands: [GemmOperand; 2],
    pub(super) output: DeviceSlice<f32>,
    /// Whether the product is added to the output (beta = 1) or replaces it (beta = 0).
    pub(super) accumulate: bool,
    /// Whether f32 operands may be rounded to TF32.
    pub(super) allow_tf32: bool,
}

impl Gemm {
    /// Checks the lengths of operands and output against the sizes.
    ///
    /// # Panics
    ///
    /// If they differ.
    pub(super) fn check(&self) {
        let Gemm { rows, out_features, in_features, .. } = *self;
        let (x, d, weight) = (rows * in_features, rows * out_features, out_features * in_features);
        let expected = match self.kind {
            GemmKind::Forward => (x, weight, d),
            GemmKind::InputGrad => (d, weight, x),
            GemmKind::WeightGrad => (d, x, weight),
        };
        let found = (self.operands[0].len(), self.operands[1].len(), self.output.len());
        assert_eq!(found, expected, "lengths of {self:?}");
    }
}

/// A device with one stream: operations run in the order of the calls.
///
/// Every [`DeviceSlice`] passed in must lie within a buffer from [`Device::allocate`] that has not been dropped.
pub(super) trait Device: Send {
    /// An allocation, freed on drop.
    type Buffer: Send;
    /// A captured sequence of launches and GEMMs.
    type Graph: Send;

    /// Allocates `bytes` bytes of zeros.
    ///
    /// # Errors
    ///
    /// If the device has too little free memory.
    fn allocate(&mut self, bytes: usize) -> Result<Self::Buffer>;

    /// The address of a buffer, a multiple of 256.
    fn address(buffer: &Self::Buffer) -> u64;

    /// Copies `words` from the host to the device.
    fn write(&mut self, to: DeviceSlice<u32>, words: &[u32]) -> Result<()>;

    /// Waits for all earlier operations, then copies from the device to `words`.
    fn read(&self, from: DeviceSlice<u32>, words: &mut [u32]) -> Result<()>;

    /// Copies between slices of the same length, outside of a capture.
    fn copy(&mut self, from: DeviceSlice<f32>, to: DeviceSlice<f32>) -> Result<()>;

    /// Launches a kernel.
    fn launch(&mut self, launch: Launch) -> Result<()>;

    /// Runs a GEMM.
    fn gemm(&mut self, gemm: Gemm) -> Result<()>;

    /// Captures the launches and GEMMs that `work` enqueues as a graph, without running them.
    fn capture(&mut self, work: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<Self::Graph>;

    /// Runs a captured graph.
    fn launch_graph(&mut self, graph: &Self::Graph) -> Result<()>;

    /// Total and free memory, if known.
    fn available_memory(&self) -> Option<MemoryInfo>;

    /// The name that messages show.
    fn name(&self) -> String;
}

/// Waits for the device and copies from it.
pub(super) fn read_f32s<D: Device>(device: &D, from: DeviceSlice<f32>) -> Result<Vec<f32>> {
    let mut words = vec![0; from.len()];
    device.read(DeviceSlice::new(from.address(), from.len()), &mut words)?;
    Ok(words.into_iter().map(f32::from_bits).collect())
}
