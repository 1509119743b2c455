//! Keys, defaults and errors of `config.json`.

use super::*;

const BERT: &str = r#"{"model_type": "bert", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64, "type_vocab_size": 2,
    "hidden_dropout_prob": 0.3, "odd_key": [1], "torch_dtype": "float16"}"#;

fn parse(text: &str) -> Result<ModelConfig> {
    ModelConfig::parse("m", text.as_bytes())
}

fn message(text: &str) -> String {
    parse(text).expect_err("an invalid configuration").to_string()
}

#[test]
fn defaults_match_transformers() {
    let bert = parse(BERT).expect("a valid configuration");
    assert_eq!((bert.classifier_dropout, bert.attention_dropout, bert.layer_norm_eps), (0.3, 0.1, 1e-12));
    assert_eq!(bert.id2label.for_outputs(2).unwrap(), ["LABEL_0", "LABEL_1"]);
    let with_key = parse(&BERT.replace("\"odd_key\"", "\"classifier_dropout\": 0.5, \"odd_key\""))
        .expect("a valid configuration");
    assert_eq!(with_key.classifier_dropout, 0.5);
    let distilbert = parse(
        r#"{"model_type": "distilbert", "vocab_size": 9, "dim": 8, "n_layers": 1, "n_heads": 2,
        "hidden_dim": 16, "max_position_embeddings": 5, "id2label": {"1": "b", "0": "a", "2": "c"}}"#,
    )
    .expect("a valid configuration");
    assert_eq!((distilbert.classifier_dropout, distilbert.type_vocab), (0.2, 0));
    assert_eq!(distilbert.id2label.for_outputs(3).unwrap(), ["a", "b", "c"]);
}

#[test]
fn family_is_inferred_without_model_type() {
    let text = BERT.replace("\"model_type\": \"bert\",", "");
    assert_eq!(parse(&text).expect("a BERT").architecture.model_type, "bert");
    assert!(message("{}").contains("model_type is missing"));
}

#[test]
fn errors_name_the_model_and_the_key() {
    let gpt = message(&BERT.replace("\"bert\"", "\"gpt2\""));
    assert!(gpt.starts_with("model m: ") && gpt.contains("\"gpt2\""), "{gpt}");
    assert!(gpt.contains("supported are bert, distilbert, roberta, "), "{gpt}");
    let first = message(&BERT.replace("\"bert\"", "\"deberta\""));
    assert!(first.contains("\"deberta\", which needs the joint projection"), "{first}");
    let decoder = message(&BERT.replace("\"bert\"", "\"modernbert-decoder\""));
    assert!(
        decoder.contains("\"modernbert-decoder\", which needs attention to earlier tokens only"),
        "{decoder}"
    );
    let cases = [
        (BERT.replace("\"hidden_size\": 32", "\"a\": 1"), "key hidden_size is missing"),
        (BERT.replace("\"hidden_size\": 32", "\"hidden_size\": 0"), "hidden_size is 0"),
        (BERT.replace("\"hidden_size\": 32", "\"hidden_size\": 30"), "hidden size 30 is not divisible"),
        (BERT.replace("\"odd_key\": [1]", "\"hidden_act\": \"silu\""), "hidden_act is \"silu\""),
        (
            BERT.replace("\"odd_key\": [1]", "\"position_embedding_type\": \"relative_key\""),
            "position_embedding_type is \"relative_key\"",
        ),
        (BERT.replace("0.3", "1.0"), "hidden_dropout_prob is 1"),
        (BERT.replace("\"odd_key\": [1]", "\"is_decoder\": true"), "is_decoder is true"),
        ("[1]".to_owned(), "not a JSON object"),
    ];
    for (text, expected) in cases {
        let found = message(&text);
        assert!(found.contains(expected), "{found:?} has no {expected:?}");
    }
}

const SIZES: &str = r#""vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 6, "num_attention_heads": 4,
    "intermediate_size": 64, "max_position_embeddings": 40, "type_vocab_size": 1"#;

