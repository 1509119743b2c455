//! The descriptions of the supported families.

use super::description::{
    Architecture, AttentionBias, BiasSite, ConfigKeys, DropoutSite, LayerAttentionKeys, PaddingKey,
    PoolerActivation, Positions,
};
use super::disentangled::DisentangledModules;
use super::layer_structure::{FeedForward, LayerStructure, NormPosition};
use super::names::{EmbeddingModules, LayerModules, ModuleNames, Projection};
use kernels::activation::Activation;

/// All families.
pub static ARCHITECTURES: [&Architecture; 10] = [
    &BERT,
    &DISTILBERT,
    &ROBERTA,
    &XLM_ROBERTA,
    &CAMEMBERT,
    &ELECTRA,
    &ALBERT,
    &MPNET,
    &MODERNBERT,
    &DEBERTA_V2,
];

/// Families that are not supported although they are encoders, with what of them no engine computes.
pub(crate) static UNSUPPORTED: [(&str, &str); 2] = [
    ("deberta", "the joint projection of queries, keys and values of the first version of DeBERTa"),
    ("modernbert-decoder", "attention to earlier tokens only"),
];

/// The keys that most families have.
const BERT_KEYS: ConfigKeys = ConfigKeys {
    hidden: &["hidden_size"],
    layers: &["num_hidden_layers"],
    heads: &["num_attention_heads"],
    intermediate: "intermediate_size",
    embedding_size: None,
    type_vocab_default: None,
    position_embedding: None,
    sharing: None,
    padding: PaddingKey::WithDefault(0),
    hidden_dropout: ("hidden_dropout_prob", 0.1),
    attention_dropout: ("attention_probs_dropout_prob", 0.1),
    attention_output_dropout: None,
    activation_dropout: None,
    classifier_dropout: (Some("classifier_dropout"), None),
    pooler_dropout: None,
    activation: ("hidden_act", Activation::Gelu),
    layer_norm_eps: Some(("layer_norm_eps", 1e-12)),
    biases: &[],
    layer_attention: None,
    pooling: None,
    pooler_activation: None,
    initializer_cutoff: None,
    has_position_embedding_type: true,
};

const BERT_EMBEDDINGS: EmbeddingModules = EmbeddingModules {
    words: "embeddings.word_embeddings",
    positions: Some("embeddings.position_embeddings"),
    segments: Some("embeddings.token_type_embeddings"),
    norm: "embeddings.LayerNorm",
    projection: Projection::None,
};

const BERT_LAYER: LayerModules = LayerModules {
    path: "encoder.layer.{group}",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    attention_out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    output_norm: "output.LayerNorm",
};

/// The sites of BERT. Heads like that of RoBERTa have one more.
const BERT_DROPOUT: [DropoutSite; 5] = [
    DropoutSite::Embeddings,
    DropoutSite::Attention,
    DropoutSite::AttentionOutput,
    DropoutSite::FeedForward,
    DropoutSite::Classifier,
];

const ROBERTA_DROPOUT: [DropoutSite; 6] = [
    DropoutSite::Embeddings,
    DropoutSite::Attention,
    DropoutSite::AttentionOutput,
    DropoutSite::FeedForward,
    DropoutSite::Pooler,
    DropoutSite::Classifier,
];

/// Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>.
static BERT: Architecture = Architecture {
    model_type: "bert",
    class: "BertForSequenceClassification",
    identifying_keys: Some(["type_vocab_size", "hidden_size"]),
    keys: BERT_KEYS,
    positions: Positions::Absolute,
    layer_structure: LayerStructure::BERT,
    attention_bias: AttentionBias::None,
    dropout_sites: &BERT_DROPOUT,
    pooler_activation: PoolerActivation::Tanh,
    names: ModuleNames {
        prefix: "bert",
        embeddings: BERT_EMBEDDINGS,
        layer: BERT_LAYER,
        final_norm: None,
        pooler: "bert.pooler.dense",
        pooler_norm: None,
        classifier: "classifier",
    },
};

