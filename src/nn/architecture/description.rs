//! What families of encoders differ in.

use super::disentangled::DisentangledModules;
use super::layer_structure::LayerStructure;
use super::names::{ModelParts, ModuleNames, Names};
use kernels::activation::Activation;

/// A family of encoders. The fields are what differs from BERT (Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>).
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Value of `model_type` in `config.json`.
    pub model_type: &'static str,
    /// The Transformers class of a classifier.
    pub class: &'static str,
    /// Two keys that identify a `config.json` without `model_type`, as early files are.
    pub(crate) identifying_keys: Option<[&'static str; 2]>,
    pub(crate) keys: ConfigKeys,
    pub(crate) positions: Positions,
    pub(crate) layer_structure: LayerStructure,
    /// What is added to the scores of attention.
    pub(crate) attention_bias: AttentionBias,
    /// Where dropout applies.
    pub(crate) dropout_sites: &'static [DropoutSite],
    /// Activation function of the linear layer between the pooled state and the classifier, unless a key sets it.
    pub(crate) pooler_activation: PoolerActivation,
    pub(crate) names: ModuleNames,
}

/// The keys of a `config.json`, and the defaults of the Transformers class.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConfigKeys {
    /// Hidden size; the first key that is present counts.
    pub(crate) hidden: &'static [&'static str],
    /// Number of layers.
    pub(crate) layers: &'static [&'static str],
    /// Number of attention heads.
    pub(crate) heads: &'static [&'static str],
    /// Width of the feed-forward network.
    pub(crate) intermediate: &'static str,
    /// Width of the embeddings, if it is not always the hidden size, and its default; `None` is the hidden size.
    pub(crate) embedding_size: Option<(&'static str, Option<usize>)>,
    /// Default of `type_vocab_size`, which may then be 0 for a model without segments; `None` if the key is required.
    pub(crate) type_vocab_default: Option<usize>,
    /// Whether there is a position embedding, by default true; without a key there is one.
    pub(crate) position_embedding: Option<&'static str>,
    /// Number of groups of layers with the same parameters, and of layers in a group.
    pub(crate) sharing: Option<[&'static str; 2]>,
    /// Id of the padding token, whose word embedding has no gradient.
    pub(crate) padding: PaddingKey,
    /// Dropout rate of embeddings and layer outputs.
    pub(crate) hidden_dropout: (&'static str, f64),
    /// Dropout rate of attention probabilities.
    pub(crate) attention_dropout: (&'static str, f64),
    /// Dropout rate of the output of attention, if it is not that of hidden states.
    pub(crate) attention_output_dropout: Option<(&'static str, f64)>,
    /// Dropout rate within the feed-forward network, if it has one.
    pub(crate) activation_dropout: Option<(&'static str, f64)>,
    /// Dropout rate before the classifier; without a key or a value, it is that of hidden states.
    pub(crate) classifier_dropout: (Option<&'static str>, Option<f64>),
    /// Dropout rate before the pooler; without a key it is that before the classifier.
    pub(crate) pooler_dropout: Option<(&'static str, f64)>,
    /// Activation function of the feed-forward network.
    pub(crate) activation: (&'static str, Activation),
    /// Activation function of the pooler, if it is not always that of the architecture.
    pub(crate) pooler_activation: Option<&'static str>,
    /// Added to the variance in LayerNorm; without a key it is 1e-12.
    pub(crate) layer_norm_eps: Option<(&'static str, f64)>,
    /// Modules that have biases only if a key says so.
    pub(crate) biases: &'static [(BiasSite, &'static str)],
    /// Which tokens each layer attends to, and its rotary positions.
    pub(crate) layer_attention: Option<LayerAttentionKeys>,
    /// How the states of the tokens are pooled; without a key, it is the state of the first.
    pub(crate) pooling: Option<&'static str>,
    /// Where the normal distribution of new weights is cut off, in standard deviations, and the default.
    pub(crate) initializer_cutoff: Option<(&'static str, f64)>,
    /// Whether `position_embedding_type` selects how positions are embedded; if not, it is ignored.
    pub(crate) has_position_embedding_type: bool,
}

/// Keys of layers that attend to all tokens or to those in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LayerAttentionKeys {
    /// The type of each layer.
    pub(crate) layer_types: &'static str,
    /// Without types, each such number of layers one attends to all tokens, the first among them; and the default.
    pub(crate) global_every: (&'static str, usize),
    /// Number of tokens that a window reaches over, half of them on either side, and the default.
    pub(crate) window: (&'static str, usize),
    /// The rotary positions of each type of layer.
    pub(crate) rope_parameters: &'static str,
    /// Base of the rotary positions of layers that attend to all tokens, and the default.
    pub(crate) global_theta: (&'static str, f64),
    /// The same of layers with a window.
    pub(crate) local_theta: (&'static str, f64),
}

/// Where the id of the padding token is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaddingKey {
    /// The key `pad_token_id`, with this default.
    WithDefault(u32),
    /// A constant of the Transformers class, which ignores the key.
    Constant(u32),
}

/// How the tokens of an example are numbered for the position embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positions {
    /// 0, 1, 2, ….
    Absolute,
    /// From the id of the padding token plus 1. A padding token in the text has this id as its position and is not
    /// counted; the embedding of that position has no gradient.
    AfterPadding,
    /// 0, 1, 2, …, by which queries and keys are rotated, without a position embedding (Su et al. 2021,
    /// <https://arxiv.org/abs/2104.09864>).
    Rotary,
}

/// What is added to the scores of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttentionBias {
    /// Nothing.
    None,
    /// A number for each head and bucket of distances between query and key, the same in all layers (Raffel et al. 2019,
    /// <https://arxiv.org/abs/1910.10683>).
    RelativeBuckets {
        /// The embedding of the buckets, without prefix.
        module: &'static str,
        /// The key of their number. Transformers computes with 32, whatever the value.
        size_key: &'static str,
    },
    /// Products of queries and of keys with projected embeddings of relative positions, as far as the keys of
    /// `config.json` say so.
    Disentangled(DisentangledModules),
}

/// Modules that may have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BiasSite {
    /// The LayerNorms.
    Norm,
    /// The linear layers of attention.
    Attention,
    /// The linear layers of the feed-forward network.
    FeedForward,
    /// The linear layer between the pooled state and the classifier.
    Pooler,
}

/// A place in the model where dropout applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropoutSite {
    /// The embeddings, after their LayerNorm.
    Embeddings,
    /// The embeddings of relative positions in a layer, before their projections.
    RelativeEmbeddings,
    /// The attention probabilities of a layer.
    Attention,
    /// The output projection of the attention of a layer.
    AttentionOutput,
    /// The input of the second linear layer of the feed-forward network of a layer.
    Activation,
    /// The output of the feed-forward network of a layer.
    FeedForward,
    /// The pooled state, before the pooler.
    Pooler,
    /// The output of the pooler, before the classifier.
    Classifier,
}

/// Activation function of the linear layer between the pooled state and the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolerActivation {
    /// tanh(x).
    Tanh,
    /// max(x, 0).
    Relu,
    /// x Φ(x).
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
}

impl Architecture {
    /// The names of the modules of a model.
    pub(crate) fn names(&self, parts: ModelParts) -> Names {
        let names = self.names.of_model(parts);
        match self.attention_bias {
            AttentionBias::None => names,
            AttentionBias::RelativeBuckets { module, .. } => self.names.with_relative_bias(names, module),
            AttentionBias::Disentangled(modules) => self.names.with_disentangled(names, modules, parts),
        }
    }
}
