//! What a pass leaves for the way back and works with, in one arena of device memory.
//!
//! Each buffer has room for the largest bucket so far; a smaller one uses its beginning, so that a place never
//! holds another kind of numbers. Shapes: T tokens, E examples, R rows that a layer turns out (E in the last,
//! else T), H hidden, I intermediate.

use super::device::{Bf16, GemmOperand, Span};
use super::input::{Bucket, Input};
use crate::nn::config::ModelConfig;

/// Most rows of partial sums.
pub(super) const MOST_PARTS: usize = 512;

/// What the arena is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) bucket: Bucket,
    /// Whether there is a way back: else one layer's buffers serve all.
    pub(super) learns: bool,
}

/// Numbers with the same as operands of products: in bf16, or themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounded {
    pub(super) wide: Span<f32>,
    pub(super) operand: Span<Bf16>,
}

impl Rounded {
    /// The first `len` of them, as a product reads them.
    pub(super) fn factor(self, len: usize) -> GemmOperand {
        if self.operand.is_none() {
            GemmOperand::F32(self.wide.first(len))
        } else {
            GemmOperand::Bf16(self.operand.first(len))
        }
    }
}

/// What a layer leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tape {
    /// Rows of first tokens: (E, H), in the last layer only.
    pub(super) picked: Rounded,
    /// (T, 3 H), without bias; in the last layer keys and values, (T, 2 H).
    pub(super) qkv: Span<f32>,
    /// (E, H), in the last layer only.
    pub(super) queries: Span<f32>,
    /// (R, heads)
    pub(super) logs: Span<f32>,
    /// (R, H)
    pub(super) context: Rounded,
    /// x̂ after attention: (R, H)
    pub(super) attention_normed: Span<f32>,
    /// 1/σ: (R)
    pub(super) attention_deviations: Span<f32>,
    /// Between the two parts of the layer: (R, H)
    pub(super) middle: Rounded,
    /// Derivative of the nonlinearity: (R, I)
    pub(super) derivatives: Span<f32>,
    /// (R, I)
    pub(super) inner: Rounded,
    /// x̂ of the output: (R, H)
    pub(super) output_normed: Span<f32>,
    /// 1/σ: (R)
    pub(super) output_deviations: Span<f32>,
}

/// All buffers.
#[derive(Debug, Clone)]
pub(super) struct Buffers {
    pub(super) input: Span<u32>,
    /// x̂ of the embeddings: (T, H)
    pub(super) embedding_normed: Span<f32>,
    /// 1/σ: (T)
    pub(super) embedding_deviations: Span<f32>,
    /// Inputs of the layers, (T, H) each, and the output of the last, (E, H).
    pub(super) states: Vec<Rounded>,
    pub(super) tapes: Vec<Tape>,
    /// After tanh or ReLU, before dropout: (E, H)
    pub(super) pooled: Span<f32>,
    /// After dropout.
    pub(super) dropped: Span<f32>,
    /// (E, classes)
    pub(super) logits: Span<f32>,
    pub(super) dlogits: Span<f32>,
    /// (E, H)
    pub(super) dpooled: Span<f32>,
    /// The gradient on its way down, and room for the next: (T, H) each.
    pub(super) down: [Span<f32>; 2],
    /// Of a product's output: (T, H)
    pub(super) dh: Rounded,
    /// (T, I)
    pub(super) di: Rounded,
    /// (T, H)
    pub(super) dcontext: Span<f32>,
    /// (T, 3 H)
    pub(super) dqkv: Rounded,
    /// (E, H), of the last layer
    pub(super) dqueries: Rounded,
    /// (T, heads)
    pub(super) alongs: Span<f32>,
    /// Sums over rows, part by part: (parts, vectors of a layer)
    pub(super) partial: Span<f32>,
}

/// Gives out memory from an address on.
struct Taker {
    end: u64,
    is_bf16: bool,
}

impl Taker {
    fn take<T>(&mut self, len: usize) -> Span<T> {
        let span = Span::new(self.end, len);
        self.end = (self.end + (len * size_of::<T>()) as u64).next_multiple_of(256);
        span
    }

    fn f32s(&mut self, len: usize) -> Span<f32> {
        self.take(len)
    }

    fn operand(&mut self, len: usize) -> Span<Bf16> {
        if self.is_bf16 { self.take(len) } else { Span::NONE }
    }

