//! Which tensors a model has: names as Transformers writes them, shapes, how new ones begin, and
//! whether weight decay applies.

use super::config::{Family, ModelConfig};

/// How a tensor that no file provides begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Normal, with the configuration's `initializer_range` as standard deviation.
    Normal,
    /// Zeros: biases.
    Zeros,
    /// Ones: LayerNorm weights.
    Ones,
}

/// One trainable tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// Name, with the family's prefix where Transformers has it.
    pub name: String,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// How it begins when it is new.
    pub init: Init,
    /// Whether weight decay applies: not to biases and LayerNorm.
    pub decay: bool,
    /// Whether it may be missing from a pretrained model: the pooler and the layers after it.
    pub head: bool,
}

/// Names of a layer's parts; each has a `.weight` and a `.bias`.
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

/// Names of a model's parts; the encoder finds its tensors by them.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) words: String,
    pub(crate) positions: String,
    /// Segment embedding, where the family has one.
    pub(crate) segments: Option<String>,
    pub(crate) embedding_norm: String,
    pub(crate) layers: Vec<LayerNames>,
    /// The layer between the first token's state and the classifier.
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
            let at = |part: &str| format!("bert.encoder.layer.{i}.{part}");
            LayerNames {
                query: at("attention.self.query"),
                key: at("attention.self.key"),
                value: at("attention.self.value"),
                attention_out: at("attention.output.dense"),
                attention_norm: at("attention.output.LayerNorm"),
                up: at("intermediate.dense"),
                down: at("output.dense"),
                output_norm: at("output.LayerNorm"),
            }
        };
        Names {
            words: "bert.embeddings.word_embeddings".into(),
            positions: "bert.embeddings.position_embeddings".into(),
            segments: Some("bert.embeddings.token_type_embeddings".into()),
            embedding_norm: "bert.embeddings.LayerNorm".into(),
            layers: (0..layers).map(layer).collect(),
            pooler: "bert.pooler.dense".into(),
            classifier: "classifier".into(),
        }
    }

    fn distilbert(layers: usize) -> Self {
        let layer = |i: usize| {
            let at = |part: &str| format!("distilbert.transformer.layer.{i}.{part}");
            LayerNames {
                query: at("attention.q_lin"),
                key: at("attention.k_lin"),
                value: at("attention.v_lin"),
                attention_out: at("attention.out_lin"),
                attention_norm: at("sa_layer_norm"),
                up: at("ffn.lin1"),
                down: at("ffn.lin2"),
                output_norm: at("output_layer_norm"),
            }
        };
        Names {
            words: "distilbert.embeddings.word_embeddings".into(),
            positions: "distilbert.embeddings.position_embeddings".into(),
            segments: None,
            embedding_norm: "distilbert.embeddings.LayerNorm".into(),
            layers: (0..layers).map(layer).collect(),
            pooler: "pre_classifier".into(),
            classifier: "classifier".into(),
        }
    }
}

/// Every trainable tensor of a model with `labels` outputs, from the input to the logits.
///
/// A tensor's place in this table keys the random numbers that it begins with, so the order is part
/// of what a seed means.
pub fn table(config: &ModelConfig, labels: usize) -> Vec<ParamSpec> {
    let names = Names::of(config);
    let (hidden, intermediate) = (config.hidden, config.intermediate);
    let mut slots = Vec::new();
    slots.push(embedding(&names.words, config.vocab_size, hidden));
    slots.push(embedding(&names.positions, config.max_positions, hidden));
    if let Some(segments) = &names.segments {
        slots.push(embedding(segments, config.type_vocab, hidden));
    }
    slots.extend(norm(&names.embedding_norm, hidden));
    for layer in &names.layers {
        slots.extend(linear(&layer.query, hidden, hidden, false));
        slots.extend(linear(&layer.key, hidden, hidden, false));
        slots.extend(linear(&layer.value, hidden, hidden, false));
        slots.extend(linear(&layer.attention_out, hidden, hidden, false));
        slots.extend(norm(&layer.attention_norm, hidden));
        slots.extend(linear(&layer.up, hidden, intermediate, false));
        slots.extend(linear(&layer.down, intermediate, hidden, false));
        slots.extend(norm(&layer.output_norm, hidden));
    }
    slots.extend(linear(&names.pooler, hidden, hidden, true));
    slots.extend(linear(&names.classifier, hidden, labels, true));
    slots
}

/// Whether `name` is the bias of a key projection. Softmax does not see a constant added to all
/// scores of a query, so its true gradient is zero and what is computed is rounding.
pub fn is_key_bias(name: &str) -> bool {
    name.ends_with(".attention.self.key.bias") || name.ends_with(".attention.k_lin.bias")
}

fn embedding(name: &str, rows: usize, width: usize) -> ParamSpec {
    let name = format!("{name}.weight");
    ParamSpec { name, shape: vec![rows, width], init: Init::Normal, decay: true, head: false }
}

fn linear(name: &str, from: usize, to: usize, head: bool) -> [ParamSpec; 2] {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    [
        ParamSpec { name: weight, shape: vec![to, from], init: Init::Normal, decay: true, head },
        ParamSpec { name: bias, shape: vec![to], init: Init::Zeros, decay: false, head },
    ]
}

fn norm(name: &str, width: usize) -> [ParamSpec; 2] {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    [
        ParamSpec { name: weight, shape: vec![width], init: Init::Ones, decay: false, head: false },
        ParamSpec { name: bias, shape: vec![width], init: Init::Zeros, decay: false, head: false },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_published_models() {
        let minilm =
            br#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
            "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
            "type_vocab_size": 2}"#;
        let slots = table(&ModelConfig::parse("m", minilm).expect("a whole file"), 2);
        assert_eq!(slots.len(), 5 + 6 * 16 + 4);
        let numbers: usize = slots.iter().map(|s| s.shape.iter().product::<usize>()).sum();
        assert_eq!(numbers, 22_713_216 + 2 * 384 + 2);
        // Embeddings 3, six matrices a layer, pooler, classifier.
        assert_eq!(slots.iter().filter(|s| s.decay).count(), 3 + 6 * 6 + 2);
        assert_eq!(slots.iter().filter(|s| is_key_bias(&s.name)).count(), 6);

        let distilbert = br#"{"model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_layers": 6,
            "n_heads": 12, "hidden_dim": 3072, "max_position_embeddings": 512}"#;
        let slots = table(&ModelConfig::parse("d", distilbert).expect("a whole file"), 2);
        assert_eq!(slots.len(), 104);
        let numbers: usize = slots.iter().map(|s| s.shape.iter().product::<usize>()).sum();
        assert_eq!(numbers, 66_955_010);
    }
}
