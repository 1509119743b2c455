//! Where each tensor lies in the arenas of weights, gradients and moments on the device.
//!
//! All arenas have the same order: the word embedding, whose gradient has only the rows of a step; positions and
//! segments; the matrices of the layers, which have a copy in bf16; those of the head; and last all vectors,
//! which do not decay. The vectors of a layer are neighbours, so that their gradients are finished together, and
//! so are queries, keys and values: one matrix (3 hidden, hidden), one bias (3 hidden).

use crate::nn::config::ModelConfig;
use crate::nn::names::{Names, Slot};
use std::ops::Range;

/// A tensor's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: Slot,
    pub(super) range: Range<usize>,
}

/// Matrices of a layer, (out, in), and its vectors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LayerPlaces {
    /// (3 hidden, hidden)
    pub(super) qkv: Range<usize>,
    pub(super) attention_out: Range<usize>,
    pub(super) up: Range<usize>,
    pub(super) down: Range<usize>,
    /// All that follow.
    pub(super) vectors: Range<usize>,
    /// Biases of queries, keys and values: (3 hidden)
    pub(super) qkv_bias: Range<usize>,
    pub(super) attention_out_bias: Range<usize>,
    /// Weight and bias: (2 hidden)
    pub(super) attention_norm: Range<usize>,
    pub(super) up_bias: Range<usize>,
    pub(super) down_bias: Range<usize>,
    pub(super) output_norm: Range<usize>,
}

/// All tensors of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// In the order of the arenas.
    pub(super) places: Vec<Place>,
    pub(super) words: Range<usize>,
    pub(super) positions: Range<usize>,
    pub(super) segments: Option<Range<usize>>,
    /// The matrices of all layers.
    pub(super) matrices: Range<usize>,
    pub(super) pooler: Range<usize>,
    pub(super) classifier: Range<usize>,
    /// Weight and bias: (2 hidden)
    pub(super) embedding_norm: Range<usize>,
    pub(super) layers: Vec<LayerPlaces>,
    pub(super) pooler_bias: Range<usize>,
    pub(super) classifier_bias: Range<usize>,
}

impl Layout {
    /// The arenas of the tensors in `slots`, which have every name of the configuration.
    pub(super) fn new(config: &ModelConfig, slots: &[Slot]) -> Self {
        let mut order = Order { slots, places: Vec::new(), length: 0 };
        let names = Names::of(config);
        let words = order.tensors(&[&names.words], "weight");
        let positions = order.tensors(&[&names.positions], "weight");
        let segments = names.segments.as_ref().map(|segments| order.tensors(&[segments], "weight"));
        let mut layers = vec![LayerPlaces::default(); names.layers.len()];
        let first = order.length;
        for (places, layer) in layers.iter_mut().zip(&names.layers) {
            places.qkv = order.tensors(&[&layer.query, &layer.key, &layer.value], "weight");
            places.attention_out = order.tensors(&[&layer.attention_out], "weight");
            places.up = order.tensors(&[&layer.up], "weight");
            places.down = order.tensors(&[&layer.down], "weight");
        }
        let matrices = first..order.length;
        let pooler = order.tensors(&[&names.pooler], "weight");
        let classifier = order.tensors(&[&names.classifier], "weight");
        let embedding_norm = order.norm(&names.embedding_norm);
        for (places, layer) in layers.iter_mut().zip(&names.layers) {
            places.qkv_bias = order.tensors(&[&layer.query, &layer.key, &layer.value], "bias");
            places.attention_out_bias = order.tensors(&[&layer.attention_out], "bias");
            places.attention_norm = order.norm(&layer.attention_norm);
            places.up_bias = order.tensors(&[&layer.up], "bias");
            places.down_bias = order.tensors(&[&layer.down], "bias");
            places.output_norm = order.norm(&layer.output_norm);
            places.vectors = places.qkv_bias.start..places.output_norm.end;
        }
        let pooler_bias = order.tensors(&[&names.pooler], "bias");
        let classifier_bias = order.tensors(&[&names.classifier], "bias");
        Layout {
            places: order.places,
            words,
            positions,
            segments,
            matrices,
            pooler,
            classifier,
            embedding_norm,
            layers,
            pooler_bias,
            classifier_bias,
        }
    }

    /// Numbers of an arena.
    pub(super) fn length(&self) -> usize {
        self.classifier_bias.end
    }

    /// Where the tensors that do not decay begin.
    pub(super) fn vectors(&self) -> usize {
        self.embedding_norm.start
    }

    pub(super) fn classes(&self) -> usize {
        self.classifier_bias.len()
    }
}

/// Tensors one after the other.
struct Order<'a> {
    slots: &'a [Slot],
    places: Vec<Place>,
    length: usize,
}

impl Order<'_> {
    fn tensors(&mut self, names: &[&String], part: &str) -> Range<usize> {
        let first = self.length;
        for name in names {
            let full = format!("{name}.{part}");
            let slot = self.slots.iter().find(|slot| slot.name == full);
            let slot = slot.expect("the table has every name of the configuration").clone();
            let range = self.length..self.length + slot.shape.iter().product::<usize>();
            self.length = range.end;
            self.places.push(Place { slot, range });
        }
        first..self.length
    }

    fn norm(&mut self, name: &String) -> Range<usize> {
        let weight = self.tensors(&[name], "weight");
        weight.start..self.tensors(&[name], "bias").end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::names::table;

    #[test]
    fn every_tensor_has_a_place_and_what_decays_comes_first() {
        for config in [
            r#"{"model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2,
                "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2}"#,
            r#"{"model_type": "distilbert", "vocab_size": 20, "dim": 8, "n_layers": 3, "n_heads": 2,
                "hidden_dim": 16, "max_position_embeddings": 8}"#,
        ] {
            let config = ModelConfig::parse("m", config.as_bytes()).expect("a whole file");
            let slots = table(&config, 3);
            let layout = Layout::new(&config, &slots);
            assert_eq!(layout.places.len(), slots.len());
            let mut end = 0;
            for place in &layout.places {
                assert_eq!(place.range.start, end, "{}", place.slot.name);
                end = place.range.end;
                assert_eq!(place.slot.decay, end <= layout.vectors(), "{}", place.slot.name);
            }
            assert_eq!(end, layout.length());
            let matrices: usize =
                layout.layers.iter().map(|layer| layer.qkv.len() * 4 / 3 + 2 * layer.up.len()).sum();
            assert_eq!(matrices, layout.matrices.len());
        }
    }
}
