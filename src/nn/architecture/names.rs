//! The names of modules in Transformers, each of which has parameters `.weight` and mostly `.bias`.

use super::disentangled::{Disentangled, DisentangledModules, PositionProjection, RelativeNorm};
use super::layer_structure::NormPosition;
use super::sharing::LayerSharing;

/// The names of an architecture. Those of the encoder have no prefix.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModuleNames {
    /// Prefix of the encoder's modules; checkpoints of an encoder alone lack it.
    pub(crate) prefix: &'static str,
    pub(crate) embeddings: EmbeddingModules,
    pub(crate) layer: LayerModules,
    /// The LayerNorm after the last layer, if the architecture has one.
    pub(crate) final_norm: Option<&'static str>,
    /// The linear layer between the pooled state and the classifier, with prefix.
    pub(crate) pooler: &'static str,
    /// The LayerNorm after the activation function of the pooler, if the architecture has one, with prefix.
    pub(crate) pooler_norm: Option<&'static str>,
    /// The linear layer that computes the logits, with prefix.
    pub(crate) classifier: &'static str,
}

/// Modules of the embeddings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EmbeddingModules {
    pub(crate) words: &'static str,
    /// Position embedding, if the architecture has one.
    pub(crate) positions: Option<&'static str>,
    /// Segment embedding, if the architecture has one.
    pub(crate) segments: Option<&'static str>,
    pub(crate) norm: &'static str,
    pub(crate) projection: Projection,
}

/// Whether a linear layer brings embeddings to the hidden size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Projection {
    /// There is none.
    None,
    /// A module that models have whose embeddings are not of the hidden size.
    IfSizesDiffer(&'static str),
    /// A module that all models have.
    Always(&'static str),
    /// As `IfSizesDiffer`, but before the LayerNorm of the embeddings, which has the hidden size, and without a bias.
    BeforeNorm(&'static str),
}

/// What decides which modules a model has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelParts {
    pub(crate) sharing: LayerSharing,
    pub(crate) norm_position: NormPosition,
    pub(crate) embedding_size: usize,
    pub(crate) hidden: usize,
    /// Rows of the position embedding; 0 without one.
    pub(crate) position_rows: usize,
    /// Rows of the segment embedding; 0 without one.
    pub(crate) type_vocab: usize,
    pub(crate) disentangled: Option<Disentangled>,
}

/// Modules of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerModules {
    /// Path of the layer, where `{group}` is the number of its group and `{layer}` that within the group. Without
    /// shared parameters, each layer is a group.
    pub(crate) path: &'static str,
    /// Queries, keys and values have the same name where they are one linear layer, whose outputs are in this order.
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) attention_out: &'static str,
    /// The LayerNorm after attention, or before it with pre-norm.
    pub(crate) attention_norm: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
    /// The LayerNorm after the feed-forward network, or before it with pre-norm.
    pub(crate) output_norm: &'static str,
}

/// Names of the modules of the layers with the same parameters.
#[derive(Debug, Clone)]
pub(crate) struct LayerNames {
    /// As in [`LayerModules`], as are the others.
    pub(crate) query: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) attention_out: String,
    /// With pre-norm, the first layer has none, since the embeddings are normalized.
    pub(crate) attention_norm: Option<String>,
    pub(crate) up: String,
    pub(crate) down: String,
    pub(crate) output_norm: String,
    /// Projections of the embeddings of relative positions, if the layer has them.
    pub(crate) position_query: Option<String>,
    pub(crate) position_key: Option<String>,
}

/// Names of the modules of a model, with prefix.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) words: String,
    /// Position embedding, if the model has one.
    pub(crate) positions: Option<String>,
    /// Segment embedding, if the model has one.
    pub(crate) segments: Option<String>,
    pub(crate) embedding_norm: String,
    /// The linear layer that brings embeddings to the hidden size, if the model has one.
    pub(crate) projection: Option<String>,
    /// The numbers that relative positions add to the scores, if the model has them.
    pub(crate) relative_bias: Option<String>,
    /// The embedding of relative positions of disentangled attention, if the model has one, and its LayerNorm.
    pub(crate) relative_embeddings: Option<String>,
    pub(crate) relative_norm: Option<String>,
    /// By parameter set.
    pub(crate) layers: Vec<LayerNames>,
    /// The LayerNorm after the last layer, if the model has one.
    pub(crate) final_norm: Option<String>,
    /// The linear layer between the pooled state and the classifier.
    pub(crate) pooler: String,
    /// The LayerNorm after the activation function of the pooler, if the model has one.
    pub(crate) pooler_norm: Option<String>,
    pub(crate) classifier: String,
}

