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

use crate::nn::architecture::{BiasSite, LayerNames};
use crate::nn::arena::{ArenaBuilder, ParamRange};
use crate::nn::config::ModelConfig;
use crate::nn::params::ParamSpec;
use std::ops::Range;

/// The ranges of weight and bias of a linear layer or of a LayerNorm. That of a bias is empty if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WeightBias {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
}

/// The range of each parameter of a layer. Matrices are (out_features, in_features). The ranges of biases are empty if
/// the model has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LayerLayout {
    /// (3 hidden, hidden)
    pub(super) qkv: Range<usize>,
    pub(super) attention_out: Range<usize>,
    pub(super) up: Range<usize>,
    pub(super) down: Range<usize>,
    /// All vectors of the layer.
    pub(super) vectors: Range<usize>,
    /// Biases of queries, keys and values: (3 hidden)
    pub(super) qkv_bias: Range<usize>,
    pub(super) attention_out_bias: Range<usize>,
    pub(super) attention_norm: Option<WeightBias>,
    pub(super) up_bias: Range<usize>,
    pub(super) down_bias: Range<usize>,
    pub(super) output_norm: WeightBias,
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
    /// The matrices of all layers.
    pub(super) layer_matrices: Range<usize>,
    /// From the width of the embeddings to the hidden size: (hidden, width)
    pub(super) projection: Option<WeightBias>,
    pub(super) embedding_norm: WeightBias,
    /// By parameter set.
    pub(super) layers: Vec<LayerLayout>,
    pub(super) final_norm: Option<WeightBias>,
    pub(super) pooler: WeightBias,
    pub(super) pooler_norm: Option<WeightBias>,
    pub(super) classifier: WeightBias,
}

impl Layout {
    /// The layout of the tensors in `specs`, which has every tensor of the configuration.
    pub(super) fn new(config: &ModelConfig, specs: &[ParamSpec]) -> Self {
        let mut builder = ArenaBuilder::new(specs);
        let names = config.names();
        let words = builder.tensor(&names.words, "weight");
        let mut tensor = |name: &Option<String>| name.as_ref().map(|name| builder.tensor(name, "weight"));
        let [positions, segments, relative_bias] =
            [&names.positions, &names.segments, &names.relative_bias].map(&mut tensor);
        let mut layers = vec![LayerLayout::default(); names.layers.len()];
        let first = builder.len();
        for (ranges, layer) in layers.iter_mut().zip(&names.layers) {
            ranges.qkv = builder.tensors(&layer.qkv(), "weight");
            ranges.attention_out = builder.tensor(&layer.attention_out, "weight");
            ranges.up = builder.tensor(&layer.up, "weight");
            ranges.down = builder.tensor(&layer.down, "weight");
        }
        let layer_matrices = first..builder.len();
        let pooler = builder.tensor(&names.pooler, "weight");
        let classifier = builder.tensor(&names.classifier, "weight");
        let projection = names.projection.as_ref().map(|name| builder.tensor(name, "weight"));
        let mut vectors = Vectors { builder: &mut builder, config };
        let embedding_norm = vectors.norm(&names.embedding_norm);
        for (ranges, layer) in layers.iter_mut().zip(&names.layers) {
            vectors.layer(ranges, layer);
        }
        let final_norm = names.final_norm.as_ref().map(|name| vectors.norm(name));
        let pooler = WeightBias { weight: pooler, bias: vectors.bias(&[&names.pooler], BiasSite::Pooler) };
        let pooler_norm = names.pooler_norm.as_ref().map(|name| vectors.norm(name));
        let projection = names.projection.as_ref().zip(projection).map(|(name, weight)| {
            let bias = builder.tensor(name, "bias");
            WeightBias { weight, bias }
        });
        let classifier = WeightBias { weight: classifier, bias: builder.tensor(&names.classifier, "bias") };
        Layout {
            params: builder.finish(),
            words,
            positions,
            segments,
            relative_bias,
            layer_matrices,
            projection,
            embedding_norm,
            layers,
            final_norm,
            pooler,
            pooler_norm,
            classifier,
        }
    }

    /// Number of elements of an arena.
    pub(super) fn len(&self) -> usize {
        self.classifier.bias.end
    }

    /// Offset of the first element without weight decay.
    pub(super) fn no_decay(&self) -> usize {
        self.embedding_norm.weight.start
    }

    pub(super) fn classes(&self) -> usize {
        self.classifier.bias.len()
    }

    /// The embeddings of words and positions, which are one table.
    pub(super) fn embeddings(&self) -> Range<usize> {
        self.words.start..self.positions.as_ref().unwrap_or(&self.words).end
    }

    /// The shape of this table.
    pub(super) fn embeddings_shape(&self) -> [usize; 2] {
        let width = self.embedding_norm.weight.len();
        [self.embeddings().len() / width, width]
    }
}

/// Appends the vectors of modules, which some models have without biases.
struct Vectors<'b, 'a> {
    builder: &'b mut ArenaBuilder<'a>,
    config: &'b ModelConfig,
}

impl Vectors<'_, '_> {
    fn bias(&mut self, modules: &[&str], site: BiasSite) -> Range<usize> {
        let modules = if self.config.has_bias(site) { modules } else { &[] };
        self.builder.tensors(modules, "bias")
    }

    fn norm(&mut self, name: &str) -> WeightBias {
        let weight = self.builder.tensor(name, "weight");
        WeightBias { weight, bias: self.bias(&[name], BiasSite::Norm) }
    }

    fn layer(&mut self, ranges: &mut LayerLayout, names: &LayerNames) {
        let first = self.builder.len();
        ranges.qkv_bias = self.bias(&names.qkv(), BiasSite::Attention);
        ranges.attention_out_bias = self.bias(&[&names.attention_out], BiasSite::Attention);
        ranges.attention_norm = names.attention_norm.as_ref().map(|name| self.norm(name));
        ranges.up_bias = self.bias(&[&names.up], BiasSite::FeedForward);
        ranges.down_bias = self.bias(&[&names.down], BiasSite::FeedForward);
        ranges.output_norm = self.norm(&names.output_norm);
        ranges.vectors = first..self.builder.len();
    }
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
