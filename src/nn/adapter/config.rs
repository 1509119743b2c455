//! Reads and writes `adapter_config.json`, the configuration of an adapter in the format of the Python package peft.

use super::super::error_text::shortened;
use crate::error::{Error, Result};
use crate::files::ADAPTER_CONFIG;
use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Keys of variants of LoRA, which compute something else, and their values without the variant.
const VARIANTS: [(&str, &[Value]); 10] = [
    ("use_dora", &[Value::Bool(false)]),
    ("use_qalora", &[Value::Bool(false)]),
    ("use_bdlora", &[Value::Bool(false)]),
    ("lora_bias", &[Value::Bool(false)]),
    ("fan_in_fan_out", &[Value::Bool(false)]),
    ("alora_invocation_tokens", &[]),
    ("arrow_config", &[]),
    ("kasa_config", &[]),
    ("monteclora_config", &[]),
    ("layer_replication", &[]),
];

/// Initial weights that leave the weights of the base model as they are.
const INITIAL_WEIGHTS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// The configuration of a LoRA adapter, with the defaults of peft for missing keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of adapter_config.json")]
pub struct AdapterConfig {
    /// Folder or hub id of the base model.
    pub base_model_name_or_path: Option<String>,
    /// Revision of the base model on the hub.
    pub revision: Option<String>,
    /// The kind of the adapter: `LORA`.
    pub peft_type: String,
    /// What the model is for: `SEQ_CLS`.
    pub task_type: Option<String>,
    /// Whether the adapter was saved to be used, not to be trained further.
    pub inference_mode: bool,
    /// Rank of the matrices.
    pub r: usize,
    /// Numerator of the scaling, see [`AdapterConfig::scaling`].
    #[serde(serialize_with = "whole_as_integer")]
    pub lora_alpha: f64,
    /// Dropout rate of the inputs of the adapter while it was trained.
    pub lora_dropout: f64,
    /// Whether the scaling is α / √r instead of α / r.
    pub use_rslora: bool,
    /// Other ranks of some modules, by regular expression.
    #[serde(deserialize_with = "null_as_default")]
    pub rank_pattern: BTreeMap<String, usize>,
    /// Other values of α of some modules, by regular expression.
    #[serde(deserialize_with = "null_as_default", serialize_with = "whole_values_as_integers")]
    pub alpha_pattern: BTreeMap<String, f64>,
    /// Whether the weights have the shape (inputs, outputs). No supported model has such layers.
    pub fan_in_fan_out: bool,
    /// Which biases were trained: `none`.
    pub bias: String,
    /// Whether the magnitude of the weights is a parameter of its own.
    pub use_dora: bool,
    /// The modules with an adapter.
    pub target_modules: Option<TargetModules>,
    /// The modules that were trained as a whole.
    pub modules_to_save: Option<Vec<String>>,
}

/// The modules that have an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetModules {
    /// Ends of names, such as `query`.
    Names(Vec<String>),
    /// A regular expression of whole names, or `all-linear`.
    Pattern(String),
}

impl Default for AdapterConfig {
    fn default() -> Self {
        AdapterConfig {
            base_model_name_or_path: None,
            revision: None,
            peft_type: "LORA".into(),
            task_type: Some("SEQ_CLS".into()),
            inference_mode: true,
            r: 8,
            lora_alpha: 8.0,
            lora_dropout: 0.0,
            use_rslora: false,
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
            fan_in_fan_out: false,
            bias: "none".into(),
            use_dora: false,
            target_modules: None,
            modules_to_save: None,
        }
    }
}

impl AdapterConfig {
    /// The configuration of an adapter of a classifier: rank `r` and `alpha` for all `target_modules`, and the modules that
    /// were trained as a whole.
    pub fn new(
        (r, alpha): (usize, f64),
        target_modules: Vec<String>,
        modules_to_save: Vec<String>,
        base_model: &str,
    ) -> Self {
        AdapterConfig {
            base_model_name_or_path: Some(base_model.to_owned()),
            r,
            lora_alpha: alpha,
            target_modules: Some(TargetModules::Names(target_modules)),
            modules_to_save: (!modules_to_save.is_empty()).then_some(modules_to_save),
            ..AdapterConfig::default()
        }
    }

