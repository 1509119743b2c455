//! The buffers of a layer on the CPU, each as long as the batch needs it.

use super::layer_sizes::LayerSizes;
use super::relative_embeddings::RelativeTape;
use super::row_selection::RowSelection;
use super::tape::LayerTape;
use super::workspace::GradSlices;
use crate::nn::encoder_layer::Buffer;

/// The buffers of a layer.
pub(super) struct LayerBuffers<'b> {
    pub(super) named: NamedBuffers<'b>,
    /// Queries, without bias: (R, H)
    pub(super) q: &'b mut [f32],
    /// Keys and values, without bias: (T, 2H)
    pub(super) kv: &'b mut [f32],
    /// As in [`LayerTape`].
    pub(super) attn_probs: &'b mut [f32],
    pub(super) relative: &'b mut RelativeTape,
    /// x̂ of the attention LayerNorm and of the output LayerNorm with pre-norm; without, they are named buffers.
    pub(super) xhat: [&'b mut [f32]; 2],
    /// 1/σ of the attention LayerNorm and of the output LayerNorm.
    pub(super) rstd: [&'b mut [f32]; 2],
    /// Gradient of the queries: (R, H)
    pub(super) d_q: &'b mut [f32],
    /// Gradient of keys and values: (T, 2H)
    pub(super) d_kv: &'b mut [f32],
}

impl<'b> LayerBuffers<'b> {
    /// The buffers of a layer with the input `x` (T, H), which is not written to, and the output `out` (R, H).
    pub(super) fn new(
        x: &'b mut [f32],
        rows: &RowSelection,
        sizes: LayerSizes,
        tape: &'b mut LayerTape,
        grads: GradSlices<'b>,
        out: &'b mut [f32],
    ) -> Self {
        let LayerTape { x_cls, attn_in, attn_in_cls, q, kv, attn_probs, context, .. } = tape;
        let LayerTape {
            ln1_xhat, ln1_rstd, ln1_out, act_grad, ffn_act, ln2_xhat, ln2_rstd, relative, ..
        } = tape;
        let GradSlices { d_context, d_ffn, d_q, d_kv, d, d_x, branches, d_ln1_out } = grads;
        let [proj, ffn_out] = branches;
        let (xhat, proj, ffn_out): (_, &mut [f32], &mut [f32]) = if sizes.is_pre_norm() {
            ([&mut ln1_xhat[..], &mut ln2_xhat[..]], proj, ffn_out)
        } else {
            ([&mut [][..], &mut []], ln1_xhat, ln2_xhat)
        };
        let slices = [
            x,
            x_cls,
            attn_in,
            attn_in_cls,
            context,
            proj,
            ln1_out,
            act_grad,
            ffn_act,
            ffn_out,
            out,
            d,
            d_ffn,
            d_context,
            d_ln1_out,
            d_x,
        ];
        let named = NamedBuffers { slices, sizes, has_all_rows: rows.selected.is_none() };
        LayerBuffers { named, q, kv, attn_probs, relative, xhat, rstd: [ln1_rstd, ln2_rstd], d_q, d_kv }
    }
}

/// The buffers with a name in [`crate::nn::encoder_layer`]. Some names have the same memory: `Proj` and `FfnOut` become x̂
/// of the LayerNorms after them, which become `DProj` and `DFfnOut`; `PreAct` becomes the derivative of the activation
/// function and, with gates, `DPreAct`, which is `DFfn` otherwise; `XRows` is `X` where the layer outputs all rows.
pub(super) struct NamedBuffers<'b> {
    /// In the order of [`NamedBuffers::index`].
    slices: [&'b mut [f32]; 16],
    sizes: LayerSizes,
    has_all_rows: bool,
}

impl<'b> NamedBuffers<'b> {
    /// Buffers in different memory.
    pub(super) fn get<const N: usize>(&mut self, buffers: [Buffer; N]) -> [&mut [f32]; N] {
        let indices = buffers.map(|buffer| self.index(buffer));
        let slices = self.slices.get_disjoint_mut(indices).expect("buffers in different memory");
        slices.map(|slice| &mut **slice)
    }

    /// `AttnIn` and `AttnInRows`. Copies the output rows to `XRows` and `AttnInRows` if they are not all rows.
    pub(super) fn select_rows(&mut self, rows: &RowSelection, hidden: usize) -> [&[f32]; 2] {
        let has_norm = self.sizes.has_norm_before_attention;
        let [x, x_rows, attn_in, attn_in_rows, ..] = &mut self.slices;
        let x_rows = rows.gather(x, hidden, x_rows);
        if has_norm { [attn_in, rows.gather(attn_in, hidden, attn_in_rows)] } else { [x, x_rows] }
    }

    /// A function that gives each buffer to read.
    pub(super) fn into_reader(self) -> impl Fn(Buffer) -> &'b [f32] {
        let NamedBuffers { slices, sizes, has_all_rows } = self;
        let slices = slices.map(|slice| &*slice);
        move |buffer| slices[index(buffer, sizes, has_all_rows)]
    }

    fn index(&self, buffer: Buffer) -> usize {
        index(buffer, self.sizes, self.has_all_rows)
    }
}

fn index(buffer: Buffer, sizes: LayerSizes, has_all_rows: bool) -> usize {
    match buffer {
        Buffer::X => 0,
        Buffer::XRows => usize::from(!has_all_rows),
        Buffer::AttnIn if sizes.has_norm_before_attention => 2,
        Buffer::AttnInRows if sizes.has_norm_before_attention => 2 + usize::from(!has_all_rows),
        Buffer::AttnIn => index(Buffer::X, sizes, has_all_rows),
        Buffer::AttnInRows => index(Buffer::XRows, sizes, has_all_rows),
        Buffer::Context => 4,
        Buffer::Proj | Buffer::DProj => 5,
        Buffer::Ln1Out => 6,
        Buffer::PreAct => 7,
        Buffer::DPreAct if sizes.is_gated() => 7,
        Buffer::FfnAct => 8,
        Buffer::FfnOut | Buffer::DFfnOut => 9,
        Buffer::Out => 10,
        Buffer::D => 11,
        Buffer::DFfn | Buffer::DPreAct => 12,
        Buffer::DContext => 13,
        Buffer::DLn1Out => 14,
        Buffer::DAttnIn => 15,
    }
}
