//! Operations on NVIDIA GPUs with kernels of our own: dropout masks drawn on the device, gradients of embeddings, and
//! AdamW in one launch per tensor.

use crate::nn::cuda::plain::{self, AttentionMask, TensorUpdate, UpdatedTensors};
use crate::nn::cuda::{DeviceSlice, Launch, SortedTokens, run_launch};
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{CpuStorage, CustomOp1, Device, InplaceOp3, Layout, Result, Shape, Storage, Tensor, bail};
use kernels::dropout::Site;

/// The address of a slice of device memory. It stays valid while the slice lives: the stream frees memory after the
/// launches that were enqueued before.
fn slice_of<T: DeviceRepr>(slice: &CudaSlice<T>, device: &CudaDevice) -> DeviceSlice<T> {
    DeviceSlice::new(slice.device_ptr(&device.cuda_stream()).0, slice.len())
}

/// The elements of a contiguous tensor.
fn elements<T: CudaDType + DeviceRepr>(storage: &CudaStorage, layout: &Layout) -> Result<DeviceSlice<T>> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("expected a contiguous tensor") };
    Ok(slice_of(storage.as_cuda_slice::<T>()?, storage.device()).slice(start..end))
}

/// Calls `work` with the elements of a contiguous tensor.
fn with_elements<T: CudaDType + DeviceRepr, R>(
    tensor: &Tensor,
    work: impl FnOnce(DeviceSlice<T>) -> Result<R>,
) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => work(elements(storage, layout)?),
        _ => bail!("expected a tensor on a GPU"),
    }
}

/// A new tensor that the kernel of `launch` writes completely.
fn written_by(
    device: &CudaDevice,
    shape: impl Into<Shape>,
    launch: impl FnOnce(DeviceSlice<f32>) -> Launch,
) -> Result<Tensor> {
    let shape = shape.into();
    #[expect(unsafe_code, reason = "the memory is not initialized")]
    // SAFETY: the kernel writes every element before anything reads it.
    let slice = unsafe { device.alloc::<f32>(shape.elem_count()) }?;
    run_launch(device, &launch(slice_of(&slice, device)))?;
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(slice, device.clone()));
    Ok(Tensor::from_storage(storage, shape, BackpropOp::none(), false))
}

/// The dropout mask of a site for `rows` rows of hidden states, `width` wide, whose first number is `first`.
pub(super) fn dropout_mask(
    site: &Site,
    first: u64,
    (rows, width): (usize, usize),
    device: &Device,
) -> Result<Tensor> {
    let device = device.as_cuda_device()?;
    written_by(device, (rows, width), |mask| plain::dropout_mask(site.for_kernel(), first, mask))
}

/// The dropout mask of attention, (examples, heads, longest, longest), for examples with the first tokens `offsets`.
pub(super) fn attention_mask(
    site: &Site,
    sizes: AttentionMask,
    offsets: &[usize],
    device: &Device,
) -> Result<Tensor> {
    let offsets: Vec<u32> = offsets.iter().map(|offset| *offset as u32).collect();
    let shape = (offsets.len() - 1, sizes.heads, sizes.longest, sizes.longest);
    let offsets = Tensor::new(offsets, device)?;
    let device = device.as_cuda_device()?;
    with_elements::<u32, _>(&offsets, |offsets| {
        written_by(device, shape, |mask| plain::attention_mask(site.for_kernel(), sizes, offsets, mask))
    })
}

/// Token ids sorted by id, on the device.
pub(super) struct SortedIds {
    ids: Tensor,
    starts: Tensor,
    tokens_by_id: Tensor,
    /// Rows of the embedding.
    rows: usize,
}

impl SortedIds {
    pub(super) fn new(ids: &[u32], rows: usize, device: &Device) -> Result<Self> {
        let SortedTokens { rows: sorted, row_starts, tokens_by_row } =
            SortedTokens::of(ids.iter().copied().zip(0..));
        let tensor = |ids: Vec<u32>| Tensor::new(ids, device);
        Ok(SortedIds {
            ids: tensor(sorted)?,
            starts: tensor(row_starts)?,
            tokens_by_id: tensor(tokens_by_row)?,
            rows,
        })
    }

    /// The gradient of the embedding, (rows, width), for the gradient of its output, (tokens, width).
    pub(super) fn gradient(&self, output_gradient: &Tensor) -> Result<Tensor> {
        output_gradient.contiguous()?.apply_op1_no_bwd(&EmbeddingGradient(self))
    }
}

struct EmbeddingGradient<'a>(&'a SortedIds);

impl CustomOp1 for EmbeddingGradient<'_> {
    fn name(&self) -> &'static str {
        "embedding gradient"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("{} runs on a GPU only", self.name())
    }

    fn cuda_fwd(&self, d: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let SortedIds { ids, starts, tokens_by_id, rows } = self.0;
        let (device, width) = (d.device(), layout.shape().dims2()?.1);
        let gradient = device.alloc_zeros::<f32>(rows * width)?;
        let d = elements(d, layout)?;
        with_elements(ids, |ids| {
            with_elements(starts, |starts| {
                with_elements(tokens_by_id, |tokens_by_id| {
                    let sorted = [ids, starts, tokens_by_id];
                    let launch = plain::embedding_gradient(sorted, d, width, slice_of(&gradient, device));
                    run_launch(device, &launch)
                })
            })
        })?;
        Ok((CudaStorage::wrap_cuda_slice(gradient, device.clone()), Shape::from((*rows, width))))
    }
}

/// AdamW of one tensor, in place on weights, first and second moments.
pub(super) struct TensorAdamW<'a> {
    pub(super) update: TensorUpdate,
    pub(super) gradient: &'a Tensor,
    /// A scalar that the gradient is multiplied by.
    pub(super) scale: Option<&'a Tensor>,
}

impl InplaceOp3 for TensorAdamW<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        _: &mut CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<()> {
        bail!("{} runs on a GPU only", self.name())
    }

    /// The kernel also writes the moments; nothing else uses their memory during the call.
    fn cuda_fwd(
        &self,
        weights: &mut CudaStorage,
        weights_layout: &Layout,
        first_moments: &CudaStorage,
        first_layout: &Layout,
        second_moments: &CudaStorage,
        second_layout: &Layout,
    ) -> Result<()> {
        let device = weights.device().clone();
        let weights = elements(weights, weights_layout)?;
        let first_moments = elements(first_moments, first_layout)?;
        let second_moments = elements(second_moments, second_layout)?;
        with_elements(self.gradient, |gradient| {
            let run = |scale| {
                let tensors = UpdatedTensors { gradient, scale, weights, first_moments, second_moments };
                run_launch(&device, &plain::tensor_adamw(self.update, tensors))
            };
            match self.scale {
                Some(scale) => with_elements(scale, run),
                None => run(DeviceSlice::NULL),
            }
        })
    }
}
