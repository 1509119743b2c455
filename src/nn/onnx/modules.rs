//! The modules of an encoder as nodes: linear layers, LayerNorm, embeddings and activation functions.

use super::graph::{GraphBuilder, Value};
use super::initializer::Form;
use super::precision::OnnxPrecision;
use super::proto::{AttributeProto, DataType};
use crate::nn::architecture::{BiasSite, LayerNames};
use crate::nn::config::ModelConfig;
use crate::nn::params::param_specs;
use kernels::activation::Activation;
use std::collections::BTreeMap;

/// A graph that is being built for a model.
pub(super) struct Modules<'a> {
    pub(super) graph: GraphBuilder,
    pub(super) config: &'a ModelConfig,
    /// The shape of each parameter.
    shapes: BTreeMap<String, Vec<usize>>,
    /// Of the word embedding and of the linear layers of the encoder layers.
    precision: OnnxPrecision,
}

/// Whether a linear layer has a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bias {
    Absent,
    Present,
}

impl<'a> Modules<'a> {
    /// An empty graph for a model with `outputs` outputs.
    pub(super) fn new(config: &'a ModelConfig, outputs: usize, precision: OnnxPrecision) -> Self {
        let specs = param_specs(config, outputs).into_iter();
        let shapes = specs.map(|spec| (spec.name, spec.shape)).collect();
        Modules { graph: GraphBuilder::default(), config, shapes, precision }
    }

    /// Whether the modules at a site have biases.
    pub(super) fn bias(&self, site: BiasSite) -> Bias {
        if self.config.has_bias(site) { Bias::Present } else { Bias::Absent }
    }

    /// A parameter of the model in some form.
    pub(super) fn parameter(&mut self, name: &str, form: Form) -> Value {
        let shape = self.shapes.get(name).cloned().unwrap_or_default();
        self.graph.parameter(name, &shape, form)
    }

    /// The matrix of an embedding, (rows, width).
    pub(super) fn table(&mut self, module: &str) -> Value {
        self.parameter(&format!("{module}.weight"), Form::Unchanged)
    }

    /// x Wᵀ + b in f32.
    pub(super) fn linear(&mut self, module: &str, x: &Value, bias: Bias) -> Value {
        let weight = self.parameter(&format!("{module}.weight"), Form::Transposed);
        let product = self.graph.matmul(x, &weight);
        self.with_bias(module, product, bias)
    }

    /// x Wᵀ + b in an encoder layer, in the precision of the graph.
    pub(super) fn layer_linear(&mut self, module: &str, x: &Value, bias: Bias) -> Value {
        match self.precision {
            OnnxPrecision::F32 => self.linear(module, x, bias),
            OnnxPrecision::Int8 => {
                let product = self.quantized_product(module, x);
                self.with_bias(module, product, bias)
            }
        }
    }

    /// The projections of queries, keys and values, which may be one linear layer: (…, hidden) each
    pub(super) fn queries_keys_values(&mut self, layer: &LayerNames, x: &Value) -> [Value; 3] {
        let bias = self.bias(BiasSite::Attention);
        if layer.query == layer.key {
            let all = self.layer_linear(&layer.query, x, bias);
            return self.graph.split(&all, self.config.hidden);
        }
        [&layer.query, &layer.key, &layer.value].map(|name| self.layer_linear(name, x, bias))
    }

    /// x Wᵀ, where x is quantized for each call with one scale, and each row of W has a scale of its own
    /// (`onnxruntime.quantization.quantize_dynamic` with `per_channel`).
    fn quantized_product(&mut self, module: &str, x: &Value) -> Value {
        let name = format!("{module}.weight");
        let weight = self.parameter(&name, Form::QuantizedTransposed);
        let weight_scale = self.parameter(&name, Form::Scales);
        let graph = &mut self.graph;
        let [x, scale, zero_point] = graph.quantized(x);
        let product = graph.node("MatMulInteger", &[&x, &weight, &zero_point], Vec::new());
        let product = graph.cast(&product, DataType::Float);
        let scale = graph.mul(&scale, &weight_scale);
        graph.mul(&product, &scale)
    }

    fn with_bias(&mut self, module: &str, x: Value, bias: Bias) -> Value {
        match bias {
            Bias::Absent => x,
            Bias::Present => {
                let bias = self.parameter(&format!("{module}.bias"), Form::Unchanged);
                self.graph.add(&x, &bias)
            }
        }
    }

    /// LayerNorm over the last dimension.
    pub(super) fn norm(&mut self, module: &str, x: &Value) -> Value {
        let weight = self.parameter(&format!("{module}.weight"), Form::Unchanged);
        let bias = match self.bias(BiasSite::Norm) {
            Bias::Present => Some(self.parameter(&format!("{module}.bias"), Form::Unchanged)),
            Bias::Absent => None,
        };
        let inputs: Vec<&Value> = [x, &weight].into_iter().chain(&bias).collect();
        let attributes = vec![
            AttributeProto::int("axis", -1),
            AttributeProto::float("epsilon", self.config.layer_norm_eps as f32),
        ];
        self.graph.node("LayerNormalization", &inputs, attributes)
    }

    /// The rows of the word embedding of token ids; in int8, each row of the matrix has a scale.
    pub(super) fn word_embedding(&mut self, module: &str, ids: &Value) -> Value {
        let name = format!("{module}.weight");
        match self.precision {
            OnnxPrecision::F32 => {
                let table = self.table(module);
                self.graph.gather(&table, ids, 0)
            }
            OnnxPrecision::Int8 => {
                let table = self.parameter(&name, Form::Quantized);
                let scales = self.parameter(&name, Form::ScalesColumn);
                let rows = self.graph.gather(&table, ids, 0);
                let rows = self.graph.cast(&rows, DataType::Float);
                let scales = self.graph.gather(&scales, ids, 0);
                self.graph.mul(&rows, &scales)
            }
        }
    }

    /// An activation function, in the form that ONNX Runtime recognizes and computes in one pass.
    pub(super) fn activate(&mut self, x: &Value, activation: Activation) -> Value {
        let graph = &mut self.graph;
        match activation {
            Activation::Relu => graph.unary("Relu", x),
            // x Φ(x)
            Activation::Gelu => {
                let (one, half) = (graph.float(1.0), graph.float(0.5));
                let root = graph.float(std::f32::consts::SQRT_2);
                let erf = graph.div(x, &root);
                let erf = graph.unary("Erf", &erf);
                let doubled = graph.add(&erf, &one);
                let product = graph.mul(x, &doubled);
                graph.mul(&product, &half)
            }
            // x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))
            Activation::GeluTanh => {
                let (one, half) = (graph.float(1.0), graph.float(0.5));
                let (three, cubic) = (graph.float(3.0), graph.float(0.044_715));
                let factor = graph.float((2.0 / std::f64::consts::PI).sqrt() as f32);
                let cube = graph.node("Pow", &[x, &three], Vec::new());
                let cube = graph.mul(&cube, &cubic);
                let inner = graph.add(x, &cube);
                let inner = graph.mul(&inner, &factor);
                let tanh = graph.unary("Tanh", &inner);
                let doubled = graph.add(&tanh, &one);
                let halved = graph.mul(x, &half);
                graph.mul(&halved, &doubled)
            }
        }
    }
}
