//! The buffers of a layer on the CPU, each as long as the batch needs it.

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
    /// 1/σ of the attention LayerNorm and of the output LayerNorm: (R) each
    pub(super) rstd: [&'b mut [f32]; 2],
    /// Gradient of the queries: (R, H)
    pub(super) d_q: &'b mut [f32],
    /// Gradient of keys and values: (T, 2H)
    pub(super) d_kv: &'b mut [f32],
    /// Gradient of the input: (T, H)
    pub(super) d_x: &'b mut [f32],
}

impl<'b> LayerBuffers<'b> {
    /// The buffers of a layer with the input `x` (T, H), which is not written to, and the output `out` (R, H).
    pub(super) fn new(
        x: &'b mut [f32],
        rows: &RowSelection,
        tape: &'b mut LayerTape,
        grads: GradSlices<'b>,
        out: &'b mut [f32],
    ) -> Self {
        let LayerTape { x_cls, q, kv, attn_probs, context, ln1_xhat, ln1_rstd, ln1_out, .. } = tape;
        let LayerTape { act_grad, ffn_act, ln2_xhat, ln2_rstd, relative, .. } = tape;
        let GradSlices { d_context, d_ffn, d_q, d_kv, d, d_x } = grads;
        let slices =
            [x, x_cls, context, ln1_xhat, ln1_out, act_grad, ffn_act, ln2_xhat, out, d, d_ffn, d_context];
        let named = NamedBuffers { slices, has_all_rows: rows.selected.is_none() };
        LayerBuffers { named, q, kv, attn_probs, relative, rstd: [ln1_rstd, ln2_rstd], d_q, d_kv, d_x }
    }
}

/// The buffers with a name in [`crate::nn::encoder_layer`]. Some names have the same memory: `Proj` and `FfnOut` become x̂
/// of their LayerNorms, which become `DProj` and `DFfnOut`; `PreAct` becomes the derivative of the activation function;
/// `XRows` is `X` where the layer outputs all rows.
pub(super) struct NamedBuffers<'b> {
    /// In the order of [`index`].
    slices: [&'b mut [f32]; 12],
    has_all_rows: bool,
}

impl<'b> NamedBuffers<'b> {
    /// Buffers in different memory.
    pub(super) fn get<const N: usize>(&mut self, buffers: [Buffer; N]) -> [&mut [f32]; N] {
        let indices = buffers.map(|buffer| index(buffer, self.has_all_rows));
        let slices = self.slices.get_disjoint_mut(indices).expect("buffers in different memory");
        slices.map(|slice| &mut **slice)
    }

    /// `X`, and `XRows` after copying them from it if they are not all rows.
    pub(super) fn select_rows(&mut self, rows: &RowSelection, hidden: usize) -> [&[f32]; 2] {
        let [x, x_rows, ..] = &mut self.slices;
        [x, rows.gather(x, hidden, x_rows)]
    }

    /// A function that gives each buffer to read.
    pub(super) fn into_reader(self) -> impl Fn(Buffer) -> &'b [f32] {
        let slices = self.slices.map(|slice| &*slice);
        move |buffer| slices[index(buffer, self.has_all_rows)]
    }
}

fn index(buffer: Buffer, has_all_rows: bool) -> usize {
    match buffer {
        Buffer::X => 0,
        Buffer::XRows if has_all_rows => 0,
        Buffer::XRows => 1,
        Buffer::Context => 2,
        Buffer::Proj | Buffer::DProj => 3,
        Buffer::Ln1Out => 4,
        Buffer::PreAct => 5,
        Buffer::FfnAct => 6,
        Buffer::FfnOut | Buffer::DFfnOut => 7,
        Buffer::Out => 8,
        Buffer::D => 9,
        Buffer::DFfn => 10,
        Buffer::DContext => 11,
    }
}
