//! The parameters of a model: their names in Transformers, shapes, initialization and weight decay.

use super::architecture::{BiasSite, LayerNames, Names, NormPosition};
use super::config::ModelConfig;
use super::relative_positions::RELATIVE_BUCKETS;

/// Initialization of a parameter that no file provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Normal distribution with mean 0 and standard deviation `initializer_range`, cut off where the configuration says.
    Normal,
    /// The same with a standard deviation that is divided by √(2 layers): the last linear layer before a residual
    /// connection.
    ResidualNormal,
    /// The same with the standard deviation 1 / √hidden_size.
    HiddenNormal,
    /// Uniform between ± 1 / √inputs, as the weight of `torch.nn.Linear`.
    Uniform,
    /// Zeros (biases).
    Zeros,
    /// Ones (LayerNorm weights).
    Ones,
}

/// A parameter: a trainable tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// Name in Transformers, including the family's prefix.
    pub name: String,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Initialization when no file provides it.
    pub init: Init,
    /// Whether weight decay applies; it does not apply to biases and LayerNorm.
    pub has_weight_decay: bool,
    /// The part of the model that it belongs to.
    pub part: ModelPart,
    /// Whether training changes it (`requires_grad` of PyTorch).
    pub requires_grad: bool,
    /// Its learning rate, as a factor of the scheduled one.
    pub lr_scale: f64,
}

/// A part of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelPart {
    /// The embeddings, and what is learned about relative positions for all layers.
    Embeddings,
    /// The encoder layer of a parameter set, which is that of an index unless layers share parameters.
    Layer(usize),
    /// The LayerNorm after the last layer.
    FinalNorm,
    /// Pooler and classifier, which a pretrained model may lack.
    Head,
}

/// Every parameter of a model with `labels` labels, in order from the input to the logits.
///
/// The index of a parameter keys the random numbers of its initialization, so the order must not change: the same
/// seed would give other weights.
pub fn param_specs(config: &ModelConfig, labels: usize) -> Vec<ParamSpec> {
    let names = config.names();
    let (hidden, width) = (config.hidden, config.embedding_size);
    let mut specs = Vec::new();
    specs.push(matrix(&names.words, config.vocab_size, width));
    if let Some(positions) = &names.positions {
        specs.push(matrix(positions, config.position_rows, width));
    }
    if let Some(segments) = &names.segments {
        specs.push(matrix(segments, config.type_vocab, width));
    }
    let (is_before_norm, has_norm_bias) = (config.projects_before_norm(), config.has_bias(BiasSite::Norm));
    specs.extend(norm(&names.embedding_norm, if is_before_norm { hidden } else { width }, has_norm_bias));
    if let Some(projection) = &names.projection {
        specs.extend(linear(projection, width, hidden, !is_before_norm));
    }
    if let (Some(embeddings), Some(relative)) = (&names.relative_embeddings, config.disentangled) {
        specs.push(matrix(embeddings, relative.span.rows(), hidden));
    }
    if let Some(relative_norm) = &names.relative_norm {
        specs.extend(norm(relative_norm, hidden, has_norm_bias));
    }
    if let Some(relative_bias) = &names.relative_bias {
        let table = matrix(relative_bias, RELATIVE_BUCKETS, config.heads);
        // Its name has the word that excludes biases in `transformers.Trainer.get_decay_parameter_names`.
        specs.push(ParamSpec { has_weight_decay: false, ..table });
    }
    for (set, layer) in names.layers.iter().enumerate() {
        specs.extend(of_part(ModelPart::Layer(set), layer_specs(config, layer)));
    }
    if let Some(final_norm) = &names.final_norm {
        let final_norm = norm(final_norm, hidden, config.has_bias(BiasSite::Norm));
        specs.extend(of_part(ModelPart::FinalNorm, final_norm));
    }
    specs.extend(head_specs(config, &names, labels));
    specs
}

