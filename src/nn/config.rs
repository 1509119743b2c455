//! Reads and writes `config.json` of a Hugging Face model folder.
//!
//! The families use different keys for the same settings; [`ModelConfig`] has one field for each. Missing keys have
//! the defaults of the Transformers classes. Unsupported settings that would change the results are errors that name
//! the model and the key.

mod keys;
mod layer_attention;

use super::architecture::{
    ARCHITECTURES, Architecture, AttentionBias, AttentionKeys, BiasSite, Disentangled, DropoutSite,
    LayerSharing, ModelParts, Names, PaddingKey, PoolerActivation, Pooling, Positions, Projection,
    UNSUPPORTED,
};
use super::error_text::shortened;
use super::id2label::Id2Label;
use super::relative_positions::RELATIVE_BUCKETS;
use crate::catalog::{Labels, ProblemType};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use kernels::activation::Activation;
use keys::Keys;
pub(crate) use layer_attention::{LayerAttention, LayerAttentions};
use serde_json::{Map, Value, json};

/// Configuration of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Name of the model, for error messages.
    pub model: String,
    /// The family of the model.
    pub architecture: &'static Architecture,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of the embeddings, which a linear layer brings to the hidden size if the model has one.
    pub embedding_size: usize,
    /// Width of a hidden state.
    pub hidden: usize,
    /// Number of encoder layers, each time they are applied.
    pub layers: usize,
    /// Which layers have the same parameters.
    pub(crate) sharing: LayerSharing,
    /// Number of attention heads of a layer, a divisor of `hidden`.
    pub heads: usize,
    /// Width of the feed-forward network.
    pub intermediate: usize,
    /// Which tokens each layer attends to, and its rotary positions.
    pub(crate) layer_attentions: LayerAttentions,
    /// Rows of the position embedding, if the model has one; otherwise the longest input.
    pub max_positions: usize,
    /// Rows of the position embedding; 0 if the model has none.
    pub(crate) position_rows: usize,
    /// Position of the first token of an example.
    pub(crate) first_position: usize,
    /// The id of the padding token, whose word embedding gets no gradient, as with `padding_idx` in PyTorch.
    pub padding_id: Option<u32>,
    /// Rows of the segment embedding; 0 if the model has none.
    pub type_vocab: usize,
    /// Dropout rate of embeddings and layer outputs.
    pub hidden_dropout: f64,
    /// Dropout rate of attention probabilities.
    pub attention_dropout: f64,
    /// Dropout rate of the output of attention.
    pub(crate) attention_output_dropout: f64,
    /// Dropout rate within the feed-forward network.
    pub(crate) activation_dropout: f64,
    /// Dropout rate before the classifier, with the default of the family's Transformers class.
    pub classifier_dropout: f64,
    /// Activation function of the feed-forward network.
    pub activation: Activation,
    /// Added to the variance in LayerNorm.
    pub layer_norm_eps: f64,
    /// Dropout rate before the pooler, if it is not that before the classifier.
    pub(crate) pooler_dropout: Option<f64>,
    /// Number of products whose sum is a score of attention, which is divided by √(head size · this).
    pub(crate) score_products: usize,
    /// Relative positions of disentangled attention.
    pub(crate) disentangled: Option<Disentangled>,
    /// The modules that have no biases.
    pub(crate) without_bias: Vec<BiasSite>,
    /// How the states of the tokens become the input of the pooler.
    pub(crate) pooling: Pooling,
    /// Activation function of the pooler.
    pub(crate) pooler_activation: PoolerActivation,
    /// Standard deviation of newly initialized weights.
    pub initializer_range: f64,
    /// Where their normal distribution is cut off, in standard deviations.
    pub(crate) initializer_cutoff: f64,
    /// The label names of the original head.
    pub id2label: Id2Label,
    /// All keys of the file, for [`ModelConfig::to_json`].
    raw: Map<String, Value>,
}

impl ModelConfig {
    /// Reads `config.json` of `folder`.
    pub fn read(folder: &ModelFolder) -> Result<Self> {
        Self::parse(&folder.name, &folder.require("config.json")?)
    }

