//! The layout of the arenas of weights, gradients and moments.
//!
//! All arenas have the same layout. Parameters are grouped by how their gradients are computed:
//!
//! 1. the vector parameters, whose gradients each shard accumulates: position and segment embeddings, those of relative
//!    positions, biases, LayerNorms, and the small matrices of the embeddings and of the head;
//! 2. the matrices of the encoder layers, whose gradients are matrix products over the rows of all shards;
//! 3. the word embedding, of which a batch uses few rows.
//!
//! Queries, keys and values of a layer are adjacent: their biases form one vector (3H), and the weights of keys and
//! values one matrix (2H, H).
//!
//! Biases that a model does not have are zeros before all parameters, which no update changes. Modules share them, and
//! what they add to the gradients there is not used.

use crate::nn::architecture::{BiasSite, LayerNames, PositionProjection, PositionTerms};
use crate::nn::arena::{ArenaBuilder, ParamRange};
use crate::nn::config::ModelConfig;
use crate::nn::lora::Adapter;
use crate::nn::param_groups::FrozenPrefix;
use crate::nn::params::ParamSpec;
use crate::nn::relative_positions::relative_buckets;
use crate::nn::rotary::{RotaryTable, rotary_tables};
use kernels::norm::LayerNormGrad;
use std::ops::Range;

/// Weight and bias of a linear layer or of a LayerNorm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WeightBias {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
}

impl WeightBias {
    /// The gradients of weight and bias of a LayerNorm.
    pub(super) fn norm_grad<'g>(&self, vector_grads: &'g mut [f32]) -> LayerNormGrad<'g> {
        let ranges = [self.weight.clone(), self.bias.clone()];
        let [weight, bias] = vector_grads.get_disjoint_mut(ranges).expect("ranges of different parameters");
        LayerNormGrad { weight, bias }
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
    pub(super) attention_norm: Option<WeightBias>,
    pub(super) up: WeightBias,
    pub(super) down: WeightBias,
    pub(super) output_norm: WeightBias,
    pub(super) positions: PositionRanges,
}

/// The projections of the embeddings of relative positions in a layer, as far as it has them. They may be those of keys and
/// queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PositionRanges {
    pub(super) key: Option<WeightBias>,
    pub(super) query: Option<WeightBias>,
}

/// The embedding of relative positions of disentangled attention, (rows, H), and its LayerNorm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelativeRanges {
    pub(super) table: Range<usize>,
    pub(super) norm: Option<WeightBias>,
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

/// The adapter of a linear layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AdapterRanges {
    /// (r, inputs)
    pub(super) a: Range<usize>,
    /// (outputs, r)
    pub(super) b: Range<usize>,
    /// The weight of the linear layer: (outputs, inputs)
    pub(super) weight: Range<usize>,
    pub(super) inputs: usize,
}

impl AdapterRanges {
    fn append(arena: &mut ArenaBuilder<'_>, adapter: &Adapter) -> Self {
        let [_, inputs] = adapter.shape;
        let weight = arena.range(&format!("{}.weight", adapter.module));
        AdapterRanges {
            a: arena.tensor(&adapter.a(), "weight"),
            b: arena.tensor(&adapter.b(), "weight"),
            weight,
            inputs,
        }
    }

    /// The rank.
    pub(super) fn rank(&self) -> usize {
        self.a.len() / self.inputs
    }
}

/// All parameters of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// In the order of the arena.
    pub(super) params: Vec<ParamRange>,
    /// What is not trained.
    pub(super) frozen: FrozenPrefix,
    /// After the matrices of the layers.
    pub(super) adapters: Vec<AdapterRanges>,
    pub(super) words: Range<usize>,
    pub(super) positions: Option<Range<usize>>,
    pub(super) segments: Option<Range<usize>>,
    pub(super) embedding_norm: WeightBias,
    /// From the embedding size to the hidden size, after the LayerNorm: (H, E)
    pub(super) projection: Option<WeightBias>,
    /// The same before the LayerNorm, without bias.
    pub(super) projection_before_norm: Option<Range<usize>>,
    pub(super) relative_bias: Option<RelativeBiasRange>,
    pub(super) relative_embeddings: Option<RelativeRanges>,
    /// The rotary positions of each base.
    rotary_tables: Vec<(f64, RotaryTable)>,
    /// By parameter set.
    pub(super) layers: Vec<LayerRanges>,
    pub(super) final_norm: Option<WeightBias>,
    pub(super) pooler: WeightBias,
    pub(super) pooler_norm: Option<WeightBias>,
    pub(super) classifier: WeightBias,
}

