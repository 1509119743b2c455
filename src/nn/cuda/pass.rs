//! A part of a batch on its way through the whole model and back.

use super::buffers::{Buffers, partial_stride};
use super::device::{Bf16, Device, GemmOperand, Span};
use super::layer::Layer;
use super::layout::Layout;
use super::ops::{Norm, Normed, Ops, Rows, Site, Sums};
use crate::error::Result;
use crate::nn::config::{Family, ModelConfig};
use crate::nn::dropout;
use std::ops::Range;

/// What all layers read and write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) layout: &'a Layout,
    /// The arena.
    pub(super) weights: Span<f32>,
    /// The matrices of the layers in bf16, where they are multiplied so.
    pub(super) operands: Span<Bf16>,
    /// The arena.
    pub(super) gradients: Span<f32>,
    /// Of each row of the word embedding, the last step that had a gradient for it.
    pub(super) stamps: Span<u32>,
    pub(super) report: Span<u32>,
    /// Whether there is dropout, and a way back.
    pub(super) learns: bool,
}

/// Dropout at a place of the model.
pub(super) fn site(learns: bool, number: u32, rate: f64) -> Site {
    if !learns || rate == 0.0 {
        return Site::OFF;
    }
    Site::new(number, dropout::threshold(rate), dropout::keep_scale(rate))
}

impl<'a> Model<'a> {
    pub(super) fn slice(&self, place: &Range<usize>) -> Span<f32> {
        self.weights.slice(place.clone())
    }

    /// Numbers of the layers' matrices as products read them.
    pub(super) fn matrix(&self, place: Range<usize>) -> GemmOperand {
        if self.operands.is_none() {
            return GemmOperand::F32(self.weights.slice(place));
        }
        let first = self.layout.matrices.start;
        GemmOperand::Bf16(self.operands.slice(place.start - first..place.end - first))
    }

    /// Where sums over rows go.
    pub(super) fn sums(&self, buffers: &Buffers) -> Sums {
        Sums { partial: buffers.partial, stride: partial_stride(self.config, self.layout.classes()) }
    }