    /// Parses a `config.json`; `model` is the name of the model in errors.
    pub fn parse(model: &str, bytes: &[u8]) -> Result<Self> {
        let raw: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|e| Error::model(model, format!("config.json is not a JSON object: {e}")))?;
        let architecture = Keys { model, raw: &raw }.architecture()?;
        Self::of_architecture(model, raw, architecture)
    }

    /// The configuration of a model of `architecture`, from the keys of its `config.json`.
    pub(super) fn of_architecture(
        model: &str,
        raw: Map<String, Value>,
        architecture: &'static Architecture,
    ) -> Result<Self> {
        let keys = Keys { model, raw: &raw };
        keys.check_supported(architecture)?;
        let mut config = keys.model(architecture)?;
        keys.check_heads(&config)?;
        keys.check_derived_sizes(&config)?;
        config.id2label = Id2Label::parse(&raw);
        config.raw = raw;
        Ok(config)
    }

    /// What a head with that many outputs predicts, as in the pipeline of Transformers: a single output without a
    /// `problem_type` is the logit of a label.
    ///
    /// # Errors
    /// [`Error::Model`] for a `problem_type` that does not fit the number of outputs.
    pub fn problem_type(&self, outputs: usize) -> Result<ProblemType> {
        let name = self.raw.get("problem_type").and_then(Value::as_str).unwrap_or_default();
        let given = name.parse::<ProblemType>().ok();
        let wrong = |problem: &str| {
            let name = shortened(name);
            Err(Error::model(&self.model, format!("config.json: problem_type is \"{name}\", {problem}")))
        };
        match (given, outputs) {
            (Some(ProblemType::SingleLabelClassification), 1) => {
                wrong("which needs two labels or more, and the head has one output")
            }
            (Some(ProblemType::Regression), 2..) => wrong(&format!(
                "and the head has {outputs} outputs; only regressions with one output are supported"
            )),
            (Some(given), _) => Ok(given),
            (None, 1) => Ok(ProblemType::MultiLabelClassification),
            (None, _) => Ok(ProblemType::SingleLabelClassification),
        }
    }

    /// The Transformers class that the weights are of, if its head is not one for whole texts, although it can have the
    /// same tensors.
    pub(super) fn other_head(&self) -> Option<&str> {
        const OTHERS: [&str; 3] = ["ForTokenClassification", "ForMultipleChoice", "ForQuestionAnswering"];
        let class = self.raw.get("architectures")?.as_array()?.first()?.as_str()?;
        OTHERS.iter().any(|other| class.ends_with(other)).then_some(class)
    }

    /// Width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden / self.heads
    }

    /// Whether the embeddings are brought to the hidden size before their LayerNorm.
    pub(crate) fn projects_before_norm(&self) -> bool {
        matches!(self.architecture.names.embeddings.projection, Projection::BeforeNorm(_))
    }

    /// Factor of the scores of attention, before what is added to them.
    pub(crate) fn score_scale(&self) -> f32 {
        1.0 / ((self.head_size() * self.score_products) as f32).sqrt()
    }

    /// Maximum input length in tokens.
    pub fn max_tokens(&self) -> usize {
        self.max_positions - self.first_position
    }

    /// Dropout rate at a site; 0 where the architecture has none.
    pub(crate) fn dropout_rate(&self, site: DropoutSite) -> f64 {
        if !self.architecture.dropout_sites.contains(&site) {
            return 0.0;
        }
        match site {
            DropoutSite::Embeddings | DropoutSite::RelativeEmbeddings | DropoutSite::FeedForward => {
                self.hidden_dropout
            }
            DropoutSite::AttentionOutput => self.attention_output_dropout,
            DropoutSite::Activation => self.activation_dropout,
            DropoutSite::Attention => self.attention_dropout,
            DropoutSite::Pooler => self.pooler_dropout.unwrap_or(self.classifier_dropout),
            DropoutSite::Classifier => self.classifier_dropout,
        }
    }

    /// Which tokens a layer attends to, and its rotary positions.
    pub(crate) fn layer_attention(&self, layer: usize) -> LayerAttention {
        self.layer_attentions.of(layer)
    }

    /// Whether modules have biases.
    pub(crate) fn has_bias(&self, site: BiasSite) -> bool {
        !self.without_bias.contains(&site)
    }

    /// The names of the modules of the model.
    pub(crate) fn names(&self) -> Names {
        self.architecture.names(ModelParts {
            sharing: self.sharing,
            norm_position: self.architecture.layer_structure.norm_position,
            embedding_size: self.embedding_size,
            hidden: self.hidden,
            position_rows: self.position_rows,
            type_vocab: self.type_vocab,
            disentangled: self.disentangled,
        })
    }

    /// The `config.json` of a model with these labels. Keeps every key of the original file and sets those that define
    /// the head.
    pub fn to_json(&self, labels: &Labels) -> Value {
        let mut file = self.raw.clone();
        let problem_type = labels.problem_type();
        let labels = labels.names();
        let by_id: Map<String, Value> =
            labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let by_label: Map<String, Value> =
            labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id))).collect();
        file.insert("architectures".into(), json!([self.architecture.class]));
        file.insert("model_type".into(), json!(self.architecture.model_type));
        file.insert("num_labels".into(), json!(labels.len()));
        file.insert("id2label".into(), Value::Object(by_id));
        file.insert("label2id".into(), Value::Object(by_label));
        file.insert("problem_type".into(), json!(problem_type.name()));
        if let Some(key) = self.architecture.keys.classifier_dropout.0 {
            file.insert(key.into(), json!(self.classifier_dropout));
        }
        // Weights are always written in f32.
        for key in ["torch_dtype", "dtype"] {
            if file.contains_key(key) {
                file.insert(key.into(), json!("float32"));
            }
        }
        Value::Object(file)
    }
}

