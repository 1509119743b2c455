//! The weights of a model, which all shards read.

use super::frozen_outputs::FrozenOutputs;
use super::int8::QuantizedWeights;
use super::layer::Layer;
use super::layout::{Layout, WeightBias};
use crate::batch::Batch;
use crate::nn::config::ModelConfig;
use kernels::Cpu;
use kernels::dropout::Dropout;
use kernels::matmul::{Matmul, WeightGrad, WeightMatrix};
use kernels::norm::{LayerNorm, add_column_sums};
use std::ops::Range;

/// Configuration, layout and weights of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model<'a> {
    pub(super) cpu: Cpu,
    pub(super) config: &'a ModelConfig,
    pub(super) layout: &'a Layout,
    /// The arena of all weights.
    pub(super) weights: &'a [f32],
    /// The matrices of the layers that products use instead, in inference only.
    pub(super) quantized: Option<&'a QuantizedWeights>,
    /// What the frozen prefix has computed before.
    pub(super) frozen_outputs: Option<&'a FrozenOutputs>,
}

impl Model<'_> {
    pub(super) fn slice(&self, range: &Range<usize>) -> &[f32] {
        &self.weights[range.clone()]
    }

    /// Encoder layer `index`.
    pub(super) fn layer(&self, index: usize, dropout: Option<Dropout>) -> Layer<'_> {
        let rope_theta = self.config.layer_attention(index).rope_theta;
        Layer {
            cpu: self.cpu,
            config: self.config,
            index,
            params: &self.layout.layers[self.config.sharing.parameter_set(index)],
            relative_bias: self.layout.relative_bias.as_ref(),
            rotary_table: rope_theta.and_then(|theta| self.layout.rotary_table(theta)),
            weights: self.weights,
            quantized: self.quantized,
            dropout,
        }
    }

    /// A LayerNorm.
    pub(super) fn norm(&self, WeightBias { weight, bias }: &WeightBias) -> LayerNorm<'_> {
        LayerNorm { weight: self.slice(weight), bias: self.slice(bias), eps: self.config.layer_norm_eps }
    }

    /// `out` (rows, outputs) = `x` (rows, inputs) Wᵀ + b
    pub(super) fn linear(&self, matmul: &mut Matmul, x: &[f32], params: &WeightBias, out: &mut Vec<f32>) {
        let bias = self.slice(&params.bias);
        let weight = self.matrix(params);
        out.resize(x.len() / weight.inputs() * bias.len(), 0.0);
        matmul.forward(out, x, weight);
        for row in out.chunks_exact_mut(bias.len()) {
            for (x, bias) in row.iter_mut().zip(bias) {
                *x += bias;
            }
        }
    }

    /// The backward pass of [`Model::linear`]: adds the gradients of weight and bias to `vector_grads` and writes
    /// that of `x` to `d_x`.
    pub(super) fn linear_backward(
        &self,
        matmul: &mut Matmul,
        (x, d_y): (&[f32], &[f32]),
        params: &WeightBias,
        vector_grads: &mut [f32],
        d_x: &mut [f32],
    ) {
        add_column_sums(self.cpu, d_y, &mut vector_grads[params.bias.clone()]);
        let d_w = &mut vector_grads[params.weight.clone()];
        let gradient = WeightGrad { d_w, d_y: vec![d_y], x: vec![x], outputs: params.bias.len() };
        matmul.backward_weights(vec![gradient], true);
        matmul.backward_input(d_x, d_y, self.matrix(params), false);
    }

    /// As [`Model::linear_backward`], for a product x Wᵀ of a matrix without a bias and with H outputs.
    pub(super) fn product_backward(
        &self,
        matmul: &mut Matmul,
        (x, d_y): (&[f32], &[f32]),
        weight: &Range<usize>,
        vector_grads: &mut [f32],
        d_x: &mut [f32],
    ) {
        let outputs = self.config.hidden;
        let d_w = &mut vector_grads[weight.clone()];
        matmul.backward_weights(vec![WeightGrad { d_w, d_y: vec![d_y], x: vec![x], outputs }], true);
        let weight = WeightMatrix::new(self.slice(weight), weight.len() / outputs);
        matmul.backward_input(d_x, d_y, weight, false);
    }

    fn matrix(&self, params: &WeightBias) -> WeightMatrix<'_> {
        WeightMatrix::new(self.slice(&params.weight), params.weight.len() / params.bias.len())
    }

    /// The embedding tables, each with the row of every token.
    pub(super) fn embedding_tables<'b>(
        &'b self,
        batch: &'b Batch,
        positions: &'b [u32],
    ) -> Vec<(&'b [f32], &'b [u32])> {
        let mut tables = vec![(self.slice(&self.layout.words), batch.ids.as_slice())];
        if let Some(segments) = &self.layout.segments {
            tables.push((self.slice(segments), &batch.type_ids));
        }
        if let Some(table) = &self.layout.positions {
            tables.push((self.slice(table), positions));
        }
        tables
    }
}