    fn layer<'b>(&self, number: usize, buffers: &'b Buffers) -> Layer<'b>
    where
        'a: 'b,
    {
        let layers = self.config.layers;
        Layer {
            model: *self,
            number,
            places: &self.layout.layers[number],
            tape: buffers.tape(number, layers),
            rows: if number + 1 == layers { Rows::First } else { Rows::All },
        }
    }

    fn embedding_norm(&self) -> Norm {
        Norm { places: self.slice(&self.layout.embedding_norm), eps: self.config.layer_norm_eps as f32 }
    }

    fn embedding_site(&self) -> Site {
        site(self.learns, dropout::EMBEDDINGS, self.config.hidden_dropout)
    }

    fn head_site(&self) -> Site {
        site(self.learns, dropout::classifier(self.config.layers), self.config.classifier_dropout)
    }

    fn is_tanh(&self) -> bool {
        self.config.family == Family::Bert
    }

    /// Logits of the input, in their buffer.
    pub(super) fn forward<D: Device>(&self, ops: &mut Ops<'_, D>, buffers: &Buffers) -> Result<()> {
        let (layout, layers, h) = (self.layout, self.config.layers, self.config.hidden);
        let segments = layout.segments.as_ref().map_or(Span::NONE, |segments| self.slice(segments));
        let tables = [self.slice(&layout.words), self.slice(&layout.positions), segments];
        let normed = Normed { x: buffers.embedding_normed, deviations: buffers.embedding_deviations };
        ops.embed(tables, self.embedding_norm(), self.embedding_site(), normed, buffers.state(0, layers))?;
        for number in 0..layers {
            let (x, out) = (buffers.state(number, layers), buffers.state(number + 1, layers));
            self.layer(number, buffers).forward(ops, x, out)?;
        }
        let examples = ops.len(Rows::First);
        let first = GemmOperand::F32(buffers.state(layers, layers).wide.first(examples * h));
        ops.forward(buffers.pooled, first, self.of_head(&layout.pooler), h)?;
        let bias = self.slice(&layout.pooler_bias);
        ops.pool(self.is_tanh(), bias, self.head_site(), buffers.pooled, buffers.dropped)?;
        let dropped = GemmOperand::F32(buffers.dropped.first(examples * h));
        ops.forward(buffers.logits, dropped, self.of_head(&layout.classifier), h)?;
        ops.add_bias(self.slice(&layout.classifier_bias), buffers.logits)
    }

    /// The head is multiplied in f32 always.
    fn of_head(&self, place: &Range<usize>) -> GemmOperand {
        GemmOperand::F32(self.slice(place))
    }

    /// After [`Model::forward`] in learning: adds the loss to the report and writes all gradients, or adds to
    /// what is there.
    pub(super) fn backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        buffers: &Buffers,
        smoothing: f32,
        is_added: bool,
    ) -> Result<()> {
        let [mut d, mut dx] = buffers.down;
        self.head_backward(ops, buffers, smoothing, is_added)?;
        let layers = self.config.layers;
        for number in (0..layers).rev() {
            let layer = self.layer(number, buffers);
            layer.backward(ops, buffers.state(number, layers), buffers, [d, dx], is_added)?;
            // Only of first tokens the gradient goes on elsewhere.
            if layer.rows == Rows::First {
                std::mem::swap(&mut d, &mut dx);
            }
        }
        self.embed_backward(ops, buffers, d, is_added)
    }

    fn head_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        buffers: &Buffers,
        smoothing: f32,
        is_added: bool,
    ) -> Result<()> {
        let (layout, layers, h, classes) =
            (self.layout, self.config.layers, self.config.hidden, self.layout.classes());
        let examples = ops.len(Rows::First);
        let sums = self.sums(buffers);
        let gradient = |place: &Range<usize>| self.gradients.slice(place.clone());
        let Buffers { logits, dlogits, dropped, dpooled, pooled, .. } = *buffers;
        ops.loss(smoothing, logits, classes, dlogits, self.report)?;
        let only = |wide: Span<f32>| super::buffers::Rounded { wide, operand: Span::NONE };
        ops.columns(Rows::First, classes, None, only(dlogits), (sums, 0))?;
        ops.finish((sums, 0), gradient(&layout.classifier_bias), is_added)?;
        let (d, x) = (
            GemmOperand::F32(dlogits.first(examples * classes)),
            GemmOperand::F32(dropped.first(examples * h)),
        );
        ops.weights(gradient(&layout.classifier), d, x, examples, is_added)?;
        ops.backward(dpooled, d, self.of_head(&layout.classifier), h, false)?;
        ops.pool_backward(self.is_tanh(), self.head_site(), pooled, h, dpooled)?;
        ops.columns(Rows::First, h, None, only(dpooled), (sums, 0))?;
        ops.finish((sums, 0), gradient(&layout.pooler_bias), is_added)?;
        let first = GemmOperand::F32(buffers.state(layers, layers).wide.first(examples * h));
        let d = GemmOperand::F32(dpooled.first(examples * h));
        ops.weights(gradient(&layout.pooler), d, first, examples, is_added)?;
        ops.backward(buffers.down[0], d, self.of_head(&layout.pooler), h, false)
    }

    /// From the gradient `d` of the first layer's input, (T, H), to those of the embeddings.
    fn embed_backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        buffers: &Buffers,
        d: Span<f32>,
        is_added: bool,
    ) -> Result<()> {
        let (layout, h) = (self.layout, self.config.hidden);
        let sums = self.sums(buffers);
        let gradient = |place: &Range<usize>| self.gradients.slice(place.clone());
        let normed = Normed { x: buffers.embedding_normed, deviations: buffers.embedding_deviations };
        let weight = self.slice(&layout.embedding_norm).first(h);
        let sites = [self.embedding_site(), Site::OFF];
        ops.norm_backward(Rows::All, sites, (normed, weight), d, None, (sums, (0, 0)))?;
        ops.finish((sums, 0), gradient(&layout.embedding_norm), is_added)?;
        ops.scatter_words(d, h, self.stamps, gradient(&layout.words))?;
        ops.scatter_positions(d, h, gradient(&layout.positions), is_added)?;
        if let Some(segments) = &layout.segments {
            ops.segment_columns(d, (h, segments.len() / h), (sums, 2 * h))?;
            ops.finish((sums, 2 * h), gradient(segments), is_added)?;
        }
        Ok(())
    }
}
