//! Reads and writes `config.json` of a Hugging Face model folder.
//!
//! The families use different keys for the same settings; [`ModelConfig`] has one field for each. Missing keys have
//! the defaults of the Transformers classes. Unsupported settings that would change the results are errors that name
//! the model and the key.

use super::error_text::shortened;
use super::id2label::Id2Label;
use crate::catalog::{Labels, ProblemType};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use kernels::activation::Activation;
use serde_json::{Map, Value, json};

/// Supported architectures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `BertForSequenceClassification`: with segment embeddings and a tanh pooler.
    Bert,
    /// `DistilBertForSequenceClassification`: no segment embeddings, a ReLU pre-classifier.
    DistilBert,
}

/// Activation function of the linear layer between the first token's state and the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolerActivation {
    /// tanh(x).
    Tanh,
    /// max(x, 0).
    Relu,
}

impl Family {
    /// All families.
    pub const ALL: [Family; 2] = [Family::Bert, Family::DistilBert];

    /// The value of `model_type`, also the prefix of the encoder's parameter names.
    pub fn name(self) -> &'static str {
        match self {
            Family::Bert => "bert",
            Family::DistilBert => "distilbert",
        }
    }

    /// The Transformers class that loads an exported folder.
    pub fn architecture(self) -> &'static str {
        match self {
            Family::Bert => "BertForSequenceClassification",
            Family::DistilBert => "DistilBertForSequenceClassification",
        }
    }

    /// Activation function of the pooler.
    pub fn pooler_activation(self) -> PoolerActivation {
        match self {
            Family::Bert => PoolerActivation::Tanh,
            Family::DistilBert => PoolerActivation::Relu,
        }
    }

    /// Whether dropout applies to the output projection of the attention.
    pub fn has_attention_output_dropout(self) -> bool {
        match self {
            Family::Bert => true,
            Family::DistilBert => false,
        }
    }

    /// The key of the dropout rate before the classifier.
    fn classifier_dropout_key(self) -> &'static str {
        match self {
            Family::Bert => "classifier_dropout",
            Family::DistilBert => "seq_classif_dropout",
        }
    }
}

/// Configuration of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Name of the model, for error messages.
    pub model: String,
    /// Architecture.
    pub family: Family,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden: usize,
    /// Number of encoder layers.
    pub layers: usize,
    /// Number of attention heads of a layer, a divisor of `hidden`.
    pub heads: usize,
    /// Width of the feed-forward network.
    pub intermediate: usize,
    /// Maximum input length in tokens.
    pub max_positions: usize,
    /// Rows of the segment embedding; 0 if the family has none.
    pub type_vocab: usize,
    /// Dropout rate of embeddings and layer outputs.
    pub hidden_dropout: f64,
    /// Dropout rate of attention probabilities.
    pub attention_dropout: f64,
    /// Dropout rate before the classifier, with the default of the family's Transformers class.
    pub classifier_dropout: f64,
    /// Activation function of the feed-forward network.
    pub activation: Activation,
    /// Added to the variance in LayerNorm.
    pub layer_norm_eps: f64,
    /// Standard deviation of newly initialized weights.
    pub initializer_range: f64,
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
        let keys = Keys { model, raw: &raw };
        let family = keys.family()?;
        keys.check_supported()?;
        let mut config = match family {
            Family::Bert => keys.bert()?,
            Family::DistilBert => keys.distilbert()?,
        };
        keys.check_heads(&config)?;
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
        file.insert("architectures".into(), json!([self.family.architecture()]));
        file.insert("model_type".into(), json!(self.family.name()));
        file.insert("num_labels".into(), json!(labels.len()));
        file.insert("id2label".into(), Value::Object(by_id));
        file.insert("label2id".into(), Value::Object(by_label));
        file.insert("problem_type".into(), json!(problem_type.name()));
        file.insert(self.family.classifier_dropout_key().into(), json!(self.classifier_dropout));
        // Weights are always written in f32.
        for key in ["torch_dtype", "dtype"] {
            if file.contains_key(key) {
                file.insert(key.into(), json!("float32"));
            }
        }
        Value::Object(file)
    }
}

/// Largest size that a configuration may have.
const MAX_SIZE: u64 = u32::MAX as u64;

/// The keys of a `config.json`.
struct Keys<'a> {
    model: &'a str,
    raw: &'a Map<String, Value>,
}