/// The parameters of an encoder layer.
fn layer_specs(config: &ModelConfig, names: &LayerNames) -> Vec<ParamSpec> {
    let (hidden, intermediate) = (config.hidden, config.intermediate);
    let structure = config.architecture.layer_structure;
    let before_residual = InitOfNewWeights::of(config).residual;
    let mut specs = Vec::new();
    let qkv = names.qkv();
    for name in &qkv {
        specs.extend(linear(name, hidden, 3 / qkv.len() * hidden, config.has_bias(BiasSite::Attention)));
    }
    specs.extend(with_init(
        before_residual,
        linear(&names.attention_out, hidden, hidden, config.has_bias(BiasSite::Attention)),
    ));
    if let Some(attention_norm) = &names.attention_norm {
        specs.extend(norm(attention_norm, hidden, config.has_bias(BiasSite::Norm)));
    }
    specs.extend(linear(
        &names.up,
        hidden,
        structure.up_width(intermediate),
        config.has_bias(BiasSite::FeedForward),
    ));
    specs.extend(with_init(
        before_residual,
        linear(&names.down, intermediate, hidden, config.has_bias(BiasSite::FeedForward)),
    ));
    specs.extend(norm(&names.output_norm, hidden, config.has_bias(BiasSite::Norm)));
    for position in [&names.position_query, &names.position_key].into_iter().flatten() {
        specs.extend(linear(position, hidden, hidden, true));
    }
    specs
}

/// The parameters of pooler and classifier.
fn head_specs(config: &ModelConfig, names: &Names, labels: usize) -> Vec<ParamSpec> {
    let hidden = config.hidden;
    let init = InitOfNewWeights::of(config);
    let mut specs =
        with_init(init.residual, linear(&names.pooler, hidden, hidden, config.has_bias(BiasSite::Pooler)));
    if let Some(pooler_norm) = &names.pooler_norm {
        specs.extend(norm(pooler_norm, hidden, config.has_bias(BiasSite::Norm)));
    }
    specs.extend(with_init(init.classifier, linear(&names.classifier, hidden, labels, true)));
    of_part(ModelPart::Head, specs).collect()
}

fn of_part(part: ModelPart, specs: Vec<ParamSpec>) -> impl Iterator<Item = ParamSpec> {
    specs.into_iter().map(move |spec| ParamSpec { part, ..spec })
}

/// Initialization of the weights for which families differ.
struct InitOfNewWeights {
    /// Of the last linear layer before a residual connection, and of the pooler.
    residual: Init,
    /// Of the classifier.
    classifier: Init,
}

impl InitOfNewWeights {
    fn of(config: &ModelConfig) -> Self {
        match config.architecture.layer_structure.norm_position {
            NormPosition::Post => InitOfNewWeights { residual: Init::Normal, classifier: Init::Normal },
            NormPosition::Pre => {
                InitOfNewWeights { residual: Init::ResidualNormal, classifier: Init::HiddenNormal }
            }
        }
    }
}

/// The parameters of a linear layer with another initialization of its weight.
fn with_init(init: Init, mut linear: Vec<ParamSpec>) -> Vec<ParamSpec> {
    if let Some(weight) = linear.first_mut() {
        weight.init = init;
    }
    linear
}

/// The weight of an embedding or of a linear layer.
fn matrix(name: &str, rows: usize, width: usize) -> ParamSpec {
    param(format!("{name}.weight"), vec![rows, width], Init::Normal, true)
}

fn linear(name: &str, inputs: usize, outputs: usize, has_bias: bool) -> Vec<ParamSpec> {
    let weight = matrix(name, outputs, inputs);
    std::iter::once(weight).chain(has_bias.then(|| vector(name, "bias", outputs, Init::Zeros))).collect()
}

fn norm(name: &str, width: usize, has_bias: bool) -> Vec<ParamSpec> {
    let weight = vector(name, "weight", width, Init::Ones);
    std::iter::once(weight).chain(has_bias.then(|| vector(name, "bias", width, Init::Zeros))).collect()
}

fn vector(module: &str, kind: &str, width: usize, init: Init) -> ParamSpec {
    param(format!("{module}.{kind}"), vec![width], init, false)
}

/// A parameter of the embeddings.
fn param(name: String, shape: Vec<usize>, init: Init, has_weight_decay: bool) -> ParamSpec {
    let part = ModelPart::Embeddings;
    ParamSpec { name, shape, init, has_weight_decay, part, requires_grad: true, lr_scale: 1.0 }
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

        let modernbert = br#"{"model_type": "modernbert", "vocab_size": 50368, "hidden_size": 768,
            "num_hidden_layers": 22, "num_attention_heads": 12, "intermediate_size": 1152,
            "max_position_embeddings": 8192}"#;
        let specs = param_specs(&ModelConfig::parse("m", modernbert).expect("a valid configuration"), 2);
        let elements: usize = specs.iter().map(|s| s.shape.iter().product::<usize>()).sum();
        assert_eq!((specs.len(), elements), (138, 149_606_402));
    }
}
