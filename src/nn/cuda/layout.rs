//! Where each tensor lies in the arenas of weights, gradients and moments on the device.
//!
//! All arenas have the same order: the word embedding, whose gradient has only the rows of a step; positions and
//! segments; the matrices of the layers, which have a copy in bf16; those of the head; and last all vectors,
//! which do not decay. The vectors of a layer are neighbours, so that their gradients are finished together, and
//! so are queries, keys and values: one matrix (3 hidden, hidden), one bias (3 hidden).

use crate::nn::arena::{ArenaBuilder, ParamRange};
use crate::nn::config::ModelConfig;
use crate::nn::params::{Names, ParamSpec};
use std::ops::Range;

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
    pub(super) params: Vec<ParamRange>,
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
    /// The arenas of the tensors in `specs`, which have every name of the configuration.
    pub(super) fn new(config: &ModelConfig, specs: &[ParamSpec]) -> Self {
        let mut builder = ArenaBuilder::new(specs);
        let names = Names::of(config);
        let words = builder.tensor(&names.words, "weight");
        let positions = builder.tensor(&names.positions, "weight");
        let segments = names.segments.as_ref().map(|segments| builder.tensor(segments, "weight"));
        let mut layers = vec![LayerPlaces::default(); names.layers.len()];
        let first = builder.len();
        for (places, layer) in layers.iter_mut().zip(&names.layers) {
            places.qkv = builder.tensors(&[&layer.query, &layer.key, &layer.value], "weight");
            places.attention_out = builder.tensor(&layer.attention_out, "weight");
            places.up = builder.tensor(&layer.up, "weight");
            places.down = builder.tensor(&layer.down, "weight");
        }
        let matrices = first..builder.len();
        let pooler = builder.tensor(&names.pooler, "weight");
        let classifier = builder.tensor(&names.classifier, "weight");
        let embedding_norm = norm(&mut builder, &names.embedding_norm);
        for (places, layer) in layers.iter_mut().zip(&names.layers) {
            places.qkv_bias = builder.tensors(&[&layer.query, &layer.key, &layer.value], "bias");
            places.attention_out_bias = builder.tensor(&layer.attention_out, "bias");
            places.attention_norm = norm(&mut builder, &layer.attention_norm);
            places.up_bias = builder.tensor(&layer.up, "bias");
            places.down_bias = builder.tensor(&layer.down, "bias");
            places.output_norm = norm(&mut builder, &layer.output_norm);
            places.vectors = places.qkv_bias.start..places.output_norm.end;
        }
        let pooler_bias = builder.tensor(&names.pooler, "bias");
        let classifier_bias = builder.tensor(&names.classifier, "bias");
        Layout {
            params: builder.finish(),
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

/// Weight and bias of a LayerNorm.
fn norm(builder: &mut ArenaBuilder<'_>, name: &str) -> Range<usize> {
    let weight = builder.tensor(name, "weight");
    weight.start..builder.tensor(name, "bias").end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::params::param_specs;

    #[test]
    fn every_tensor_has_a_place_and_what_decays_comes_first() {
        for config in [
            r#"{"model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2,
                "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2}"#,
            r#"{"model_type": "distilbert", "vocab_size": 20, "dim": 8, "n_layers": 3, "n_heads": 2,
                "hidden_dim": 16, "max_position_embeddings": 8}"#,
        ] {
            let config = ModelConfig::parse("m", config.as_bytes()).expect("a whole file");
            let specs = param_specs(&config, 3);
            let layout = Layout::new(&config, &specs);
            assert_eq!(layout.params.len(), specs.len());
            let mut end = 0;
            for place in &layout.params {
                assert_eq!(place.range.start, end, "{}", place.spec.name);
                end = place.range.end;
                assert_eq!(place.spec.has_weight_decay, end <= layout.vectors(), "{}", place.spec.name);
            }
            assert_eq!(end, layout.length());
            let matrices: usize =
                layout.layers.iter().map(|layer| layer.qkv.len() * 4 / 3 + 2 * layer.up.len()).sum();
            assert_eq!(matrices, layout.matrices.len());
        }
    }
}
