//! [`Ops`]: a device with the input of a pass, and the GEMMs of linear layers.

use crate::error::Result;
use crate::nn::cuda::device::{
    Arguments, Device, DeviceSlice, Gemm, GemmKind, GemmOperand, Kernel, Launch, Module,
};
use crate::nn::cuda::input::Input;
use crate::nn::cuda::tensor::{MAX_PARTIAL_ROWS, MixedTensor};

/// Threads per block of all kernels except attention.
pub(super) const THREADS: usize = 256;

/// A dropout site of the model: the structure `DropoutSite` of the kernels.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct DropoutSite {
    id: u32,
    /// A value is dropped if its random number is smaller; 0 disables dropout.
    threshold: u32,
    /// Factor of the values that are not dropped, 1 / (1 - rate).
    scale: f32,
}

impl DropoutSite {
    /// No dropout.
    pub(in crate::nn::cuda) const DISABLED: Self = DropoutSite { id: 0, threshold: 0, scale: 1.0 };

    pub(in crate::nn::cuda) fn new(id: u32, threshold: u32, scale: f32) -> Self {
        DropoutSite { id, threshold, scale }
    }

    /// Whether any value may be dropped.
    pub(in crate::nn::cuda) fn is_enabled(self) -> bool {
        self.threshold > 0
    }

    /// The fields of the kernels' structure.
    pub(super) fn fields(self) -> [u32; 3] {
        [self.id, self.threshold, self.scale.to_bits()]
    }
}

/// The rows of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nn::cuda) enum Rows {
    /// One row per token.
    All,
    /// One row per example, that of its first token.
    First,
}

/// A device, and the input of the pass that it computes.
pub(in crate::nn::cuda) struct Ops<'a, D> {
    pub(in crate::nn::cuda) device: &'a mut D,
    pub(in crate::nn::cuda) input: Input,
    /// Whether GEMMs of f32 operands may round them to TF32.
    pub(in crate::nn::cuda) allow_tf32: bool,
}

impl<D: Device> Ops<'_, D> {
    /// Number of rows in the bucket, including padding.
    pub(in crate::nn::cuda) fn len(&self, rows: Rows) -> usize {
        match rows {
            Rows::All => self.input.bucket.tokens,
            Rows::First => self.input.bucket.examples,
        }
    }

    /// The number of rows without padding, in device memory.
    pub(super) fn count(&self, rows: Rows) -> DeviceSlice<u32> {
        match rows {
            Rows::All => self.input.token_count(),
            Rows::First => self.input.example_count(),
        }
    }

    /// The token of each row, or null if row i belongs to token i.
    pub(super) fn row_tokens(&self, rows: Rows) -> DeviceSlice<u32> {
        match rows {
            Rows::All => DeviceSlice::NULL,
            Rows::First => self.input.offsets,
        }
    }

    /// Number of blocks that share a sum over rows. It is large enough to fill a GPU, and the same for all sums of a
    /// bucket, so that they can be reduced by one launch.
    pub(super) fn partial_rows(&self) -> usize {
        (self.input.bucket.tokens / 4).clamp(32, MAX_PARTIAL_ROWS)
    }

    /// Launches a kernel with [`THREADS`] threads per block.
    pub(super) fn launch(
        &mut self,
        module: Module,
        name: &'static str,
        grid: [usize; 3],
        arguments: Arguments,
    ) -> Result<()> {
        self.launch_threads(Kernel { module, name }, grid, THREADS, arguments)
    }

    pub(super) fn launch_threads(
        &mut self,
        kernel: Kernel,
        grid: [usize; 3],
        threads: usize,
        arguments: Arguments,
    ) -> Result<()> {
        self.device.launch(Launch { kernel, grid, threads, arguments })
    }

    /// Arguments that begin with the structure `StepParams`.
    pub(super) fn step_arguments(&self) -> Arguments {
        Arguments::default().slice(self.input.step)
    }

    /// Runs a GEMM with sizes (rows, out_features, in_features).
    fn gemm(
        &mut self,
        kind: GemmKind,
        (rows, out_features, in_features): (usize, usize, usize),
        operands: [GemmOperand; 2],
        output: DeviceSlice<f32>,
        accumulate: bool,
    ) -> Result<()> {
        let allow_tf32 = self.allow_tf32;
        let gemm = Gemm { kind, rows, out_features, in_features, operands, output, accumulate, allow_tf32 };
        gemm.check();
        self.device.gemm(gemm)
    }

    /// `out` (rows, out_features) = `x` (rows, in_features) · Wᵀ
    pub(in crate::nn::cuda) fn linear(
        &mut self,
        out: DeviceSlice<f32>,
        x: GemmOperand,
        weight: GemmOperand,
        in_features: usize,
    ) -> Result<()> {
        let (rows, out_features) = (x.len() / in_features, weight.len() / in_features);
        let sizes = (rows, out_features, in_features);
        self.gemm(GemmKind::Forward, sizes, [x, weight], out.prefix(rows * out_features), false)
    }

    /// `dx` (rows, in_features) = `d` (rows, out_features) · W; `+=` if `accumulate` is set.
    pub(in crate::nn::cuda) fn linear_input_grad(
        &mut self,
        dx: DeviceSlice<f32>,
        d: GemmOperand,
        weight: GemmOperand,
        in_features: usize,
        accumulate: bool,
    ) -> Result<()> {
        let out_features = weight.len() / in_features;
        let rows = d.len() / out_features;
        let sizes = (rows, out_features, in_features);
        self.gemm(GemmKind::InputGrad, sizes, [d, weight], dx.prefix(rows * in_features), accumulate)
    }

    /// `dw` (out_features, in_features) = `d`ᵀ · `x`, with `d` (rows, out_features) and `x` (rows, in_features); `+=`
    /// if `accumulate` is set.
    pub(in crate::nn::cuda) fn linear_weight_grad(
        &mut self,
        dw: DeviceSlice<f32>,
        d: GemmOperand,
        x: GemmOperand,
        rows: usize,
        accumulate: bool,
    ) -> Result<()> {
        let sizes = (rows, d.len() / rows, x.len() / rows);
        self.gemm(GemmKind::WeightGrad, sizes, [d, x], dw, accumulate)
    }
}

/// Adds the first `len` elements of a tensor to `arguments`: the f32 pointer, then the bf16 pointer; either may be
/// null.
pub(super) fn mixed_arguments(arguments: Arguments, x: MixedTensor, len: usize) -> Arguments {
    let f32 = if x.f32.is_null() { x.f32 } else { x.f32.prefix(len) };
    let bf16 = if x.bf16.is_null() { x.bf16 } else { x.bf16.prefix(len) };
    arguments.slice(f32).slice(bf16)
}