/// Sanh et al. 2019, <https://arxiv.org/abs/1910.01108>.
static DISTILBERT: Architecture = Architecture {
    model_type: "distilbert",
    class: "DistilBertForSequenceClassification",
    identifying_keys: Some(["dim", "n_heads"]),
    keys: ConfigKeys {
        hidden: &["dim", "hidden_size"],
        layers: &["n_layers", "num_hidden_layers"],
        heads: &["n_heads", "num_attention_heads"],
        intermediate: "hidden_dim",
        hidden_dropout: ("dropout", 0.1),
        attention_dropout: ("attention_dropout", 0.1),
        classifier_dropout: (Some("seq_classif_dropout"), Some(0.2)),
        activation: ("activation", Activation::Gelu),
        // Transformers ignores a key of this name.
        layer_norm_eps: None,
        ..BERT_KEYS
    },
    positions: Positions::Absolute,
    layer_structure: LayerStructure::BERT,
    attention_bias: AttentionBias::None,
    dropout_sites: &[
        DropoutSite::Embeddings,
        DropoutSite::Attention,
        DropoutSite::FeedForward,
        DropoutSite::Classifier,
    ],
    pooler_activation: PoolerActivation::Relu,
    names: ModuleNames {
        prefix: "distilbert",
        embeddings: EmbeddingModules { segments: None, ..BERT_EMBEDDINGS },
        layer: LayerModules {
            path: "transformer.layer.{group}",
            query: "attention.q_lin",
            key: "attention.k_lin",
            value: "attention.v_lin",
            attention_out: "attention.out_lin",
            attention_norm: "sa_layer_norm",
            up: "ffn.lin1",
            down: "ffn.lin2",
            output_norm: "output_layer_norm",
        },
        final_norm: None,
        pooler: "pre_classifier",
        pooler_norm: None,
        classifier: "classifier",
    },
};

/// RoBERTa and the families with the same model: `model_type` and class differ.
const fn roberta(model_type: &'static str, class: &'static str) -> Architecture {
    Architecture {
        model_type,
        class,
        identifying_keys: None,
        keys: ConfigKeys { padding: PaddingKey::WithDefault(1), ..BERT_KEYS },
        positions: Positions::AfterPadding,
        layer_structure: LayerStructure::BERT,
        attention_bias: AttentionBias::None,
        dropout_sites: &ROBERTA_DROPOUT,
        pooler_activation: PoolerActivation::Tanh,
        names: ModuleNames {
            prefix: "roberta",
            embeddings: BERT_EMBEDDINGS,
            layer: BERT_LAYER,
            final_norm: None,
            pooler: "classifier.dense",
            pooler_norm: None,
            classifier: "classifier.out_proj",
        },
    }
}

/// Liu et al. 2019, <https://arxiv.org/abs/1907.11692>.
static ROBERTA: Architecture = roberta("roberta", "RobertaForSequenceClassification");

/// Conneau et al. 2019, <https://arxiv.org/abs/1911.02116>.
static XLM_ROBERTA: Architecture = roberta("xlm-roberta", "XLMRobertaForSequenceClassification");

/// Martin et al. 2019, <https://arxiv.org/abs/1911.03894>.
static CAMEMBERT: Architecture = roberta("camembert", "CamembertForSequenceClassification");

/// Clark et al. 2020, <https://arxiv.org/abs/2003.10555>.
static ELECTRA: Architecture = Architecture {
    model_type: "electra",
    class: "ElectraForSequenceClassification",
    identifying_keys: None,
    keys: ConfigKeys { embedding_size: Some(("embedding_size", Some(128))), ..BERT_KEYS },
    positions: Positions::Absolute,
    layer_structure: LayerStructure::BERT,
    attention_bias: AttentionBias::None,
    dropout_sites: &ROBERTA_DROPOUT,
    pooler_activation: PoolerActivation::Gelu,
    names: ModuleNames {
        prefix: "electra",
        embeddings: EmbeddingModules {
            projection: Projection::IfSizesDiffer("embeddings_project"),
            ..BERT_EMBEDDINGS
        },
        layer: BERT_LAYER,
        final_norm: None,
        pooler: "classifier.dense",
        pooler_norm: None,
        classifier: "classifier.out_proj",
    },
};

