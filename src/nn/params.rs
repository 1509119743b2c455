//! The parameters of a model: their names in Transformers, shapes, initialization and weight decay.

use super::config::{Family, ModelConfig};

/// Name of the module that computes the logits, the same in all families.
pub(crate) const CLASSIFIER: &str = "classifier";

/// Initialization of a parameter that no file provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Normal distribution with mean 0 and standard deviation `initializer_range`.
    Normal,
    /// Zeros (biases).
    Zeros,
    /// Ones (LayerNorm weights).
    Ones,
}

/// A parameter: a trainable tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// Name in Transformers, including the family's prefix.
    pub name: String,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Initialization when no file provides it.
    pub init: Init,
    /// Whether weight decay applies; it does not apply to biases and LayerNorm.
    pub has_weight_decay: bool,
    /// Whether a pretrained model may lack it: true for the pooler and the classifier.
    pub is_head: bool,
}

/// Names of the modules of an encoder layer; each has a `.weight` and a `.bias`.
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

/// Names of the modules of a model.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) words: String,
    pub(crate) positions: String,
    /// Segment embedding, if the family has one.
    pub(crate) segments: Option<String>,
    pub(crate) embedding_norm: String,
    pub(crate) layers: Vec<LayerNames>,
    /// The linear layer between the first token's state and the classifier.
    pub(crate) pooler: String,
    pub(crate) classifier: String,
}

impl Names {
    pub(crate) fn of(config: &ModelConfig) -> Self {
        match config.family {
            Family::Bert => Self::bert(config.layers),
            Family::DistilBert => Self::distilbert(config.layers),
        }
    }

    fn bert(layers: usize) -> Self {
        let layer = |i: usize| {
            let module = |part: &str| format!("bert.encoder.layer.{i}.{part}");
            LayerNames {
                query: module("attention.self.query"),
                key: module("attention.self.key"),
                value: module("attention.self.value"),
                attention_out: module("attention.output.dense"),
                attention_norm: module("attention.output.LayerNorm"),
                up: module("intermediate.dense"),
                down: module("output.dense"),
                output_norm: module("output.LayerNorm"),
            }
        };
        Names {
            words: "bert.embeddings.word_embeddings".into(),
            positions: "bert.embeddings.position_embeddings".into(),
            segments: Some("bert.embeddings.token_type_embeddings".into()),
            embedding_norm: "bert.embeddings.LayerNorm".into(),
            layers: (0..layers).map(layer).collect(),
            pooler: "bert.pooler.dense".into(),
            classifier: CLASSIFIER.into(),
        }
    }

    fn distilbert(layers: usize) -> Self {
        let layer = |i: usize| {
            let module = |part: &str| format!("distilbert.transformer.layer.{i}.{part}");
            LayerNames {
                query: module("attention.q_lin"),
                key: module("attention.k_lin"),
                value: module("attention.v_lin"),
                attention_out: module("attention.out_lin"),
                attention_norm: module("sa_layer_norm"),
                up: module("ffn.lin1"),
                down: module("ffn.lin2"),
                output_norm: module("output_layer_norm"),
            }
        };
        Names {
            words: "distilbert.embeddings.word_embeddings".into(),
            positions: "distilbert.embeddings.position_embeddings".into(),
            segments: None,
            embedding_norm: "distilbert.embeddings.LayerNorm".into(),
            layers: (0..layers).map(layer).collect(),
            pooler: "pre_classifier".into(),
            classifier: CLASSIFIER.into(),
        }
    }
}

/// Every parameter of a model with `labels` labels, in order from the input to the logits.
///
/// The index of a parameter keys the random numbers of its initialization, so the order must not change: the same
/// seed would give other weights.
pub fn param_specs(config: &ModelConfig, labels: usize) -> Vec<ParamSpec> {
    let names = Names::of(config);
    let (hidden, intermediate) = (config.hidden, config.intermediate);
    let mut specs = Vec::new();
    specs.push(embedding(&names.words, config.vocab_size, hidden));
    specs.push(embedding(&names.positions, config.max_positions, hidden));
    if let Some(segments) = &names.segments {
        specs.push(embedding(segments, config.type_vocab, hidden));
    }
    specs.extend(norm(&names.embedding_norm, hidden));
    for layer in &names.layers {
        specs.extend(linear(&layer.query, hidden, hidden, false));
        specs.extend(linear(&layer.key, hidden, hidden, false));
        specs.extend(linear(&layer.value, hidden, hidden, false));
        specs.extend(linear(&layer.attention_out, hidden, hidden, false));
        specs.extend(norm(&layer.attention_norm, hidden));
        specs.extend(linear(&layer.up, hidden, intermediate, false));
        specs.extend(linear(&layer.down, intermediate, hidden, false));
        specs.extend(norm(&layer.output_norm, hidden));
    }
    specs.extend(linear(&names.pooler, hidden, hidden, true));
    specs.extend(linear(&names.classifier, hidden, labels, true));
    specs
}

/// Whether `name` is the bias of a key projection. It adds a constant to all scores of a query, which softmax
/// cancels, so its exact gradient is zero and a computed gradient is rounding error.
pub fn is_key_bias(name: &str) -> bool {
    name.ends_with(".attention.self.key.bias") || name.ends_with(".attention.k_lin.bias")
}

fn embedding(name: &str, rows: usize, width: usize) -> ParamSpec {
    let name = format!("{name}.weight");
    ParamSpec { name, shape: vec![rows, width], init: Init::Normal, has_weight_decay: true, is_head: false }
}

fn linear(name: &str, inputs: usize, outputs: usize, is_head: bool) -> [ParamSpec; 2] {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    [
        ParamSpec {
            name: weight,
            shape: vec![outputs, inputs],
            init: Init::Normal,
            has_weight_decay: true,
            is_head,
        },
        ParamSpec { name: bias, shape: vec![outputs], init: Init::Zeros, has_weight_decay: false, is_head },
    ]
}

fn norm(name: &str, width: usize) -> [ParamSpec; 2] {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    [
        ParamSpec {
            name: weight,
            shape: vec![width],
            init: Init::Ones,
            has_weight_decay: false,
            is_head: false,
        },
        ParamSpec {
            name: bias,
            shape: vec![width],
            init: Init::Zeros,
            has_weight_decay: false,
            is_head: false,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_counts_match_the_published_models() {
        let minilm =
            br#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
            "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
            "type_vocab_size": 2}"#;
        let specs = param_specs(&ModelConfig::parse("m", minilm).expect("a valid configuration"), 2);
        assert_eq!(specs.len(), 5 + 6 * 16 + 4);
        let elements: usize = specs.iter().map(|s| s.shape.iter().product::<usize>()).sum();
        assert_eq!(elements, 22_713_216 + 2 * 384 + 2);
        // 3 embeddings, 6 matrices per layer, pooler, classifier.
        assert_eq!(specs.iter().filter(|s| s.has_weight_decay).count(), 3 + 6 * 6 + 2);
        assert_eq!(specs.iter().filter(|s| is_key_bias(&s.name)).count(), 6);

        let distilbert = br#"{"model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_layers": 6,
            "n_heads": 12, "hidden_dim": 3072, "max_position_embeddings": 512}"#;
        let specs = param_specs(&ModelConfig::parse("d", distilbert).expect("a valid configuration"), 2);
        assert_eq!(specs.len(), 104);
        let elements: usize = specs.iter().map(|s| s.shape.iter().product::<usize>()).sum();
        assert_eq!(elements, 66_955_010);
    }
}
