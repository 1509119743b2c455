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
