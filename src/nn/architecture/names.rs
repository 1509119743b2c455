//! The names of modules in Transformers, each of which has parameters `.weight` and mostly `.bias`.

use super::sharing::LayerSharing;

/// The names of an architecture. Those of the encoder have no prefix.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModuleNames {
    /// Prefix of the encoder's modules; checkpoints of an encoder alone lack it.
    pub(crate) prefix: &'static str,
    pub(crate) embeddings: EmbeddingModules,
    pub(crate) layer: LayerModules,
    /// The linear layer between the first token's state and the classifier, with prefix.
    pub(crate) pooler: &'static str,
    /// The linear layer that computes the logits, with prefix.
    pub(crate) classifier: &'static str,
}

/// Modules of the embeddings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EmbeddingModules {
    pub(crate) words: &'static str,
    pub(crate) positions: &'static str,
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
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) attention_out: &'static str,
    pub(crate) attention_norm: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
    pub(crate) output_norm: &'static str,
}

/// Names of the modules of the layers with the same parameters.
#[derive(Debug, Clone)]
pub(crate) struct LayerNames {
    pub(crate) query: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) attention_out: String,
    pub(crate) attention_norm: String,
    pub(crate) up: String,
    pub(crate) down: String,
    pub(crate) output_norm: String,
}

/// Names of the modules of a model, with prefix.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) words: String,
    pub(crate) positions: String,
    /// Segment embedding, if the model has one.
    pub(crate) segments: Option<String>,
    pub(crate) embedding_norm: String,
    /// The linear layer that brings embeddings to the hidden size, if the model has one.
    pub(crate) projection: Option<String>,
    /// The embedding of relative positions, if the model has one.
    pub(crate) relative_bias: Option<String>,
    /// By parameter set.
    pub(crate) layers: Vec<LayerNames>,
    /// The linear layer between the first token's state and the classifier.
    pub(crate) pooler: String,
    pub(crate) classifier: String,
}

impl ModuleNames {
    /// As [`Architecture::names`](super::Architecture::names), with the name of the embedding of relative positions.
    pub(super) fn of_model(
        &self,
        sharing: LayerSharing,
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
        Names {
            words: module(words),
            positions: module(positions),
            segments: segments.map(module),
            embedding_norm: module(norm),
            projection: projection.map(module),
            relative_bias: relative_bias.map(module),
            layers: (0..sharing.parameter_sets()).map(|set| self.layer_names(sharing, set)).collect(),
            pooler: self.pooler.into(),
            classifier: self.classifier.into(),
        }
    }

    fn layer_names(&self, sharing: LayerSharing, set: usize) -> LayerNames {
        let (group, layer) = sharing.group_and_layer(set);
        let modules = &self.layer;
        let path = modules.path.replace("{group}", &group.to_string()).replace("{layer}", &layer.to_string());
        let module = |name: &str| format!("{}.{path}.{name}", self.prefix);
        LayerNames {
            query: module(modules.query),
            key: module(modules.key),
            value: module(modules.value),
            attention_out: module(modules.attention_out),
            attention_norm: module(modules.attention_norm),
            up: module(modules.up),
            down: module(modules.down),
            output_norm: module(modules.output_norm),
        }
    }
}
