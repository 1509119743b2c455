//! Attention as nodes: what is added to the scores, the rotations of queries and keys, and the products.

use super::disentangled::RelativeScores;
use super::distances::{distances, entries_of_distances, positions};
use super::graph::{GraphBuilder, Value};
use super::inputs::{ATTENTION_MASK, SequenceLength};
use super::modules::Modules;
use super::proto::{AttributeProto, DataType};
use crate::nn::architecture::{BiasSite, LayerNames, Names};
use crate::nn::config::LayerAttention;
use crate::nn::relative_positions::relative_buckets;
use crate::nn::rotary::rotary_frequencies;

/// Distances from which on the bucket of relative positions is the same.
const LONGEST_BUCKETED_DISTANCE: usize = 128;

/// Added to the scores of padding: the largest negative number to which a score is added without overflow.
const MASKED: f32 = f32::MIN / 2.0;

/// What the layers of a model need beside their input, once for each kind of layer.
pub(super) struct AttentionTerms {
    kinds: Vec<(LayerAttention, LayerTerms)>,
    relative: Option<RelativeScores>,
}

/// What a layer needs.
struct LayerTerms {
    /// Added to the scores. Broadcast to (batch, heads, sequence, sequence).
    mask: Value,
    /// cos and sin of the rotations of queries and keys: (sequence, head size / 2) each
    rotation: Option<[Value; 2]>,
}

impl AttentionTerms {
    pub(super) fn new(modules: &mut Modules<'_>, names: &Names, length: &SequenceLength) -> Self {
        let config = modules.config;
        let is_key = modules.graph.cast(&Value::input(ATTENTION_MASK), DataType::Bool);
        let is_key = modules.graph.unsqueeze(&is_key, &[1, 2]); // (batch, 1, 1, sequence)
        let bias = names.relative_bias.as_deref().map(|name| relative_bias(modules, name, length));
        let mut terms = AttentionTerms { kinds: Vec::new(), relative: None };
        for kind in (0..config.layers).map(|layer| config.layer_attention(layer)) {
            if !terms.kinds.iter().any(|(other, _)| *other == kind) {
                let number = terms.kinds.len();
                let layer_terms = layer_terms(modules, (kind, number), (&is_key, bias.as_ref()), length);
                terms.kinds.push((kind, layer_terms));
            }
        }
        terms.relative = RelativeScores::new(modules, names, length);
        terms
    }

    /// Multi-head self-attention and its output projection: (batch, sequence, hidden) → (batch, sequence, hidden)
    pub(super) fn attention(
        &self,
        modules: &mut Modules<'_>,
        (layer, index): (&LayerNames, usize),
        x: &Value,
    ) -> Value {
        let config = modules.config;
        let kind = config.layer_attention(index);
        let terms = self.kinds.iter().find(|(other, _)| *other == kind).map(|(_, terms)| terms);
        let sizes = [0, 0, config.heads as i64, config.head_size() as i64];
        // (batch, heads, sequence, head size)
        let [mut query, mut key, value] = modules.queries_keys_values(layer, x).map(|x| {
            let x = modules.graph.reshape(&x, &sizes);
            modules.graph.transpose(&x, &[0, 2, 1, 3])
        });
        if let Some([cos, sin]) = terms.and_then(|terms| terms.rotation.as_ref()) {
            let half = config.head_size() / 2;
            [query, key] = [query, key].map(|x| rotate(&mut modules.graph, &x, [cos, sin], half));
        }
        let transposed_key = modules.graph.transpose(&key, &[0, 1, 3, 2]);
        let mut scores = modules.graph.matmul(&query, &transposed_key); // (batch, heads, sequence, sequence)
        if let Some(relative) = &self.relative {
            let products = relative.scores(modules, layer, [&query, &key]);
            scores = modules.graph.add(&scores, &products);
        }
        let scale = modules.graph.float(config.score_scale());
        scores = modules.graph.mul(&scores, &scale);
        if let Some(terms) = terms {
            scores = modules.graph.add(&scores, &terms.mask);
        }
        let probs = modules.graph.node("Softmax", &[&scores], vec![AttributeProto::int("axis", -1)]);
        let context = modules.graph.matmul(&probs, &value);
        let context = modules.graph.transpose(&context, &[0, 2, 1, 3]);
        let context = modules.graph.reshape(&context, &[0, 0, config.hidden as i64]);
        let bias = modules.bias(BiasSite::Attention);
        modules.layer_linear(&layer.attention_out, &context, bias)
    }
}

