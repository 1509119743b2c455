//! Well-known encoders, which the model lists offer. Any other hub id or folder works too.

use super::model_size::ModelSize;

/// A pretrained encoder.
#[derive(Debug)]
pub struct KnownModel {
    /// Hub id, or `demo`.
    pub id: &'static str,
    /// A short description.
    pub title: &'static str,
    /// Number of parameters, in millions.
    pub millions: f64,
    /// The size that decides the recommended settings: that of the layers, whatever a large vocabulary adds or layers
    /// with shared parameters save.
    pub size: ModelSize,
}

const fn known(id: &'static str, title: &'static str, millions: f64, size: ModelSize) -> KnownModel {
    KnownModel { id, title, millions, size }
}

/// The encoders, smallest first.
pub static MODELS: &[KnownModel] = &[
    known("demo", "a tiny BERT, built in", 1.0, ModelSize::Demo),
    known("google/bert_uncased_L-2_H-128_A-2", "BERT-tiny, 2 layers", 4.4, ModelSize::Tiny),
    known("google/bert_uncased_L-4_H-256_A-4", "BERT-mini, 4 layers", 11.2, ModelSize::Tiny),
    known("albert/albert-base-v2", "ALBERT-base, 12 layers with shared parameters", 11.7, ModelSize::Base),
    known("google/electra-small-discriminator", "ELECTRA-small, 12 layers", 13.5, ModelSize::Tiny),
    known("jhu-clsp/ettin-encoder-17m", "Ettin, 7 layers, 8,192 tokens", 16.8, ModelSize::Small),
    known("nreimers/MiniLM-L6-H384-uncased", "MiniLM, 6 layers", 22.7, ModelSize::Small),
    known("google/bert_uncased_L-4_H-512_A-8", "BERT-small, 4 layers", 28.8, ModelSize::Small),
    known("jhu-clsp/ettin-encoder-32m", "Ettin, 10 layers, 8,192 tokens", 31.9, ModelSize::Small),
    known("google/bert_uncased_L-8_H-512_A-8", "BERT-medium, 8 layers", 41.4, ModelSize::Small),
    known(
        "microsoft/deberta-v3-xsmall",
        "DeBERTa-v3-xsmall, 12 layers of MiniLM's width, cased",
        70.8,
        ModelSize::Small,
    ),
    known("distilbert/distilbert-base-uncased", "DistilBERT, 6 layers", 66.4, ModelSize::Base),
    known("distilbert/distilbert-base-cased", "DistilBERT, 6 layers, cased", 65.2, ModelSize::Base),
    known("jhu-clsp/ettin-encoder-68m", "Ettin, 19 layers, 8,192 tokens", 68.1, ModelSize::Base),
    known("distilbert/distilroberta-base", "DistilRoBERTa, 6 layers, cased", 82.1, ModelSize::Base),
    known("google/electra-base-discriminator", "ELECTRA-base, 12 layers", 108.9, ModelSize::Base),
    known("google-bert/bert-base-uncased", "BERT-base, 12 layers", 109.5, ModelSize::Base),
    known("microsoft/mpnet-base", "MPNet-base, 12 layers", 109.5, ModelSize::Base),
    known("google-bert/bert-base-cased", "BERT-base, 12 layers, cased", 108.3, ModelSize::Base),
    known("almanach/camembert-base", "CamemBERT-base, 12 layers, French", 110.6, ModelSize::Base),
    known("FacebookAI/roberta-base", "RoBERTa-base, 12 layers, cased", 124.6, ModelSize::Base),
    known("microsoft/deberta-v3-small", "DeBERTa-v3-small, 6 layers, cased", 141.9, ModelSize::Base),
    known(
        "jhu-clsp/mmBERT-small",
        "mmBERT-small, 22 layers, 8,192 tokens, 1,800 languages",
        140.5,
        ModelSize::Small,
    ),
    known("answerdotai/ModernBERT-base", "ModernBERT-base, 22 layers, 8,192 tokens", 149.0, ModelSize::Base),
    known("jhu-clsp/ettin-encoder-150m", "Ettin, 22 layers, 8,192 tokens", 149.0, ModelSize::Base),
    known("microsoft/deberta-v3-base", "DeBERTa-v3-base, 12 layers, cased", 184.4, ModelSize::Base),
    known(
        "FacebookAI/xlm-roberta-base",
        "XLM-RoBERTa-base, 12 layers, 100 languages",
        278.0,
        ModelSize::Base,
    ),
    known("microsoft/mdeberta-v3-base", "mDeBERTa-v3-base, 12 layers, 100 languages", 278.8, ModelSize::Base),
    known(
        "jhu-clsp/mmBERT-base",
        "mmBERT-base, 22 layers, 8,192 tokens, 1,800 languages",
        306.9,
        ModelSize::Base,
    ),
    known("google-bert/bert-large-uncased", "BERT-large, 24 layers", 335.1, ModelSize::Large),
    known("FacebookAI/roberta-large", "RoBERTa-large, 24 layers, cased", 355.4, ModelSize::Large),
    known(
        "answerdotai/ModernBERT-large",
        "ModernBERT-large, 28 layers, 8,192 tokens",
        394.8,
        ModelSize::Large,
    ),
    known("jhu-clsp/ettin-encoder-400m", "Ettin, 28 layers, 8,192 tokens", 394.8, ModelSize::Large),
    known("microsoft/deberta-v3-large", "DeBERTa-v3-large, 24 layers, cased", 435.1, ModelSize::Large),
];

/// The known encoder with that id.
pub fn known_model(id: &str) -> Option<&'static KnownModel> {
    MODELS.iter().find(|model| model.id == id)
}

impl ModelSize {
    /// The size of a model by its hub id or folder: that of a known model, or else by a word of the last part of its
    /// name, such as `large`. `None` if the name does not reveal the size.
    pub fn of_name(model: &str) -> Option<ModelSize> {
        known_model(model).map(|known| known.size).or_else(|| ModelSize::of_words(model))
    }
}

/// The known encoder whose id is `name`, or whose id is `name` after its owner: the hub has such short ids from its early
/// days, and redirects them.
pub fn known_model_by_short_id(name: &str) -> Option<&'static KnownModel> {
    let matches = |model: &&KnownModel| model.id.rsplit('/').next() == Some(name) || model.id == name;
    MODELS.iter().find(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_reveal_sizes() {
        let sizes = [
            ("demo", Some(ModelSize::Demo)),
            ("google/bert_uncased_L-2_H-128_A-2", Some(ModelSize::Tiny)),
            ("nreimers/MiniLM-L6-H384-uncased", Some(ModelSize::Small)),
            ("models/minilm/", Some(ModelSize::Small)),
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
            let exceptions = [
                "albert/albert-base-v2",
                "FacebookAI/xlm-roberta-base",
                "jhu-clsp/mmBERT-small",
                "jhu-clsp/mmBERT-base",
                "microsoft/deberta-v3-xsmall",
                "microsoft/mdeberta-v3-base",
            ];
            let is_exception = exceptions.contains(&model.id);
            assert_eq!(by_parameters != model.size, is_exception, "{}", model.id);
            let by_words = ModelSize::of_words(model.id);
            // The published sizes of ELECTRA and DeBERTa are relative to each other.
            let relative = ["google/electra-small-discriminator", "microsoft/deberta-v3-small"];
            let is_relative = relative.contains(&model.id);
            assert!(by_words.is_none_or(|size| size == model.size) || is_relative, "{}", model.id);
        }
    }
}
