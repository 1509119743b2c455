//! Where each tensor lies in the flat arenas of weights, gradients and moments.
//!
//! All arenas have the same order: embeddings of positions and segments, the layers, the head, and the
//! word embedding last, so that all but that one begin an arena and gradients of words can be kept apart.
//! Queries, keys and values of a layer are neighbours: one matrix (3 hidden, hidden), one bias (3 hidden).

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

/// A linear layer or a LayerNorm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
}

impl Pair {
    /// Both, which are neighbours.
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
        let layers = names.layers.iter().map(|layer| order.layer(layer)).collect();
        let pooler = order.pair(&names.pooler);
        let classifier = order.pair(&names.classifier);
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

    /// Tensors whose gradient is added up row by row, rather than written by a matrix product.
    pub(super) fn added(&self) -> impl Iterator<Item = &Range<usize>> {
        let is_product = |slot: &Slot| slot.shape.len() == 2;
        let embeddings = [Some(&self.positions), self.segments.as_ref()].into_iter().flatten();
        let rest = self.places.iter().filter(move |place| !is_product(&place.slot));
        embeddings.chain(rest.map(|place| &place.range))
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

    fn layer(&mut self, names: &LayerNames) -> LayerPlaces {
        let query = self.tensor(&names.query, "weight");
        let key = self.tensor(&names.key, "weight");
        let value = self.tensor(&names.value, "weight");
        let query_bias = self.tensor(&names.query, "bias");
        self.tensor(&names.key, "bias");
        let value_bias = self.tensor(&names.value, "bias");
        LayerPlaces {
            query,
            key_value: key.start..value.end,
            biases: query_bias.start..value_bias.end,
            attention_out: self.pair(&names.attention_out),
            attention_norm: self.pair(&names.attention_norm),
            up: self.pair(&names.up),
            down: self.pair(&names.down),
            output_norm: self.pair(&names.output_norm),
        }
    }
}
