//! Where each tensor lies in the flat arenas of weights, gradients and moments.
//!
//! All arenas have the same order, by how a gradient comes about:
//!
//! 1. the small tensors, whose gradients every share of a batch adds up for itself: embeddings of positions
//!    and segments, biases, norms, the head;
//! 2. the matrices of the layers, whose gradients are products over all shares;
//! 3. the word embedding, of which a batch has a few rows.
//!
//! Queries, keys and values of a layer are neighbours: one bias (3 hidden), keys and values one matrix
//! (2 hidden, hidden).

use crate::nn::arena::{Order, ParamRange};
use crate::nn::config::ModelConfig;
use crate::nn::names::{LayerNames, Names, ParamSpec};
use std::ops::Range;

/// A linear layer, or a LayerNorm, whose two are neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
}

impl Pair {
    /// Both of a LayerNorm.
    pub(super) fn both(&self) -> Range<usize> {
        self.weight.start..self.bias.end
    }
}

/// The tensors of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerPlaces {
    /// (hidden, hidden)
    pub(super) query: Range<usize>,
    /// (2 hidden, hidden)
    pub(super) key_value: Range<usize>,
    /// Biases of queries, keys and values: (3 hidden)
    pub(super) biases: Range<usize>,
    pub(super) attention_out: Pair,
    pub(super) attention_norm: Pair,
    pub(super) up: Pair,
    pub(super) down: Pair,
    pub(super) output_norm: Pair,
}

impl LayerPlaces {
    /// The matrices, in the order of the arena, with the width of what they turn out.
    pub(super) fn matrices(&self) -> [(&Range<usize>, usize); 5] {
        let LayerPlaces { query, key_value, attention_out, up, down, .. } = self;
        let h = attention_out.bias.len();
        [
            (query, h),
            (key_value, 2 * h),
            (&attention_out.weight, h),
            (&up.weight, up.bias.len()),
            (&down.weight, h),
        ]
    }
}

/// All tensors of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// In the order of the arena.
    pub(super) places: Vec<ParamRange>,
    pub(super) words: Range<usize>,
    pub(super) positions: Range<usize>,
    pub(super) segments: Option<Range<usize>>,
    pub(super) embedding_norm: Pair,
    pub(super) layers: Vec<LayerPlaces>,
    pub(super) pooler: Pair,
    pub(super) classifier: Pair,
}

impl Layout {
    /// The arena of the tensors in `slots`, which have every name of the configuration.
    pub(super) fn new(config: &ModelConfig, slots: &[ParamSpec]) -> Self {
        let mut order = Order::new(slots);
        let names = Names::of(config);
        let positions = order.tensor(&names.positions, "weight");
        let segments = names.segments.as_ref().map(|segments| order.tensor(segments, "weight"));
        let embedding_norm = pair(&mut order, &names.embedding_norm);
        let vectors: Vec<_> =
            names.layers.iter().map(|layer| LayerVectors::place(&mut order, layer)).collect();
        let pooler = pair(&mut order, &names.pooler);
        let classifier = pair(&mut order, &names.classifier);
        let layers =
            names.layers.iter().zip(vectors).map(|(names, v)| v.matrices(&mut order, names)).collect();
        let words = order.tensor(&names.words, "weight");
        let places = order.places();
        Layout { places, words, positions, segments, embedding_norm, layers, pooler, classifier }
    }

    /// Numbers of an arena.
    pub(super) fn length(&self) -> usize {
        self.words.end
    }

    /// Numbers of all but the word embedding.
    pub(super) fn dense(&self) -> usize {
        self.words.start
    }

    /// Numbers of the small tensors, which begin an arena.
    pub(super) fn small(&self) -> usize {
        self.classifier.bias.end
    }
}

/// The biases and norms of a layer.
struct LayerVectors {
    biases: Range<usize>,
    attention_out: Range<usize>,
    attention_norm: Pair,
    up: Range<usize>,
    down: Range<usize>,
    output_norm: Pair,
}

impl LayerVectors {
    fn place(order: &mut Order<'_>, names: &LayerNames) -> Self {
        LayerVectors {
            biases: order.tensors(&[&names.query, &names.key, &names.value], "bias"),
            attention_out: order.tensor(&names.attention_out, "bias"),
            attention_norm: pair(order, &names.attention_norm),
            up: order.tensor(&names.up, "bias"),
            down: order.tensor(&names.down, "bias"),
            output_norm: pair(order, &names.output_norm),
        }
    }

    /// With the layer's matrices, which are placed after the vectors of all.
    fn matrices(self, order: &mut Order<'_>, names: &LayerNames) -> LayerPlaces {
        let query = order.tensor(&names.query, "weight");
        let key_value = order.tensors(&[&names.key, &names.value], "weight");
        let mut pair = |name: &str, bias| Pair { weight: order.tensor(name, "weight"), bias };
        LayerPlaces {
            query,
            key_value,
            biases: self.biases,
            attention_out: pair(&names.attention_out, self.attention_out),
            attention_norm: self.attention_norm,
            up: pair(&names.up, self.up),
            down: pair(&names.down, self.down),
            output_norm: self.output_norm,
        }
    }
}

fn pair(order: &mut Order<'_>, name: &str) -> Pair {
    Pair { weight: order.tensor(name, "weight"), bias: order.tensor(name, "bias") }
}