impl Keys<'_> {
    fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::model(self.model, format!("config.json: {}", shortened(&problem.to_string())))
    }

    /// The first key of `names` that is present and not null, and its value.
    fn find<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &Value)> {
        names.iter().find_map(|name| match self.raw.get(*name) {
            None | Some(Value::Null) => None,
            Some(value) => Some((*name, value)),
        })
    }

    /// A required size, a whole number from 1.
    fn size(&self, names: &[&str]) -> Result<usize> {
        let (name, value) =
            self.find(names).ok_or_else(|| self.error(format_args!("key {} is missing", names[0])))?;
        match value.as_u64() {
            // The limit keeps products of two sizes within 64 bits.
            Some(size @ 1..=MAX_SIZE) => Ok(size as usize),
            _ => {
                Err(self
                    .error(format_args!("{name} is {value}; expected a whole number from 1 to {MAX_SIZE}")))
            }
        }
    }

    /// A number from 0; `default` if the key is missing.
    fn number(&self, names: &[&str], default: f64) -> Result<f64> {
        let Some((name, value)) = self.find(names) else { return Ok(default) };
        match value.as_f64() {
            Some(number) if number.is_finite() && number >= 0.0 => Ok(number),
            _ => Err(self.error(format_args!("{name} is {value}; expected a number from 0"))),
        }
    }

    /// A dropout rate; `default` if the key is missing.
    fn rate(&self, names: &[&str], default: f64) -> Result<f64> {
        let rate = self.number(names, default)?;
        if rate < 1.0 {
            Ok(rate)
        } else {
            Err(self.error(format_args!("{} is {rate}; expected a number from 0 to below 1", names[0])))
        }
    }

    /// The family. Old files have no `model_type`; other keys identify them.
    fn family(&self) -> Result<Family> {
        let names = Family::ALL.map(Family::name).join(" and ");
        let supported = format!("supported are {names}");
        match self.find(&["model_type"]) {
            Some((_, Value::String(name))) => Family::ALL
                .into_iter()
                .find(|family| family.name() == name)
                .ok_or_else(|| self.error(format_args!("model_type is \"{name}\"; {supported}"))),
            Some((_, other)) => Err(self.error(format_args!("model_type is {other}; {supported}"))),
            None if self.raw.contains_key("type_vocab_size") && self.raw.contains_key("hidden_size") => {
                Ok(Family::Bert)
            }
            None if self.raw.contains_key("dim") && self.raw.contains_key("n_heads") => {
                Ok(Family::DistilBert)
            }
            None => Err(self.error(format_args!("key model_type is missing; {supported}"))),
        }
    }

    fn check_supported(&self) -> Result<()> {
        if let Some((name, value)) = self.find(&["position_embedding_type"])
            && value != "absolute"
        {
            return Err(self.error(format_args!("{name} is {value}; only \"absolute\" is supported")));
        }
        for name in ["is_decoder", "add_cross_attention"] {
            if self.raw.get(name) == Some(&Value::Bool(true)) {
                return Err(self.error(format_args!("{name} is true; only encoders are supported")));
            }
        }
        Ok(())
    }

    fn bert(&self) -> Result<ModelConfig> {
        let hidden_dropout = self.rate(&["hidden_dropout_prob"], 0.1)?;
        Ok(ModelConfig {
            model: self.model.to_owned(),
            family: Family::Bert,
            vocab_size: self.size(&["vocab_size"])?,
            hidden: self.size(&["hidden_size"])?,
            layers: self.size(&["num_hidden_layers"])?,
            heads: self.size(&["num_attention_heads"])?,
            intermediate: self.size(&["intermediate_size"])?,
            max_positions: self.size(&["max_position_embeddings"])?,
            type_vocab: self.size(&["type_vocab_size"])?,
            hidden_dropout,
            attention_dropout: self.rate(&["attention_probs_dropout_prob"], 0.1)?,
            classifier_dropout: self.rate(&["classifier_dropout"], hidden_dropout)?,
            activation: self.activation("hidden_act")?,
            layer_norm_eps: self.number(&["layer_norm_eps"], 1e-12)?,
            initializer_range: self.number(&["initializer_range"], 0.02)?,
            id2label: Id2Label::default(),
            raw: Map::new(),
        })
    }

    fn distilbert(&self) -> Result<ModelConfig> {
        Ok(ModelConfig {
            model: self.model.to_owned(),
            family: Family::DistilBert,
            vocab_size: self.size(&["vocab_size"])?,
            hidden: self.size(&["dim", "hidden_size"])?,
            layers: self.size(&["n_layers", "num_hidden_layers"])?,
            heads: self.size(&["n_heads", "num_attention_heads"])?,
            intermediate: self.size(&["hidden_dim"])?,
            max_positions: self.size(&["max_position_embeddings"])?,
            type_vocab: 0,
            hidden_dropout: self.rate(&["dropout"], 0.1)?,
            attention_dropout: self.rate(&["attention_dropout"], 0.1)?,
            classifier_dropout: self.rate(&["seq_classif_dropout"], 0.2)?,
            activation: self.activation("activation")?,
            // A constant in Transformers, which ignores a key of this name.
            layer_norm_eps: 1e-12,
            initializer_range: self.number(&["initializer_range"], 0.02)?,
            id2label: Id2Label::default(),
            raw: Map::new(),
        })
    }

    fn activation(&self, name: &str) -> Result<Activation> {
        let Some((_, value)) = self.find(&[name]) else { return Ok(Activation::Gelu) };
        match value.as_str() {
            Some("gelu" | "gelu_python") => Ok(Activation::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh") => Ok(Activation::GeluTanh),
            Some("relu") => Ok(Activation::Relu),
            _ => Err(self.error(format_args!(
                "{name} is {value}; supported are \"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\" and \"relu\""
            ))),
        }
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
mod tests {
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
        assert_eq!(parse(&text).expect("a BERT").family, Family::Bert);
        assert!(message("{}").contains("model_type is missing"));
    }

    #[test]
    fn errors_name_the_model_and_the_key() {
        let roberta = message(&BERT.replace("\"bert\"", "\"roberta\""));
        assert!(roberta.starts_with("model m: ") && roberta.contains("\"roberta\""), "{roberta}");
        assert!(roberta.contains("supported are bert and distilbert"), "{roberta}");
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
        assert_eq!(
            (&regression["problem_type"], &regression["num_labels"]),
            (&json!("regression"), &json!(1))
        );
        let reread = parse(&regression.to_string()).expect("a valid configuration");
        assert_eq!(reread.id2label.for_outputs(1).unwrap(), ["LABEL_0"]);
    }
}
