//! Model architectures for benchmarks with random weights, without a download.

/// The architecture of a well-known model.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// Its files: only `config.json`.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// A shape, from its name and its `config.json`.
macro_rules! shape {
    ($name:literal, $config:literal) => {
        Shape { name: $name, files: &[("config.json", $config.as_bytes())] }
    };
}

/// The architectures, smallest first.
pub static SHAPES: &[Shape] = &[
    shape!(
        "minilm",
        r#"{"model_type": "bert", "vocab_size": 30522, "type_vocab_size": 2, "hidden_size": 384, "num_hidden_layers": 6,
            "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512}"#
    ),
    shape!(
        "distilbert",
        r#"{"model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_layers": 6, "n_heads": 12,
            "hidden_dim": 3072, "max_position_embeddings": 512}"#
    ),
    shape!(
        "bert-base",
        r#"{"model_type": "bert", "vocab_size": 30522, "type_vocab_size": 2, "hidden_size": 768, "num_hidden_layers": 12,
            "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 512}"#
    ),
    shape!(
        "roberta-base",
        r#"{"model_type": "roberta", "vocab_size": 50265, "type_vocab_size": 1, "hidden_size": 768, "num_hidden_layers": 12,
            "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 514,
            "layer_norm_eps": 1e-5, "pad_token_id": 1}"#
    ),
    shape!(
        "electra-base",
        r#"{"model_type": "electra", "vocab_size": 30522, "type_vocab_size": 2, "embedding_size": 768, "hidden_size": 768,
            "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "max_position_embeddings": 512}"#
    ),
    shape!(
        "albert-base",
        r#"{"model_type": "albert", "vocab_size": 30000, "type_vocab_size": 2, "embedding_size": 128, "hidden_size": 768,
            "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "max_position_embeddings": 512, "hidden_act": "gelu_new", "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0, "classifier_dropout_prob": 0.1}"#
    ),
    shape!(
        "mpnet-base",
        r#"{"model_type": "mpnet", "vocab_size": 30527, "hidden_size": 768, "num_hidden_layers": 12,
            "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 514,
            "layer_norm_eps": 1e-5}"#
    ),
    shape!(
        "modernbert-base",
        r#"{"model_type": "modernbert", "vocab_size": 50368, "hidden_size": 768, "num_hidden_layers": 22,
            "num_attention_heads": 12, "intermediate_size": 1152, "max_position_embeddings": 8192,
            "classifier_pooling": "mean"}"#
    ),
    shape!(
        "deberta-v3-small",
        r#"{"model_type": "deberta-v2", "vocab_size": 128100, "type_vocab_size": 0, "hidden_size": 768,
            "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 512,
            "relative_attention": true, "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": true,
            "pos_att_type": "p2c|c2p", "position_biased_input": false, "layer_norm_eps": 1e-7}"#
    ),
    shape!(
        "deberta-v3-base",
        r#"{"model_type": "deberta-v2", "vocab_size": 128100, "type_vocab_size": 0, "hidden_size": 768,
            "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 512,
            "relative_attention": true, "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": true,
            "pos_att_type": "p2c|c2p", "position_biased_input": false, "layer_norm_eps": 1e-7}"#
    ),
    shape!(
        "bert-large",
        r#"{"model_type": "bert", "vocab_size": 30522, "type_vocab_size": 2, "hidden_size": 1024, "num_hidden_layers": 24,
            "num_attention_heads": 16, "intermediate_size": 4096, "max_position_embeddings": 512}"#
    ),
];

/// The architecture of that name.
pub fn shape(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}
