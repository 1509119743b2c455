//! Scaled dot-product attention of each example and head, in f32 or in bf16 on tensor cores.

use super::context::{DropoutSite, Ops, Rows, mixed_arguments};
use crate::error::Result;
use crate::nn::cuda::device::{Arguments, Device, DeviceSlice, Kernel, Module};
use crate::nn::cuda::input::Input;
use crate::nn::cuda::tensor::MixedTensor;
use crate::nn::relative_positions::RELATIVE_BUCKETS;

/// Threads per block.
const THREADS: usize = 128;

/// Largest head size that the kernels support.
pub(in crate::nn::cuda) const MAX_HEAD_SIZE: usize = 96;

/// The inputs of attention: the structures `Qkv`, `Heads` and `DropoutSite` of the kernels.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct Attention {
    /// The rows of the queries.
    pub(in crate::nn::cuda) rows: Rows,
    pub(in crate::nn::cuda) heads: usize,
    pub(in crate::nn::cuda) head_size: usize,
    /// The model's maximum sequence length, which determines the numbering of the dropout masks.
    pub(in crate::nn::cuda) max_positions: usize,
    /// Projections without bias. Each slice starts at the projection's first column; queries have R rows, keys and
    /// values T.
    pub(in crate::nn::cuda) queries: DeviceSlice<f32>,
    pub(in crate::nn::cuda) keys: DeviceSlice<f32>,
    pub(in crate::nn::cuda) values: DeviceSlice<f32>,
    /// Distance between rows, in elements: of the queries, and of keys and values.
    pub(in crate::nn::cuda) strides: [usize; 2],
    /// Biases of queries, keys and values, (3 H), or null.
    pub(in crate::nn::cuda) biases: DeviceSlice<f32>,
    pub(in crate::nn::cuda) dropout: DropoutSite,
    /// Factor of the products of queries and keys.
    pub(in crate::nn::cuda) scale: f32,
    /// Largest distance between a query and its keys; `None` without a limit.
    pub(in crate::nn::cuda) window: Option<usize>,
    /// What is added to the scores.
    pub(in crate::nn::cuda) bias: RelativeBias,
    /// Whether tensor cores multiply in bf16, if neither a window nor a bias is given.
    pub(in crate::nn::cuda) is_bf16: bool,
}

/// Numbers that are added to the scores, for each distance between key and query: the structure `RelativeBias` of the
/// kernels.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct RelativeBias {
    /// The bucket of each distance, key minus query; an odd number of them, that of distance 0 in the middle. Null
    /// without a bias.
    pub(in crate::nn::cuda) buckets: DeviceSlice<u32>,
    /// ([`RELATIVE_BUCKETS`], heads)
    pub(in crate::nn::cuda) table: DeviceSlice<f32>,
    /// The gradient of the table, in parts: (tiles of queries, [`RELATIVE_BUCKETS`] · heads)
    pub(in crate::nn::cuda) sums: DeviceSlice<f32>,
}

impl RelativeBias {
    pub(in crate::nn::cuda) const NONE: Self =
        RelativeBias { buckets: DeviceSlice::NULL, table: DeviceSlice::NULL, sums: DeviceSlice::NULL };

    /// The structure of the kernels.
    fn fields(self) -> [u32; 4] {
        let RelativeBias { buckets, table, .. } = self;
        let zero = if buckets.is_null() { buckets } else { buckets.slice(buckets.len() / 2..buckets.len()) };
        let [[a, b], [c, d]] = [zero.address(), table.address()].map(halves);
        [a, b, c, d]
    }
}

/// The words of a 64-bit field of a structure.
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

impl Attention {
    /// Whether the kernels of tensor cores compute it.
    fn uses_tensor_cores(&self) -> bool {
        self.is_bf16 && self.window.is_none() && self.bias.buckets.is_null()
    }
}

/// Gradients of queries, keys and values, laid out as these.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct AttentionGrads {
    pub(in crate::nn::cuda) dq: DeviceSlice<f32>,
    pub(in crate::nn::cuda) dk: DeviceSlice<f32>,
    pub(in crate::nn::cuda) dv: DeviceSlice<f32>,
}

/// The four variants of an attention kernel.
struct KernelNames {
    f32: &'static str,
    /// In bf16, for head sizes up to 32, 64 and 96.
    bf16: [&'static str; 3],
}

impl<D: Device> Ops<'_, D> {
    /// The arguments that all attention kernels begin with.
    fn attention_arguments(&self, attention: &Attention) -> Arguments {
        let Attention {
            rows,
            heads,
            head_size,
            max_positions,
            queries,
            keys,
            values,
            strides,
            biases,
            dropout,
            scale,
            window,
            ..
        } = *attention;
        let has_biases = !biases.is_null();
        assert!(!has_biases || biases.len() == 3 * heads * head_size, "biases of queries, keys and values");
        let pointers = [queries, keys, values, biases].map(DeviceSlice::address);
        let qkv: Vec<u32> =
            pointers.into_iter().flat_map(halves).chain(strides.map(|stride| stride as u32)).collect();
        let is_first_only = u32::from(rows == Rows::First);
        let window = window.map_or(u32::MAX, |window| window as u32);
        let sizes = [heads as u32, head_size as u32, max_positions.div_ceil(8) as u32, is_first_only];
        let heads = [&sizes[..], &[window, scale.to_bits()]].concat();
        let Input { offsets, tiles, .. } = self.input;
        let arguments = self.step_arguments().slice(offsets).slice(tiles);
        arguments.structure(&qkv).structure(&heads).structure(&dropout.fields())
    }

