//! Well-known encoders, which the model lists offer. Any other hub id or folder works too.

/// A pretrained encoder.
#[derive(Debug)]
pub struct KnownModel {
    /// Hub id, or `demo`.
    pub id: &'static str,
    /// A short description.
    pub title: &'static str,
    /// Number of parameters, in millions.
    pub millions: f64,
}

/// The encoders, smallest first.
pub static MODELS: &[KnownModel] = &[
    KnownModel { id: "demo", title: "a tiny BERT, built in", millions: 1.0 },
    KnownModel { id: "google/bert_uncased_L-2_H-128_A-2", title: "BERT-tiny, 2 layers", millions: 4.4 },
    KnownModel { id: "google/bert_uncased_L-4_H-256_A-4", title: "BERT-mini, 4 layers", millions: 11.2 },
    KnownModel { id: "nreimers/MiniLM-L6-H384-uncased", title: "MiniLM, 6 layers", millions: 22.7 },
    KnownModel { id: "google/bert_uncased_L-4_H-512_A-8", title: "BERT-small, 4 layers", millions: 28.8 },
    KnownModel { id: "google/bert_uncased_L-8_H-512_A-8", title: "BERT-medium, 8 layers", millions: 41.4 },
    KnownModel { id: "distilbert/distilbert-base-uncased", title: "DistilBERT, 6 layers", millions: 66.4 },
    KnownModel {
        id: "distilbert/distilbert-base-cased",
        title: "DistilBERT, 6 layers, cased",
        millions: 65.2,
    },
    KnownModel { id: "google-bert/bert-base-uncased", title: "BERT-base, 12 layers", millions: 109.5 },
    KnownModel { id: "google-bert/bert-base-cased", title: "BERT-base, 12 layers, cased", millions: 108.3 },
    KnownModel { id: "google-bert/bert-large-uncased", title: "BERT-large, 24 layers", millions: 335.1 },
];

/// The known encoder with that id.
pub fn known_model(id: &str) -> Option<&'static KnownModel> {
    MODELS.iter().find(|model| model.id == id)
}

/// The known encoder whose id is `name`, or whose id is `name` after its owner: the hub has such short ids from its early
/// days, and redirects them.
pub fn known_model_by_short_id(name: &str) -> Option<&'static KnownModel> {
    let matches = |model: &&KnownModel| model.id.rsplit('/').next() == Some(name) || model.id == name;
    MODELS.iter().find(matches)
}
