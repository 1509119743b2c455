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

use crate::nn::config::ModelConfig;
use crate::nn::engine::Array;
use crate::nn::names::{LayerNames, Names, Slot};
use std::ops::Range;

/// A tensor's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: Slot,
    pub(super) range: Range<usize>,
}

impl Place {
    /// The tensor that an arena has here.
    pub(super) fn copy(&self, arena: &[f32]) -> Array {
        Array { shape: self.slot.shape.clone(), data: arena[self.range.clone()].to_vec() }
    }
}

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
    pub(super) places: Vec<Place>,
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
    pub(super) fn new(config: &ModelConfig, slots: &[Slot]) -> Self {
        let mut order = Order { slots, places: Vec::new(), length: 0 };
        let names = Names::of(config);
        let positions = order.tensor(&names.positions, "weight");
        let segments = names.segments.as_ref().map(|segments| order.tensor(segments, "weight"));
        let embedding_norm = order.pair(&names.embedding_norm);
        let vectors: Vec<_> = names.layers.iter().map(|layer| order.vectors(layer)).collect();
        let pooler = order.pair(&names.pooler);
        let classifier = order.pair(&names.classifier);
        let layers = names.layers.iter().zip(vectors).map(|(names, v)| order.matrices(names, v)).collect();
        let words = order.tensor(&names.words, "weight");
        let places = order.places;
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

/// Tensors one after the other.
struct Order<'a> {
    slots: &'a [Slot],
    places: Vec<Place>,
    length: usize,
}

impl Order<'_> {
    fn tensor(&mut self, name: &str, part: &str) -> Range<usize> {
        let full = format!("{name}.{part}");
        let slot = self.slots.iter().find(|slot| slot.name == full);
        let slot = slot.expect("the table has every name of the configuration").clone();
        let range = self.length..self.length + slot.shape.iter().product::<usize>();
        self.length = range.end;
        self.places.push(Place { slot, range: range.clone() });
        range
    }

    fn pair(&mut self, name: &str) -> Pair {
        Pair { weight: self.tensor(name, "weight"), bias: self.tensor(name, "bias") }
    }

    fn vectors(&mut self, names: &LayerNames) -> LayerVectors {
        let query = self.tensor(&names.query, "bias");
        self.tensor(&names.key, "bias");
        let value = self.tensor(&names.value, "bias");
        LayerVectors {
            biases: query.start..value.end,
            attention_out: self.tensor(&names.attention_out, "bias"),
            attention_norm: self.pair(&names.attention_norm),
            up: self.tensor(&names.up, "bias"),
            down: self.tensor(&names.down, "bias"),
            output_norm: self.pair(&names.output_norm),
        }
    }

    fn matrices(&mut self, names: &LayerNames, vectors: LayerVectors) -> LayerPlaces {
        let query = self.tensor(&names.query, "weight");
        let key = self.tensor(&names.key, "weight");
        let value = self.tensor(&names.value, "weight");
        let mut pair = |name, bias| Pair { weight: self.tensor(name, "weight"), bias };
        LayerPlaces {
            query,
            key_value: key.start..value.end,
            biases: vectors.biases,
            attention_out: pair(&names.attention_out, vectors.attention_out),
            attention_norm: vectors.attention_norm,
            up: pair(&names.up, vectors.up),
            down: pair(&names.down, vectors.down),
            output_norm: vectors.output_norm,
        }
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
