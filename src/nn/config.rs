//! `config.json` of a Hugging Face model folder → [`ModelConfig`], and back.
//!
//! The two families name the same things differently; here they get one name. What the classes of
//! Transformers take for granted is taken for granted here too; what would change the arithmetic
//! and is not supported is refused, with the model and the key.

use crate::error::{Error, Result};
use crate::files::ModelFolder;
use serde_json::{Map, Value, json};

/// Architectures that the encoder can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `BertForSequenceClassification`: segment embeddings, a pooler with tanh.
    Bert,
    /// `DistilBertForSequenceClassification`: no segments, a pre-classifier with ReLU.
    DistilBert,
}

impl Family {
    /// The value of `model_type`, which is also the prefix of the encoder's tensors.
    pub fn name(self) -> &'static str {
        match self {
            Family::Bert => "bert",
            Family::DistilBert => "distilbert",
        }
    }

    /// The class of Transformers that an exported folder is loaded as.
    pub fn architecture(self) -> &'static str {
        match self {
            Family::Bert => "BertForSequenceClassification",
            Family::DistilBert => "DistilBertForSequenceClassification",
        }
    }
}

/// The nonlinearity between the two feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x Φ(x), with the error function.
    Gelu,
    /// The approximation of GELU by tanh.
    GeluTanh,
    /// max(x, 0).
    Relu,
}

/// Sizes, rates and names of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Name of the model, for messages.
    pub model: String,
    /// Architecture.
    pub family: Family,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a token's state.
    pub hidden: usize,
    /// Number of encoder layers.
    pub layers: usize,
    /// Attention heads of a layer; they divide `hidden`.
    pub heads: usize,
    /// Width inside the feed-forward part.
    pub intermediate: usize,
    /// Longest input in tokens.
    pub max_positions: usize,
    /// Rows of the segment embedding; 0 when the family has none.
    pub type_vocab: usize,
    /// Dropout of embeddings and layer outputs.
    pub hidden_dropout: f64,
    /// Dropout of attention probabilities.
    pub attention_dropout: f64,
    /// Dropout before the last layer, as the family's Transformers class finds it.
    pub classifier_dropout: f64,
    /// Nonlinearity of the feed-forward part.
    pub activation: Activation,
    /// What is added to a variance before its root is taken.
    pub layer_norm_eps: f64,
    /// Standard deviation of newly made weights.
    pub initializer_range: f64,
    /// Label names, by class. Without names in the file: `LABEL_0`, `LABEL_1`, ….
    pub id2label: Vec<String>,
    /// The file as it was, for [`ModelConfig::to_json`].
    raw: Map<String, Value>,
}

impl ModelConfig {
    /// Reads `config.json` of `folder`.
    pub fn read(folder: &ModelFolder) -> Result<Self> {
        Self::parse(&folder.name, &folder.require("config.json")?)
    }

    /// Reads the bytes of a `config.json`; `model` is the name that errors speak of.
    pub fn parse(model: &str, bytes: &[u8]) -> Result<Self> {
        let raw: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|e| Error::model(model, format!("config.json is not a JSON object: {e}")))?;
        let keys = Keys { model, raw: &raw };
        let family = keys.family()?;
        keys.refuse_unsupported()?;
        let mut config = match family {
            Family::Bert => keys.bert()?,
            Family::DistilBert => keys.distilbert()?,
        };
        keys.check(&config)?;
        config.raw = raw;
        Ok(config)
    }

    /// Size of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden / self.heads
    }

    /// The file again, as a classifier with these labels: every key that was there is kept, and
    /// those that make it a single-label sequence classifier, or with one label a regression, are set.
    pub fn to_json(&self, labels: &[String]) -> Value {
        let mut file = self.raw.clone();
        let by_id: Map<String, Value> =
            labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let by_label: Map<String, Value> =
            labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id))).collect();
        file.insert("architectures".into(), json!([self.family.architecture()]));
        file.insert("model_type".into(), json!(self.family.name()));
        file.insert("num_labels".into(), json!(labels.len()));
        file.insert("id2label".into(), Value::Object(by_id));
        file.insert("label2id".into(), Value::Object(by_label));
        let problem = if labels.len() == 1 { "regression" } else { "single_label_classification" };
        file.insert("problem_type".into(), json!(problem));
        let dropout_key = match self.family {
            Family::Bert => "classifier_dropout",
            Family::DistilBert => "seq_classif_dropout",
        };
        file.insert(dropout_key.into(), json!(self.classifier_dropout));
        // The weights are written in f32, whatever they were read as.
        for key in ["torch_dtype", "dtype"] {
            if file.contains_key(key) {
                file.insert(key.into(), json!("float32"));
            }
        }
        Value::Object(file)
    }
}

