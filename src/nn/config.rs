//! Reads and writes `config.json` of a Hugging Face model folder.
//!
//! The families use different keys for the same settings; [`ModelConfig`] has one field for each. Missing keys have
//! the defaults of the Transformers classes. Unsupported settings that would change the results are errors that name
//! the model and the key.

mod keys;
mod layer_attention;
mod parse;

use super::architecture::{
    Architecture, BiasSite, Disentangled, DropoutSite, LayerSharing, ModelParts, Names, NormPosition,
    PoolerActivation, Pooling, Projection,
};
use super::error_text::shortened;
use super::id2label::Id2Label;
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

    /// Makes this the configuration of a classifier with that many outputs. Names of another number of labels become
    /// `LABEL_0`, `LABEL_1`, …, and a `problem_type` that does not fit is left out.
    pub(super) fn set_outputs(&mut self, outputs: usize) {
        self.raw.insert("architectures".into(), json!([self.architecture.class]));
        if self.id2label.num_labels() != outputs as u64 {
            self.raw.shift_remove("id2label");
            self.raw.shift_remove("label2id");
            self.raw.insert("num_labels".into(), json!(outputs));
            self.id2label = Id2Label::parse(&self.raw);
        }
        if self.problem_type(outputs).is_err() {
            self.raw.shift_remove("problem_type");
        }
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

    /// Whether a layer has a LayerNorm before attention: with pre-norm, all but the first one, whose input is normalized.
    pub(crate) fn has_norm_before_attention(&self, layer: usize) -> bool {
        let norm_position = self.architecture.layer_structure.norm_position;
        norm_position == NormPosition::Pre && self.sharing.parameter_set(layer) > 0
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

#[cfg(test)]
mod tests;
