//! Files embedded in the binary: the demo model, the demo datasets and the default experiments.

use crate::files::{ModelFolder, Root};

/// The name of the demo model.
pub const DEMO: &str = "demo";

/// The default experiments.toml.
pub const EXPERIMENTS: &str = include_str!("../experiments.toml");

/// The files of the demo model, by their Hugging Face names.
static DEMO_MODEL: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../assets/demo-model/config.json")),
    ("model.safetensors", include_bytes!("../assets/demo-model/model.safetensors")),
    ("tokenizer.json", include_bytes!("../assets/demo-model/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../assets/demo-model/tokenizer_config.json")),
    ("vocab.txt", include_bytes!("../assets/demo-model/vocab.txt")),
];

/// The TSV file of a demo dataset (`demo` or `demo-pairs`) and a split (`train`, `validation` or `test`): one row
/// a line with tab-separated cells, the first row is the header, quotes are plain text. `None` if there is no such
/// file.
pub fn tsv(folder: &str, split: &str) -> Option<&'static str> {
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

/// The embedded model `demo`, a small pretrained BERT.
pub fn demo_model() -> ModelFolder {
    ModelFolder { name: DEMO.to_owned(), commit: None, root: Root::Embedded(DEMO_MODEL) }
}