/// Lan et al. 2019, <https://arxiv.org/abs/1909.11942>.
static ALBERT: Architecture = Architecture {
    model_type: "albert",
    class: "AlbertForSequenceClassification",
    identifying_keys: None,
    keys: ConfigKeys {
        embedding_size: Some(("embedding_size", Some(128))),
        sharing: Some(["num_hidden_groups", "inner_group_num"]),
        hidden_dropout: ("hidden_dropout_prob", 0.0),
        attention_dropout: ("attention_probs_dropout_prob", 0.0),
        classifier_dropout: (Some("classifier_dropout_prob"), Some(0.1)),
        activation: ("hidden_act", Activation::GeluTanh),
        ..BERT_KEYS
    },
    positions: Positions::Absolute,
    layer_structure: LayerStructure::BERT,
    attention_bias: AttentionBias::None,
    dropout_sites: &[
        DropoutSite::Embeddings,
        DropoutSite::Attention,
        DropoutSite::AttentionOutput,
        DropoutSite::Classifier,
    ],
    pooler_activation: PoolerActivation::Tanh,
    names: ModuleNames {
        prefix: "albert",
        embeddings: EmbeddingModules {
            projection: Projection::Always("encoder.embedding_hidden_mapping_in"),
            ..BERT_EMBEDDINGS
        },
        layer: LayerModules {
            path: "encoder.albert_layer_groups.{group}.albert_layers.{layer}",
            query: "attention.query",
            key: "attention.key",
            value: "attention.value",
            attention_out: "attention.dense",
            attention_norm: "attention.LayerNorm",
            up: "ffn",
            down: "ffn_output",
            output_norm: "full_layer_layer_norm",
        },
        final_norm: None,
        pooler: "albert.pooler",
        pooler_norm: None,
        classifier: "classifier",
    },
};

/// Song et al. 2020, <https://arxiv.org/abs/2004.09297>.
static MPNET: Architecture = Architecture {
    model_type: "mpnet",
    class: "MPNetForSequenceClassification",
    identifying_keys: None,
    keys: ConfigKeys { padding: PaddingKey::Constant(1), classifier_dropout: (None, None), ..BERT_KEYS },
    positions: Positions::AfterPadding,
    layer_structure: LayerStructure::BERT,
    attention_bias: AttentionBias::RelativeBuckets {
        module: "encoder.relative_attention_bias",
        size_key: "relative_attention_num_buckets",
    },
    dropout_sites: &ROBERTA_DROPOUT,
    pooler_activation: PoolerActivation::Tanh,
    names: ModuleNames {
        prefix: "mpnet",
        embeddings: EmbeddingModules { segments: None, ..BERT_EMBEDDINGS },
        layer: LayerModules {
            query: "attention.attn.q",
            key: "attention.attn.k",
            value: "attention.attn.v",
            attention_out: "attention.attn.o",
            attention_norm: "attention.LayerNorm",
            ..BERT_LAYER
        },
        final_norm: None,
        pooler: "classifier.dense",
        pooler_norm: None,
        classifier: "classifier.out_proj",
    },
};

