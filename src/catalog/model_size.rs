//! Classes of encoders by their number of parameters.

use serde::Deserialize;
use std::fmt;

/// The size of an encoder, which decides the settings that train it well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelSize {
    /// Up to 3 million parameters, such as the demo model.
    Demo,
    /// Up to 15 million: BERT-tiny, BERT-mini.
    Tiny,
    /// Up to 50 million: MiniLM, BERT-small, BERT-medium.
    Small,
    /// Up to 200 million: DistilBERT, BERT-base.
    Base,
    /// More than 200 million: BERT-large.
    Large,
}

/// Words of model names, each with the size that it stands for. The first word of the table that a name has decides.
static WORDS: &[(&str, ModelSize)] = &[
    ("xlarge", ModelSize::Large),
    ("large", ModelSize::Large),
    ("tiny", ModelSize::Tiny),
    ("mini", ModelSize::Tiny),
    ("minilm", ModelSize::Small),
    ("small", ModelSize::Small),
    ("medium", ModelSize::Small),
    ("base", ModelSize::Base),
    ("distilbert", ModelSize::Base),
    ("distilroberta", ModelSize::Base),
];

impl ModelSize {
    /// All sizes, smallest first.
    pub const ALL: [ModelSize; 5] =
        [ModelSize::Demo, ModelSize::Tiny, ModelSize::Small, ModelSize::Base, ModelSize::Large];

    /// The size of an encoder with that many parameters.
    pub fn of_parameters(parameters: u64) -> ModelSize {
        match parameters {
            0..=3_000_000 => ModelSize::Demo,
            3_000_001..=15_000_000 => ModelSize::Tiny,
            15_000_001..=50_000_000 => ModelSize::Small,
            50_000_001..=200_000_000 => ModelSize::Base,
            _ => ModelSize::Large,
        }
    }

    /// The size of a model by a word of the last part of its name.
    pub(super) fn of_words(model: &str) -> Option<ModelSize> {
        let name = model.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next()?.to_lowercase();
        let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
        WORDS.iter().find(|(word, _)| words.contains(word)).map(|(_, size)| *size)
    }
}

impl fmt::Display for ModelSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ModelSize::Demo => "demo",
            ModelSize::Tiny => "tiny",
            ModelSize::Small => "small",
            ModelSize::Base => "base",
            ModelSize::Large => "large",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::MODELS;

    #[test]
    fn names_reveal_sizes() {
        let sizes = [
            ("demo", Some(ModelSize::Demo)),
            ("google/bert_uncased_L-2_H-128_A-2", Some(ModelSize::Tiny)),
            ("nreimers/MiniLM-L6-H384-uncased", Some(ModelSize::Small)),
            ("/tmp/minilm/", Some(ModelSize::Small)),
            ("microsoft/MiniLM-L12-H384-uncased", Some(ModelSize::Small)),
            ("prajjwal1/bert-tiny", Some(ModelSize::Tiny)),
            ("albert/albert-base-v2", Some(ModelSize::Base)),
            ("FacebookAI/xlm-roberta-base", Some(ModelSize::Base)),
            ("FacebookAI/xlm-roberta-large", Some(ModelSize::Large)),
            ("google-bert/bert-large-cased", Some(ModelSize::Large)),
            ("large/roberta-base", Some(ModelSize::Base)),
            ("distilbert-base-uncased-finetuned-sst-2-english", Some(ModelSize::Base)),
            ("models/my-encoder", None),
            ("", None),
        ];
        for (name, size) in sizes {
            assert_eq!(ModelSize::of_name(name), size, "{name}");
        }
    }

    /// Except for a vocabulary that is larger than the layers, and layers with shared parameters.
    #[test]
    fn sizes_of_known_models_agree_with_their_parameters_and_words() {
        for model in MODELS {
            let by_parameters = ModelSize::of_parameters((model.millions * 1e6) as u64);
            let is_exception = ["albert/albert-base-v2", "FacebookAI/xlm-roberta-base"].contains(&model.id);
            assert_eq!(by_parameters != model.size, is_exception, "{}", model.id);
            let by_words = ModelSize::of_words(model.id);
            // The published sizes of ELECTRA are relative to each other.
            let is_relative = model.id == "google/electra-small-discriminator";
            assert!(by_words.is_none_or(|size| size == model.size) || is_relative, "{}", model.id);
        }
    }
}
