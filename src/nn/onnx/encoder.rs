//! The graph of an encoder, from token ids to logits: one pass over the description of its architecture.
//!
//! Shapes: batch and sequence are known when the graph runs. Texts are padded at the end.

use super::attention::AttentionTerms;
use super::graph::{GraphBuilder, Value};
use super::initializer::Initializer;
use super::inputs::{ATTENTION_MASK, INPUT_IDS, LOGITS, SequenceLength, TOKEN_TYPE_IDS};
use super::modules::{Bias, Modules};
use super::precision::OnnxPrecision;
use super::proto::{DataType, NodeProto};
use crate::nn::architecture::{
    BiasSite, FeedForward, LayerNames, Names, NormPosition, PoolerActivation, Pooling, Positions,
};
use crate::nn::config::ModelConfig;
use kernels::activation::Activation;

/// The nodes and constant tensors of a model with `outputs` outputs.
pub(super) fn encoder(
    config: &ModelConfig,
    outputs: usize,
    precision: OnnxPrecision,
) -> (Vec<NodeProto>, Vec<Initializer>) {
    let names = config.names();
    let mut modules = Modules::new(config, outputs, precision);
    modules.graph.enter("sequence");
    let length = SequenceLength::new(&mut modules.graph);
    modules.graph.enter("embeddings");
    let mut x = embed(&mut modules, &names, &length);
    modules.graph.enter("attention");
    let terms = AttentionTerms::new(&mut modules, &names, &length);
    for index in 0..config.layers {
        let layer = &names.layers[config.sharing.parameter_set(index)];
        modules.graph.enter(format!("layer.{index}"));
        x = encoder_layer(&mut modules, (layer, index), &terms, &x);
    }
    modules.graph.enter("head");
    let logits = head(&mut modules, &names, x);
    modules.graph.finish(&logits, LOGITS)
}

/// LayerNorm(word + segment + position), brought to the hidden size after or before LayerNorm: (batch, sequence, hidden)
fn embed(modules: &mut Modules<'_>, names: &Names, length: &SequenceLength) -> Value {
    let config = modules.config;
    let ids = Value::input(INPUT_IDS);
    let mut x = modules.word_embedding(&names.words, &ids);
    if let Some(segments) = &names.segments {
        let table = modules.table(segments);
        // The only segment of a model is the same for all tokens.
        let rows = match config.type_vocab {
            1 => table,
            _ => modules.graph.gather(&table, &Value::input(TOKEN_TYPE_IDS), 0),
        };
        x = modules.graph.add(&x, &rows);
    }
    if let Some(positions) = &names.positions {
        let table = modules.table(positions);
        let rows = if let (Positions::AfterPadding, Some(padding)) =
            (config.architecture.positions, config.padding_id)
        {
            let positions = positions_after_padding(&mut modules.graph, &ids, padding);
            modules.graph.gather(&table, &positions, 0)
        } else {
            let first = modules.graph.ints(&[0]);
            modules.graph.slice(&table, 0, &first, &length.list)
        };
        x = modules.graph.add(&x, &rows);
    }
    let is_before = config.projects_before_norm();
    let projection = |modules: &mut Modules<'_>, x: Value| match &names.projection {
        Some(name) => modules.linear(name, &x, if is_before { Bias::Absent } else { Bias::Present }),
        None => x,
    };
    if is_before {
        x = projection(modules, x);
        return modules.norm(&names.embedding_norm, &x);
    }
    x = modules.norm(&names.embedding_norm, &x);
    projection(modules, x)
}

/// The position of each token, counted from the id of the padding token plus 1; that of a padding token is its id:
/// (batch, sequence)
fn positions_after_padding(graph: &mut GraphBuilder, ids: &Value, padding: u32) -> Value {
    let padding = graph.int(i64::from(padding));
    let is_padding = graph.node("Equal", &[ids, &padding], Vec::new());
    let is_token = graph.unary("Not", &is_padding);
    let is_token = graph.cast(&is_token, DataType::Int64);
    let axis = graph.int(1);
    let count = graph.node("CumSum", &[&is_token, &axis], Vec::new());
    let count = graph.mul(&count, &is_token);
    graph.add(&count, &padding)
}

