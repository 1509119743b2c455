//! Gradient clipping and AdamW.

use super::context::{Ops, THREADS};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Bf16, Device, DeviceSlice, Kernel, Launch, Module};
use crate::nn::engine::OptimizerConfig;

/// Number of blocks that sum up the squares of the gradient.
pub(in crate::nn::cuda) const NORM_BLOCKS: usize = 1024;

/// Dense parameters that a block of the AdamW kernel updates.
const CHUNK: usize = 4 * THREADS;

/// The tensors that AdamW reads and writes. Arenas are laid out by [`crate::nn::cuda::layout`].
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct AdamWTensors {
    pub(in crate::nn::cuda) weights: DeviceSlice<f32>,
    pub(in crate::nn::cuda) gradients: DeviceSlice<f32>,
    pub(in crate::nn::cuda) first_moments: DeviceSlice<f32>,
    pub(in crate::nn::cuda) second_moments: DeviceSlice<f32>,
    /// The bf16 copy of the matrices of the layers, or null.
    pub(in crate::nn::cuda) bf16_weights: DeviceSlice<Bf16>,
    /// Offset in the arena of the first element that `bf16_weights` copies.
    pub(in crate::nn::cuda) layer_matrices: usize,
    /// Offset in the arena of the first element without weight decay.
    pub(in crate::nn::cuda) no_decay: usize,
    /// Shape of the embeddings of words and positions together, which are at the beginning of the arena.
    pub(in crate::nn::cuda) embeddings: [usize; 2],
    /// For each of their rows, the stamp of the last step with a gradient for it.
    pub(in crate::nn::cuda) stamps: DeviceSlice<u32>,
    /// For each of their rows, 1 if its moments may differ from 0.
    pub(in crate::nn::cuda) has_moments: DeviceSlice<u32>,
    /// The structure `Report`.
    pub(in crate::nn::cuda) report: DeviceSlice<u32>,
    /// Sums of squares of the gradient, one per block: ([`NORM_BLOCKS`])
    pub(in crate::nn::cuda) square_sums: DeviceSlice<f32>,
}

/// The structure `AdamW` of the kernels.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct AdamWHyperparameters {
    /// 1 - beta1
    pub(in crate::nn::cuda) one_minus_beta1: f32,
    pub(in crate::nn::cuda) beta2: f32,
    /// 1 - beta2
    pub(in crate::nn::cuda) one_minus_beta2: f32,
    pub(in crate::nn::cuda) epsilon: f32,
}

impl AdamWHyperparameters {
    /// Those of `config`.
    pub(in crate::nn::cuda) fn new(config: &OptimizerConfig) -> Self {
        let OptimizerConfig { beta1, beta2, epsilon, .. } = *config;
        AdamWHyperparameters {
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            epsilon: epsilon as f32,
        }
    }

    fn fields(self) -> [u32; 4] {
        [self.one_minus_beta1, self.beta2, self.one_minus_beta2, self.epsilon].map(f32::to_bits)
    }
}

impl<D: Device> Ops<'_, D> {
    /// Writes norm and scale of the gradient to the report, then updates weights and moments with AdamW. The gradient
    /// is scaled to a norm of at most `max_grad_norm`; 0 disables clipping.
    pub(in crate::nn::cuda) fn adamw(
        &mut self,
        tensors: AdamWTensors,
        max_grad_norm: f32,
        hyperparameters: AdamWHyperparameters,
    ) -> Result<()> {
        let AdamWTensors { weights, gradients, stamps, has_moments, report, square_sums, .. } = tensors;
        let [rows, width] = tensors.embeddings;
        let total = weights.len();
        let [first_moments, second_moments] =
            [tensors.first_moments, tensors.second_moments].map(|moments| moments.prefix(total));
        let arguments = self.step_arguments().slice(gradients.prefix(total)).int(rows).int(width);
        let arguments = arguments.slice(stamps.prefix(rows)).u64(total as u64);
        let arguments = arguments.slice(square_sums.prefix(NORM_BLOCKS));
        self.launch(Module::Optimizer, "gradient_square_sums", [NORM_BLOCKS, 1, 1], arguments)?;

        let arguments = Arguments::default().slice(square_sums).int(NORM_BLOCKS);
        let arguments = arguments.float(max_grad_norm).slice(report);
        self.launch(Module::Optimizer, "clip_grad_norm", [1, 1, 1], arguments)?;

        let bf16 = tensors.layer_matrices..tensors.layer_matrices + tensors.bf16_weights.len();
        let arguments = self.step_arguments().slice(report).structure(&hyperparameters.fields());
        let arguments = arguments.int(rows).int(width).slice(stamps).slice(has_moments.prefix(rows));
        let arguments = arguments.u64(bf16.start as u64).u64(bf16.end as u64);
        let arguments = arguments.u64(tensors.no_decay as u64).u64(total as u64);
        let arguments = arguments.slice(gradients).slice(weights).slice(first_moments);
        let arguments = arguments.slice(second_moments).slice(tensors.bf16_weights);
        let grid = [rows + (total - rows * width).div_ceil(CHUNK), 1, 1];
        self.launch(Module::Optimizer, "adamw", grid, arguments)
    }
}

/// The exponential moving average of the weights: `average` ← `average` + `one_minus_decay` (`weights` − `average`).
pub(in crate::nn::cuda) fn update_average<D: Device>(
    device: &mut D,
    weights: DeviceSlice<f32>,
    average: DeviceSlice<f32>,
    one_minus_decay: f32,
) -> Result<()> {
    let count = weights.len();
    let arguments = Arguments::default().slice(weights).u64(count as u64).float(one_minus_decay);
    launch_elementwise(device, "update_average", count, arguments.slice(average.prefix(count)))
}

/// Exchanges the contents of two slices of the same length.
pub(in crate::nn::cuda) fn exchange<D: Device>(
    device: &mut D,
    a: DeviceSlice<f32>,
    b: DeviceSlice<f32>,
) -> Result<()> {
    let count = a.len();
    let arguments = Arguments::default().slice(a).slice(b.prefix(count)).u64(count as u64);
    launch_elementwise(device, "exchange", count, arguments)
}

/// `bf16` = `weights`, rounded to nearest even.
pub(in crate::nn::cuda) fn weights_to_bf16<D: Device>(
    device: &mut D,
    weights: DeviceSlice<f32>,
    bf16: DeviceSlice<Bf16>,
) -> Result<()> {
    let count = weights.len();
    let arguments = Arguments::default().slice(weights).u64(count as u64).slice(bf16.prefix(count));
    launch_elementwise(device, "weights_to_bf16", count, arguments)
}

/// Launches a kernel with a thread for each of `count` elements.
fn launch_elementwise<D: Device>(
    device: &mut D,
    name: &'static str,
    count: usize,
    arguments: Arguments,
) -> Result<()> {
    let kernel = Kernel { module: Module::Optimizer, name };
    device.launch(Launch { kernel, grid: [count.div_ceil(THREADS), 1, 1], threads: THREADS, arguments })
}
