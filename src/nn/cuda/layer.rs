//! One encoder layer, forward and backward: [`crate::nn::fast`]'s, with the ops of a GPU.
//!
//! Shapes: T tokens, R rows that the layer turns out, H hidden, I intermediate. Weights are (out, in).

use super::buffers::{Buffers, Rounded, Tape};
use super::device::{Device, GemmOperand, Span};
use super::layout::LayerPlaces;
use super::ops::{Attention, Norm, Normed, Ops, Rows, Site};
use super::pass::{Model, site};
use crate::error::Result;
use crate::nn::config::Family;
use crate::nn::dropout;
use std::ops::Range;

/// A layer of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) model: Model<'a>,
    pub(super) number: usize,
    pub(super) places: &'a LayerPlaces,
    pub(super) tape: &'a Tape,
    pub(super) rows: Rows,
}

impl Layer<'_> {
    /// `x` (T, H) → `out` (R, H). The tape keeps what the way back needs.
    pub(super) fn forward<D: Device>(&self, ops: &mut Ops<'_, D>, x: Rounded, out: Rounded) -> Result<()> {
        let Layer { model, places, tape, rows, .. } = *self;
        let (h, i) = (model.config.hidden, model.config.intermediate);
        let (t, r) = (ops.len(Rows::All), ops.len(rows));
        let qkv = self.matrix(&places.qkv);
        if rows == Rows::All {
            ops.forward(tape.qkv, x.factor(t * h), qkv, h)?; //                              (T, 3 H)
        } else {
            let [query, key_value] =
                [self.part(&places.qkv, 0..h * h), self.part(&places.qkv, h * h..3 * h * h)];
            ops.pick(x.wide, h, tape.picked)?; //                                            (R, H)
            ops.forward(tape.queries, tape.picked.factor(r * h), query, h)?; //              (R, H)
            ops.forward(tape.qkv, x.factor(t * h), key_value, h)?; //                        (T, 2 H)
        }
        ops.attend(&self.attention(), tape.context, tape.logs)?; //                          (R, H)

        let (product, weight) = (tape.attention_normed, self.matrix(&places.attention_out));
        ops.forward(product, tape.context.factor(r * h), weight, h)?; //                     (R, H)
        let sum = (model.slice(&places.attention_out_bias), self.attention_site(), self.residual(x));
        ops.add_norm(rows, sum, self.norm(&places.attention_norm), self.attention_normed(), tape.middle)?;

        ops.forward(tape.derivatives, tape.middle.factor(r * h), self.matrix(&places.up), h)?; // (R, I)
        let bias = model.slice(&places.up_bias);
        ops.activate(rows, model.config.activation, bias, tape.derivatives, tape.inner)?; // (R, I)
        ops.forward(tape.output_normed, tape.inner.factor(r * i), self.matrix(&places.down), i)?; // (R, H)
        let sum = (model.slice(&places.down_bias), self.output_site(), tape.middle.wide);
        ops.add_norm(rows, sum, self.norm(&places.output_norm), self.output_normed(), out)
    }

    /// From the gradient of the output, the first of `buffers.down`, (R, H), to that of the input `x`, (T, H), in
    /// the second. Gradients of the weights are written, or added to what is there.
    pub(super) fn backward<D: Device>(
        &self,
        ops: &mut Ops<'_, D>,
        x: Rounded,
        buffers: &Buffers,
        [d, dx]: [Span<f32>; 2],
        is_added: bool,
    ) -> Result<()> {
        let Layer { model, places, tape, rows, .. } = *self;
        let (h, i) = (model.config.hidden, model.config.intermediate);
        let (t, r) = (ops.len(Rows::All), ops.len(rows));
        let Buffers { dh, di, dcontext, dqkv, .. } = *buffers;
        let sums = model.sums(buffers);
        let first = places.vectors.start;
        let at = |range: &Range<usize>| range.start - first;
        let gradient = |range: &Range<usize>| model.gradients.slice(range.clone());

        let ends = (at(&places.output_norm), at(&places.down_bias));
        let weight = self.norm_weight(&places.output_norm);
        let sites = [Site::OFF, self.output_site()];
        ops.norm_backward(rows, sites, (self.output_normed(), weight), d, Some(dh), (sums, ends))?; // (R, H)
        let dh = dh.factor(r * h);
        ops.weights(gradient(&places.down), dh, tape.inner.factor(r * i), r, is_added)?; //  (H, I)
        ops.backward(di.wide, dh, self.matrix(&places.down), i, false)?; //                  (R, I)
        ops.columns(rows, i, Some(tape.derivatives), di, (sums, at(&places.up_bias)))?;
        let di = di.factor(r * i);
        ops.weights(gradient(&places.up), di, tape.middle.factor(r * h), r, is_added)?; //   (I, H)
        ops.backward(d, di, self.matrix(&places.up), h, true)?; //           d: of middle,   (R, H)

        let ends = (at(&places.attention_norm), at(&places.attention_out_bias));
        let weight = self.norm_weight(&places.attention_norm);
        let sites = [Site::OFF, self.attention_site()];
        ops.norm_backward(rows, sites, (self.attention_normed(), weight), d, Some(buffers.dh), (sums, ends))?;
        ops.weights(gradient(&places.attention_out), dh, tape.context.factor(r * h), r, is_added)?; // (H, H)
        ops.backward(dcontext, dh, self.matrix(&places.attention_out), h, false)?; //        (R, H)

        let context = (tape.context.wide, tape.logs);
        let bias = at(&places.qkv_bias);
        if rows == Rows::All {
            let parts = [0, h, 2 * h].map(|column| dqkv.wide.slice(column..dqkv.wide.len()));
            ops.attend_backward(&self.attention(), context, (dcontext, buffers.alongs), parts)?; // (T, 3 H)
            ops.columns(rows, 3 * h, None, dqkv, (sums, bias))?;
            let dqkv = dqkv.factor(t * 3 * h);
            ops.weights(gradient(&places.qkv), dqkv, x.factor(t * h), t, is_added)?; //      (3 H, H)
            ops.backward(d, dqkv, self.matrix(&places.qkv), h, true)?; //    d: of x,        (T, H)
        } else {
            let dqueries = buffers.dqueries;
            let parts = [dqueries.wide, dqkv.wide, dqkv.wide.slice(h..dqkv.wide.len())];
            ops.attend_backward(&self.attention(), context, (dcontext, buffers.alongs), parts)?; // (R, H), (T, 2 H)
            ops.columns(rows, h, None, dqueries, (sums, bias))?;
            ops.columns(Rows::All, 2 * h, None, dqkv, (sums, bias + h))?;
            let (dq, dkv) = (dqueries.factor(r * h), dqkv.factor(t * 2 * h));
            let [query, key_value] = [0..h * h, h * h..3 * h * h];
            let whole = gradient(&places.qkv);
            ops.weights(whole.slice(query.clone()), dq, tape.picked.factor(r * h), r, is_added)?; // (H, H)
            ops.weights(whole.slice(key_value.clone()), dkv, x.factor(t * h), t, is_added)?; //      (2 H, H)
            ops.backward(d, dq, self.part(&places.qkv, query), h, true)?; // d: of xr,       (R, H)
            ops.unpick(d, h, dx)?; //                                                        (T, H)
            ops.backward(dx, dkv, self.part(&places.qkv, key_value), h, true)?; //           (T, H)
        }
        ops.finish((sums, 0), gradient(&places.vectors), is_added)
    }

    fn matrix(&self, place: &Range<usize>) -> GemmOperand {
        self.model.matrix(place.clone())
    }

    /// Some numbers of a matrix.
    fn part(&self, place: &Range<usize>, part: Range<usize>) -> GemmOperand {
        self.model.matrix(place.start + part.start..place.start + part.end)
    }

    fn norm(&self, place: &Range<usize>) -> Norm {
        Norm { places: self.model.slice(place), eps: self.model.config.layer_norm_eps as f32 }
    }

    fn norm_weight(&self, place: &Range<usize>) -> Span<f32> {
        self.model.slice(&(place.start..place.start + place.len() / 2))
    }

    fn attention_normed(&self) -> Normed {
        Normed { x: self.tape.attention_normed, deviations: self.tape.attention_deviations }
    }

    fn output_normed(&self) -> Normed {
        Normed { x: self.tape.output_normed, deviations: self.tape.output_deviations }
    }

    /// The rows of `x` that the layer turns out.
    fn residual(&self, x: Rounded) -> Span<f32> {
        if self.rows == Rows::All { x.wide } else { self.tape.picked.wide }
    }

    fn attention(&self) -> Attention {
        let Layer { model, places, tape, rows, number } = *self;
        let config = model.config;
        let h = config.hidden;
        let column = |column: usize| tape.qkv.slice(column..tape.qkv.len());
        let (queries, keys, values, strides) = match rows {
            Rows::All => (column(0), column(h), column(2 * h), [3 * h, 3 * h]),
            Rows::First => (tape.queries, column(0), column(h), [h, 2 * h]),
        };
        Attention {
            rows,
            heads: config.heads,
            size: config.head_size(),
            max_positions: config.max_positions,
            queries,
            keys,
            values,
            strides,
            biases: model.slice(&places.qkv_bias),
            site: site(model.learns, dropout::attention(number), config.attention_dropout),
            is_bf16: !model.operands.is_none(),
        }
    }

    fn attention_site(&self) -> Site {
        let config = self.model.config;
        // DistilBERT has no dropout here.
        let rate = if config.family == Family::Bert { config.hidden_dropout } else { 0.0 };
        site(self.model.learns, dropout::attention_output(self.number), rate)
    }

    fn output_site(&self) -> Site {
        site(self.model.learns, dropout::feed_forward(self.number), self.model.config.hidden_dropout)
    }
}