/// The keys of one file, with the model's name for errors.
struct Keys<'a> {
    model: &'a str,
    raw: &'a Map<String, Value>,
}

impl Keys<'_> {
    fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::model(self.model, format!("config.json: {problem}"))
    }

    /// The value of the first of `names` that is there and not null.
    fn find<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &Value)> {
        names.iter().find_map(|name| match self.raw.get(*name) {
            None | Some(Value::Null) => None,
            Some(value) => Some((*name, value)),
        })
    }

    /// A whole number from 1 that has to be there.
    fn size(&self, names: &[&str]) -> Result<usize> {
        let (name, value) =
            self.find(names).ok_or_else(|| self.error(format_args!("key {} is missing", names[0])))?;
        match value.as_u64() {
            Some(size) if size > 0 => Ok(size as usize),
            _ => Err(self.error(format_args!("{name} is {value}; a whole number from 1 is expected"))),
        }
    }

    /// A number from 0, or `default` when it is not there.
    fn number(&self, names: &[&str], default: f64) -> Result<f64> {
        let Some((name, value)) = self.find(names) else { return Ok(default) };
        match value.as_f64() {
            Some(number) if number.is_finite() && number >= 0.0 => Ok(number),
            _ => Err(self.error(format_args!("{name} is {value}; a number from 0 is expected"))),
        }
    }

    /// A dropout rate, below 1.
    fn rate(&self, names: &[&str], default: f64) -> Result<f64> {
        let rate = self.number(names, default)?;
        if rate < 1.0 {
            Ok(rate)
        } else {
            Err(self.error(format_args!("{} is {rate}; a rate below 1 is expected", names[0])))
        }
    }

    /// The family. Early BERT files have no `model_type`; their keys tell.
    fn family(&self) -> Result<Family> {
        let supported = "bert and distilbert are supported";
        match self.find(&["model_type"]) {
            Some((_, Value::String(name))) => match name.as_str() {
                "bert" => Ok(Family::Bert),
                "distilbert" => Ok(Family::DistilBert),
                other => Err(self.error(format_args!("model_type is \"{other}\"; {supported}"))),
            },
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

    fn refuse_unsupported(&self) -> Result<()> {
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
            id2label: self.labels()?,
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
            // Fixed in the reference; a key of that name would not be heeded.
            layer_norm_eps: 1e-12,
            initializer_range: self.number(&["initializer_range"], 0.02)?,
            id2label: self.labels()?,
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
                "{name} is {value}; \"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\" and \"relu\" are supported"
            ))),
        }
    }

    /// Label names in the order of their ids, which have to be 0, 1, 2, ….
    fn labels(&self) -> Result<Vec<String>> {
        let Some((_, value)) = self.find(&["id2label"]) else {
            let count = if self.find(&["num_labels"]).is_some() { self.size(&["num_labels"])? } else { 2 };
            return Ok((0..count).map(|id| format!("LABEL_{id}")).collect());
        };
        let wrong = || {
            self.error(format_args!(
                "id2label is {value}; an object from \"0\", \"1\", … to names is expected"
            ))
        };
        let by_id = value.as_object().ok_or_else(wrong)?;
        (0..by_id.len())
            .map(|id| by_id.get(&id.to_string()).and_then(Value::as_str).map(str::to_owned).ok_or_else(wrong))
            .collect()
    }

    fn check(&self, config: &ModelConfig) -> Result<()> {
        if config.hidden.is_multiple_of(config.heads) {
            Ok(())
        } else {
            Err(self.error(format_args!(
                "{} attention heads do not divide a hidden size of {}",
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
        parse(text).expect_err("a faulty file").to_string()
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        let bert = parse(BERT).expect("a whole file");
        assert_eq!((bert.classifier_dropout, bert.attention_dropout, bert.layer_norm_eps), (0.3, 0.1, 1e-12));
        assert_eq!(bert.id2label, ["LABEL_0", "LABEL_1"]);
        let with =
            parse(&BERT.replace("\"odd_key\"", "\"classifier_dropout\": 0.5, \"odd_key\"")).expect("one");
        assert_eq!(with.classifier_dropout, 0.5);
        let distilbert = parse(
            r#"{"model_type": "distilbert", "vocab_size": 9, "dim": 8, "n_layers": 1, "n_heads": 2,
            "hidden_dim": 16, "max_position_embeddings": 5, "id2label": {"1": "b", "0": "a", "2": "c"}}"#,
        )
        .expect("a whole file");
        assert_eq!((distilbert.classifier_dropout, distilbert.type_vocab), (0.2, 0));
        assert_eq!(distilbert.id2label, ["a", "b", "c"]);
    }

    #[test]
    fn early_files_without_a_type_are_known_by_their_keys() {
        let text = BERT.replace("\"model_type\": \"bert\",", "");
        assert_eq!(parse(&text).expect("a BERT").family, Family::Bert);
        assert!(message("{}").contains("model_type is missing"));
    }

    #[test]
    fn faults_name_the_model_and_the_key() {
        let roberta = message(&BERT.replace("\"bert\"", "\"roberta\""));
        assert!(roberta.starts_with("model m: ") && roberta.contains("\"roberta\""), "{roberta}");
        assert!(roberta.contains("bert and distilbert are supported"), "{roberta}");
        let cases = [
            (BERT.replace("\"hidden_size\": 32", "\"a\": 1"), "key hidden_size is missing"),
            (BERT.replace("\"hidden_size\": 32", "\"hidden_size\": 0"), "hidden_size is 0"),
            (BERT.replace("\"hidden_size\": 32", "\"hidden_size\": 30"), "4 attention heads do not divide"),
            (BERT.replace("\"odd_key\": [1]", "\"hidden_act\": \"silu\""), "hidden_act is \"silu\""),
            (
                BERT.replace("\"odd_key\": [1]", "\"position_embedding_type\": \"relative_key\""),
                "position_embedding_type is \"relative_key\"",
            ),
            (BERT.replace("0.3", "1.0"), "hidden_dropout_prob is 1"),
            (BERT.replace("\"odd_key\": [1]", "\"id2label\": {\"0\": \"a\", \"2\": \"b\"}"), "id2label is"),
            (BERT.replace("\"odd_key\": [1]", "\"is_decoder\": true"), "is_decoder is true"),
            ("[1]".to_owned(), "not a JSON object"),
        ];
        for (text, expected) in cases {
            let found = message(&text);
            assert!(found.contains(expected), "{found:?} has no {expected:?}");
        }
    }

    #[test]
    fn written_back_it_is_a_classifier_and_keeps_what_it_had() {
        let config = parse(BERT).expect("a whole file");
        let labels = ["negative", "neutral", "positive"].map(str::to_owned);
        let file = config.to_json(&labels);
        assert_eq!(file["odd_key"], json!([1]));
        assert_eq!(file["architectures"], json!(["BertForSequenceClassification"]));
        assert_eq!(file["id2label"]["2"], "positive");
        assert_eq!(file["label2id"]["neutral"], 1);
        assert_eq!(file["torch_dtype"], "float32");
        let again = parse(&file.to_string()).expect("its own output");
        assert_eq!(again.id2label, labels);
        assert_eq!(again.classifier_dropout, config.classifier_dropout);
        assert_eq!(file["problem_type"], "single_label_classification");
        let regression = config.to_json(&["LABEL_0".to_owned()]);
        assert_eq!(
            (&regression["problem_type"], &regression["num_labels"]),
            (&json!("regression"), &json!(1))
        );
        assert_eq!(parse(&regression.to_string()).expect("its own output").id2label, ["LABEL_0"]);
    }
}
