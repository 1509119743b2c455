//! What the binary carries: the demo model, the demo data and the shipped experiments.

use crate::files::{ModelFolder, Root};

/// What the demo model is called where a model is named.
pub const DEMO: &str = "demo";

/// The shipped experiments.toml.
pub const EXPERIMENTS: &str = include_str!("../experiments.toml");

/// Files of the demo model by their Hugging Face names.
static DEMO_MODEL: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../assets/demo-model/config.json")),
    ("model.safetensors", include_bytes!("../assets/demo-model/model.safetensors")),
    ("tokenizer.json", include_bytes!("../assets/demo-model/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../assets/demo-model/tokenizer_config.json")),
    ("vocab.txt", include_bytes!("../assets/demo-model/vocab.txt")),
];

/// The file of `folder` (`demo` or `demo-pairs`) for `split` (`train`, `validation` or `test`): rows separated
/// by line feeds, cells by tabs, the first row a header, quotes plain text. `None` when there is no such file.
pub fn rows(folder: &str, split: &str) -> Option<&'static str> {
    Some(match (folder, split) {
        ("demo", "train") => include_str!("../assets/demo/train.tsv"),
        ("demo", "validation") => include_str!("../assets/demo/validation.tsv"),
        ("demo", "test") => include_str!("../assets/demo/test.tsv"),
        ("demo-pairs", "train") => include_str!("../assets/demo-pairs/train.tsv"),
        ("demo-pairs", "validation") => include_str!("../assets/demo-pairs/validation.tsv"),
        ("demo-pairs", "test") => include_str!("../assets/demo-pairs/test.tsv"),
        _ => return None,
    })
}

/// The small pretrained BERT that the binary carries, called `demo`.
pub fn demo_model() -> ModelFolder {
    ModelFolder { name: DEMO.to_owned(), commit: None, root: Root::Embedded(DEMO_MODEL) }
}