impl LayerNames {
    /// The linear layers of queries, keys and values: three of them, or one for all.
    pub(crate) fn qkv(&self) -> Vec<&str> {
        let mut names = vec![self.query.as_str(), &self.key, &self.value];
        names.dedup();
        names
    }
}

impl ModuleNames {
    /// As [`Architecture::names`](super::Architecture::names), without relative positions.
    pub(super) fn of_model(&self, parts: ModelParts) -> Names {
        let ModelParts { sharing, norm_position, embedding_size, hidden, position_rows, type_vocab, .. } =
            parts;
        let module = |name: &str| self.with_prefix(name);
        let EmbeddingModules { words, positions, segments, norm, projection } = &self.embeddings;
        let projection = match projection {
            Projection::Always(name) => Some(*name),
            Projection::IfSizesDiffer(name) | Projection::BeforeNorm(name) => {
                (embedding_size != hidden).then_some(*name)
            }
            Projection::None => None,
        };
        let layer = |set| self.layer_names(sharing, set, norm_position);
        Names {
            words: module(words),
            positions: positions.filter(|_| position_rows > 0).map(module),
            segments: segments.filter(|_| type_vocab > 0).map(module),
            embedding_norm: module(norm),
            projection: projection.map(module),
            relative_bias: None,
            relative_embeddings: None,
            relative_norm: None,
            layers: (0..sharing.parameter_sets()).map(layer).collect(),
            final_norm: self.final_norm.map(module),
            pooler: self.pooler.into(),
            pooler_norm: self.pooler_norm.map(Into::into),
            classifier: self.classifier.into(),
        }
    }

    fn with_prefix(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    pub(super) fn with_relative_bias(&self, names: Names, module: &str) -> Names {
        Names { relative_bias: Some(self.with_prefix(module)), ..names }
    }

    /// Adds the modules that the model has of those of disentangled attention.
    pub(super) fn with_disentangled(
        &self,
        mut names: Names,
        modules: DisentangledModules,
        parts: ModelParts,
    ) -> Names {
        let Some(Disentangled { terms, projection, norm, .. }) = parts.disentangled else { return names };
        names.relative_embeddings = Some(self.with_prefix(modules.embeddings));
        names.relative_norm = (norm == RelativeNorm::LayerNorm).then(|| self.with_prefix(modules.norm));
        if projection == PositionProjection::Own {
            for (set, layer) in names.layers.iter_mut().enumerate() {
                let module = |name: &str| format!("{}.{name}", self.layer_path(parts.sharing, set));
                layer.position_key = terms.has_c2p().then(|| module(modules.key));
                layer.position_query = terms.has_p2c().then(|| module(modules.query));
            }
        }
        names
    }

    /// The path of a parameter set, with prefix.
    fn layer_path(&self, sharing: LayerSharing, set: usize) -> String {
        let (group, layer) = sharing.group_and_layer(set);
        let path = self.layer.path.replace("{group}", &group.to_string());
        self.with_prefix(&path.replace("{layer}", &layer.to_string()))
    }

    fn layer_names(&self, sharing: LayerSharing, set: usize, norm_position: NormPosition) -> LayerNames {
        let (modules, path) = (&self.layer, self.layer_path(sharing, set));
        let module = |name: &str| format!("{path}.{name}");
        LayerNames {
            query: module(modules.query),
            key: module(modules.key),
            value: module(modules.value),
            attention_out: module(modules.attention_out),
            attention_norm: (norm_position == NormPosition::Post || set > 0)
                .then(|| module(modules.attention_norm)),
            up: module(modules.up),
            down: module(modules.down),
            output_norm: module(modules.output_norm),
            position_query: None,
            position_key: None,
        }
    }
}
