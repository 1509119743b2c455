//! The layout of the arenas of weights, gradients and moments.
//!
//! All arenas have the same layout. Parameters are grouped by how their gradients are computed:
//!
//! 1. the vector parameters, whose gradients each shard accumulates: position and segment embeddings, biases,
//!    LayerNorms, and the small matrices of the embeddings and of the head;
//! 2. the matrices of the encoder layers, whose gradients are matrix products over the rows of all shards;
//! 3. the word embedding, of which a batch uses few rows.
//!
//! Queries, keys and values of a layer are adjacent: their biases form one vector (3H), and the weights of keys and
//! values one matrix (2H, H).

use crate::nn::architecture::LayerNames;
use crate::nn::arena::{ArenaBuilder, ParamRange};
use crate::nn::config::ModelConfig;
use crate::nn::params::ParamSpec;
use crate::nn::relative_positions::relative_buckets;
use std::ops::Range;

/// Weight and bias of a linear layer or of a LayerNorm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WeightBias {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
}

impl WeightBias {
    /// Weight and bias of a LayerNorm, which are adjacent.
    pub(super) fn both(&self) -> Range<usize> {
        self.weight.start..self.bias.end
    }
}

/// The parameters of an encoder layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerRanges {
    /// (H, H)
    pub(super) query: Range<usize>,
    /// (2H, H)
    pub(super) key_value: Range<usize>,
    /// (3H)
    pub(super) qkv_bias: Range<usize>,
    pub(super) attention_out: WeightBias,
    pub(super) attention_norm: WeightBias,
    pub(super) up: WeightBias,
    pub(super) down: WeightBias,
    pub(super) output_norm: WeightBias,
}

impl LayerRanges {
    /// The matrices, in the order of the arena, each with its number of outputs.
    pub(super) fn matrices(&self) -> [(&Range<usize>, usize); 5] {
        let LayerRanges { query, key_value, attention_out, up, down, .. } = self;
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

/// The table of relative positions: (buckets, heads), and the bucket of each distance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelativeBiasRange {
    pub(super) table: Range<usize>,
    /// As in [`kernels::relative_bias::RelativeBias`].
    pub(super) buckets: Vec<u32>,
}

/// All parameters of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// In the order of the arena.
    pub(super) params: Vec<ParamRange>,
    pub(super) words: Range<usize>,
    pub(super) positions: Range<usize>,
    pub(super) segments: Option<Range<usize>>,
    pub(super) embedding_norm: WeightBias,
    /// From the embedding size to the hidden size: (H, E)
    pub(super) projection: Option<WeightBias>,
    pub(super) relative_bias: Option<RelativeBiasRange>,
    /// By parameter set.
    pub(super) layers: Vec<LayerRanges>,
    pub(super) pooler: WeightBias,
    pub(super) classifier: WeightBias,
}

impl Layout {
    /// The layout of the parameters `specs`, which must be those of `config`.
    pub(super) fn new(config: &ModelConfig, specs: &[ParamSpec]) -> Self {
        let mut builder = ArenaBuilder::new(specs);
        let names = config.names();
        let positions = builder.tensor(&names.positions, "weight");
        let segments = names.segments.as_ref().map(|segments| builder.tensor(segments, "weight"));
        let embedding_norm = weight_bias(&mut builder, &names.embedding_norm);
        let projection = names.projection.as_ref().map(|name| weight_bias(&mut builder, name));
        let relative_bias = names.relative_bias.as_ref().map(|name| RelativeBiasRange {
            table: builder.tensor(name, "weight"),
            buckets: relative_buckets(config.max_tokens()),
        });
        let vectors: Vec<_> =
            names.layers.iter().map(|layer| LayerVectors::append(&mut builder, layer)).collect();
        let pooler = weight_bias(&mut builder, &names.pooler);
        let classifier = weight_bias(&mut builder, &names.classifier);
        let layers =
            names.layers.iter().zip(vectors).map(|(names, v)| v.with_matrices(&mut builder, names)).collect();
        let words = builder.tensor(&names.words, "weight");
        let params = builder.finish();
        Layout {
            params,
            words,
            positions,
            segments,
            embedding_norm,
            projection,
            relative_bias,
            layers,
            pooler,
            classifier,
        }
    }

    /// Number of elements of an arena.
    pub(super) fn len(&self) -> usize {
        self.words.end
    }

    /// Number of elements of all parameters but the word embedding.
    pub(super) fn dense_len(&self) -> usize {
        self.words.start
    }

    /// Number of elements of the vector parameters, which come first.
    pub(super) fn vectors_len(&self) -> usize {
        self.classifier.bias.end
    }

    /// Number of labels of the classifier.
    pub(super) fn labels(&self) -> usize {
        self.classifier.bias.len()
    }
}

/// The biases and LayerNorms of an encoder layer.
struct LayerVectors {
    qkv_bias: Range<usize>,
    attention_out: Range<usize>,
    attention_norm: WeightBias,
    up: Range<usize>,
    down: Range<usize>,
    output_norm: WeightBias,
}

impl LayerVectors {
    fn append(builder: &mut ArenaBuilder<'_>, names: &LayerNames) -> Self {
        LayerVectors {
            qkv_bias: builder.tensors(&[&names.query, &names.key, &names.value], "bias"),
            attention_out: builder.tensor(&names.attention_out, "bias"),
            attention_norm: weight_bias(builder, &names.attention_norm),
            up: builder.tensor(&names.up, "bias"),
            down: builder.tensor(&names.down, "bias"),
            output_norm: weight_bias(builder, &names.output_norm),
        }
    }

    /// Appends the matrices of the layer. They follow the vectors of all layers.
    fn with_matrices(self, builder: &mut ArenaBuilder<'_>, names: &LayerNames) -> LayerRanges {
        let query = builder.tensor(&names.query, "weight");
        let key_value = builder.tensors(&[&names.key, &names.value], "weight");
        let mut with_weight = |name: &str, bias| WeightBias { weight: builder.tensor(name, "weight"), bias };
        LayerRanges {
            query,
            key_value,
            qkv_bias: self.qkv_bias,
            attention_out: with_weight(&names.attention_out, self.attention_out),
            attention_norm: self.attention_norm,
            up: with_weight(&names.up, self.up),
            down: with_weight(&names.down, self.down),
            output_norm: self.output_norm,
        }
    }
}

fn weight_bias(builder: &mut ArenaBuilder<'_>, name: &str) -> WeightBias {
    WeightBias { weight: builder.tensor(name, "weight"), bias: builder.tensor(name, "bias") }
}