#[test]
fn keys_of_each_family_are_read_or_rejected() {
    let of = |model_type: &str, keys: &str| format!(r#"{{"model_type": "{model_type}", {SIZES}{keys}}}"#);
    let config = |model_type: &str, keys: &str| parse(&of(model_type, keys)).expect("a configuration");
    let roberta = config("roberta", "");
    assert_eq!((roberta.padding_id, roberta.max_tokens()), (Some(1), 38));
    assert_eq!(config("xlm-roberta", r#", "pad_token_id": 9"#).max_tokens(), 30);
    assert_eq!(config("bert", r#", "pad_token_id": -1"#).padding_id, Some(49));
    assert_eq!(config("bert", r#", "pad_token_id": null"#).padding_id, None);
    assert_eq!(config("mpnet", r#", "pad_token_id": null"#).max_tokens(), 38);
    let electra = config("electra", r#", "embedding_size": 32"#);
    assert!(electra.names().projection.is_none() && config("electra", "").embedding_size == 128);
    let albert = config("albert", r#", "num_hidden_groups": 2, "inner_group_num": 2"#);
    assert_eq!((albert.layers, albert.names().layers.len()), (12, 4));
    assert_eq!((albert.hidden_dropout, albert.classifier_dropout), (0.0, 0.1));
    assert_eq!(albert.dropout_rate(DropoutSite::FeedForward), 0.0);
    let cases = [
        (of("roberta", r#", "pad_token_id": null"#), "pad_token_id is null"),
        (of("roberta", r#", "pad_token_id": 39"#), "the first position, pad_token_id + 1, is 40"),
        (of("bert", r#", "pad_token_id": 50"#), "pad_token_id is 50, outside the vocabulary of 50"),
        (of("bert", r#", "pad_token_id": "x""#), "pad_token_id is \"x\""),
        (of("albert", r#", "num_hidden_groups": 7"#), "num_hidden_groups is 7, more than num_hidden_layers"),
        (of("albert", r#", "inner_group_num": 500"#), "at most 1000 layers"),
        (of("mpnet", r#", "relative_attention_num_buckets": 64"#), "relative_attention_num_buckets is 64"),
    ];
    for (text, expected) in cases {
        let found = message(&text);
        assert!(found.contains(expected), "{found:?} has no {expected:?}");
    }
}

/// The `config.json` of answerdotai/ModernBERT-base, without the keys of its tokens and of training.
const MODERNBERT: &str = r#"{"model_type": "modernbert", "vocab_size": 50368, "hidden_size": 768,
    "num_hidden_layers": 22, "num_attention_heads": 12, "intermediate_size": 1152, "max_position_embeddings": 8192,
    "hidden_activation": "gelu", "norm_eps": 1e-05, "layer_norm_eps": 1e-03, "norm_bias": false,
    "attention_bias": false, "mlp_bias": false, "decoder_bias": true, "classifier_bias": false,
    "classifier_activation": "gelu", "classifier_pooling": "mean", "classifier_dropout": 0.0,
    "attention_dropout": 0.0, "embedding_dropout": 0.0, "mlp_dropout": 0.0, "global_attn_every_n_layers": 3,
    "global_rope_theta": 160000.0, "local_attention": 128, "local_rope_theta": 10000.0, "pad_token_id": 50283,
    "initializer_range": 0.02, "initializer_cutoff_factor": 2.0, "position_embedding_type": "sans_pos",
    "tie_word_embeddings": true, "sparse_prediction": false, "deterministic_flash_attn": false}"#;

fn modernbert(keys: &str) -> Result<ModelConfig> {
    // Of two keys with the same name, the last one counts.
    parse(&MODERNBERT.replace("false}", &format!("false, {keys}}}")))
}

#[test]
fn keys_of_modernbert_are_read() {
    let config = parse(MODERNBERT).expect("a configuration");
    let full = LayerAttention { window: None, rope_theta: Some(160_000.0) };
    let sliding = LayerAttention { window: Some(64), rope_theta: Some(10_000.0) };
    let first: Vec<_> = (0..5).map(|layer| config.layer_attention(layer)).collect();
    assert_eq!(first, [full, sliding, sliding, full, sliding]);
    assert_eq!((config.layers, config.max_tokens(), config.type_vocab), (22, 8192, 0));
    let layers = modernbert(r#""num_hidden_layers": 4000000000"#).expect("a configuration").layers;
    assert_eq!(layers, 4_000_000_000, "no list of layers");
    assert_eq!((config.layer_norm_eps, config.pooling), (1e-5, Pooling::Mean));
    assert_eq!((config.pooler_activation, config.initializer_cutoff), (PoolerActivation::Gelu, 2.0));
    let all = [BiasSite::Norm, BiasSite::Attention, BiasSite::FeedForward, BiasSite::Pooler];
    assert_eq!(config.without_bias, all);
    let names = config.names();
    assert_eq!(names.layers[1].qkv(), ["model.layers.1.attn.Wqkv"]);
    assert_eq!((&names.layers[0].attention_norm, names.positions), (&None, None));

    // As Transformers 5 writes it.
    let new = modernbert(
        r#""layer_types": null, "global_attn_every_n_layers": null, "global_rope_theta": 7, "rope_parameters":
        {"full_attention": {"rope_theta": 160000.0, "rope_type": "default"}, "sliding_attention": null}"#,
    );
    assert_eq!(new.expect("a configuration").layer_attentions, config.layer_attentions);
    let types = vec!["sliding_attention"; 22];
    let all_local = modernbert(&format!(
        r#""layer_types": {types:?}, "local_attention": 7, "attention_dropout": 0.25, "mlp_dropout": 0.5,
        "embedding_dropout": 0.125, "norm_bias": true, "classifier_activation": "tanh", "classifier_pooling": "cls""#
    ));
    let config = all_local.expect("a configuration");
    let local = LayerAttention { window: Some(3), ..sliding };
    assert_eq!(config.layer_attentions, LayerAttentions::Listed(vec![local; 22]));
    let sites = [DropoutSite::Attention, DropoutSite::AttentionOutput, DropoutSite::Activation];
    assert_eq!(sites.map(|site| config.dropout_rate(site)), [0.25, 0.25, 0.5]);
    let sites = [DropoutSite::Embeddings, DropoutSite::FeedForward, DropoutSite::Classifier];
    assert_eq!(sites.map(|site| config.dropout_rate(site)), [0.125, 0.0, 0.0]);
    assert_eq!(config.without_bias, all[1..]);
    assert_eq!((config.pooler_activation, config.pooling), (PoolerActivation::Tanh, Pooling::FirstToken));
    let window = modernbert(r#""sliding_window": 9"#).expect("a configuration").layer_attention(1).window;
    assert_eq!(window, Some(9));
}

#[test]
fn unsupported_values_of_modernbert_are_named() {
    let cases = [
        (r#""global_attn_every_n_layers": 0"#, "global_attn_every_n_layers is 0"),
        (r#""layer_types": ["full_attention"]"#, "expected a list with a type for each of the 22 layers"),
        (r#""num_hidden_layers": 1, "layer_types": ["chunked_attention"]"#, "\"chunked_attention\""),
        (r#""local_attention": -1"#, "local_attention is -1"),
        (r#""rope_scaling": {"rope_type": "yarn"}"#, "rope_scaling is"),
        (r#""rope_parameters": {"rope_theta": 5.0}"#, "rope_parameters has the key rope_theta"),
        (
            r#""rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}}"#,
            "rope_parameters.full_attention.rope_type is \"linear\"",
        ),
        (
            r#""rope_parameters": {"full_attention": {"rope_type": "default", "factor": 2.0}}"#,
            "rope_parameters.full_attention.factor is 2.0",
        ),
        (
            r#""rope_parameters": {"full_attention": {"rope_theta": 0}}"#,
            "rope_parameters.full_attention.rope_theta is 0",
        ),
        (r#""local_rope_theta": 0"#, "local_rope_theta is 0"),
        (r#""classifier_pooling": "max""#, "classifier_pooling is \"max\""),
        (r#""classifier_activation": "silu""#, "classifier_activation is \"silu\""),
        (r#""hidden_activation": "silu""#, "hidden_activation is \"silu\""),
        (r#""norm_bias": "yes""#, "norm_bias is \"yes\"; expected true or false"),
        (r#""mlp_dropout": 1.5"#, "mlp_dropout is 1.5"),
        (r#""head_dim": 32"#, "head_dim is 32"),
        (r#""num_attention_heads": 256"#, "rotary positions need an even number"),
        (r#""is_decoder": true"#, "is_decoder is true"),
    ];
    for (keys, expected) in cases {
        let found = modernbert(keys).expect_err(keys).to_string();
        assert!(found.contains(expected), "{found:?} has no {expected:?}");
    }
}

#[test]
fn keys_of_deberta_are_read_or_rejected() {
    const V3: &str = r#", "relative_attention": true, "position_buckets": 8, "norm_rel_ebd": "layer_norm",
        "share_att_key": true, "pos_att_type": "p2c|c2p", "position_biased_input": false, "legacy": true"#;
    let of = |keys: &str| {
        let sizes = SIZES.replace(r#", "type_vocab_size": 1"#, "");
        format!(r#"{{"model_type": "deberta-v2", {sizes}{keys}}}"#)
    };
    let config = |keys: &str| parse(&of(keys)).expect("a configuration");
    let v3 = config(V3);
    let names = v3.names();
    assert_eq!((v3.type_vocab, v3.layer_norm_eps, v3.max_tokens(), v3.padding_id), (0, 1e-7, 40, Some(0)));
    assert!(names.positions.is_none() && names.segments.is_none() && names.projection.is_none());
    assert_eq!(names.relative_embeddings.as_deref(), Some("deberta.encoder.rel_embeddings"));
    assert!(names.relative_norm.is_some() && names.layers[0].position_key.is_none());
    let dropouts = |config: &ModelConfig| {
        [DropoutSite::Pooler, DropoutSite::Classifier].map(|site| config.dropout_rate(site))
    };
    assert_eq!(dropouts(&v3), [0.0, 0.1]);
    let with_keys = r#", "pooler_dropout": 0.3, "cls_dropout": 0.2, "pooler_hidden_act": "tanh", "embedding_size": 16,
        "type_vocab_size": 2, "attention_head_size": 8, "pooler_hidden_size": 32"#;
    let other = config(with_keys);
    assert_eq!((dropouts(&other), other.pooler_activation), ([0.3, 0.2], PoolerActivation::Tanh));
    let names = other.names();
    assert!(names.positions.is_some() && names.segments.is_some() && names.relative_embeddings.is_none());
    assert_eq!(names.projection.as_deref(), Some("deberta.embeddings.embed_proj"));
    for (keys, expected) in [
        (r#", "conv_kernel_size": 3"#, "conv_kernel_size is not 0"),
        (r#", "attention_head_size": 16"#, "attention_head_size is 16"),
        (r#", "pooler_hidden_size": 64"#, "pooler_hidden_size is 64"),
        (r#", "pooler_hidden_act": "silu""#, "pooler_hidden_act is \"silu\""),
        (r#", "position_biased_input": 1"#, "position_biased_input is 1"),
        (r#", "pos_att_type": ["p2p"]"#, "pos_att_type has \"p2p\""),
        (r#", "type_vocab_size": -1"#, "type_vocab_size is -1"),
        (r#", "norm_rel_ebd": "layer_norm""#, "norm_rel_ebd is \"layer_norm\", but relative_attention"),
    ] {
        let found = message(&of(keys));
        assert!(found.contains(expected), "{found:?} has no {expected:?}");
    }
}

#[test]
fn to_json_sets_the_head_and_keeps_other_keys() {
    let config = parse(BERT).expect("a valid configuration");
    let labels = ["negative", "neutral", "positive"].map(str::to_owned);
    let file = config.to_json(&Labels::from(labels.to_vec()));
    assert_eq!(file["odd_key"], json!([1]));
    assert_eq!(file["architectures"], json!(["BertForSequenceClassification"]));
    assert_eq!(file["id2label"]["2"], "positive");
    assert_eq!(file["label2id"]["neutral"], 1);
    assert_eq!(file["torch_dtype"], "float32");
    let reread = parse(&file.to_string()).expect("a valid configuration");
    assert_eq!(reread.id2label.for_outputs(3).unwrap(), labels);
    assert_eq!(reread.classifier_dropout, config.classifier_dropout);
    assert_eq!(file["problem_type"], "single_label_classification");
    let regression = config.to_json(&Labels::Scale { low: 0.0, high: 5.0 });
    assert_eq!((&regression["problem_type"], &regression["num_labels"]), (&json!("regression"), &json!(1)));
    let reread = parse(&regression.to_string()).expect("a valid configuration");
    assert_eq!(reread.id2label.for_outputs(1).unwrap(), ["LABEL_0"]);
}
