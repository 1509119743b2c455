//! One encoder layer, forward and backward.
//!
//! Shapes: T tokens, R rows that the layer turns out, H hidden, I intermediate. Weights are (out, in), as
//! they are stored; ⊙ is the product of each number with its own.

use super::kernels::Cpu;
use super::kernels::activation::{activate, activate_backward};
use super::kernels::attention::{Heads, Projected, Spans};
use super::kernels::norm::{Mask, Norm, NormGradient, add_columns, add_norm, masked_gradient, norm_backward};
use super::kernels::product::Weight;
use super::layout::{LayerPlaces, Pair};
use super::row_selection::Rows;
use super::tape::LayerTape;
use super::work::Work;
use crate::nn::config::{Family, ModelConfig};
use crate::nn::dropout::{self, Dropout};
use std::ops::Range;

/// A layer of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) cpu: Cpu,
    pub(super) config: &'a ModelConfig,
    pub(super) number: usize,
    pub(super) places: &'a LayerPlaces,
    /// The arena.
    pub(super) weights: &'a [f32],
    /// Masks, in learning.
    pub(super) dropout: Option<Dropout>,
}

impl Layer<'_> {
    /// `x` (T, H) → `out` (R, H). The tape keeps what the way back needs.
    pub(super) fn forward(
        &self,
        x: &[f32],
        rows: &Rows,
        tape: &mut LayerTape,
        work: &mut Work,
        out: &mut [f32],
    ) {
        let (h, i) = (self.config.hidden, self.config.intermediate);
        let (t, cpu, places) = (x.len() / h, self.cpu, self.places);
        let Work { products, attention, .. } = work;
        tape.fit(rows, (t, h, i));
        let LayerTape { picked, queries, keys_values, kept, context, middle, derivatives, inner, .. } = tape;
        let xr = pick(x, rows, h, picked); //                                             (R, H)

        products.forward(queries, xr, self.query()); //                                   (R, H)
        products.forward(keys_values, x, self.key_value()); //                            (T, 2H)
        let projected = Projected { queries, keys_values, biases: self.slice(&places.biases) };
        attention.attend(cpu, self.spans(rows), projected, kept, context); //             (R, H)

        products.forward(&mut tape.attention_normed, context, self.attention_out()); //   (R, H)
        let sum = (self.slice(&places.attention_out.bias), self.attention_mask(rows), xr);
        let norm = self.norm(&places.attention_norm);
        add_norm(cpu, &mut tape.attention_normed, sum, norm, &mut tape.attention_deviations, middle);

        products.forward(derivatives, middle, self.up()); //                              (R, I)
        activate(cpu, self.config.activation, derivatives, self.slice(&places.up.bias), inner);
        products.forward(&mut tape.output_normed, inner, self.down()); //                 (R, H)
        let sum = (self.slice(&places.down.bias), self.output_mask(rows), &**middle);
        let norm = self.norm(&places.output_norm);
        add_norm(cpu, &mut tape.output_normed, sum, norm, &mut tape.output_deviations, out);
    }

    /// From the gradient of the output, the first of `work.down`, (R, H), to that of the input `x`, which
    /// takes its place, (T, H). Adds the gradients of biases and norms, and leaves what [`factors`] makes those
    /// of matrices from.
    pub(super) fn backward(
        &self,
        x: &[f32],
        rows: &Rows,
        tape: &mut LayerTape,
        small: &mut [f32],
        work: &mut Work,
    ) {
        let (h, i, r) = (self.config.hidden, self.config.intermediate, rows.len());
        let (t, cpu, places) = (x.len() / h, self.cpu, self.places);
        let Work { products, attention, states, inner: di, queries: dq, keys_values: dkv, down } = work;
        let [d, dx] = down;
        let (d, dx, dcontext) = (&mut d[..r * h], &mut dx[..t * h], &mut states[..r * h]);
        let (di, dq, dkv) = (&mut di[..r * i], &mut dq[..r * h], &mut dkv[..t * 2 * h]);

        let normed = &mut tape.output_normed;
        self.norm_backward(d, normed, &tape.output_deviations, &places.output_norm, small);
        // x̂ is not needed any more; the gradient of the product before it takes the place.
        masked_gradient(cpu, d, self.output_mask(rows), normed, &mut small[places.down.bias.clone()]);
        products.backward(di, normed, self.down(), false); //                                    (R, I)
        activate_backward(cpu, di, &tape.derivatives, &mut small[places.up.bias.clone()]);
        products.backward(d, di, self.up(), true); //                              d: of middle, (R, H)

        let normed = &mut tape.attention_normed;
        self.norm_backward(d, normed, &tape.attention_deviations, &places.attention_norm, small);
        let bias = &mut small[places.attention_out.bias.clone()];
        masked_gradient(cpu, d, self.attention_mask(rows), normed, bias);
        products.backward(dcontext, normed, self.attention_out(), false); //                     (R, H)

        let LayerTape { queries, keys_values, kept, .. } = tape;
        let projected = Projected { queries, keys_values, biases: self.slice(&places.biases) };
        attention.attend_backward(cpu, self.spans(rows), projected, (kept, dcontext), dq, dkv);
        let (dq_bias, dkv_bias) = small[places.biases.clone()].split_at_mut(h);
        add_columns(cpu, dq, dq_bias);
        add_columns(cpu, dkv, dkv_bias);
        products.backward(d, dq, self.query(), true); //                           d: of xr,     (R, H)
        put(d, rows, h, dx);
        products.backward(dx, dkv, self.key_value(), true); //                                   (T, H)
        down.swap(0, 1);
    }

    fn query(&self) -> Weight<'_> {
        self.weight(&self.places.query, self.config.hidden)
    }

    fn key_value(&self) -> Weight<'_> {
        self.weight(&self.places.key_value, self.config.hidden)
    }

    fn attention_out(&self) -> Weight<'_> {
        self.weight(&self.places.attention_out.weight, self.config.hidden)
    }

    fn up(&self) -> Weight<'_> {
        self.weight(&self.places.up.weight, self.config.hidden)
    }

    fn down(&self) -> Weight<'_> {
        self.weight(&self.places.down.weight, self.config.intermediate)
    }

    fn weight(&self, place: &Range<usize>, ins: usize) -> Weight<'_> {
        Weight::new(self.slice(place), ins)
    }

    fn norm_backward(
        &self,
        d: &mut [f32],
        normed: &[f32],
        deviations: &[f32],
        places: &Pair,
        small: &mut [f32],
    ) {
        let (weight, bias) = small[places.both()].split_at_mut(places.weight.len());
        let gradient = NormGradient { weight, bias };
        norm_backward(self.cpu, d, normed, deviations, self.slice(&places.weight), gradient);
    }

    fn slice(&self, place: &Range<usize>) -> &[f32] {
        &self.weights[place.clone()]
    }

    fn norm(&self, places: &Pair) -> Norm<'_> {
        let (weight, bias) = (self.slice(&places.weight), self.slice(&places.bias));
        Norm { weight, bias, eps: self.config.layer_norm_eps }
    }

    fn spans<'r>(&self, rows: &'r Rows) -> Spans<'r> {
        let config = self.config;
        let site = dropout::attention(self.number);
        Spans {
            heads: Heads {
                count: config.heads,
                size: config.head_size(),
                max_positions: config.max_positions,
            },
            examples: &rows.spans,
            dropout: self.dropout.and_then(|dropout| dropout.site(site, config.attention_dropout)),
            tokens: &rows.tokens,
        }
    }

    fn attention_mask<'r>(&self, rows: &'r Rows) -> Mask<'r> {
        // DistilBERT has no dropout here.
        let rate = if self.config.family == Family::Bert { self.config.hidden_dropout } else { 0.0 };
        self.mask(dropout::attention_output(self.number), rate, rows)
    }

    fn output_mask<'r>(&self, rows: &'r Rows) -> Mask<'r> {
        self.mask(dropout::feed_forward(self.number), self.config.hidden_dropout, rows)
    }

    fn mask<'r>(&self, site: u32, rate: f64, rows: &'r Rows) -> Mask<'r> {
        Mask { site: self.dropout.and_then(|dropout| dropout.site(site, rate)), tokens: &rows.tokens }
    }
}

