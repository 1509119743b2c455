//! From the keys of a `config.json` to a [`ModelConfig`].

use super::ModelConfig;
use super::keys::Keys;
use crate::error::Result;
use crate::nn::architecture::{
    ARCHITECTURES, Architecture, AttentionBias, AttentionKeys, BiasSite, LayerSharing, PaddingKey,
    PoolerActivation, Pooling, Positions, UNSUPPORTED,
};
use crate::nn::id2label::Id2Label;
use crate::nn::relative_positions::RELATIVE_BUCKETS;
use kernels::activation::Activation;
use serde_json::{Map, Value};

/// Most layers of a model whose layers share their parameters; the number of tensors limits the layers of other models.
const MAX_SHARED_LAYERS: usize = 1000;

impl Keys<'_> {
    /// The architecture. Old files have no `model_type`; other keys identify them.
    pub(super) fn architecture(&self) -> Result<&'static Architecture> {
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

    pub(super) fn check_supported(&self, architecture: &Architecture) -> Result<()> {
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

    pub(super) fn model(&self, architecture: &'static Architecture) -> Result<ModelConfig> {
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
        let has_positions = architecture.names.embeddings.positions.is_some()
            && keys.position_embedding.map_or(Ok(true), |key| self.flag_or(key, true))?;
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
    pub(super) fn check_derived_sizes(&self, config: &ModelConfig) -> Result<()> {
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

    pub(super) fn check_heads(&self, config: &ModelConfig) -> Result<()> {
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
