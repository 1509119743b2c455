//! Attention of each example and head, in f32 or by tensor cores.

use super::{Ops, Rows, Site, rounded};
use crate::error::Result;
use crate::nn::cuda::buffers::Rounded;
use crate::nn::cuda::device::{Arguments, Device, Module, Span};
use crate::nn::cuda::input::Input;

/// Threads of a block.
pub(super) const THREADS: usize = 128;

/// Widest head of attention.
pub(in crate::nn::cuda) const WIDEST_HEAD: usize = 96;

/// What attention reads: the structures `Projected` and `Heads` of the kernels.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn::cuda) struct Attention {
    pub(in crate::nn::cuda) rows: Rows,
    pub(in crate::nn::cuda) heads: usize,
    pub(in crate::nn::cuda) size: usize,
    /// Longest input that the model takes.
    pub(in crate::nn::cuda) max_positions: usize,
    /// (R, ·), and (T, ·) twice, from the first column of each on.
    pub(in crate::nn::cuda) queries: Span<f32>,
    pub(in crate::nn::cuda) keys: Span<f32>,
    pub(in crate::nn::cuda) values: Span<f32>,
    /// Distances of their rows.
    pub(in crate::nn::cuda) strides: [usize; 2],
    /// (3 H)
    pub(in crate::nn::cuda) biases: Span<f32>,
    pub(in crate::nn::cuda) site: Site,
    /// Whether tensor cores multiply, in bf16.
    pub(in crate::nn::cuda) is_bf16: bool,
}

impl<D: Device> Ops<'_, D> {
    fn attention(&self, attention: &Attention) -> Arguments {
        let Attention {
            rows, heads, size, max_positions, queries, keys, values, strides, biases, site, ..
        } = *attention;
        assert_eq!(biases.len(), 3 * heads * size, "biases of queries, keys and values");
        let pointers = [queries, keys, values, biases].map(Span::address);
        let halves = |address: u64| [address as u32, (address >> 32) as u32];
        let projected: Vec<u32> =
            pointers.into_iter().flat_map(halves).chain(strides.map(|stride| stride as u32)).collect();
        let is_first = u32::from(rows == Rows::First);
        let heads = [heads as u32, size as u32, max_positions.div_ceil(8) as u32, is_first];
        let Input { offsets, tiles, .. } = self.input;
        self.start().span(offsets).span(tiles).words(&projected).words(&heads).words(&site.0)
    }

    /// Launches one of attention's three kernels, a block for each of so many tiles.
    fn launch_attention(
        &mut self,
        attention: &Attention,
        [plain, narrow, middle, broad]: [&'static str; 4],
        tiles: usize,
        arguments: Arguments,
    ) -> Result<()> {
        let Attention { heads, size, is_bf16, .. } = *attention;
        if !is_bf16 {
            return self.launch(Module::Attention, plain, [tiles, heads, 1], arguments);
        }
        // A warp takes a head alone; kernels differ in how wide it is.
        let name = match size {
            0..=32 => narrow,
            33..=64 => middle,
            _ => broad,
        };
        self.launch(Module::AttentionBf16, name, [tiles, heads.div_ceil(THREADS / 32), 1], arguments)
    }

    /// Tiles of queries.
    fn query_tiles(&self, attention: &Attention) -> usize {
        match attention.rows {
            Rows::All => self.input.bucket.tiles(),
            Rows::First => self.input.bucket.examples,
        }
    }

    /// `context` (R, H), and the logarithms (R, heads) of the sums of softmax.
    pub(in crate::nn::cuda) fn attend(
        &mut self,
        attention: &Attention,
        context: Rounded,
        logs: Span<f32>,
    ) -> Result<()> {
        let (r, h) = (self.len(attention.rows), attention.heads * attention.size);
        let arguments =
            rounded(self.attention(attention), context, r * h).span(logs.first(r * attention.heads));
        let names = ["attend", "attend_bf16_32", "attend_bf16_64", "attend_bf16_96"];
        self.launch_attention(attention, names, self.query_tiles(attention), arguments)
    }

    /// From the gradient of the context to those of queries, keys and values, which lie as these do.
    pub(in crate::nn::cuda) fn attend_backward(
        &mut self,
        attention: &Attention,
        (context, logs): (Span<f32>, Span<f32>),
        (dcontext, alongs): (Span<f32>, Span<f32>),
        [dqueries, dkeys, dvalues]: [Span<f32>; 3],
    ) -> Result<()> {
        let r = self.len(attention.rows);
        let h = attention.heads * attention.size;
        let (logs, alongs) = (logs.first(r * attention.heads), alongs.first(r * attention.heads));
        let dcontext = dcontext.first(r * h);
        let arguments = self.attention(attention).span(logs).span(context.first(r * h)).span(dcontext);
        let arguments = arguments.span(dqueries).span(alongs);
        let names = [
            "attend_backward_queries",
            "attend_backward_queries_bf16_32",
            "attend_backward_queries_bf16_64",
            "attend_backward_queries_bf16_96",
        ];
        self.launch_attention(attention, names, self.query_tiles(attention), arguments)?;
        let arguments =
            self.attention(attention).span(logs).span(alongs).span(dcontext).span(dkeys).span(dvalues);
        let names = [
            "attend_backward_keys",
            "attend_backward_keys_bf16_32",
            "attend_backward_keys_bf16_64",
            "attend_backward_keys_bf16_96",
        ];
        self.launch_attention(attention, names, self.input.bucket.tiles(), arguments)
    }
}