    /// Launches one variant of an attention kernel over `tiles` tiles.
    fn launch_attention(
        &mut self,
        attention: &Attention,
        names: &KernelNames,
        tiles: usize,
        arguments: Arguments,
    ) -> Result<()> {
        let Attention { heads, head_size, .. } = *attention;
        let (kernel, blocks) = if attention.uses_tensor_cores() {
            let [up_to_32, up_to_64, up_to_96] = names.bf16;
            let name = match head_size {
                0..=32 => up_to_32,
                33..=64 => up_to_64,
                _ => up_to_96,
            };
            // Each warp of a block computes one head.
            (Kernel { module: Module::AttentionBf16, name }, heads.div_ceil(THREADS / 32))
        } else {
            (Kernel { module: Module::Attention, name: names.f32 }, heads)
        };
        self.launch_threads(kernel, [tiles, blocks, 1], THREADS, arguments)
    }

    /// Number of tiles of queries.
    pub(in crate::nn::cuda) fn query_tiles(&self, attention: &Attention) -> usize {
        match attention.rows {
            Rows::All => self.input.bucket.tiles(),
            Rows::First => self.input.bucket.examples,
        }
    }

    /// `context` (R, H) = dropout(softmax(scale q kᵀ + bias)) v; `lse` (R, heads) is the log-sum-exp of the scores.
    pub(in crate::nn::cuda) fn attention(
        &mut self,
        attention: &Attention,
        context: MixedTensor,
        lse: DeviceSlice<f32>,
    ) -> Result<()> {
        const NAMES: KernelNames = KernelNames {
            f32: "attention_forward",
            bf16: ["attention_forward_bf16_32", "attention_forward_bf16_64", "attention_forward_bf16_96"],
        };
        let (r, h) = (self.len(attention.rows), attention.heads * attention.head_size);
        let arguments = mixed_arguments(self.attention_arguments(attention), context, r * h);
        let mut arguments = arguments.slice(lse.prefix(r * attention.heads));
        if !attention.uses_tensor_cores() {
            arguments = arguments.structure(&attention.bias.fields());
        }
        self.launch_attention(attention, &NAMES, self.query_tiles(attention), arguments)
    }

    /// Computes the gradients of queries, keys and values, and the sums of the bias, from `dcontext` (R, H), with `context` and `lse` from
    /// [`Ops::attention`]. `delta` (R, heads) becomes the row sums of context ⊙ dcontext.
    pub(in crate::nn::cuda) fn attention_backward(
        &mut self,
        attention: &Attention,
        (context, lse): (DeviceSlice<f32>, DeviceSlice<f32>),
        (dcontext, delta): (DeviceSlice<f32>, DeviceSlice<f32>),
        AttentionGrads { dq, dk, dv }: AttentionGrads,
    ) -> Result<()> {
        const QUERY_NAMES: KernelNames = KernelNames {
            f32: "attention_backward_q",
            bf16: [
                "attention_backward_q_bf16_32",
                "attention_backward_q_bf16_64",
                "attention_backward_q_bf16_96",
            ],
        };
        const KEY_VALUE_NAMES: KernelNames = KernelNames {
            f32: "attention_backward_kv",
            bf16: [
                "attention_backward_kv_bf16_32",
                "attention_backward_kv_bf16_64",
                "attention_backward_kv_bf16_96",
            ],
        };
        let r = self.len(attention.rows);
        let h = attention.heads * attention.head_size;
        let (lse, delta) = (lse.prefix(r * attention.heads), delta.prefix(r * attention.heads));
        let dcontext = dcontext.prefix(r * h);
        let arguments = self.attention_arguments(attention).slice(lse).slice(context.prefix(r * h));
        let mut arguments = arguments.slice(dcontext).slice(dq).slice(delta);
        let tiles = self.query_tiles(attention);
        if !attention.uses_tensor_cores() {
            let RelativeBias { buckets, sums, .. } = attention.bias;
            let len = if buckets.is_null() { 0 } else { tiles * RELATIVE_BUCKETS * attention.heads };
            arguments = arguments.structure(&attention.bias.fields()).slice(sums.prefix(len));
        }
        self.launch_attention(attention, &QUERY_NAMES, tiles, arguments)?;
        let arguments = self.attention_arguments(attention).slice(lse).slice(delta);
        let mut arguments = arguments.slice(dcontext).slice(dk).slice(dv);
        if !attention.uses_tensor_cores() {
            arguments = arguments.structure(&attention.bias.fields());
        }
        self.launch_attention(attention, &KEY_VALUE_NAMES, self.input.bucket.tiles(), arguments)
    }
}
