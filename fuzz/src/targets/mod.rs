//! What each target reads. Every function gets a folder to write to and the input.

mod data;
mod model;
mod run;
mod settings;

pub use data::{delimited, glue_tsv, input_table, json_lines, parquet, trees};
pub use model::{config, hub_listing, legacy_weights, safetensors, thresholds, tokenizer};
pub use run::{control, events, predictions, queue, run_directory, submission};
pub use settings::{experiments, keys, overrides, themes};

use std::path::{Path, PathBuf};

/// Writes `content` to the file `name` of `folder`.
fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file of the temporary folder can be written");
    path
}