    fn both(&mut self, len: usize) -> Rounded {
        Rounded { wide: self.f32s(len), operand: self.operand(len) }
    }

    /// Numbers that products alone read.
    fn only(&mut self, len: usize) -> Rounded {
        if self.is_bf16 {
            Rounded { wide: Span::NONE, operand: self.operand(len) }
        } else {
            Rounded { wide: self.f32s(len), operand: Span::NONE }
        }
    }
}

/// Numbers of a row of partial sums.
pub(super) fn partial_stride(config: &ModelConfig, classes: usize) -> usize {
    let layer = 9 * config.hidden + config.intermediate;
    let embeddings = (2 + config.type_vocab) * config.hidden;
    layer.max(embeddings).max(classes)
}

impl Buffers {
    /// Buffers from `base` on, and the bytes that they take.
    pub(super) fn new(
        config: &ModelConfig,
        classes: usize,
        is_bf16: bool,
        room: Room,
        base: u64,
    ) -> (Self, usize) {
        let Bucket { tokens: t, examples: e } = room.bucket;
        let (h, i, heads, layers) = (config.hidden, config.intermediate, config.heads, config.layers);
        let mut taker = Taker { end: base, is_bf16 };
        let input = taker.take(Input::words(room.bucket));
        let (embedding_normed, embedding_deviations) = (taker.f32s(t * h), taker.f32s(t));
        let inner_layers = if room.learns { layers - 1 } else { (layers - 1).min(1) };
        let states = if room.learns { layers } else { layers.min(2) };
        let mut states: Vec<Rounded> = (0..states).map(|_| taker.both(t * h)).collect();
        states.push(taker.both(e * h));
        let mut tapes: Vec<Tape> =
            (0..inner_layers).map(|_| tape(&mut taker, (t, t), config, false)).collect();
        tapes.push(tape(&mut taker, (t, e), config, true));
        let (pooled, dropped) = (taker.f32s(e * h), taker.f32s(e * h));
        let (logits, dlogits) = (taker.f32s(e * classes), taker.f32s(e * classes));
        let back = if room.learns { (t, e) } else { (0, 0) };
        let (t, e) = back;
        let buffers = Buffers {
            input,
            embedding_normed,
            embedding_deviations,
            states,
            tapes,
            pooled,
            dropped,
            logits,
            dlogits,
            dpooled: taker.f32s(e * h),
            down: [taker.f32s(t * h), taker.f32s(t * h)],
            dh: taker.only(t * h),
            di: taker.both(t * i),
            dcontext: taker.f32s(t * h),
            dqkv: taker.both(t * 3 * h),
            dqueries: taker.both(e * h),
            alongs: taker.f32s(t * heads),
            partial: taker.f32s(if room.learns { MOST_PARTS * partial_stride(config, classes) } else { 0 }),
        };
        let bytes = (taker.end - base) as usize;
        (buffers, bytes)
    }

    /// The tape of a layer of so many.
    pub(super) fn tape(&self, layer: usize, layers: usize) -> &Tape {
        let inner = self.tapes.len() - 1;
        &self.tapes[if layer + 1 == layers { inner } else { layer.min(inner - 1) }]
    }

    /// Input `layer` of the layers; the output of the last is input `layers`.
    pub(super) fn state(&self, layer: usize, layers: usize) -> Rounded {
        let inner = self.states.len() - 1;
        self.states[if layer == layers {
            inner
        } else if inner == layers {
            layer
        } else {
            layer % inner
        }]
    }
}

fn tape(taker: &mut Taker, (t, r): (usize, usize), config: &ModelConfig, is_last: bool) -> Tape {
    let (h, i) = (config.hidden, config.intermediate);
    let picked = if is_last { r * h } else { 0 };
    Tape {
        picked: taker.both(picked),
        qkv: taker.f32s(t * h * if is_last { 2 } else { 3 }),
        queries: taker.f32s(picked),
        logs: taker.f32s(r * config.heads),
        context: taker.both(r * h),
        attention_normed: taker.f32s(r * h),
        attention_deviations: taker.f32s(r),
        middle: taker.both(r * h),
        derivatives: taker.f32s(r * i),
        inner: taker.only(r * i),
        output_normed: taker.f32s(r * h),
        output_deviations: taker.f32s(r),
    }
}
