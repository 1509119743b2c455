//! One encoder layer, forward and backward.
//!
//! Shapes: T tokens, R rows that the layer turns out, H hidden, I intermediate. Weights are (out, in), as
//! they are stored; ⊙ is the product of each number with its own.

use super::Machine;
use super::kernels::activation::{activate, activate_backward};
use super::kernels::attention::{Heads, Projected, Spans, attend, attend_backward};
use super::kernels::norm::{Mask, Norm, NormGradient, add_columns, add_norm, masked_gradient, norm_backward};
use super::kernels::product::{Matrix, product};
use super::layout::{LayerPlaces, Pair};
use super::rows::Rows;
use super::tape::{Gradients, LayerTape};
use crate::nn::config::{Family, ModelConfig};
use crate::nn::dropout::{self, Dropout};

/// A layer of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) machine: Machine,
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
    pub(super) fn forward(&self, x: &[f32], rows: &Rows, tape: &mut LayerTape, out: &mut [f32]) {
        let (h, i, r) = (self.config.hidden, self.config.intermediate, rows.len());
        let (t, places, threads) = (x.len() / h, self.places, self.machine.threads);
        let cpu = self.machine.cpu;
        tape.fit(rows, (t, h, i));
        let LayerTape { picked, queries, keys_values, kept, context, middle, derivatives, inner, .. } = tape;
        let xr = pick(x, rows, h, picked); //                                                       (R, H)

        product(queries, Matrix::new(xr, r, h), self.matrix(&places.query, h).t(), false, threads); // (R, H)
        let kv = self.matrix(&places.key_value, h).t();
        product(keys_values, Matrix::new(x, t, h), kv, false, threads); //                          (T, 2H)
        let projected = Projected { queries, keys_values, biases: self.slice(&places.biases) };
        attend(cpu, self.spans(rows), projected, &mut tape.scratch, kept, context); //              (R, H)

        let wo = self.matrix(&places.attention_out.weight, h).t();
        product(&mut tape.attention_normed, Matrix::new(context, r, h), wo, false, threads); //     (R, H)
        let sum = (self.slice(&places.attention_out.bias), self.attention_mask(rows), xr);
        let norm = self.norm(&places.attention_norm);
        add_norm(cpu, &mut tape.attention_normed, sum, norm, &mut tape.attention_deviations, middle);

        let up = self.matrix(&places.up.weight, h).t();
        product(derivatives, Matrix::new(middle, r, h), up, false, threads); //                     (R, I)
        activate(cpu, self.config.activation, derivatives, self.slice(&places.up.bias), inner);
        let down = self.matrix(&places.down.weight, i).t();
        product(&mut tape.output_normed, Matrix::new(inner, r, i), down, false, threads); //        (R, H)
        let sum = (self.slice(&places.down.bias), self.output_mask(rows), &**middle);
        let norm = self.norm(&places.output_norm);
        add_norm(cpu, &mut tape.output_normed, sum, norm, &mut tape.output_deviations, out);
    }

    /// From the gradient of the output, `d` (R, H), to that of the input `x`, written to `dx` (T, H).
    /// Adds the gradients of the weights, or writes those of matrices when `gradients` are new.
    pub(super) fn backward(
        &self,
        x: &[f32],
        rows: &Rows,
        tape: &mut LayerTape,
        gradients: &mut Gradients,
        d: &mut [f32],
        dx: &mut [f32],
    ) {
        let (h, i, r) = (self.config.hidden, self.config.intermediate, rows.len());
        let (t, places, threads) = (x.len() / h, self.places, self.machine.threads);
        let (cpu, is_added) = (self.machine.cpu, gradients.is_added);
        let Gradients { arena, states, inner: di, queries: dq, keys_values: dkv, .. } = gradients;
        let (dh, di) = (&mut states[..r * h], &mut di[..r * i]);
        let (dq, dkv) = (&mut dq[..r * h], &mut dkv[..t * 2 * h]);

        self.norm_backward(d, &tape.output_normed, &tape.output_deviations, &places.output_norm, arena);
        masked_gradient(cpu, d, self.output_mask(rows), dh, &mut arena[places.down.bias.clone()]); // (R, H)
        let (dhm, inner) = (Matrix::new(dh, r, h), Matrix::new(&tape.inner, r, i));
        product(&mut arena[places.down.weight.clone()], dhm.t(), inner, is_added, threads); //      (H, I)
        product(di, dhm, self.matrix(&places.down.weight, i), false, threads); //                   (R, I)
        activate_backward(cpu, di, &tape.derivatives, &mut arena[places.up.bias.clone()]);
        let (dim, middle) = (Matrix::new(di, r, i), Matrix::new(&tape.middle, r, h));
        product(&mut arena[places.up.weight.clone()], dim.t(), middle, is_added, threads); //       (I, H)
        product(d, dim, self.matrix(&places.up.weight, h), true, threads); //        d: of middle,  (R, H)

        let (normed, deviations) = (&tape.attention_normed, &tape.attention_deviations);
        self.norm_backward(d, normed, deviations, &places.attention_norm, arena);
        let bias = &mut arena[places.attention_out.bias.clone()];
        masked_gradient(cpu, d, self.attention_mask(rows), dh, bias); //                            (R, H)
        let (dhm, context) = (Matrix::new(dh, r, h), Matrix::new(&tape.context, r, h));
        let place = places.attention_out.weight.clone();
        product(&mut arena[place.clone()], dhm.t(), context, is_added, threads); //                 (H, H)
        // The context itself is not needed any more; its gradient takes the place.
        product(dq, dhm, self.matrix(&place, h), false, threads); //                                (R, H)
        tape.context.copy_from_slice(dq);

        let LayerTape { picked, queries, keys_values, kept, context, scratch, .. } = tape;
        let projected = Projected { queries, keys_values, biases: self.slice(&places.biases) };
        attend_backward(cpu, self.spans(rows), projected, scratch, (kept, context), dq, dkv);
        let (dq_bias, dkv_bias) = arena[places.biases.clone()].split_at_mut(h);
        add_columns(cpu, dq, dq_bias);
        add_columns(cpu, dkv, dkv_bias);
        let xr = if rows.picked.is_some() { &**picked } else { x };
        let (dq, dkv) = (Matrix::new(dq, r, h), Matrix::new(dkv, t, 2 * h));
        product(&mut arena[places.query.clone()], dq.t(), Matrix::new(xr, r, h), is_added, threads); // (H, H)
        let x = Matrix::new(x, t, h);
        product(&mut arena[places.key_value.clone()], dkv.t(), x, is_added, threads); //            (2H, H)
        product(d, dq, self.matrix(&places.query, h), true, threads); //             d: of xr,      (R, H)
        put(d, rows, h, dx);
        product(dx, dkv, self.matrix(&places.key_value, h), true, threads); //                      (T, H)
    }

    fn norm_backward(
        &self,
        d: &mut [f32],
        normed: &[f32],
        deviations: &[f32],
        places: &Pair,
        arena: &mut [f32],
    ) {
        let (weight, bias) = arena[places.both()].split_at_mut(places.weight.len());
        let gradient = NormGradient { weight, bias };
        norm_backward(self.machine.cpu, d, normed, deviations, self.slice(&places.weight), gradient);
    }

    fn slice(&self, place: &std::ops::Range<usize>) -> &[f32] {
        &self.weights[place.clone()]
    }

    /// A weight with that many columns.
    fn matrix(&self, place: &std::ops::Range<usize>, columns: usize) -> Matrix<'_> {
        Matrix::new(self.slice(place), place.len() / columns, columns)
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