    /// Parses an `adapter_config.json`; `model` is the name of the adapter in errors.
    ///
    /// # Errors
    /// [`Error::Model`] for a file that is not JSON, an invalid value, and a key that asks for what is not supported. The
    /// message names the key.
    pub fn parse(model: &str, bytes: &[u8]) -> Result<Self> {
        let wrong =
            |problem: String| Error::model(model, format!("{ADAPTER_CONFIG}: {}", shortened(&problem)));
        let raw: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|e| wrong(format!("not a JSON object: {e}")))?;
        check_supported(&raw).map_err(wrong)?;
        let config: AdapterConfig =
            serde_json::from_value(Value::Object(raw)).map_err(|e| wrong(e.to_string()))?;
        for pattern in config.rank_pattern.keys().chain(config.alpha_pattern.keys()) {
            module_regex(pattern).map_err(|_| wrong(format!("{pattern:?} is not a regular expression")))?;
        }
        Ok(config)
    }

    /// Writes `adapter_config.json` to the existing folder `folder`.
    ///
    /// # Errors
    /// [`Error::Write`] if the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(ADAPTER_CONFIG);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::Training(format!("cannot serialize {ADAPTER_CONFIG}: {e}")))?;
        text.push('\n');
        std::fs::write(&path, text).map_err(Error::writing(&path))
    }

    /// Rank of the matrices of a module.
    pub fn rank(&self, module: &str) -> usize {
        *value_of(&self.rank_pattern, module).unwrap_or(&self.r)
    }

    /// The factor of what the adapter of a module adds to the weights: α / r, or α / √r with `use_rslora`.
    pub fn scaling(&self, module: &str) -> f64 {
        let alpha = value_of(&self.alpha_pattern, module).unwrap_or(&self.lora_alpha);
        let rank = self.rank(module) as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

/// Rejects what is not supported. The error is a clause that names the key.
fn check_supported(raw: &Map<String, Value>) -> Result<(), String> {
    let find = |key: &str| raw.get(key).filter(|value| !value.is_null());
    match find("peft_type") {
        Some(value) if *value == json!("LORA") => {}
        Some(value) => return Err(format!("peft_type is {value}; only \"LORA\" is supported")),
        None => return Err("peft_type is missing; only \"LORA\" is supported".into()),
    }
    let only = |key: &str, supported: &str| match find(key) {
        Some(value) if *value != json!(supported) => {
            Err(format!("{key} is {value}; only \"{supported}\" is supported"))
        }
        _ => Ok(()),
    };
    only("task_type", "SEQ_CLS")?;
    only("bias", "none")?;
    for (key, off) in VARIANTS {
        if let Some(value) = find(key).filter(|value| !off.contains(value)) {
            return Err(format!("{key} is {value}, which is not supported; merge the adapter with peft"));
        }
    }
    match find("init_lora_weights") {
        Some(Value::String(name)) if !INITIAL_WEIGHTS.contains(&name.as_str()) => Err(format!(
            "init_lora_weights is {name:?}, which may change the weights of the base model and is not supported; merge the \
             adapter with peft"
        )),
        _ if find("r").is_some_and(|r| *r == json!(0)) => Err("r is 0; expected 1 or more".into()),
        _ => Ok(()),
    }
}

/// The regular expression of the modules that a pattern is for: their whole name, or its end from a dot on.
fn module_regex(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$"))
}

/// The value for a module: that of the first pattern in the order of the alphabet, in which peft writes them.
fn value_of<'a, T>(patterns: &'a BTreeMap<String, T>, module: &str) -> Option<&'a T> {
    let is_match = |pattern: &str| module_regex(pattern).is_ok_and(|regex| regex.is_match(module));
    patterns.iter().find(|(pattern, _)| is_match(pattern)).map(|(_, value)| value)
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A number as peft writes it: without a fraction if it is whole.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 2f64.powi(53) { json!(value as i64) } else { json!(value) }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn whole_as_integer<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    number(*value).serialize(serializer)
}

fn whole_values_as_integers<S: Serializer>(
    values: &BTreeMap<String, f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().map(|(pattern, value)| (pattern, number(*value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(keys: &str) -> Result<AdapterConfig> {
        AdapterConfig::parse("m", format!("{{\"peft_type\": \"LORA\", {keys}}}").as_bytes())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let config =
            AdapterConfig::new((4, 16.0), vec!["query".into()], vec!["classifier".into()], "owner/tiny");
        config.write(folder.path()).unwrap();
        let bytes = std::fs::read(folder.path().join(ADAPTER_CONFIG)).unwrap();
        assert_eq!(AdapterConfig::parse("m", &bytes).unwrap(), config);
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&json["lora_alpha"], &json["task_type"]), (&json!(16), &json!("SEQ_CLS")));
        assert_eq!(json["lora_alpha"].to_string(), "16");
    }

    #[test]
    fn patterns_match_ends_of_names() {
        let config = parse(
            r#""r": 8, "lora_alpha": 16, "rank_pattern": {"lin[12]": 4, "^a.query": 3, "key": 2},
                "alpha_pattern": {"layer.1.query|value": 2.5}"#,
        )
        .unwrap();
        let ranks = ["x.lin1", "a.query", "b.a.query", "x.monkey", "x.key", "key", "key.x"];
        assert_eq!(ranks.map(|module| config.rank(module)), [4, 3, 8, 8, 2, 2, 8]);
        assert_eq!(config.scaling("layer.0.query"), 2.0);
        assert_eq!(config.scaling("layer.1.query"), 2.5 / 8.0);
        assert_eq!(config.scaling("layer.0.value"), 2.5 / 8.0);
        assert_eq!(AdapterConfig { use_rslora: true, r: 4, ..config }.scaling("dense"), 8.0);
        assert_eq!(parse(r#""rank_pattern": null, "task_type": null"#).unwrap().rank("key"), 8);
    }

    #[test]
    fn unsupported_settings_are_named() {
        for (keys, problem) in [
            (r#""peft_type": "IA3""#, "peft_type is \"IA3\""),
            (r#""task_type": "TOKEN_CLS""#, "task_type is \"TOKEN_CLS\""),
            (r#""bias": "lora_only""#, "bias is \"lora_only\""),
            (r#""use_dora": true"#, "use_dora is true"),
            (r#""lora_bias": true"#, "lora_bias is true"),
            (r#""fan_in_fan_out": true"#, "fan_in_fan_out is true"),
            (r#""alora_invocation_tokens": [1]"#, "alora_invocation_tokens is [1]"),
            (r#""init_lora_weights": "pissa""#, "init_lora_weights is \"pissa\""),
            (r#""r": 0"#, "r is 0"),
            (r#""rank_pattern": {"(": 2}"#, "\"(\" is not a regular expression"),
            (r#""r": -1"#, "invalid value: integer `-1`"),
        ] {
            let error = parse(keys).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(ADAPTER_CONFIG), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        for bytes in [&b"[]"[..], b"{}", b"{\"peft_type\": null}"] {
            assert!(AdapterConfig::parse("m", bytes).is_err());
        }
        parse(r#""init_lora_weights": true, "use_dora": false, "arrow_config": null, "bias": "none""#)
            .unwrap();
    }
}