impl Layout {
    /// The layout of the parameters `specs`, which must be those of `config`.
    pub(super) fn new(config: &ModelConfig, specs: &[ParamSpec]) -> Self {
        let mut builder = Builder::new(config, specs);
        let names = config.names();
        let positions = names.positions.as_ref().map(|name| builder.arena.tensor(name, "weight"));
        let segments = names.segments.as_ref().map(|name| builder.arena.tensor(name, "weight"));
        let is_before_norm = config.projects_before_norm();
        let norm_width = if is_before_norm { config.hidden } else { config.embedding_size };
        let embedding_norm = builder.norm(&names.embedding_norm, norm_width);
        let (mut projection, mut projection_before_norm) = (None, None);
        if let Some(name) = &names.projection {
            if is_before_norm {
                projection_before_norm = Some(builder.arena.tensor(name, "weight"));
            } else {
                projection = Some(builder.linear(name, config.hidden, true));
            }
        }
        let relative_bias = names.relative_bias.as_ref().map(|name| RelativeBiasRange {
            table: builder.arena.tensor(name, "weight"),
            buckets: relative_buckets(config.max_tokens()),
        });
        let relative_embeddings = names.relative_embeddings.as_ref().map(|name| RelativeRanges {
            table: builder.arena.tensor(name, "weight"),
            norm: names.relative_norm.as_ref().map(|name| builder.norm(name, config.hidden)),
        });
        let vectors: Vec<_> =
            names.layers.iter().map(|layer| LayerVectors::append(&mut builder, layer)).collect();
        let final_norm = names.final_norm.as_ref().map(|name| builder.norm(name, config.hidden));
        let pooler = builder.linear(&names.pooler, config.hidden, config.has_bias(BiasSite::Pooler));
        let pooler_norm = names.pooler_norm.as_ref().map(|name| builder.norm(name, config.hidden));
        let classifier = WeightBias {
            weight: builder.arena.tensor(&names.classifier, "weight"),
            bias: builder.arena.tensor(&names.classifier, "bias"),
        };
        let layers =
            names.layers.iter().zip(vectors).map(|(names, v)| v.with_matrices(&mut builder, names)).collect();
        let adapters = Adapter::all(specs);
        let adapters =
            adapters.iter().map(|adapter| AdapterRanges::append(&mut builder.arena, adapter)).collect();
        let words = builder.arena.tensor(&names.words, "weight");
        Layout {
            params: builder.arena.finish(),
            frozen: FrozenPrefix::of(config, specs),
            adapters,
            words,
            positions,
            segments,
            embedding_norm,
            projection,
            projection_before_norm,
            relative_bias,
            relative_embeddings,
            rotary_tables: rotary_tables(config),
            layers,
            final_norm,
            pooler,
            pooler_norm,
            classifier,
        }
    }

    /// The rotary positions of a base.
    pub(super) fn rotary_table(&self, theta: f64) -> Option<&RotaryTable> {
        self.rotary_tables.iter().find(|(of, _)| *of == theta).map(|(_, table)| table)
    }

    /// Number of elements of an arena.
    pub(super) fn len(&self) -> usize {
        self.words.end
    }

    /// Number of elements of all parameters but the word embedding.
    pub(super) fn dense_len(&self) -> usize {
        self.words.start
    }

    /// Number of elements of the zeros and of the vector parameters, which come first.
    pub(super) fn vectors_len(&self) -> usize {
        self.classifier.bias.end
    }

    /// The parameter of the word embedding.
    pub(super) fn words_spec(&self) -> &ParamSpec {
        &self.params.last().expect("a model has parameters").spec
    }

    /// Whether the gradient of the matrices in `range` is needed: some are trained or have an adapter.
    pub(super) fn has_gradient(&self, range: &Range<usize>) -> bool {
        let overlaps = |other: &Range<usize>| other.start < range.end && range.start < other.end;
        self.adapters.iter().any(|adapter| overlaps(&adapter.weight))
            || self.params.iter().any(|param| param.spec.requires_grad && overlaps(&param.range))
    }

    /// Number of elements of the weights with adapters.
    pub(super) fn adapted_len(&self) -> usize {
        self.adapters.iter().map(|adapter| adapter.weight.len()).sum()
    }

    /// Number of elements of an arena without those of parameters that are not trained.
    pub(super) fn trained_len(&self) -> usize {
        let frozen = self.params.iter().filter(|param| !param.spec.requires_grad);
        self.len() - frozen.map(|param| param.range.len()).sum::<usize>()
    }

    /// Number of labels of the classifier.
    pub(super) fn labels(&self) -> usize {
        self.classifier.bias.len()
    }
}

/// Lays out modules.
struct Builder<'a> {
    arena: ArenaBuilder<'a>,
    config: &'a ModelConfig,
    /// The zeros that stand for biases.
    zeros: Range<usize>,
}

