//! The parameters of a model: their names in Transformers, shapes, initialization and weight decay.

use super::config::ModelConfig;
use super::relative_positions::RELATIVE_BUCKETS;

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

/// Every parameter of a model with `labels` labels, in order from the input to the logits.
///
/// The index of a parameter keys the random numbers of its initialization, so the order must not change: the same
/// seed would give other weights.
pub fn param_specs(config: &ModelConfig, labels: usize) -> Vec<ParamSpec> {
    let names = config.names();
    let (hidden, intermediate, width) = (config.hidden, config.intermediate, config.embedding_size);
    let mut specs = Vec::new();
    specs.push(embedding(&names.words, config.vocab_size, width));
    if let Some(positions) = &names.positions {
        specs.push(embedding(positions, config.position_rows, width));
    }
    if let Some(segments) = &names.segments {
        specs.push(embedding(segments, config.type_vocab, width));
    }
    let is_before_norm = config.projects_before_norm();
    specs.extend(norm(&names.embedding_norm, if is_before_norm { hidden } else { width }));
    if let Some(projection) = &names.projection {
        let [weight, bias] = linear(projection, width, hidden, false);
        specs.push(weight);
        specs.extend(Some(bias).filter(|_| !is_before_norm));
    }
    if let (Some(embeddings), Some(relative)) = (&names.relative_embeddings, config.disentangled) {
        specs.push(embedding(embeddings, relative.span.rows(), hidden));
    }
    if let Some(relative_norm) = &names.relative_norm {
        specs.extend(norm(relative_norm, hidden));
    }
    if let Some(relative_bias) = &names.relative_bias {
        let table = embedding(relative_bias, RELATIVE_BUCKETS, config.heads);
        // Its name has the word that excludes biases in `transformers.Trainer.get_decay_parameter_names`.
        specs.push(ParamSpec { has_weight_decay: false, ..table });
    }
    for layer in &names.layers {
        specs.extend(linear(&layer.query, hidden, hidden, false));
        specs.extend(linear(&layer.key, hidden, hidden, false));
        specs.extend(linear(&layer.value, hidden, hidden, false));
        specs.extend(linear(&layer.attention_out, hidden, hidden, false));
        specs.extend(norm(&layer.attention_norm, hidden));
        specs.extend(linear(&layer.up, hidden, intermediate, false));
        specs.extend(linear(&layer.down, intermediate, hidden, false));
        specs.extend(norm(&layer.output_norm, hidden));
        for position in [&layer.position_query, &layer.position_key].into_iter().flatten() {
            specs.extend(linear(position, hidden, hidden, false));
        }
    }
    specs.extend(linear(&names.pooler, hidden, hidden, true));
    specs.extend(linear(&names.classifier, hidden, labels, true));
    specs
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
    use crate::nn::is_key_bias;

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
