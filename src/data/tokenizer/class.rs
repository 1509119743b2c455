//! The tokenizer class that Transformers chooses for a model folder.

use serde_json::{Map, Value};

/// How a tokenizer is made from its files. All but [`TokenizerClass::Fast`] take the vocabulary from the files and
/// everything else from the keys of tokenizer_config.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenizerClass {
    /// `BertTokenizer`: word pieces.
    Bert {
        /// Whether the model gets `token_type_ids`; `DistilBertTokenizer` does not return them.
        type_ids: bool,
    },
    /// `MPNetTokenizer`: word pieces with the special tokens of RoBERTa.
    Mpnet,
    /// `RobertaTokenizer`: byte-level BPE.
    Roberta,
    /// `XLMRobertaTokenizer`, which multilingual BERTs have too: a Unigram vocabulary.
    XlmRoberta,
    /// `CamembertTokenizer`: the same with other special tokens.
    Camembert,
    /// `AlbertTokenizer`: a Unigram vocabulary with the special tokens of BERT.
    Albert,
    /// `DebertaV2Tokenizer`: the same, with other normalization.
    DebertaV2,
    /// `TokenizersBackend`, which was `PreTrainedTokenizerFast`: tokenizer.json as it is, or tokenizer.model of
    /// SentencePiece. It returns no `token_type_ids`.
    Fast,
}

/// The class of each `model_type`, if the files name none. That of other types is `BertTokenizer`.
const BY_MODEL_TYPE: [(&str, &str); 8] = [
    ("distilbert", "DistilBertTokenizer"),
    ("roberta", "RobertaTokenizer"),
    ("xlm-roberta", "XLMRobertaTokenizer"),
    ("camembert", "CamembertTokenizer"),
    ("albert", "AlbertTokenizer"),
    ("mpnet", "MPNetTokenizer"),
    ("deberta", "DebertaTokenizer"),
    ("deberta-v2", "DebertaV2Tokenizer"),
];

/// The model types whose class is [`TokenizerClass::Fast`], whatever the files name
/// (`MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS` in Transformers).
const ALWAYS_FAST: [&str; 1] = ["modernbert"];

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
        let model_type = config["model_type"].as_str().unwrap_or_default();
        if ALWAYS_FAST.contains(&model_type) {
            return Ok((TokenizerClass::Fast, "PreTrainedTokenizerFast".into()));
        }
        let name = name.unwrap_or_else(|| {
            let found = BY_MODEL_TYPE.iter().find(|(of, _)| *of == model_type);
            found.map_or("BertTokenizer", |(_, name)| *name).to_owned()
        });
        let class = match name.strip_suffix("Fast").unwrap_or(&name) {
            // The other classes are aliases of BertTokenizer.
            "BertTokenizer"
            | "ElectraTokenizer"
            | "LayoutLMTokenizer"
            | "LxmertTokenizer"
            | "MobileBertTokenizer"
            | "SqueezeBertTokenizer" => TokenizerClass::Bert { type_ids: true },
            "DistilBertTokenizer" => TokenizerClass::Bert { type_ids: false },
            "MPNetTokenizer" => TokenizerClass::Mpnet,
            "RobertaTokenizer" => TokenizerClass::Roberta,
            "XLMRobertaTokenizer" => TokenizerClass::XlmRoberta,
            "CamembertTokenizer" => TokenizerClass::Camembert,
            "AlbertTokenizer" => TokenizerClass::Albert,
            "DebertaV2Tokenizer" => TokenizerClass::DebertaV2,
            "PreTrainedTokenizer" | "TokenizersBackend" => TokenizerClass::Fast,
            _ => {
                return Err(format!(
                    "tokenizer_class {name} is not supported; use a model with BertTokenizer, DistilBertTokenizer, \
                     RobertaTokenizer, XLMRobertaTokenizer, CamembertTokenizer, AlbertTokenizer, MPNetTokenizer, \
                     DebertaV2Tokenizer or PreTrainedTokenizerFast"
                ));
            }
        };
        Ok((class, name))
    }

    /// Whether the vocabulary is one of word pieces, with the keys of BERT for lower case, accents and Chinese characters.
    pub(super) fn is_word_piece(self) -> bool {
        matches!(self, TokenizerClass::Bert { .. } | TokenizerClass::Mpnet)
    }

    /// The default of `do_lower_case`; `None` if the class has no such key.
    pub(super) fn do_lower_case(self) -> Option<bool> {
        match self {
            TokenizerClass::Bert { .. } | TokenizerClass::Mpnet | TokenizerClass::Albert => Some(true),
            TokenizerClass::DebertaV2 => Some(false),
            _ => None,
        }
    }

    /// The default of `add_prefix_space`; `None` if the class has no such key.
    pub(super) fn add_prefix_space(self) -> Option<bool> {
        match self {
            TokenizerClass::Roberta => Some(false),
            TokenizerClass::XlmRoberta
            | TokenizerClass::Camembert
            | TokenizerClass::Albert
            | TokenizerClass::DebertaV2 => Some(true),
            TokenizerClass::Bert { .. } | TokenizerClass::Mpnet | TokenizerClass::Fast => None,
        }
    }

    /// Whether the mask token, where a file names it by its text alone, takes the blanks before it.
    pub(super) fn has_stripping_mask(self) -> bool {
        matches!(self, TokenizerClass::Mpnet | TokenizerClass::Camembert)
    }

    /// The model of SentencePiece that the vocabulary is from without tokenizer.json, if the class reads one.
    pub(super) fn sentencepiece_file(self) -> Option<&'static str> {
        match self {
            TokenizerClass::XlmRoberta | TokenizerClass::Camembert => Some("sentencepiece.bpe.model"),
            TokenizerClass::Albert => Some("spiece.model"),
            TokenizerClass::DebertaV2 => Some("spm.model"),
            TokenizerClass::Fast => Some("tokenizer.model"),
            _ => None,
        }
    }

    /// The special tokens without a name, where no file has them.
    pub(super) fn extra_tokens(self) -> &'static [&'static str] {
        match self {
            TokenizerClass::Camembert => &["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
            _ => &[],
        }
    }

    /// Whether the model gets the segments of a pair, unless `model_input_names` says otherwise.
    pub(super) fn has_type_ids(self) -> bool {
        matches!(self, TokenizerClass::Bert { type_ids: true } | TokenizerClass::DebertaV2)
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
            TokenizerClass::Roberta | TokenizerClass::XlmRoberta | TokenizerClass::Camembert => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            TokenizerClass::Mpnet => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "[UNK]"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            TokenizerClass::Albert => &[
                ("bos_token", "[CLS]"),
                ("eos_token", "[SEP]"),
                ("sep_token", "[SEP]"),
                ("cls_token", "[CLS]"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "[MASK]"),
            ],
            TokenizerClass::DebertaV2 => &[
                ("bos_token", "[CLS]"),
                ("eos_token", "[SEP]"),
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            TokenizerClass::Fast => &[],
        }
    }
}
