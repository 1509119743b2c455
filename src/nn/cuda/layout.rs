//! Offsets of each tensor in the arenas of weights, gradients and moments.
//!
//! All arenas have the same order:
//!
//! - the embeddings of words and positions, whose gradient is sparse;
//! - the segment embedding and the table of relative positions;
//! - the matrices of the layers, which have a bf16 copy;
//! - the matrices of the head and of the projection of the embeddings;
//! - all vectors, which have no weight decay.
//!
//! Related tensors are adjacent: the vectors of a layer, so that one kernel reduces their gradients; and queries,
//! keys and values, which form one matrix (3 hidden, hidden) and one bias (3 hidden).

use crate::nn::arena::{ArenaBuilder, ParamRange};
use crate::nn::config::ModelConfig;
use crate::nn::params::ParamSpec;
use crate::nn::relative_positions::relative_buckets;
use std::ops::Range;

/// The range of each parameter of a layer. Matrices are (out_features, in_features).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LayerLayout {
    /// (3 hidden, hidden)
    pub(super) qkv: Range<usize>,
    pub(super) attention_out: Range<usize>,
    pub(super) up: Range<usize>,
    pub(super) down: Range<usize>,
    /// All vectors of the layer, from `qkv_bias` to `output_norm`.
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

/// The ranges of a linear layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Linear {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
}

/// The range of each parameter of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// All tensors, in the order of the arenas.
    pub(super) params: Vec<ParamRange>,
    pub(super) words: Range<usize>,
    pub(super) positions: Option<Range<usize>>,
    pub(super) segments: Option<Range<usize>>,
    /// The numbers that relative positions add to the scores: (buckets, heads)
    pub(super) relative_bias: Option<Range<usize>>,
    /// The bucket of each distance, as in [`RelativeBias`](super::ops::RelativeBias); empty without relative positions.
    pub(super) buckets: Vec<u32>,
    /// The matrices of all layers.
    pub(super) layer_matrices: Range<usize>,
    pub(super) pooler: Range<usize>,
    pub(super) classifier: Range<usize>,
    /// From the width of the embeddings to the hidden size: (hidden, width)
    pub(super) projection: Option<Linear>,
    /// Weight and bias: (2 width)
    pub(super) embedding_norm: Range<usize>,
    /// By parameter set.
    pub(super) layers: Vec<LayerLayout>,
    pub(super) pooler_bias: Range<usize>,
    pub(super) classifier_bias: Range<usize>,
}

impl Layout {
    /// The layout of the tensors in `specs`, which has every tensor of the configuration.
    pub(super) fn new(config: &ModelConfig, specs: &[ParamSpec]) -> Self {
        let mut builder = ArenaBuilder::new(specs);
        let names = config.names();
        let words = builder.tensor(&names.words, "weight");
        let positions = names.positions.as_ref().map(|positions| builder.tensor(positions, "weight"));
        let segments = names.segments.as_ref().map(|segments| builder.tensor(segments, "weight"));
        let relative_bias = names.relative_bias.as_ref().map(|name| builder.tensor(name, "weight"));
        let mut layers = vec![LayerLayout::default(); names.layers.len()];
        let first = builder.len();
        for (ranges, layer) in layers.iter_mut().zip(&names.layers) {
            ranges.qkv = builder.tensors(&[&layer.query, &layer.key, &layer.value], "weight");
            ranges.attention_out = builder.tensor(&layer.attention_out, "weight");
            ranges.up = builder.tensor(&layer.up, "weight");
            ranges.down = builder.tensor(&layer.down, "weight");
        }
        let layer_matrices = first..builder.len();
        let pooler = builder.tensor(&names.pooler, "weight");
        let classifier = builder.tensor(&names.classifier, "weight");
        let projection = names.projection.as_ref().map(|name| builder.tensor(name, "weight"));
        let embedding_norm = norm(&mut builder, &names.embedding_norm);
        for (ranges, layer) in layers.iter_mut().zip(&names.layers) {
            ranges.qkv_bias = builder.tensors(&[&layer.query, &layer.key, &layer.value], "bias");
            ranges.attention_out_bias = builder.tensor(&layer.attention_out, "bias");
            ranges.attention_norm =
                layer.attention_norm.as_ref().map_or(0..0, |name| norm(&mut builder, name));
            ranges.up_bias = builder.tensor(&layer.up, "bias");
            ranges.down_bias = builder.tensor(&layer.down, "bias");
            ranges.output_norm = norm(&mut builder, &layer.output_norm);
            ranges.vectors = ranges.qkv_bias.start..ranges.output_norm.end;
        }
        let pooler_bias = builder.tensor(&names.pooler, "bias");
        let projection_bias = names.projection.as_ref().map(|name| builder.tensor(name, "bias"));
        let classifier_bias = builder.tensor(&names.classifier, "bias");
        let projection = projection.zip(projection_bias).map(|(weight, bias)| Linear { weight, bias });
        Layout {
            params: builder.finish(),
            words,
            positions,
            segments,
            buckets: relative_bias.as_ref().map_or(Vec::new(), |_| relative_buckets(config.max_tokens())),
            relative_bias,
            layer_matrices,
            pooler,
            classifier,
            projection,
            embedding_norm,
            layers,
            pooler_bias,
            classifier_bias,
        }
    }

    /// Number of elements of an arena.
    pub(super) fn len(&self) -> usize {
        self.classifier_bias.end
    }

    /// Offset of the first element without weight decay.
    pub(super) fn no_decay(&self) -> usize {
        self.embedding_norm.start
    }

    pub(super) fn classes(&self) -> usize {
        self.classifier_bias.len()
    }

    /// The embeddings of words and positions, which are one table.
    pub(super) fn embeddings(&self) -> Range<usize> {
        self.words.start..self.positions.as_ref().unwrap_or(&self.words).end
    }

    /// The shape of this table.
    pub(super) fn embeddings_shape(&self) -> [usize; 2] {
        let width = self.embedding_norm.len() / 2;
        [self.embeddings().len() / width, width]
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
    fn layout_is_contiguous_with_decayed_tensors_first() {
        for config in [
            r#"{"model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2,
                "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2}"#,
            r#"{"model_type": "distilbert", "vocab_size": 20, "dim": 8, "n_layers": 3, "n_heads": 2,
                "hidden_dim": 16, "max_position_embeddings": 8}"#,
            r#"{"model_type": "albert", "vocab_size": 20, "embedding_size": 4, "hidden_size": 8, "num_hidden_layers": 3,
                "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2}"#,
        ] {
            let config = ModelConfig::parse("m", config.as_bytes()).expect("a valid configuration");
            let specs = param_specs(&config, 3);
            let layout = Layout::new(&config, &specs);
            assert_eq!(layout.params.len(), specs.len());
            let mut end = 0;
            for param in &layout.params {
                assert_eq!(param.range.start, end, "{}", param.spec.name);
                end = param.range.end;
                assert_eq!(param.spec.has_weight_decay, end <= layout.no_decay(), "{}", param.spec.name);
            }
            assert_eq!(end, layout.len());
            let matrices: usize =
                layout.layers.iter().map(|layer| layer.qkv.len() * 4 / 3 + 2 * layer.up.len()).sum();
            assert_eq!(matrices, layout.layer_matrices.len());
        }
    }
}