/// Most layers of a model whose layers share their parameters; the number of tensors limits the layers of other models.
const MAX_SHARED_LAYERS: usize = 1000;

impl Keys<'_> {
    /// The architecture. Old files have no `model_type`; other keys identify them.
    fn architecture(&self) -> Result<&'static Architecture> {
        let names: Vec<&str> = ARCHITECTURES.iter().map(|architecture| architecture.model_type).collect();
        let supported = format!("supported are {}", names.join(", "));
        match self.find(&["model_type"]) {
            Some((_, Value::String(name))) => Architecture::of_model_type(name).ok_or_else(|| {
                let known = UNSUPPORTED.iter().find(|(model_type, _)| model_type == name);
                let missing = known.map_or(String::new(), |(_, missing)| format!(", which needs {missing}"));
                self.error(format_args!("model_type is \"{name}\"{missing}; {supported}"))
            }),
            Some((_, other)) => Err(self.error(format_args!("model_type is {other}; {supported}"))),
            None => {
                let is_identified = |architecture: &&&Architecture| {
                    let keys = architecture.identifying_keys;
                    keys.is_some_and(|keys| keys.iter().all(|key| self.raw.contains_key(*key)))
                };
                let found = ARCHITECTURES.iter().find(is_identified).copied();
                found.ok_or_else(|| self.error(format_args!("key model_type is missing; {supported}")))
            }
        }
    }

    fn check_supported(&self, architecture: &Architecture) -> Result<()> {
        if architecture.keys.has_position_embedding_type
            && let Some((name, value)) = self.find(&["position_embedding_type"])
            && value != "absolute"
        {
            return Err(self.error(format_args!("{name} is {value}; only \"absolute\" is supported")));
        }
        for name in ["is_decoder", "add_cross_attention"] {
            if self.raw.get(name) == Some(&Value::Bool(true)) {
                return Err(self.error(format_args!("{name} is true; only encoders are supported")));
            }
        }
        // Transformers creates a table of this size, but computes with 32 buckets.
        if let AttentionBias::RelativeBuckets { size_key: name, .. } = architecture.attention_bias
            && let Some((_, value)) = self.find(&[name])
            && *value != RELATIVE_BUCKETS
        {
            return Err(
                self.error(format_args!("{name} is {value}; only {RELATIVE_BUCKETS} buckets are supported"))
            );
        }
        Ok(())
    }

    fn model(&self, architecture: &'static Architecture) -> Result<ModelConfig> {
        let keys = &architecture.keys;
        let hidden = self.size(keys.hidden)?;
        let hidden_dropout = self.rate(&[keys.hidden_dropout.0], keys.hidden_dropout.1)?;
        let (key, default) = keys.classifier_dropout;
        let default = default.unwrap_or(hidden_dropout);
        let sharing = self.sharing(architecture)?;
        let vocab_size = self.size(&["vocab_size"])?;
        let max_positions = self.size(&["max_position_embeddings"])?;
        let padding_id = self.padding_id(keys.padding, vocab_size)?;
        let attention = self.attention(architecture, max_positions)?;
        let has_positions = keys.position_embedding.map_or(Ok(true), |key| self.flag_or(key, true))?;
        let heads = self.size(keys.heads)?;
        let optional_rate = |key: Option<(&str, f64)>, other: f64| {
            key.map_or(Ok(other), |(key, default)| self.rate(&[key], default))
        };
        Ok(ModelConfig {
            model: self.model.to_owned(),
            architecture,
            vocab_size,
            embedding_size: match keys.embedding_size {
                Some((key, default)) => self.size_or(key, default.unwrap_or(hidden))?,
                None => hidden,
            },
            hidden,
            layers: sharing.layers(),
            sharing,
            heads,
            intermediate: self.size(&[keys.intermediate])?,
            layer_attentions: self.layer_attention(architecture, sharing.layers(), (hidden, heads))?,
            max_positions,
            position_rows: if has_positions { max_positions } else { 0 },
            first_position: self.first_position(architecture.positions, padding_id, max_positions)?,
            padding_id,
            type_vocab: self.type_vocab(architecture)?,
            hidden_dropout,
            attention_dropout: self.rate(&[keys.attention_dropout.0], keys.attention_dropout.1)?,
            attention_output_dropout: optional_rate(keys.attention_output_dropout, hidden_dropout)?,
            activation_dropout: optional_rate(keys.activation_dropout, 0.0)?,
            classifier_dropout: key.map_or(Ok(default), |key| self.rate(&[key], default))?,
            activation: self.activation(keys.activation)?,
            pooler_dropout: keys.pooler_dropout.map(|(key, rate)| self.rate(&[key], rate)).transpose()?,
            score_products: attention.score_products,
            disentangled: attention.relative,
            layer_norm_eps: match keys.layer_norm_eps {
                Some((key, default)) => self.number(&[key], default)?,
                None => 1e-12,
            },
            without_bias: self.without_bias(keys.biases)?,
            pooling: keys.pooling.map_or(Ok(Pooling::FirstToken), |key| self.pooling(key))?,
            pooler_activation: self.pooler_activation(architecture)?,
            initializer_range: self.number(&["initializer_range"], 0.02)?,
            initializer_cutoff: match keys.initializer_cutoff {
                Some((key, default)) => self.number(&[key], default)?,
                None => f64::INFINITY,
            },
            id2label: Id2Label::default(),
            raw: Map::new(),
        })
    }

    fn attention(&self, architecture: &Architecture, max_positions: usize) -> Result<AttentionKeys> {
        match architecture.attention_bias {
            AttentionBias::None | AttentionBias::RelativeBuckets { .. } => Ok(AttentionKeys::PRODUCT),
            AttentionBias::Disentangled(_) => {
                AttentionKeys::parse(self.raw, max_positions).map_err(|problem| self.error(problem))
            }
        }
    }

    /// Rows of the segment embedding; 0 without one.
    fn type_vocab(&self, architecture: &Architecture) -> Result<usize> {
        const NAME: &str = "type_vocab_size";
        if architecture.names.embeddings.segments.is_none() {
            return Ok(0);
        }
        match (architecture.keys.type_vocab_default, self.find(&[NAME])) {
            (Some(default), None) => Ok(default),
            (Some(_), Some((_, value))) if *value == 0 => Ok(0),
            _ => self.size(&[NAME]),
        }
    }

    fn sharing(&self, architecture: &Architecture) -> Result<LayerSharing> {
        let layers = self.size(architecture.keys.layers)?;
        let Some([groups_key, inner_key]) = architecture.keys.sharing else {
            return Ok(LayerSharing::none(layers));
        };
        let (groups, inner) = (self.size_or(groups_key, 1)?, self.size_or(inner_key, 1)?);
        let layers_key = architecture.keys.layers[0];
        if groups > layers {
            let problem = format!("{groups_key} is {groups}, more than {layers_key}, which is {layers}");
            return Err(self.error(problem));
        }
        if layers.saturating_mul(inner) > MAX_SHARED_LAYERS {
            return Err(self.error(format_args!(
                "{layers_key} is {layers} and {inner_key} {inner}; at most {MAX_SHARED_LAYERS} layers are supported"
            )));
        }
        Ok(LayerSharing::in_groups(layers, groups, inner))
    }

    /// The id of the padding token, as `torch.nn.Embedding` takes it: a negative one counts from the end.
    fn padding_id(&self, key: PaddingKey, vocab_size: usize) -> Result<Option<u32>> {
        let id = match (key, self.raw.get("pad_token_id")) {
            (PaddingKey::Constant(id), _) | (PaddingKey::WithDefault(id), None) => i64::from(id),
            (_, Some(Value::Null)) => return Ok(None),
            (_, Some(value)) => match value.as_i64() {
                Some(id) if id < 0 => id + vocab_size as i64,
                Some(id) => id,
                None => {
                    return Err(self.error(format_args!("pad_token_id is {value}; expected a token id")));
                }
            },
        };
        match u32::try_from(id) {
            Ok(id) if (id as usize) < vocab_size => Ok(Some(id)),
            _ => Err(self.error(format_args!(
                "pad_token_id is {id}, outside the vocabulary of {vocab_size} (vocab_size)"
            ))),
        }
    }

    /// The position of the first token.
    fn first_position(
        &self,
        positions: Positions,
        padding_id: Option<u32>,
        max_positions: usize,
    ) -> Result<usize> {
        let first = match (positions, padding_id) {
            (Positions::Absolute | Positions::Rotary, _) => 0,
            (Positions::AfterPadding, Some(id)) => id as usize + 1,
            (Positions::AfterPadding, None) => {
                return Err(
                    self.error("pad_token_id is null, but positions are counted from it; set it to 1")
                );
            }
        };
        if first < max_positions {
            Ok(first)
        } else {
            Err(self.error(format_args!(
                "max_position_embeddings is {max_positions}, but the first position, pad_token_id + 1, is {first}"
            )))
        }
    }

    fn activation(&self, (name, default): (&str, Activation)) -> Result<Activation> {
        let Some((_, value)) = self.find(&[name]) else { return Ok(default) };
        match value.as_str() {
            Some("gelu" | "gelu_python") => Ok(Activation::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh") => Ok(Activation::GeluTanh),
            Some("relu") => Ok(Activation::Relu),
            _ => Err(self.error(format_args!(
                "{name} is {value}; supported are \"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\" and \"relu\""
            ))),
        }
    }

    /// The modules whose keys do not enable biases.
    fn without_bias(&self, keys: &[(BiasSite, &str)]) -> Result<Vec<BiasSite>> {
        let flags = keys.iter().map(|(site, key)| Ok((*site, self.flag(key)?)));
        let flags: Vec<_> = flags.collect::<Result<_>>()?;
        Ok(flags.into_iter().filter(|(_, has_bias)| !has_bias).map(|(site, _)| site).collect())
    }

    fn pooling(&self, name: &str) -> Result<Pooling> {
        match self.find(&[name]) {
            None => Ok(Pooling::FirstToken),
            Some((_, value)) if value == "cls" => Ok(Pooling::FirstToken),
            Some((_, value)) if value == "mean" => Ok(Pooling::Mean),
            Some((_, value)) => {
                Err(self.error(format_args!("{name} is {value}; supported are \"cls\" and \"mean\"")))
            }
        }
    }

    fn pooler_activation(&self, architecture: &Architecture) -> Result<PoolerActivation> {
        let key = architecture.keys.pooler_activation.and_then(|key| self.find(&[key]));
        let Some((name, value)) = key else { return Ok(architecture.pooler_activation) };
        if value == "tanh" {
            return Ok(PoolerActivation::Tanh);
        }
        self.activation((name, Activation::Gelu)).map(|activation| match activation {
            Activation::Gelu => PoolerActivation::Gelu,
            Activation::GeluTanh => PoolerActivation::GeluTanh,
            Activation::Relu => PoolerActivation::Relu,
        })
    }

    /// Sizes that disentangled attention and its head have keys for, but that follow from others.
    fn check_derived_sizes(&self, config: &ModelConfig) -> Result<()> {
        if !matches!(config.architecture.attention_bias, AttentionBias::Disentangled(_)) {
            return Ok(());
        }
        for (name, expected) in
            [("attention_head_size", config.head_size()), ("pooler_hidden_size", config.hidden)]
        {
            let size = self.size_or(name, expected)?;
            if size != expected {
                return Err(self.error(format_args!(
                    "{name} is {size}; with this hidden_size and num_attention_heads, only {expected} is supported"
                )));
            }
        }
        Ok(())
    }

    fn check_heads(&self, config: &ModelConfig) -> Result<()> {
        if config.hidden.is_multiple_of(config.heads) {
            Ok(())
        } else {
            Err(self.error(format_args!(
                "the hidden size {1} is not divisible by the number of attention heads {0}",
                config.heads, config.hidden
            )))
        }
    }
}

#[cfg(test)]
mod tests;
