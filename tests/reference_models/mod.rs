//! The tiny random models in `tests/reference`, for several test programs.

use std::path::{Path, PathBuf};

/// Those that classify into three classes: each family, and variants of it.
pub(crate) const CLASSIFIERS: [&str; 17] = [
    "bert",
    "distilbert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "electra",
    "electra-base",
    "albert",
    "albert-groups",
    "mpnet",
    "deberta-v3",
    "deberta-v2",
    "deberta-c2p",
    "deberta-p2c",
    "deberta-absolute",
    "modernbert",
    "modernbert-biases",
];

/// The folder of the model of that name.
pub(crate) fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}
