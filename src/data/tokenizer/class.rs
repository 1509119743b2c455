//! The tokenizer class that Transformers chooses for a model folder.

use serde_json::{Map, Value};

/// How a tokenizer is made from its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenizerClass {
    /// `BertTokenizer`: the vocabulary is from the files, everything else from the keys of tokenizer_config.json.
    Bert {
        /// Whether the model gets `token_type_ids`; `DistilBertTokenizer` does not return them.
        type_ids: bool,
    },
    /// `XLMRobertaTokenizer`, which multilingual BERTs have: a Unigram vocabulary from tokenizer.json.
    XlmRoberta,
    /// `TokenizersBackend`, which was `PreTrainedTokenizerFast`: tokenizer.json as it is. It returns no
    /// `token_type_ids`.
    Fast,
}

impl TokenizerClass {
    /// The class that tokenizer_config.json names, or else config.json, or else that of the model type, with its name.
    /// The error is a sentence without the name of the model.
    pub(super) fn of(settings: &Map<String, Value>, config: &Value) -> Result<(Self, String), String> {
        let named = |value: Option<&Value>, file: &str| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(name)) => Ok(Some(name.clone()).filter(|name| !name.is_empty())),
            Some(_) => Err(format!("tokenizer_class in {file} is not a name; set it to \"BertTokenizer\"")),
        };
        let name = match named(settings.get("tokenizer_class"), "tokenizer_config.json")? {
            Some(name) => Some(name),
            None => named(config.get("tokenizer_class"), "config.json")?,
        };
        let Some(name) = name else {
            let is_distilbert = config["model_type"] == "distilbert";
            let name = if is_distilbert { "DistilBertTokenizer" } else { "BertTokenizer" };
            return Ok((TokenizerClass::Bert { type_ids: !is_distilbert }, name.into()));
        };
        let class = match name.strip_suffix("Fast").unwrap_or(&name) {
            // The other classes are aliases of BertTokenizer.
            "BertTokenizer"
            | "ElectraTokenizer"
            | "LayoutLMTokenizer"
            | "LxmertTokenizer"
            | "MobileBertTokenizer"
            | "SqueezeBertTokenizer" => TokenizerClass::Bert { type_ids: true },
            "DistilBertTokenizer" => TokenizerClass::Bert { type_ids: false },
            "XLMRobertaTokenizer" => TokenizerClass::XlmRoberta,
            "PreTrainedTokenizer" | "TokenizersBackend" => TokenizerClass::Fast,
            _ => {
                return Err(format!(
                    "tokenizer_class {name} is not supported; use a model with BertTokenizer, DistilBertTokenizer, \
                     XLMRobertaTokenizer or PreTrainedTokenizerFast"
                ));
            }
        };
        Ok((class, name))
    }

    /// Whether the model gets the segments of a pair, unless `model_input_names` says otherwise.
    pub(super) fn has_type_ids(self) -> bool {
        self == TokenizerClass::Bert { type_ids: true }
    }

    /// The special tokens of the class, which the keys of tokenizer_config.json replace.
    pub(super) fn special_tokens(self) -> &'static [(&'static str, &'static str)] {
        match self {
            TokenizerClass::Bert { .. } => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            TokenizerClass::XlmRoberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            TokenizerClass::Fast => &[],
        }
    }
}
