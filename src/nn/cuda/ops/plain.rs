//! Kernels of the plain engine: dropout masks, gradients of embeddings, AdamW of a tensor. The plain engine launches
//! them on tensors of candle, whose addresses it passes.

use super::context::THREADS;
use crate::nn::cuda::device::{Arguments, DeviceSlice, Kernel, Launch, Module};
use kernels::dropout::KernelSite;

/// A launch over `elements` elements, one per thread.
fn launch(name: &'static str, elements: usize, arguments: Arguments) -> Launch {
    let grid = [elements.div_ceil(THREADS), 1, 1];
    Launch { kernel: Kernel { module: Module::Plain, name }, grid, threads: THREADS, arguments }
}

/// The arguments that the kernels of dropout masks begin with: the structures `DropoutStep` and `DropoutSite`.
fn dropout_arguments(site: KernelSite) -> Arguments {
    let KernelSite { key, step, number, threshold, scale } = site;
    Arguments::default().structure(&[key.0, key.1, step]).structure(&[number, threshold, scale.to_bits()])
}

/// `mask` = the dropout factors of the hidden-state numbers from `first` on.
pub(in crate::nn) fn dropout_mask(site: KernelSite, first: u64, mask: DeviceSlice<f32>) -> Launch {
    let arguments = dropout_arguments(site).u64(first).u64(mask.len() as u64).slice(mask);
    launch("dropout_mask", mask.len(), arguments)
}

/// Sizes of a mask of attention probabilities.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct AttentionMask {
    pub(in crate::nn) heads: usize,
    /// The model's maximum sequence length, which determines the numbering of the masks.
    pub(in crate::nn) max_positions: usize,
    /// Number of the first token in the whole batch.
    pub(in crate::nn) first_token: usize,
    /// Tokens of the longest example.
    pub(in crate::nn) longest: usize,
}

/// `mask` (examples, heads, longest, longest) = the dropout factors of attention, zero in the padding. `offsets` has
/// the first token of each example and the number of tokens: (examples + 1)
pub(in crate::nn) fn attention_mask(
    site: KernelSite,
    sizes: AttentionMask,
    offsets: DeviceSlice<u32>,
    mask: DeviceSlice<f32>,
) -> Launch {
    let AttentionMask { heads, max_positions, first_token, longest } = sizes;
    let rows = (offsets.len() - 1) * heads * longest;
    assert_eq!(mask.len(), rows * longest, "length of the mask");
    let count = rows * longest.div_ceil(8);
    let heads = [heads as u32, 0, max_positions.div_ceil(8) as u32, 0, u32::MAX, 0];
    let arguments = dropout_arguments(site).structure(&heads).int(first_token).slice(offsets);
    launch("attention_mask", count, arguments.int(longest).u64(count as u64).slice(mask))
}

/// The rows of `gradient` (rows, width) that occur in the input = the sums of `d` (tokens, width) over their
/// tokens. The input is sorted as [`crate::nn::cuda::input::SortedTokens`] describes.
pub(in crate::nn) fn embedding_gradient(
    [rows, starts, tokens_by_row]: [DeviceSlice<u32>; 3],
    d: DeviceSlice<f32>,
    width: usize,
    gradient: DeviceSlice<f32>,
) -> Launch {
    assert_eq!(starts.len(), rows.len() + 1, "starts of the rows");
    assert_eq!(d.len(), tokens_by_row.len() * width, "gradient of the tokens");
    let arguments = Arguments::default().slice(rows).slice(starts).slice(tokens_by_row);
    let arguments = arguments.slice(d).int(width).slice(gradient);
    let kernel = Kernel { module: Module::Plain, name: "embedding_gradient" };
    Launch { kernel, grid: [rows.len(), width.div_ceil(THREADS), 1], threads: THREADS, arguments }
}

/// The structure `TensorUpdate` of the kernel.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct TensorUpdate {
    /// 1 - beta1
    pub(in crate::nn) one_minus_beta1: f32,
    pub(in crate::nn) beta2: f32,
    /// 1 - beta2
    pub(in crate::nn) one_minus_beta2: f32,
    pub(in crate::nn) epsilon: f32,
    /// 1 - learning rate · weight decay, or 1
    pub(in crate::nn) decay: f32,
    /// learning rate / (1 - beta1ⁿ)
    pub(in crate::nn) step_size: f32,
    /// √(1 - beta2ⁿ)
    pub(in crate::nn) bias_correction2_sqrt: f32,
}

/// The tensors of an AdamW update, of the same length, and the factor of the gradient or null.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct UpdatedTensors {
    pub(in crate::nn) gradient: DeviceSlice<f32>,
    pub(in crate::nn) scale: DeviceSlice<f32>,
    pub(in crate::nn) weights: DeviceSlice<f32>,
    pub(in crate::nn) first_moments: DeviceSlice<f32>,
    pub(in crate::nn) second_moments: DeviceSlice<f32>,
}

/// AdamW of one tensor.
pub(in crate::nn) fn tensor_adamw(update: TensorUpdate, tensors: UpdatedTensors) -> Launch {
    let UpdatedTensors { gradient, scale, weights, first_moments, second_moments } = tensors;
    let count = weights.len();
    assert!([gradient, first_moments, second_moments].iter().all(|slice| slice.len() == count));
    let TensorUpdate { one_minus_beta1, beta2, one_minus_beta2, epsilon, .. } = update;
    let fields = [
        one_minus_beta1,
        beta2,
        one_minus_beta2,
        epsilon,
        update.decay,
        update.step_size,
        update.bias_correction2_sqrt,
    ];
    let arguments = Arguments::default().structure(&fields.map(f32::to_bits)).slice(scale);
    let arguments = arguments.u64(count as u64).slice(gradient).slice(weights);
    launch("tensor_adamw", count, arguments.slice(first_moments).slice(second_moments))
}