/// After [`Layer::backward`], what the gradients of a layer's matrices are products of, in their order: for
/// each d, the gradient of what it turned out, and the x that it was given. dW = dᵀ · x
pub(super) fn factors<'a>(
    x: &'a [f32],
    rows: &Rows,
    tape: &'a LayerTape,
    work: &'a Work,
) -> [(&'a [f32], &'a [f32]); 5] {
    let (r, t) = (tape.middle.len(), x.len());
    let xr = if rows.picked.is_some() { &tape.picked } else { x };
    [
        (&work.queries[..r], xr),        //                                  (R, H), (R, H)
        (&work.keys_values[..2 * t], x), //                           (T, 2H), (T, H)
        (&tape.attention_normed, &tape.context), //                   (R, H), (R, H)
        (&work.inner[..tape.inner.len()], &tape.middle), //           (R, I), (R, H)
        (&tape.output_normed, &tape.inner), //                        (R, H), (R, I)
    ]
}

/// The rows of `x` (T, H) that the layer turns out: `x` itself, or a copy in `picked`.
fn pick<'x>(x: &'x [f32], rows: &Rows, h: usize, picked: &'x mut Vec<f32>) -> &'x [f32] {
    let Some(tokens) = &rows.picked else { return x };
    picked.clear();
    for token in tokens {
        picked.extend_from_slice(&x[token * h..(token + 1) * h]);
    }
    picked
}

/// The gradient of what [`pick`] gave → that of `x`.
fn put(d: &[f32], rows: &Rows, h: usize, dx: &mut [f32]) {
    let Some(tokens) = &rows.picked else {
        dx.copy_from_slice(d);
        return;
    };
    dx.fill(0.0);
    for (token, d) in tokens.iter().zip(d.chunks_exact(h)) {
        dx[token * h..(token + 1) * h].copy_from_slice(d);
    }
}