/// He et al. 2021, <https://arxiv.org/abs/2111.09543>, and the second version of He et al. 2020,
/// <https://arxiv.org/abs/2006.03654>.
static DEBERTA_V2: Architecture = Architecture {
    model_type: "deberta-v2",
    class: "DebertaV2ForSequenceClassification",
    identifying_keys: None,
    keys: ConfigKeys {
        embedding_size: Some(("embedding_size", None)),
        type_vocab_default: Some(0),
        position_embedding: Some("position_biased_input"),
        classifier_dropout: (Some("cls_dropout"), None),
        pooler_dropout: Some(("pooler_dropout", 0.0)),
        pooler_activation: Some("pooler_hidden_act"),
        layer_norm_eps: Some(("layer_norm_eps", 1e-7)),
        ..BERT_KEYS
    },
    positions: Positions::Absolute,
    layer_structure: LayerStructure::BERT,
    attention_bias: AttentionBias::Disentangled(DisentangledModules {
        embeddings: "encoder.rel_embeddings",
        norm: "encoder.LayerNorm",
        key: "attention.self.pos_key_proj",
        query: "attention.self.pos_query_proj",
    }),
    dropout_sites: &[
        DropoutSite::Embeddings,
        DropoutSite::RelativeEmbeddings,
        DropoutSite::Attention,
        DropoutSite::AttentionOutput,
        DropoutSite::FeedForward,
        DropoutSite::Pooler,
        DropoutSite::Classifier,
    ],
    pooler_activation: PoolerActivation::Gelu,
    names: ModuleNames {
        prefix: "deberta",
        embeddings: EmbeddingModules {
            projection: Projection::BeforeNorm("embeddings.embed_proj"),
            ..BERT_EMBEDDINGS
        },
        layer: LayerModules {
            query: "attention.self.query_proj",
            key: "attention.self.key_proj",
            value: "attention.self.value_proj",
            ..BERT_LAYER
        },
        final_norm: None,
        pooler: "pooler.dense",
        pooler_norm: None,
        classifier: "classifier",
    },
};

/// Warner et al. 2024, <https://arxiv.org/abs/2412.13663>. Ettin and mmBERT are models of this family.
static MODERNBERT: Architecture = Architecture {
    model_type: "modernbert",
    class: "ModernBertForSequenceClassification",
    identifying_keys: None,
    keys: ConfigKeys {
        padding: PaddingKey::WithDefault(50283),
        hidden_dropout: ("embedding_dropout", 0.0),
        attention_dropout: ("attention_dropout", 0.0),
        attention_output_dropout: Some(("attention_dropout", 0.0)),
        activation_dropout: Some(("mlp_dropout", 0.0)),
        classifier_dropout: (Some("classifier_dropout"), Some(0.0)),
        activation: ("hidden_activation", Activation::Gelu),
        layer_norm_eps: Some(("norm_eps", 1e-5)),
        biases: &[
            (BiasSite::Norm, "norm_bias"),
            (BiasSite::Attention, "attention_bias"),
            (BiasSite::FeedForward, "mlp_bias"),
            (BiasSite::Pooler, "classifier_bias"),
        ],
        layer_attention: Some(LayerAttentionKeys {
            layer_types: "layer_types",
            global_every: ("global_attn_every_n_layers", 3),
            window: ("local_attention", 128),
            rope_parameters: "rope_parameters",
            global_theta: ("global_rope_theta", 160_000.0),
            local_theta: ("local_rope_theta", 10_000.0),
        }),
        pooling: Some("classifier_pooling"),
        pooler_activation: Some("classifier_activation"),
        initializer_cutoff: Some(("initializer_cutoff_factor", 2.0)),
        has_position_embedding_type: false,
        ..BERT_KEYS
    },
    positions: Positions::Rotary,
    layer_structure: LayerStructure { norm_position: NormPosition::Pre, feed_forward: FeedForward::Gated },
    attention_bias: AttentionBias::None,
    dropout_sites: &[
        DropoutSite::Embeddings,
        DropoutSite::Attention,
        DropoutSite::AttentionOutput,
        DropoutSite::Activation,
        DropoutSite::Classifier,
    ],
    pooler_activation: PoolerActivation::Gelu,
    names: ModuleNames {
        prefix: "model",
        embeddings: EmbeddingModules {
            words: "embeddings.tok_embeddings",
            positions: None,
            segments: None,
            norm: "embeddings.norm",
            projection: Projection::None,
        },
        layer: LayerModules {
            path: "layers.{group}",
            query: "attn.Wqkv",
            key: "attn.Wqkv",
            value: "attn.Wqkv",
            attention_out: "attn.Wo",
            attention_norm: "attn_norm",
            up: "mlp.Wi",
            down: "mlp.Wo",
            output_norm: "mlp_norm",
        },
        final_norm: Some("final_norm"),
        pooler: "head.dense",
        pooler_norm: Some("head.norm"),
        classifier: "classifier",
    },
};
