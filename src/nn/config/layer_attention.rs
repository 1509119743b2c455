//! Which tokens each layer attends to, and its rotary positions.

use super::keys::Keys;
use crate::error::Result;
use crate::nn::architecture::{Architecture, LayerAttentionKeys};
use serde_json::{Map, Value};

/// Which tokens a layer attends to, and its rotary positions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct LayerAttention {
    /// Largest distance between query and key; `None` without a limit.
    pub(crate) window: Option<usize>,
    /// Base of the rotary positions, if the model has them.
    pub(crate) rope_theta: Option<f64>,
}

/// The attention of each layer of a model. Files name any number of layers, so it has no entry for each of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LayerAttentions {
    /// The same in all layers.
    Same(LayerAttention),
    /// One in each `every` layers, the first among them, is `full`, others are `sliding`.
    Periodic { full: LayerAttention, sliding: LayerAttention, every: usize },
    /// As listed.
    Listed(Vec<LayerAttention>),
}

impl LayerAttentions {
    /// The attention of a layer.
    pub(crate) fn of(&self, layer: usize) -> LayerAttention {
        match self {
            LayerAttentions::Same(all) => *all,
            LayerAttentions::Periodic { full, every, .. } if layer.is_multiple_of(*every) => *full,
            LayerAttentions::Periodic { sliding, .. } => *sliding,
            LayerAttentions::Listed(layers) => layers.get(layer).copied().unwrap_or_default(),
        }
    }

    /// Whether no layer has a window or rotary positions.
    pub(crate) fn is_plain(&self) -> bool {
        *self == LayerAttentions::Same(LayerAttention::default())
    }
}

/// The types of layers, by their names in `layer_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LayerType {
    Full,
    Sliding,
}

impl LayerType {
    const ALL: [LayerType; 2] = [LayerType::Full, LayerType::Sliding];

    fn name(self) -> &'static str {
        match self {
            LayerType::Full => "full_attention",
            LayerType::Sliding => "sliding_attention",
        }
    }
}

impl Keys<'_> {
    /// The attention of each layer of a model with this hidden size and number of heads.
    pub(super) fn layer_attention(
        &self,
        architecture: &Architecture,
        layers: usize,
        (hidden, heads): (usize, usize),
    ) -> Result<LayerAttentions> {
        let Some(keys) = architecture.keys.layer_attention else {
            return Ok(LayerAttentions::Same(LayerAttention::default()));
        };
        self.check_head_size(hidden, heads)?;
        // `ModernBertConfig` sets half the window from this key.
        let window = match self.find(&["sliding_window"]) {
            Some((name, _)) => self.size(&[name])?,
            None => self.size_or(keys.window.0, keys.window.1)? / 2,
        };
        let full = LayerAttention { window: None, rope_theta: Some(self.rope_theta(keys, LayerType::Full)?) };
        let sliding = LayerAttention {
            window: Some(window),
            rope_theta: Some(self.rope_theta(keys, LayerType::Sliding)?),
        };
        let of_type = |layer_type| match layer_type {
            LayerType::Full => full,
            LayerType::Sliding => sliding,
        };
        if let Some(types) = self.layer_types(keys, layers)? {
            return Ok(LayerAttentions::Listed(types.into_iter().map(of_type).collect()));
        }
        let every = self.size_or(keys.global_every.0, keys.global_every.1)?;
        Ok(LayerAttentions::Periodic { full, sliding, every })
    }

    /// The halves of a head are rotated against each other.
    fn check_head_size(&self, hidden: usize, heads: usize) -> Result<()> {
        let size = hidden / heads;
        if let Some((name, value)) = self.find(&["head_dim"])
            && *value != size
        {
            return Err(self.error(format_args!(
                "{name} is {value}; only the hidden size divided by the number of attention heads, {size}, is \
                 supported"
            )));
        }
        if size.is_multiple_of(2) || !hidden.is_multiple_of(heads) {
            Ok(())
        } else {
            Err(self.error(format_args!(
                "the hidden size {hidden} divided by {heads} attention heads is {size}; rotary positions need an \
                 even number"
            )))
        }
    }

    /// The listed types, if the file has them.
    fn layer_types(&self, keys: LayerAttentionKeys, layers: usize) -> Result<Option<Vec<LayerType>>> {
        let Some((name, value)) = self.find(&[keys.layer_types]) else { return Ok(None) };
        let Some(types) = value.as_array().filter(|types| types.len() == layers) else {
            return Err(self.error(format_args!(
                "{name} is {value}; expected a list with a type for each of the {layers} layers"
            )));
        };
        let of_value = |value: &Value| match value.as_str() {
            Some("full_attention") => Ok(LayerType::Full),
            Some("sliding_attention") => Ok(LayerType::Sliding),
            _ => Err(self.error(format_args!(
                "{name} has {value}; supported are \"full_attention\" and \"sliding_attention\""
            ))),
        };
        types.iter().map(of_value).collect::<Result<_>>().map(Some)
    }

    /// The base of the rotary positions of a type of layer: that in `rope_parameters`, or else that of its own key.
    fn rope_theta(&self, keys: LayerAttentionKeys, layer_type: LayerType) -> Result<f64> {
        if let Some((name, value)) = self.find(&["rope_scaling"]) {
            return Err(
                self.error(format_args!("{name} is {value}; only unscaled rotary positions are supported"))
            );
        }
        let (name, default) = match layer_type {
            LayerType::Full => keys.global_theta,
            LayerType::Sliding => keys.local_theta,
        };
        let parameters = self.rope_parameters(keys, layer_type)?;
        let (name, theta) = match parameters.and_then(|parameters| parameters.get("rope_theta")) {
            Some(value) => {
                let name = format!("{}.{}.rope_theta", keys.rope_parameters, layer_type.name());
                let theta = value.as_f64().filter(|theta| theta.is_finite());
                let wrong = || self.error(format_args!("{name} is {value}; expected a number above 0"));
                (name.clone(), theta.ok_or_else(wrong)?)
            }
            None => (name.to_owned(), self.number(&[name], default)?),
        };
        if theta > 0.0 {
            Ok(theta)
        } else {
            Err(self.error(format_args!("{name} is {theta}; expected a number above 0")))
        }
    }

    /// The object of a type of layer in `rope_parameters`, which must not have keys that change more than the base.
    fn rope_parameters(
        &self,
        keys: LayerAttentionKeys,
        layer_type: LayerType,
    ) -> Result<Option<&Map<String, Value>>> {
        let Some((name, value)) = self.find(&[keys.rope_parameters]) else { return Ok(None) };
        let object = |name: &str, value: &'_ Value| {
            self.error(format_args!("{name} is {value}; expected an object for each type of layer"))
        };
        let types = value.as_object().ok_or_else(|| object(name, value))?;
        let is_type = |key: &&String| LayerType::ALL.iter().any(|known| known.name() == **key);
        if let Some(key) = types.keys().find(|key| !is_type(key)) {
            return Err(self.error(format_args!(
                "{name} has the key {key}; supported are full_attention and sliding_attention"
            )));
        }
        let name = format!("{name}.{}", layer_type.name());
        let parameters = match types.get(layer_type.name()) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value.as_object().ok_or_else(|| object(&name, value))?,
        };
        for (key, value) in parameters {
            let is_supported = match key.as_str() {
                "rope_theta" => true,
                "rope_type" | "type" => value == "default",
                _ => value.is_null(),
            };
            if !is_supported {
                return Err(self.error(format_args!(
                    "{name}.{key} is {value}; only rope_theta and the rope_type \"default\" are supported"
                )));
            }
        }
        Ok(Some(parameters))
    }
}
