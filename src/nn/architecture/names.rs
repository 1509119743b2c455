//! The names of modules in Transformers, each of which has parameters `.weight` and mostly `.bias`.

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
    /// The embedding of relative positions, if the model has one.
    pub(crate) relative_bias: Option<String>,
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
    /// As [`Architecture::names`](super::Architecture::names), with the name of the embedding of relative positions.
    pub(super) fn of_model(
        &self,
        (sharing, norm_position): (LayerSharing, NormPosition),
        has_equal_sizes: bool,
        relative_bias: Option<&str>,
    ) -> Names {
        let module = |name: &str| format!("{}.{name}", self.prefix);
        let EmbeddingModules { words, positions, segments, norm, projection } = &self.embeddings;
        let projection = match projection {
            Projection::Always(name) => Some(*name),
            Projection::IfSizesDiffer(name) if !has_equal_sizes => Some(*name),
            Projection::IfSizesDiffer(_) | Projection::None => None,
        };
        let layer = |set| self.layer_names(sharing, set, norm_position);
        Names {
            words: module(words),
            positions: positions.map(module),
            segments: segments.map(module),
            embedding_norm: module(norm),
            projection: projection.map(module),
            relative_bias: relative_bias.map(module),
            layers: (0..sharing.parameter_sets()).map(layer).collect(),
            final_norm: self.final_norm.map(module),
            pooler: self.pooler.into(),
            pooler_norm: self.pooler_norm.map(Into::into),
            classifier: self.classifier.into(),
        }
    }

    fn layer_names(&self, sharing: LayerSharing, set: usize, norm_position: NormPosition) -> LayerNames {
        let (group, layer) = sharing.group_and_layer(set);
        let modules = &self.layer;
        let path = modules.path.replace("{group}", &group.to_string()).replace("{layer}", &layer.to_string());
        let module = |name: &str| format!("{}.{path}.{name}", self.prefix);
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
        }
    }
}