/// The terms of the kind of layer with that number. `is_key` is whether each token is none of the padding, `bias` that of
/// relative positions.
fn layer_terms(
    modules: &mut Modules<'_>,
    (LayerAttention { window, rope_theta }, number): (LayerAttention, usize),
    (is_key, bias): (&Value, Option<&Value>),
    length: &SequenceLength,
) -> LayerTerms {
    let head_size = modules.config.head_size();
    let graph = &mut modules.graph;
    let attends = match window {
        None => is_key.clone(),
        Some(window) => {
            let distances = distances(graph, length);
            let distances = graph.unary("Abs", &distances);
            let window = graph.int(window as i64);
            let is_near = graph.node("LessOrEqual", &[&distances, &window], Vec::new());
            graph.node("And", &[is_key, &is_near], Vec::new()) // (batch, 1, sequence, sequence)
        }
    };
    let (zero, masked) = (graph.float(0.0), graph.float(MASKED));
    let mut mask = graph.node("Where", &[&attends, &zero, &masked], Vec::new());
    if let Some(bias) = bias {
        mask = graph.add(&mask, bias);
    }
    let rotation = rope_theta.map(|theta| {
        let frequencies = rotary_frequencies(theta, head_size);
        let frequencies = graph.float_table(&format!("rotary_frequencies_{number}"), &frequencies);
        let positions = positions(graph, length);
        let positions = graph.cast(&positions, DataType::Float);
        let positions = graph.unsqueeze(&positions, &[1]);
        let angles = graph.mul(&positions, &frequencies);
        [graph.unary("Cos", &angles), graph.unary("Sin", &angles)]
    });
    LayerTerms { mask, rotation }
}

/// The bias of each pair of positions, from the row of the bucket of their distance: (1, heads, sequence, sequence)
fn relative_bias(modules: &mut Modules<'_>, module: &str, length: &SequenceLength) -> Value {
    let table = modules.table(module); // (buckets, heads)
    let graph = &mut modules.graph;
    let buckets: Vec<i64> =
        relative_buckets(LONGEST_BUCKETED_DISTANCE + 1).into_iter().map(i64::from).collect();
    let buckets = graph.int_table("relative_buckets", &buckets);
    let distances = distances(graph, length);
    let entries = entries_of_distances(graph, &distances, LONGEST_BUCKETED_DISTANCE);
    let buckets = graph.gather(&buckets, &entries, 0);
    let bias = graph.gather(&table, &buckets, 0); // (sequence, sequence, heads)
    let bias = graph.transpose(&bias, &[2, 0, 1]);
    graph.unsqueeze(&bias, &[0])
}

/// Rotates the halves of each head against each other: (batch, heads, sequence, head size)
fn rotate(graph: &mut GraphBuilder, x: &Value, [cos, sin]: [&Value; 2], half: usize) -> Value {
    let [a, b] = graph.split(x, half);
    let (a_cos, b_sin) = (graph.mul(&a, cos), graph.mul(&b, sin));
    let (b_cos, a_sin) = (graph.mul(&b, cos), graph.mul(&a, sin));
    let first = graph.sub(&a_cos, &b_sin);
    let second = graph.add(&b_cos, &a_sin);
    graph.concat(&[&first, &second], -1)
}