impl<'a> Builder<'a> {
    fn new(config: &'a ModelConfig, specs: &'a [ParamSpec]) -> Self {
        let mut arena = ArenaBuilder::new(specs);
        let widest = config.architecture.layer_structure.up_width(config.intermediate);
        let widest = widest.max(3 * config.hidden).max(config.embedding_size);
        let zeros = arena.reserve(if config.without_bias.is_empty() { 0 } else { widest });
        Builder { arena, config, zeros }
    }

    /// The bias of modules with `width` outputs together.
    fn bias(&mut self, modules: &[&str], width: usize, is_present: bool) -> Range<usize> {
        if is_present {
            self.arena.tensors(modules, "bias")
        } else {
            self.zeros.start..self.zeros.start + width
        }
    }

    fn norm(&mut self, name: &str, width: usize) -> WeightBias {
        let weight = self.arena.tensor(name, "weight");
        WeightBias { weight, bias: self.bias(&[name], width, self.config.has_bias(BiasSite::Norm)) }
    }

    fn linear(&mut self, name: &str, outputs: usize, has_bias: bool) -> WeightBias {
        let weight = self.arena.tensor(name, "weight");
        WeightBias { weight, bias: self.bias(&[name], outputs, has_bias) }
    }
}

/// The biases and LayerNorms of an encoder layer.
struct LayerVectors {
    qkv_bias: Range<usize>,
    attention_out: Range<usize>,
    attention_norm: Option<WeightBias>,
    up: Range<usize>,
    down: Range<usize>,
    output_norm: WeightBias,
    /// Biases of projections of their own for relative positions.
    position_query: Option<Range<usize>>,
    position_key: Option<Range<usize>>,
}

impl LayerVectors {
    fn append(builder: &mut Builder<'_>, names: &LayerNames) -> Self {
        let (h, config) = (builder.config.hidden, builder.config);
        let up = builder.config.architecture.layer_structure.up_width(builder.config.intermediate);
        LayerVectors {
            qkv_bias: builder.bias(&names.qkv(), 3 * h, config.has_bias(BiasSite::Attention)),
            attention_out: builder.bias(&[&names.attention_out], h, config.has_bias(BiasSite::Attention)),
            attention_norm: names.attention_norm.as_ref().map(|name| builder.norm(name, h)),
            up: builder.bias(&[&names.up], up, config.has_bias(BiasSite::FeedForward)),
            down: builder.bias(&[&names.down], h, config.has_bias(BiasSite::FeedForward)),
            output_norm: builder.norm(&names.output_norm, h),
            position_query: names.position_query.as_ref().map(|name| builder.arena.tensor(name, "bias")),
            position_key: names.position_key.as_ref().map(|name| builder.arena.tensor(name, "bias")),
        }
    }

    /// Appends the matrices of the layer. They follow the vectors of all layers.
    fn with_matrices(self, builder: &mut Builder<'_>, names: &LayerNames) -> LayerRanges {
        let qkv = builder.arena.tensors(&names.qkv(), "weight");
        let keys = qkv.start + builder.config.hidden.pow(2);
        let (query, key_value) = (qkv.start..keys, keys..qkv.end);
        let config = builder.config;
        let mut with_weight =
            |name: &str, bias| WeightBias { weight: builder.arena.tensor(name, "weight"), bias };
        let attention_out = with_weight(&names.attention_out, self.attention_out);
        let (up, down) = (with_weight(&names.up, self.up), with_weight(&names.down, self.down));
        let own = |(name, bias): (&Option<String>, Option<Range<usize>>)| {
            name.as_deref().zip(bias).map(|(name, bias)| with_weight(name, bias))
        };
        let [position_query, position_key] =
            [(&names.position_query, self.position_query), (&names.position_key, self.position_key)].map(own);
        let positions = match config.disentangled {
            Some(relative) if relative.projection == PositionProjection::Shared => {
                shared_positions(relative.terms, &query, &key_value, &self.qkv_bias)
            }
            _ => PositionRanges { key: position_key, query: position_query },
        };
        LayerRanges {
            query,
            key_value,
            qkv_bias: self.qkv_bias,
            attention_out,
            attention_norm: self.attention_norm,
            up,
            down,
            output_norm: self.output_norm,
            positions,
        }
    }
}

/// The projections of queries and keys, for the terms that use them.
fn shared_positions(
    terms: PositionTerms,
    query: &Range<usize>,
    key_value: &Range<usize>,
    qkv_bias: &Range<usize>,
) -> PositionRanges {
    let hidden = qkv_bias.len() / 3;
    let bias = |part: usize| qkv_bias.start + part * hidden..qkv_bias.start + (part + 1) * hidden;
    let key = WeightBias { weight: key_value.start..key_value.start + query.len(), bias: bias(1) };
    let query = WeightBias { weight: query.clone(), bias: bias(0) };
    PositionRanges { key: terms.has_c2p().then_some(key), query: terms.has_p2c().then_some(query) }
}