/// One encoder layer: (batch, sequence, hidden) → (batch, sequence, hidden)
fn encoder_layer(
    modules: &mut Modules<'_>,
    (layer, index): (&LayerNames, usize),
    terms: &AttentionTerms,
    x: &Value,
) -> Value {
    let position = modules.config.architecture.layer_structure.norm_position;
    let normalized = |modules: &mut Modules<'_>, x: &Value| match &layer.attention_norm {
        Some(norm) => modules.norm(norm, x),
        None => x.clone(),
    };
    match position {
        NormPosition::Post => {
            let attention = terms.attention(modules, (layer, index), x);
            let sum = modules.graph.add(&attention, x);
            let x = normalized(modules, &sum);
            let output = feed_forward(modules, layer, &x);
            let sum = modules.graph.add(&output, &x);
            modules.norm(&layer.output_norm, &sum)
        }
        NormPosition::Pre => {
            let input = normalized(modules, x);
            let attention = terms.attention(modules, (layer, index), &input);
            let x = modules.graph.add(&attention, x);
            let input = modules.norm(&layer.output_norm, &x);
            let output = feed_forward(modules, layer, &input);
            modules.graph.add(&output, &x)
        }
    }
}

/// The feed-forward network: (batch, sequence, hidden) → (batch, sequence, hidden)
fn feed_forward(modules: &mut Modules<'_>, layer: &LayerNames, x: &Value) -> Value {
    let config = modules.config;
    let bias = modules.bias(BiasSite::FeedForward);
    let up = modules.layer_linear(&layer.up, x, bias);
    let activated = match config.architecture.layer_structure.feed_forward {
        FeedForward::Plain => modules.activate(&up, config.activation),
        FeedForward::Gated => {
            let [input, gate] = modules.graph.split(&up, config.intermediate);
            let input = modules.activate(&input, config.activation);
            modules.graph.mul(&input, &gate)
        }
    };
    modules.layer_linear(&layer.down, &activated, bias)
}

/// From the states of the tokens to the logits: (batch, sequence, hidden) → (batch, labels)
fn head(modules: &mut Modules<'_>, names: &Names, mut x: Value) -> Value {
    if let Some(norm) = &names.final_norm {
        x = modules.norm(norm, &x);
    }
    let pooled = pool(modules, &x);
    let bias = modules.bias(BiasSite::Pooler);
    let pooled = modules.linear(&names.pooler, &pooled, bias);
    let mut pooled = match modules.config.pooler_activation {
        PoolerActivation::Tanh => modules.graph.unary("Tanh", &pooled),
        PoolerActivation::Relu => modules.activate(&pooled, Activation::Relu),
        PoolerActivation::Gelu => modules.activate(&pooled, Activation::Gelu),
        PoolerActivation::GeluTanh => modules.activate(&pooled, Activation::GeluTanh),
    };
    if let Some(norm) = &names.pooler_norm {
        pooled = modules.norm(norm, &pooled);
    }
    modules.linear(&names.classifier, &pooled, Bias::Present)
}

/// One state for each text: (batch, sequence, hidden) → (batch, hidden)
fn pool(modules: &mut Modules<'_>, x: &Value) -> Value {
    let graph = &mut modules.graph;
    match modules.config.pooling {
        Pooling::FirstToken => {
            let first = graph.int(0);
            graph.gather(x, &first, 1)
        }
        Pooling::Mean => {
            let mask = graph.cast(&Value::input(ATTENTION_MASK), DataType::Float);
            let mask = graph.unsqueeze(&mask, &[2]);
            let states = graph.mul(x, &mask);
            let sum = graph.sum(&states, 1);
            let tokens = graph.sum(&mask, 1);
            graph.div(&sum, &tokens)
        }
    }
}
